/** Copies in programs of their own, and what has to hold after every fault. */
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
  /** Of the statements that change the target, the one where something happens; none when absent. */
  readonly step?: number
  readonly when?: 'before' | 'during' | 'after' | 'frozen'
  /** The event after which it is killed, by its type, and how often it has to have said that. */
  readonly killedBy?: { readonly type: Event['type']; readonly times: number }
  /** The event after which it stands still until somebody lets it go on. */
  readonly frozenBy?: { readonly type: Event['type']; readonly times: number }
  /** How long its leases last, in milliseconds, instead of half a minute. */
  readonly leaseMs?: number
  /** Its heart does not beat: nothing of it is under way but its work. */
  readonly isSilent?: true
  /** By how much its clocks are wrong, in milliseconds. */
  readonly aheadMs?: number
  /** How often they jump from ahead to as much behind, and back, in milliseconds. */
  readonly jumpsEveryMs?: number
  /** The machine that it says it runs on. */
  readonly host?: string
}

export type Ended = {
  readonly signal: NodeJS.Signals | null
  /** Absent for a program that was killed. */
  readonly finished: RunFinished | undefined
  readonly steps: readonly Step[]
  readonly events: readonly Event[]
}

/** A statement that changed the target: the one that closes a chunk, a COMMIT, or any other. */
export type Step = 'close' | 'commit' | 'other'

export type Child = {
  readonly process: ChildProcess
  readonly events: readonly Event[]
  /** Resolves with the first event of that type; rejects where the program ends without one. */
  until(type: Event['type']): Promise<Event>
  readonly ended: Promise<Ended>
}

/** Starts a copy, or what mends one, in a program of its own. */
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

/** Waits until a program says something that no event of its own tells. */
export async function saying({ events, ended }: Child, words: RegExp): Promise<void> {
  let isOver = false
  void ended.finally(() => (isOver = true)).catch(() => undefined)
  while (!of(events, 'log').some(({ message }) => words.test(message))) {
    if (isOver) throw new Error(`it ended without ${words}: ${JSON.stringify(events.slice(-3))}`)
    await new Promise((wake) => setTimeout(wake, 20))
  }
}

/** Whether a process is stopped, as SIGSTOP leaves it. */
export async function untilFrozen({ process: { pid } }: Child): Promise<void> {
  const { readFileSync } = await import('node:fs')
  for (;;) {
    // Behind the name of the program, which stands in brackets and may hold anything.
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
  /** In an order that both sides agree on. */
  readonly select: string
}

/** Both sides hold the same rows, the ledger is sound, and once more nothing is done. */
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

/** What a run may end with that a fault has hit: all is done, or the next run does the rest and this one says why it did not. */
export function expectHonest({ finished, events }: Pick<Ran, 'finished' | 'events'>, where = ''): void {
  const tables = of(events, 'table.finished')
  const whole = tables.length > 0 && tables.every(({ status }) => status === 'ok')
  if (finished.exitCode === 0) expect(whole, where).toBe(true)
  else
    expect(finished.error?.code, where).toMatch(
      /^(?:CONNECTION_LOST|CONNECT_FAILED|COMMIT_UNKNOWN|CHUNKS_FAILED|TARGET_BUSY|SOURCE_IO)$/,
    )
}
