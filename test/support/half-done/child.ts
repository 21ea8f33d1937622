/** Programs that are killed and leave work half-done. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunFinished } from '../../../src/engine/run/operation.ts'
import type { Operation } from '../../../src/app/operations/list.ts'
import type { Event } from '../../../src/model/run/event.ts'

const PROGRAM = resolve(import.meta.dirname, '../../fault/half-done-child.mjs')

export type Dies =
  | { readonly type: Event['type']; readonly times: number }
  | { readonly planning: true }
  /** Before or after the first statement of PostgreSQL that matches, or the COMMIT of its transaction. */
  | { readonly sql: string; readonly commits?: true; readonly when: 'before' | 'after' }
  /** Killed from outside once the function returns true. */
  | { readonly once: () => Promise<boolean> }

export type Leaving = {
  /** The host name that the program reports. */
  readonly host: string
  /** Where it is killed; without it, it must run to its end. */
  readonly dies?: Dies
  /** The ledger gets no identity of the tables, because the restored tables have other ones. */
  readonly unmarked?: boolean
}

/** Runs an operation in its own process. @throws Error if it ends in another way */
export async function leave(operation: Operation, { dies, ...leaving }: Leaving): Promise<RunFinished | undefined> {
  const child = spawn(process.execPath, [PROGRAM], {
    env: { ...process.env, SLUICE_CHILD: JSON.stringify({ operation, dies, ...leaving }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  if (dies !== undefined && 'once' in dies) void killedOnce(child, dies.once)
  child.stdout.on('data', (data: Buffer) => (said += data.toString()))
  child.stderr.on('data', (data: Buffer) => (said += data.toString()))
  await once(child, 'close')
  const last = said.trim().split('\n').at(-1) ?? ''
  if ((child.signalCode === 'SIGKILL') !== (dies !== undefined)) throw new Error(`it ended by itself: ${said}`)
  return dies === undefined ? (JSON.parse(last) as { readonly finished: RunFinished }).finished : undefined
}

async function killedOnce(child: ChildProcess, isSo: () => Promise<boolean>): Promise<void> {
  while (child.exitCode === null && !(await isSo().catch(() => false))) await sleep(20)
  child.kill('SIGKILL')
}
