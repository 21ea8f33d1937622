/**
 * The average rate of a copy is the same on its screen and in its last line, however long it followed changes
 * afterwards.
 */
import { expect, test } from 'vitest'
import { SummaryFold } from '../../src/render/summary.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { foldEvent } from '../../src/tui/run/fold.ts'
import { freshRun, meanRate } from '../../src/tui/run/run-view.ts'
import * as told from '../tui/support/copy-events.ts'

const BEGUN = Date.parse('2026-11-23T03:00:00.000Z')

function both(bodies: readonly (readonly [at: number, body: EventBody])[]): { screen: number | null; line: string } {
  const summary = new SummaryFold()
  let run = freshRun(1, told.COPY, told.COMMAND, BEGUN)
  let last = BEGUN
  for (const [at, body] of bodies) {
    const event: Event = { v: 1, seq: 1, ts: new Date(BEGUN + at).toISOString(), runId: '1', ...body }
    summary.event(event)
    // A screen gets events a little later.
    run = foldEvent(run, event, (last = BEGUN + at + 70))
  }
  if (run.finished === null) throw new Error('it goes on')
  return { screen: meanRate(run, last), line: summary.text(run.finished, 'partition-run') }
}

const end: EventBody = { type: 'run.finished', status: 'stopped', exitCode: 75, totals: { read: '50000' }, ms: 1 }

test('a copy that then followed for an hour keeps the rate of the copy', () => {
  const { screen, line } = both([
    [0, told.planned([told.planLine(told.TABLE, told.ROWS)])],
    [5000, told.begun()],
    [6000, told.started(1, 1)],
    [10_000, told.done(1, 1)],
    [3_600_000, end],
  ])
  expect(screen).toBe(12_500)
  expect(line).toContain('12,500 rows/s')
})

test('work of less than a second has no rate', () => {
  const { screen, line } = both([
    [0, told.planned([told.planLine(told.TABLE, told.ROWS)])],
    [6000, told.started(1, 1)],
    [6400, told.done(1, 1)],
    [3_600_000, end],
  ])
  expect(screen).toBeNull()
  expect(line).not.toContain('rows/s')
})
