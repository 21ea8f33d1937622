/**
 * Causes of single tables from the slots of a run, as its error names them: each table once, with its last error, and
 * bounded.
 */
import { describe, expect, test } from 'vitest'
import { FailureCauses, causesOfTasks, withCauses } from '../../src/app/share/causes.ts'
import { ReportedEvents } from '../../src/app/share/task-program.ts'
import type { TaskRow } from '../../src/model/share/distributed.ts'
import type { Event } from '../../src/model/run/event.ts'
import { SluiceError } from '../../src/shared/errors.ts'

const stamp = { v: 1, seq: 1, ts: '2026-11-24T00:00:00.000Z', runId: '1' } as const
const NOT_EMPTY = new SluiceError('TARGET_NOT_EMPTY', 'there are rows', { hint: 'empty it' }).info()
const finished = (table: string, error?: typeof NOT_EMPTY): Event => ({
  ...stamp,
  type: 'table.finished',
  table,
  status: error === undefined ? 'ok' : 'failed',
  ms: 1,
  ...(error === undefined ? {} : { error }),
})
const refused = (table: string): Event => ({
  ...stamp,
  type: 'log',
  level: 'error',
  table,
  message: `${table} has no key`,
  hint: `ALTER TABLE ${table} REPLICA IDENTITY FULL`,
})
const folded = (events: readonly Event[]): FailureCauses => {
  const causes = new FailureCauses()
  for (const event of events) causes.take(event)
  return causes
}
const failed = new SluiceError('TABLES_FAILED', '2 of 3 tables are not whole', { hint: 'mend them' }).info()
const slot = (no: number, more: Partial<TaskRow> = {}): TaskRow => ({
  runId: '1',
  no,
  about: '',
  state: 'ended',
  onCall: false,
  turns: 1,
  workerId: null,
  host: null,
  ledgerRun: null,
  beatAt: null,
  isLost: false,
  rows: 0n,
  chunks: 0,
  rate: 0,
  exitCode: 1,
  error: failed,
  ...more,
})

describe('the error of a run', () => {
  test('names the tables that failed last, and none that a later attempt completed', () => {
    const causes = folded([finished('a', NOT_EMPTY), finished('b', NOT_EMPTY), finished('c', NOT_EMPTY), finished('b')])
    expect(withCauses(failed, causes).reason).toBe(
      'a: TARGET_NOT_EMPTY there are rows; c: TARGET_NOT_EMPTY there are rows',
    )
  })

  test('is the refusal of one table, and names the other refused ones', () => {
    const first = new SluiceError('NOT_FOLLOWABLE', 'a has no key', { hint: 'ALTER TABLE a …' }).info()
    expect(withCauses(first, folded([refused('b')])).reason).toBe('also: b: b has no key')
  })

  test('names five tables and counts the others; an error with a reason, or the only cause, stays unchanged', () => {
    const many = folded(Array.from({ length: 250 }, (_, no) => finished(`t${no}`, NOT_EMPTY)))
    expect(withCauses(failed, many).reason).toMatch(/^t0: .*; t4: [^;]*; and 245 more$/)
    const reasoned = { ...failed, reason: 'known' }
    expect(withCauses(reasoned, many)).toBe(reasoned)
    expect(withCauses(NOT_EMPTY, folded([finished('a', NOT_EMPTY)]))).toBe(NOT_EMPTY)
  })
})

test('events of failed tables are kept among thousands of others', () => {
  const reported = new ReportedEvents()
  for (let no = 0; no < 2_000; no += 1) reported.take(finished(`t${no}`, no === 500 ? NOT_EMPTY : undefined))
  expect(reported.kept.length).toBeLessThan(400)
  expect(folded(reported.kept).all).toEqual([
    { table: 't500', message: 'TARGET_NOT_EMPTY there are rows', hint: 'empty it' },
  ])
})

test('causes are those of slots that did not end well, each once', () => {
  const output = [
    { no: 1, events: [finished('a', NOT_EMPTY), refused('b')] },
    { no: 2, events: [finished('a', NOT_EMPTY)] },
    { no: 3, events: [finished('c', NOT_EMPTY)] },
    { no: 4, events: [finished('d', NOT_EMPTY)] },
  ]
  const parts = slot(5, { about: 'e', error: NOT_EMPTY })
  const slots = [slot(1), slot(2), slot(3, { exitCode: 0, error: null }), slot(4, { onCall: true }), parts]
  expect(causesOfTasks(slots, output, failed).map(({ table }) => table)).toEqual(['a', 'b', 'e'])
})

test('tables that differ are causes, each with its counts, code and the hint of the comparison', () => {
  const differs = (table: string, counts: string): Event => ({ ...stamp, type: 'table.finished', table, status: 'failed', ms: 1, notes: [counts, 'more'] }) // prettier-ignore
  const error = new SluiceError('DIFFERENCES', '4 rows differ', { hint: 'diff --fix' }).info()
  const events = [
    finished('c'),
    differs('a', '3 different'),
    refused('b'),
    differs('b', 'rows differ'),
    differs('d', '1 missing'),
  ]
  const all = [
    { table: 'a', message: 'DIFFERENCES 3 different', hint: 'diff --fix' },
    { table: 'b', message: 'b has no key', hint: 'ALTER TABLE b REPLICA IDENTITY FULL' },
    { table: 'd', message: 'DIFFERENCES 1 missing', hint: 'diff --fix' },
  ]
  expect(causesOfTasks([slot(1, { error })], [{ no: 1, events }], error)).toEqual(all)
  expect(withCauses(error, folded(events)).reason).toBe(
    'a: DIFFERENCES 3 different; b: b has no key; d: DIFFERENCES 1 missing',
  )
  const reported = new ReportedEvents()
  for (let no = 0; no < 2_000; no += 1) reported.take(no === 500 ? differs('t500', '3 different') : finished(`t${no}`))
  expect(folded(reported.kept).all).toMatchObject([{ table: 't500' }])
})
