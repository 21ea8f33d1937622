import { expect, test } from 'vitest'
import { PartitionPlanText, partitionPlanText } from '../../src/render/partition-plan-lines.ts'
import type { EventBody } from '../../src/model/run/event.ts'

const table = 'public.bookings'

function printed(...events: readonly EventBody[]): string {
  let text = ''
  const lines = new PartitionPlanText((more) => void (text += more))
  for (const event of events)
    expect(lines.event({ v: 1, seq: 1, ts: '2026-11-20T12:00:00.000Z', runId: '1', ...event })).toBe(true)
  lines.end()
  return text
}

test('a plan has findings, rates, hours and statements in separate blocks', () => {
  expect(
    printed(
      {
        type: 'partition.finding',
        table,
        verdict: 'refused',
        about: 'trigger',
        object: 'row\nnew',
        detail: 'the server refuses it',
        hint: 'drop it',
      },
      { type: 'partition.finding', table, verdict: 'fine', about: 'column', object: 'at', detail: 'date NOT NULL' },
      {
        type: 'partition.rate',
        table,
        rows: '100000',
        bytes: '100000000',
        ms: 5000,
        bytesPerHour: '72000000000',
        lanes: 2,
        written: true,
        note: 'no log',
        neededPerHour: '72223333333',
        windowMs: 10_800_000,
      },
      {
        type: 'partition.forecast',
        table,
        label: 'Q2-FY25',
        from: '2024-04-01',
        to: '2024-07-01',
        rows: '216670000',
        estimated: true,
        off: '900000',
        bytes: '216670000000',
        ms: 10_833_500,
        fits: false,
      },
      {
        type: 'partition.forecast',
        table,
        label: 'Q2-FY25',
        slice: '2024-W14',
        from: '2024-04-01',
        to: '2024-04-08',
        rows: '7',
        estimated: false,
        bytes: '7000',
      },
      { type: 'partition.sql', table, sql: 'CREATE TABLE "a" ()' },
      { type: 'partition.sql', table, sql: 'CREATE TABLE "b" ()' },
    ),
  ).toMatchInlineSnapshot(`
    "VERDICT  ABOUT    OBJECT    WHAT HAPPENS, OR WHY NOT
    refused  trigger  row\\nnew  the server refuses it
                                do: drop it
    fine     column   at        date NOT NULL

    measured: 100,000 rows, 100 MB read and written in 5.0 s by 2 workers: 72.0 GB an hour; the largest partition needs 72.2 GB an hour for 3:00:00

    PARTITION  SLICE     FROM        TO                           ROWS    SIZE  AT LEAST  WINDOW
    Q2-FY25              2024-04-01  2024-07-01  ~216,670,000 ±900,000  217 GB   3:00:33  too long
    Q2-FY25    2024-W14  2024-04-01  2024-04-08                      7  7.0 KB         -  -

    CREATE TABLE "a" ();
    CREATE TABLE "b" ();
    "
  `)
})

test('statements have no blank line before them if nothing precedes', () => {
  expect(printed({ type: 'partition.sql', table, sql: 'SELECT 1' })).toBe('SELECT 1;\n')
})

test('events of other operations are not handled', () => {
  const lines = new PartitionPlanText(() => expect.unreachable())
  expect(lines.event({ v: 1, seq: 1, ts: '', runId: '1', type: 'log', level: 'note', message: 'x' })).toBe(false)
})

test('a plan is summarized in one sentence', () => {
  const finished = { type: 'run.finished', status: 'failed', exitCode: 1, ms: 8000 } as const
  const totals = { findings: '11', refused: '1', partitions: '14', rows: '440000', bytes: '435000000' }
  expect(partitionPlanText({ ...finished, totals }, 'partition-plan')).toBe(
    '1 of 11 findings refused; 14 partitions for 440,000 rows, 435 MB; nothing was changed, in 8.0 s',
  )
  expect(partitionPlanText({ ...finished, totals }, 'partition-list')).toBeNull()
  expect(partitionPlanText({ ...finished, totals: {} }, 'partition-plan')).toBeNull()
})
