/** The view of an archive run, folded from its events: progress, rate, and time without progress. */
import { describe, expect, it } from 'vitest'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { foldEvent, sample } from '../../src/tui/run/fold.ts'
import type { RunView } from '../../src/tui/run/run-view.ts'
import { byteRate, doneNow, eta, freshRun, rateOf, runProgress, runTotalWork } from '../../src/tui/run/run-view.ts'
import { stepRates } from '../../src/tui/run/archiving/archive-partition.ts'
import { ARCHIVE, changed, COMMAND, moved, planned, reached, RESTORE, ROWS, STORED } from './support/archive-events.ts'
import type { Operation } from '../../src/app/operations/list.ts'

type Timed = readonly [at: number, body: EventBody]

function folded(operation: Operation, events: readonly Timed[]): RunView {
  let run = freshRun(1, operation, COMMAND, 0)
  for (const [index, [at, body]] of events.entries()) {
    const event: Event = { v: 1, seq: index + 1, ts: new Date(at).toISOString(), runId: '7', ...body }
    run = sample(foldEvent(run, event, at), at)
  }
  return run
}

const started: Timed = [0, { type: 'run.started', command: 'archive', tool: '0.1.0' }]
const states = (run: RunView): readonly string[] =>
  (run.archiving?.partitions ?? []).map(({ name, status, state }) => `${name} ${status} ${state ?? '-'}`)

describe('an archive run', () => {
  it('counts every pass over the rows of a partition', () => {
    const plan: readonly Timed[] = [
      started,
      [0, planned('new')],
      [0, planned('exported', { status: 'resume', state: 'EXPORTED' })],
      [0, planned('proved', { status: 'resume', state: 'VERIFIED' })],
      [0, planned('old', { status: 'drop', state: 'DETACHED' })],
      [0, planned('held', { status: 'held' })],
      [0, planned('stuck', { status: 'blocked' })],
      [0, planned('gone', { status: 'done', state: 'DROPPED' })],
      [0, planned('young', { status: 'later' })],
    ]
    const begun = folded(ARCHIVE, plan)
    expect(runTotalWork(begun)).toBe(4 * ROWS)
    expect(doneNow(begun)).toBe(0)
    expect(begun.archiving?.left).toEqual({ done: 1, later: 1, restored: 0 })
    expect(begun.archiving?.partitions).toHaveLength(6)

    const half = folded(ARCHIVE, [...plan, [1000, moved('new', 'exporting', ROWS / 2)]])
    expect(doneNow(half)).toBe(ROWS / 2)
    const read = folded(ARCHIVE, [
      ...plan,
      [1000, reached('new', 'EXPORTED', STORED)],
      [2000, moved('new', 'verifying', ROWS / 4)],
      [3000, moved('exported', 'verifying', ROWS / 2)],
    ])
    expect(doneNow(read)).toBe(1.25 * ROWS + 0.5 * ROWS)
    expect(runProgress(read)).toBeCloseTo(1.75 / 4)
    const all = folded(ARCHIVE, [
      ...plan,
      [1, reached('new', 'EXPORTED', STORED)],
      [2, reached('new', 'VERIFIED')],
      [3, reached('new', 'PUBLISHED')],
      [4, reached('new', 'DETACHED')],
      [5, reached('exported', 'DETACHED')],
      [6, reached('proved', 'DETACHED')],
      [7, reached('old', 'DROPPED')],
    ])
    expect(doneNow(all)).toBe(runTotalWork(all))
    // Only the end of the run sets the progress to 100 %.
    expect(runProgress(all)).toBe(0.99)
    expect(states(all)).toEqual([
      'new done DETACHED',
      'exported done DETACHED',
      'proved done DETACHED',
      'old done DROPPED',
      'held held -',
      'stuck blocked -',
    ])
  })

  it('never counts more than the total when a partition is exported again', () => {
    const run = folded(ARCHIVE, [
      started,
      [0, planned('p', { status: 'resume', state: 'EXPORTED', rows: '100', estimated: false })],
      [1, moved('p', 'exporting', 90)],
    ])
    expect(doneNow(run)).toBe(0)
    expect(doneNow(run)).toBeLessThanOrEqual(runTotalWork(run) ?? 0)
  })

  it('calculates rates and the remaining time from past progress', () => {
    const events = Array.from({ length: 21 }, (_, i): Timed => [i * 1000, moved('p', 'exporting', i * 300_000)])
    const run = folded(ARCHIVE, [started, [0, planned('p')], ...events])
    expect(rateOf(run, 20_000, 5000)).toBe(300_000)
    expect(byteRate(run, 20_000, 5000)).toBe(30_000_000)
    expect(eta(run, 20_000)).toBe(((2 * ROWS - 6_000_000) / 300_000) * 1000)
    const step = run.archiving?.current?.step ?? null
    expect(step === null ? null : stepRates(step)).toEqual({ rows: 300_000, bytes: 30_000_000 })
    expect(step?.samples.length).toBeLessThan(20)
  })

  it('keeps the bytes of ended steps, and the sizes before and after', () => {
    const run = folded(ARCHIVE, [
      started,
      [0, planned('p')],
      [1, moved('p', 'exporting', 100)],
      [2, reached('p', 'EXPORTED', STORED)],
      [3, moved('p', 'verifying', 50)],
    ])
    expect(run.archiving?.moved()).toBe(15_000)
    expect(run.archiving?.sizes()).toEqual({ source: 1_200_000_000, stored: 210_000_000 })
  })

  it('keeps the state before a failure, and a failed partition does not stop the run', () => {
    const run = folded(ARCHIVE, [
      started,
      [0, planned('p')],
      [0, planned('q')],
      [1, reached('p', 'EXPORTED', STORED)],
      [2, reached('p', 'FAILED', { error: changed })],
    ])
    expect(states(run)).toEqual(['p failed EXPORTED', 'q waits -'])
    expect(run.archiving?.partitions[0]?.error?.hint).toBe(changed.hint)
    expect([doneNow(run), runTotalWork(run)]).toEqual([ROWS, 3 * ROWS])
    const again = folded(ARCHIVE, [started, [1, reached('p', 'FAILED')], [2, reached('p', 'EXPORTED')]])
    expect(states(again)).toEqual(['p running EXPORTED'])
  })

  it('a partition is done in the last state that the options request', () => {
    const published = folded({ ...ARCHIVE, detach: false }, [started, [1, reached('p', 'PUBLISHED')]])
    expect(states(published)).toEqual(['p done PUBLISHED'])
    expect(states(folded(ARCHIVE, [started, [1, reached('p', 'PUBLISHED')]]))).toEqual(['p running PUBLISHED'])
  })

  it('partitions of several tables are kept apart', () => {
    const other: Timed = [0, { ...planned('p'), table: 'public.orders' }]
    const run = folded(ARCHIVE, [started, [0, planned('p')], other, [1, moved('p', 'exporting', 5, 'public.orders')]])
    expect(run.archiving?.tables).toBe(2)
    expect(run.archiving?.current?.table).toBe('public.orders')
    expect(states(run)).toEqual(['p waits -', 'p running -'])
  })
})

it('a restore reads its rows once', () => {
  const plan: readonly Timed[] = [started, [0, planned('p', { state: 'DROPPED' })]]
  const half = folded(RESTORE, [...plan, [1, moved('p', 'restoring', ROWS / 2)]])
  expect(runTotalWork(half)).toBe(ROWS)
  expect(runProgress(half)).toBe(0.5)
  const done = folded(RESTORE, [...plan, [1, reached('p', 'RESTORED', { rows: String(ROWS) })]])
  expect(states(done)).toEqual(['p done RESTORED'])
  expect(doneNow(done)).toBe(ROWS)
})
