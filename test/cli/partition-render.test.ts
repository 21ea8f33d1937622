/** Snapshots of rendered partitions: `npx vitest run test/cli/partition-render -u` rewrites them; review the diff. */
import path from 'node:path'
import { expect, it } from 'vitest'
import { openOutput } from '../../src/cli/output/output.ts'
import { githubFrontend } from '../../src/cli/output/render-github.ts'
import { textFrontend } from '../../src/cli/output/render-text.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { redactText } from '../../src/shared/redact.ts'
import { eventSchema } from './event-schema.ts'
import { stamped } from './recorded.ts'
import { Memory } from './surroundings.ts'

const table = 'public.bookings'
const FROM = 'postgresql://app@db/shop'

const head: EventBody = {
  type: 'partition.table',
  table,
  by: 'created_at',
  calendar: 'quarter(first-month=1,year-offset=1,zone=UTC)',
  calendarFrom: 'the bounds of its 12 newest partitions',
  partitions: '13',
  hasDefault: true,
  coveredTo: '2024-07-01',
}

const made = (partition: string, label: string, from: string, to: string, moved?: string): EventBody => ({
  type: 'partition.made',
  table,
  partition,
  label,
  from,
  to,
  status: 'made',
  ...(moved === undefined ? {} : { moved }),
})

const ensure = stamped([
  [0, { type: 'run.started', command: 'partition-ensure', tool: '0.1.0', target: FROM }],
  [40, head],
  [60, { type: 'partition.progress', table, step: 'logging', rows: '0' }],
  [70, { type: 'partition.progress', table, step: 'copying', rows: '0', total: '4812' }],
  [300, { type: 'partition.progress', table, step: 'following', rows: '12' }],
  [310, { type: 'partition.progress', table, step: 'switching', rows: '0' }],
  [340, made('public.bookings_q3_fy25', 'Q3-FY25', '2024-07-01', '2024-10-01', '4812')],
  [341, made('public.bookings_q4_fy25', 'Q4-FY25', '2024-10-01', '2025-01-01')],
  [342, { type: 'partition.waits', table, longestMs: 23, tries: 1, proved: '4930' }],
  [
    343,
    {
      type: 'partition.pace',
      table,
      partition: 'bookings_q2_fy25',
      rows: '86000000',
      total: '216670000',
      bytesPerHour: '70000000000',
      neededPerHour: '72220000000',
      leftMs: 6_000_000,
    },
  ],
  [
    344,
    {
      type: 'partition.landed',
      table,
      partition: 'bookings_q2_fy25',
      label: 'Q2-FY25',
      slice: '2024-04',
      rows: '12958',
      chunks: '2',
      proof: 'chunk',
      ms: 400,
    },
  ],
  [
    345,
    {
      type: 'partition.landed',
      table,
      partition: 'bookings_q1_fy25',
      label: 'Q1-FY25',
      rows: '39297',
      chunks: '3',
      proof: 'chunk',
      earlier: true,
    },
  ],
  [
    350,
    {
      type: 'partition.alarm',
      table,
      alarm: 'rows in the default',
      from: '1970-01-01',
      to: '1970-01-01',
      rows: '118',
      detail: 'their period does not need a partition, or they have no time',
      hint: 'mend their times, or make partitions for them by hand',
    },
  ],
  [
    351,
    {
      type: 'run.finished',
      status: 'failed',
      exitCode: 1,
      totals: { tables: '1', made: '2', found: '0', moved: '4812', alarms: '1' },
      ms: 351,
      error: {
        code: 'ROWS_IN_DEFAULT',
        message: 'rows are in the default partition',
        hint: 'see the alarms above',
        retryable: false,
      },
    },
  ],
])

const list = stamped([
  [0, { type: 'run.started', command: 'partition-list', tool: '0.1.0', source: FROM }],
  [10, head],
  [
    11,
    {
      type: 'partition',
      table,
      partition: 'public.bookings_q1_fy23',
      label: 'Q1-FY23',
      from: '2022-01-01',
      to: '2022-04-01',
      state: 'archived',
      rows: '98123',
      estimated: false,
      bytes: '2100000',
      note: 'DROPPED',
    },
  ],
  [
    12,
    {
      type: 'partition',
      table,
      partition: 'public.bookings_q2_fy25',
      label: 'Q2-FY25',
      from: '2024-04-01',
      to: '2024-07-01',
      state: 'current',
      rows: '216670000',
      estimated: true,
      bytes: '216670000000',
    },
  ],
  [
    13,
    {
      type: 'partition',
      table,
      partition: 'public.bookings_q3_fy25',
      label: 'Q3-FY25',
      from: '2024-07-01',
      to: '2024-10-01',
      state: 'missing',
      estimated: false,
      note: 'it is not there',
    },
  ],
  [
    14,
    {
      type: 'partition',
      table,
      partition: 'public.bookings_default',
      state: 'default',
      rows: '4812',
      estimated: false,
      bytes: '819200',
    },
  ],
  [
    15,
    {
      type: 'partition.alarm',
      table,
      alarm: 'none ahead',
      from: '2024-07-01',
      to: '2024-10-01',
      detail: 'too few partitions are ahead: Q3-FY25 is missing, and the last one ends at 2024-07-01',
      hint: 'run sluice partition ensure to create them',
    },
  ],
  [
    16,
    {
      type: 'run.finished',
      status: 'ok',
      exitCode: 0,
      totals: { tables: '1', partitions: '2', rows: '216674812', bytes: '216670819200', alarms: '1' },
      ms: 16,
    },
  ],
])

async function text(events: readonly Event[], github = false, quiet = false): Promise<string> {
  const [stdout, stderr] = [new Memory(), new Memory()]
  const output = openOutput(stdout, stderr)
  const options = { quiet, verbose: false, color: false, github, redact: (one: string) => redactText(one) }
  const faces = github
    ? [githubFrontend(output, { summaryFile: undefined, redact: options.redact })]
    : [textFrontend(output, options)]
  for (const event of events) for (const face of faces) face.event(event, false)
  for (const face of faces) await face.close()
  await output.flushed()
  return stdout.text === '' ? stderr.text : `${stdout.text}--- stderr\n${stderr.text}`
}

it.each<[string, readonly Event[]]>([
  ['partition-ensure.txt', ensure],
  ['partition-list.txt', list],
])('%s', async (name, events) => {
  for (const event of events) eventSchema.parse(event)
  await expect(await text(events)).toMatchFileSnapshot(path.join(import.meta.dirname, 'golden', name))
})

it('--quiet prints the database, alarms and the end, and no success for tables that failed', async () => {
  const words = (all: string): string[] => all.split('\n').flatMap((line) => /^\d+:\d\d (\w+)/.exec(line)?.[1] ?? [])
  const mail = await text(ensure, false, true)
  expect(words(mail)).toEqual(['start', 'ALARM', 'end', 'exit'])
  expect(mail).toContain(FROM)
  const ended = (totals: Record<string, string>): Event[] =>
    stamped([
      [0, { type: 'run.started', command: 'partition-ensure', tool: '0.1.0', target: FROM }],
      [1, { type: 'run.finished', status: 'ok', exitCode: 0, totals: { made: '0', alarms: '0', ...totals }, ms: 1 }],
    ])
  expect(await text(ended({ tables: '2' }), false, true)).toContain('2 tables, 0 partitions created, no alarm in')
  expect(await text(ended({ tables: '2', failed: '1' }), false, true)).toContain(
    '2 tables, 0 partitions created, 1 failed in',
  )
  expect(await text(ended({ tables: '0', passedOver: '1' }), false, true)).toContain(
    '0 tables, 1 skipped, 0 partitions created in',
  )
})

it('annotates alarms on GitHub', async () => {
  expect(await text(ensure, true)).toContain('::error title=public.bookings%3A rows in the default::118 rows')
})
