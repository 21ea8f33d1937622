/** Programs that archive, in their own processes. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunFinished } from '../../src/engine/run/operation.ts'
import type { Event } from '../../src/model/run/event.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const PROGRAM = resolve(import.meta.dirname, 'archive-child.mjs')

export type ArchiverOptions = {
  /** Number of the durable step at which the program is killed or frozen; none if absent. */
  readonly step?: number
  /** Alternative to `step`: part of the step's name. */
  readonly at?: string
  readonly when?: 'before' | 'during' | 'after' | 'frozen'
  readonly leaseMs?: number
  /** Rows per transaction of a plain table. */
  readonly rows?: number
  readonly host?: string
  readonly env?: Readonly<Record<string, string>>
}

export type ArchiverEnd = {
  readonly signal: NodeJS.Signals | null
  /** Absent if the program was killed. */
  readonly finished: RunFinished | undefined
  readonly steps: readonly string[]
  readonly events: readonly Event[]
}

export type Archiver = {
  readonly process: ChildProcess
  readonly events: readonly Event[]
  readonly ended: Promise<ArchiverEnd>
}

export function startArchiver(operation: Operation, { env = {}, ...options }: ArchiverOptions = {}): Archiver {
  const child = spawn(process.execPath, [PROGRAM], {
    env: { ...process.env, ...env, SLUICE_CHILD: JSON.stringify({ operation, ...options }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const events: Event[] = []
  let last: { readonly finished: RunFinished; readonly steps: readonly string[] } | undefined
  let complaint = ''
  child.stderr.on('data', (data: Buffer) => (complaint += data.toString()))
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as Event | { readonly finished: RunFinished; readonly steps: readonly string[] }
    if ('finished' in said) last = said
    else events.push(said)
  })
  const ended = once(child, 'close').then((): ArchiverEnd => {
    if (child.signalCode === null && last === undefined) throw new Error(`the program ended by itself: ${complaint}`)
    return { signal: child.signalCode, finished: last?.finished, steps: last?.steps ?? [], events }
  })
  ended.catch(() => undefined)
  return { process: child, events, ended }
}

/** Waits until a program is stopped by SIGSTOP. @throws Error if it ends instead */
export async function untilStill({ process: { pid }, ended }: Archiver): Promise<void> {
  let over = false
  ended.finally(() => (over = true)).catch(() => undefined)
  while (stateOf(pid) !== 'T') {
    if (over) throw new Error(`it ended and never stood still: ${JSON.stringify((await ended).finished)}`)
    await sleep(5)
  }
}

function stateOf(pid: number | undefined): string | undefined {
  try {
    // The state is after the program's name, which is in brackets and may contain any characters.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0]
  } catch {
    return undefined
  }
}
