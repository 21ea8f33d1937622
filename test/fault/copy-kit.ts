/** Copies in their own processes, and invariants after every fault. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { expect } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { RunFinished } from '../../src/engine/run/operation.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { ledgerProblems } from '../support/copy-ledger.ts'
import { perform, type Place, type Ran } from '../support/copy-systems.ts'
import type { FollowOperation } from '../../src/engine/follow/operations/follow/declaration.ts'
import type { PartitionRunOperation } from '../../src/partition/operations/partition-run/declaration.ts'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import type { CutoverOperation } from '../../src/engine/follow/operations/cutover/declaration.ts'
import type { DiffUndoOperation } from '../../src/engine/copy/operations/diff-undo/declaration.ts'

const PROGRAM = resolve(import.meta.dirname, 'copy-child.mjs')

export type ChildOptions = {
  /** Number of the statement (that changes the target) at which the program is killed or frozen; none if absent. */
  readonly step?: number
  readonly when?: 'before' | 'during' | 'after' | 'frozen'
  /** Killed after the nth event of this type. */
  readonly killedBy?: { readonly type: Event['type']; readonly times: number }
  /** Frozen after the nth event of this type, until the test resumes it. */
  readonly frozenBy?: { readonly type: Event['type']; readonly times: number }
  /** Duration of its leases in milliseconds, instead of half a minute. */
  readonly leaseMs?: number
  /** Sends no heartbeats, so only its work is in progress. */
  readonly isSilent?: true
  /** How far its clocks are ahead, in milliseconds. */
  readonly aheadMs?: number
  /** Interval at which its clocks jump from ahead to as much behind, and back, in milliseconds. */
  readonly jumpsEveryMs?: number
  /** The host name that the program reports. */
  readonly host?: string
}

export type Ended = {
  readonly signal: NodeJS.Signals | null
  /** Absent if the program was killed. */
  readonly finished: RunFinished | undefined
  readonly steps: readonly Step[]
  readonly events: readonly Event[]
}

/** A statement that changed the target: the one that closes a chunk, a COMMIT, or any other. */
export type Step = 'close' | 'commit' | 'other'

export type Child = {
  readonly process: ChildProcess
  readonly events: readonly Event[]
  /** Resolves with the first event of that type; rejects if the program ends without one. */
  until(type: Event['type']): Promise<Event>
  readonly ended: Promise<Ended>
}

/** Starts a copy, or an operation that repairs one, in its own process. */
export function startCopy(
  operation:
    CopyOperation | DiffOperation | DiffUndoOperation | PartitionRunOperation | CutoverOperation | FollowOperation,
  options: ChildOptions = {},
): Child {
  const child = spawn(process.execPath, [PROGRAM], {
    env: { ...process.env, SLUICE_CHILD: JSON.stringify({ operation, ...options }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const events: Event[] = []
  const waiting = new Set<(event: Event | null) => void>()
  let last: { readonly finished: RunFinished; readonly steps: readonly Step[] } | undefined
  let complaint = ''
  child.stderr.on('data', (data: Buffer) => (complaint += data.toString()))
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as Event | { readonly finished: RunFinished; readonly steps: readonly Step[] }
    if ('finished' in said) last = said
    else {
      events.push(said)
      for (const report of waiting) report(said)
    }
  })
  const ended = once(child, 'close').then((): Ended => {
    for (const report of waiting) report(null)
    if (child.signalCode === null && last === undefined) throw new Error(`the program ended by itself: ${complaint}`)
    return { signal: child.signalCode, finished: last?.finished, steps: last?.steps ?? [], events }
  })
  ended.catch(() => undefined)
  const until = (type: Event['type']): Promise<Event> =>
    new Promise((found, missed) => {
      const report = (event: Event | null): void => {
        if (event !== null && event.type !== type) return
        waiting.delete(report)
        if (event === null) missed(new Error(`no ${type} before the program ended: ${complaint}`))
        else found(event)
      }
      const before = events.find((event) => event.type === type)
      if (before !== undefined) found(before)
      else waiting.add(report)
    })
  return { process: child, events, until, ended }
}

/** Waits for a log message of a program, for steps that have no event of their own. */
export async function saying({ events, ended }: Child, words: RegExp): Promise<void> {
  let isOver = false
  void ended.finally(() => (isOver = true)).catch(() => undefined)
  while (!of(events, 'log').some(({ message }) => words.test(message))) {
    if (isOver) throw new Error(`it ended without ${words}: ${JSON.stringify(events.slice(-3))}`)
    await new Promise((wake) => setTimeout(wake, 20))
  }
}

/** Waits until a process is stopped by SIGSTOP. */
export async function untilFrozen({ process: { pid } }: Child): Promise<void> {
  const { readFileSync } = await import('node:fs')
  for (;;) {
    // The state is after the program's name, which is in brackets and may contain any characters.
    const state = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '')[0]
    if (state === 'T') return
    await new Promise((wake) => setTimeout(wake, 5))
  }
}

export function of<T extends EventBody['type']>(
  events: readonly Event[],
  type: T,
): readonly Extract<Event, { type: T }>[] {
  return events.filter((event): event is Extract<Event, { type: T }> => event.type === type)
}

export type Copied = {
  readonly copy: CopyOperation
  readonly source: Place
  readonly target: Place
  readonly table: string
  /** Query whose order is the same on both sides. */
  readonly select: string
}

/** Both sides have the same rows, the ledger is consistent, and another run does nothing. */
export async function expectDone({ copy, source, target, table, select }: Copied, where = ''): Promise<void> {
  const rows = await source.rows(select)
  expect(await target.rows(select), where).toEqual(rows)
  expect(await ledgerProblems(target, table, rows.length), where).toEqual([])
  await expectNothingToDo(copy, where)
}

export async function expectNothingToDo(copy: CopyOperation, where = ''): Promise<void> {
  const { finished, events } = await perform(copy)
  expect(finished, where).toMatchObject({ exitCode: 0, status: 'ok' })
  expect(of(events, 'chunk.started'), where).toEqual([])
}

/** Allowed results of a run with a fault: it completed, or it reports why not and the next run does the rest. */
export function expectHonest({ finished, events }: Pick<Ran, 'finished' | 'events'>, where = ''): void {
  const tables = of(events, 'table.finished')
  const whole = tables.length > 0 && tables.every(({ status }) => status === 'ok')
  if (finished.exitCode === 0) expect(whole, where).toBe(true)
  else
    expect(finished.error?.code, where).toMatch(
      /^(?:CONNECTION_LOST|CONNECT_FAILED|COMMIT_UNKNOWN|CHUNKS_FAILED|TARGET_BUSY|SOURCE_IO)$/,
    )
}
