/** Programs that leave work half-done. */
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
  /** At the first statement of PostgreSQL that matches, or the COMMIT of its transaction. */
  | { readonly sql: string; readonly commits?: true; readonly when: 'before' | 'after' }
  /** From outside, when that is so. */
  | { readonly once: () => Promise<boolean> }

export type Leaving = {
  /** The machine that it says it runs on. */
  readonly host: string
  /** Where it is killed; it has to come to its end where absent. */
  readonly dies?: Dies
  /** The ledger gets no mark of the tables, because theirs will be others. */
  readonly unmarked?: boolean
}

/** Runs an operation in a program of its own. @throws Error where it ends in another way */
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
