/** The last line of a run that follows: the number of applied changes, and no copy totals without a copy. */
import { expect, test } from 'vitest'
import { SummaryFold } from '../../src/render/summary.ts'
import type { EventBody } from '../../src/model/run/event.ts'

type RunFinished = Extract<EventBody, { type: 'run.finished' }>

const counted = (table: string, inserts: string, deletes = '0'): EventBody => ({ type: 'follow.counted', table, state: 'live', inserts, updates: '0', deletes, truncates: '0' }) // prettier-ignore

function line(bodies: readonly EventBody[], totals: RunFinished['totals']): string {
  const summary = new SummaryFold()
  for (const body of bodies) summary.event({ v: 1, seq: 1, ts: '2026-11-24T00:00:00.000Z', runId: '1', ...body })
  return summary.text({ type: 'run.finished', status: 'ok', exitCode: 0, ms: 1, totals }, 'copy')
}

const nothing = { tables: '1', read: '0', written: '0', skipped: '0', quarantined: '0' }

test('counts changes of this run only', () => {
  const reported = [counted('a', '100', '5'), counted('b', '7'), counted('a', '900', '50')]
  expect(line(reported, { ...nothing, changes: '957' })).toBe('845 changes applied')
})

test('has the changes after the totals of the copy', () => {
  const copied = { ...nothing, read: '10', written: '10', chunks: '1', proved: '1', changes: '1' }
  expect(line([counted('a', '0')], copied)).toMatch(/read 10 = written 10 .*; 1 change applied$/)
})

test('has the changes of all runs if the run ends before it has counted its own', () => {
  const totals = { ...nothing, chunks: '0', proved: '0', live: '5', transactions: '246', changes: '10027' }
  expect(line([], totals)).toBe('10,027 changes applied since the stream began')
})

test('has the rows and checks of a sign-off', () => {
  const summary = new SummaryFold()
  const totals = { tables: '5', rows: '201720', ok: '28', failed: '1', notChecked: '11' }
  const finished = { type: 'run.finished', status: 'failed', exitCode: 1, ms: 51_800, totals } as const
  expect(summary.text(finished, 'sign-off')).toBe(
    '5 tables, 201,720 rows; 28 checks ok, 1 failed, 11 not checked in 51.8 s',
  )
})

test('has no changes without a stream', () => {
  expect(line([], nothing)).toBe('read 0 = written 0 + skipped 0 + quarantined 0')
})

test('counts all quarantined rows, also those that the list does not show', () => {
  const shown = { type: 'quarantine.row', run: '1', table: 't', key: ['1'], stage: 'read', code: 'VALUE_REFUSED', message: 'm', row: {}, at: '2026-11-24T00:00:00.000Z' } as const // prettier-ignore
  const summary = new SummaryFold()
  for (let seq = 1; seq <= 2; seq++) summary.event({ v: 1, seq, ts: shown.at, runId: '1', ...shown })
  const finished = { type: 'run.finished', status: 'ok', exitCode: 0, ms: 1, totals: { rows: '940' } } as const
  expect(summary.text(finished, 'quarantine')).toBe('940 rows quarantined')
})
