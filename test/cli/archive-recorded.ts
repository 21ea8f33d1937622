/** Hand-written events of archives, as an engine sends them: input for tests of the renderers. */
import type { EventBody } from '../../src/model/run/event.ts'
import { stamped } from './recorded.ts'

type Stamped = readonly [ms: number, body: EventBody]

export const FROM = 'postgresql://app@db/shop'
const started = (command: string, target?: string): Stamped => [
  0,
  { type: 'run.started', command, tool: '0.1.0', source: FROM, ...(target === undefined ? {} : { target }) },
]

const planned = (
  partition: string,
  status: Extract<EventBody, { type: 'archive.planned' }>['status'],
  more: Partial<Extract<EventBody, { type: 'archive.planned' }>> = {},
): Stamped => [
  20,
  {
    type: 'archive.planned',
    table: 'public.bookings',
    partition,
    status,
    rows: '12345678',
    estimated: true,
    bytes: '1200000000',
    ...more,
  },
]

export const columns: Stamped = [
  15,
  {
    type: 'archive.columns',
    table: 'public.bookings',
    archive: '/archive/public.bookings',
    partitionColumn: 'fiscal_quarter',
    calendar: 'quarters from January, years +1, UTC',
    columns: [
      { column: 'id', source: 'bigint', stored: 'long' },
      { column: 'price', source: 'numeric(12,2)', stored: 'decimal(12,2)' },
      { column: 'details', source: 'jsonb', stored: 'string', note: 'as the text that the source prints' },
      { column: 'stay', source: 'tstz\nrange', stored: 'string', note: 'as the text that the source prints' },
    ],
  },
]

const plan: readonly Stamped[] = [
  columns,
  planned('Q1-FY21', 'done', { state: 'DROPPED', from: '2020-01-01', to: '2020-04-01', estimated: false }),
  planned('Q2-FY21', 'drop', { state: 'DETACHED', from: '2020-04-01', to: '2020-07-01', estimated: false }),
  planned('Q3-FY21', 'resume', { state: 'EXPORTED', from: '2020-07-01', to: '2020-10-01', estimatedMs: 41_000 }),
  planned('Q4-FY21', 'due', { from: '2020-10-01', to: '2021-01-01', estimatedMs: 83_000 }),
  planned('Q1-FY22', 'held', { from: '2021-01-01', to: '2021-04-01', note: 'lawsuit 4711' }),
  planned('Q2-FY22', 'blocked', { from: '2021-04-01', to: '2021-07-01', note: 'invoices refers to its rows' }),
  planned('rest', 'later', { rows: '0', bytes: '0' }),
  [
    25,
    {
      type: 'archive.forecast',
      table: 'public.bookings',
      partitions: '2',
      drops: '1',
      rows: '24691356',
      estimated: true,
      sourceBytes: '2400000000',
      bytes: '420000000',
      ms: 124_000,
      workers: 1,
      from: '2',
    },
  ],
]

export const dryRun = stamped([
  started('archive', '/archive'),
  ...plan,
  [30, { type: 'run.finished', status: 'ok', exitCode: 0, totals: { partitions: '7' }, ms: 30 }],
])

const state = (
  ms: number,
  partition: string,
  reached: Extract<EventBody, { type: 'archive.state' }>['state'],
  more: Partial<Extract<EventBody, { type: 'archive.state' }>> = {},
): Stamped => [ms, { type: 'archive.state', table: 'public.bookings', partition, state: reached, ms: 100, ...more }]

const progress = (
  ms: number,
  partition: string,
  step: Extract<EventBody, { type: 'archive.progress' }>['step'],
  rows: number,
): Stamped => [
  ms,
  {
    type: 'archive.progress',
    table: 'public.bookings',
    partition,
    step,
    rows: String(rows),
    total: '12345678',
    bytes: String(rows * 100),
  },
]

const stored = { rows: '12345678', sourceBytes: '1200000000', bytes: '210000000', files: '2' } as const
const changed = {
  code: 'PARTITION_CHANGED',
  message: 'Q4-FY21 changed after it was exported',
  where: 'public.bookings_q4_fy21',
  hint: 'run the same command again: it is exported anew',
  retryable: false,
} as const
export const again = `sluice archive run --from ${FROM} --table public.bookings --older-than 8q --to /archive`

/** Two partitions: one is changed by another session, one is dropped. */
export const run = stamped([
  started('archive', '/archive'),
  ...plan,
  progress(100, 'Q3-FY21', 'exporting', 10),
  progress(6_000, 'Q3-FY21', 'exporting', 2_000_000),
  progress(10_100, 'Q3-FY21', 'exporting', 4_700_010),
  state(27_000, 'Q3-FY21', 'EXPORTED', { ...stored, ms: 27_000 }),
  progress(27_200, 'Q3-FY21', 'verifying', 100_000),
  progress(40_300, 'Q3-FY21', 'verifying', 12_300_000),
  state(41_000, 'Q3-FY21', 'VERIFIED', { ...stored, ms: 14_000 }),
  state(41_200, 'Q3-FY21', 'PUBLISHED', { ...stored, version: '3' }),
  state(41_300, 'Q3-FY21', 'DETACHED', { ...stored, version: '3', dropAfter: '2026-11-27T12:04:57.000Z' }),
  state(41_400, 'Q4-FY21', 'EXPORTING'),
  state(90_000, 'Q4-FY21', 'EXPORTED', { ...stored, ms: 48_600 }),
  state(91_000, 'Q4-FY21', 'FAILED', { error: changed }),
  state(92_000, 'Q2-FY21', 'DROPPED', { ...stored, ms: 1_000 }),
  [
    92_100,
    {
      type: 'run.finished',
      status: 'refused',
      exitCode: 5,
      totals: {
        partitions: '3',
        exported: '2',
        published: '1',
        detached: '1',
        dropped: '1',
        restored: '0',
        failed: '1',
        rows: '24691356',
        bytes: '420000000',
        sourceBytes: '2400000000',
      },
      ms: 92_100,
      resumeCommand: again,
      error: changed,
    },
  ],
])

export const restore = stamped([
  started('restore'),
  planned('Q2-FY21', 'due', { state: 'DROPPED', estimated: false }),
  progress(5_000, 'Q2-FY21', 'restoring', 1_000_000),
  state(38_000, 'Q2-FY21', 'RESTORED', { rows: '12345678', ms: 37_900 }),
  [
    38_100,
    {
      type: 'run.finished',
      status: 'ok',
      exitCode: 0,
      totals: { partitions: '1', restored: '1', rows: '12345678' },
      ms: 38_100,
    },
  ],
])

export const list = stamped([
  started('archive-list'),
  [
    10,
    {
      type: 'archived',
      table: 'public.bookings',
      partition: 'Q2-FY21',
      state: 'DROPPED',
      archive: '/archive/public.bookings',
      from: '2020-04-01',
      to: '2020-07-01',
      rows: '12345678',
      files: '2',
      bytes: '210000000',
      sourceBytes: '1200000000',
      version: '2',
      changedAt: '2026-11-13T12:04:57.000Z',
      dropAfter: '2026-11-12T12:04:57.000Z',
    },
  ],
  [
    11,
    {
      type: 'archived',
      table: 'public.bookings',
      partition: 'Q1-FY22',
      state: 'PLANNED',
      archive: '/archive/public.bookings',
      held: 'lawsuit 4711\nsee the file',
    },
  ],
  [12, { type: 'run.finished', status: 'ok', exitCode: 0, totals: { partitions: '2' }, ms: 12 }],
])

const differences = {
  code: 'PROOF_FAILED',
  message: '2 parts of the archive differ from their proofs',
  retryable: false,
} as const
export const verify = stamped([
  started('archive-verify'),
  progress(10_500, 'Q2-FY21', 'verifying', 5_000_000),
  [
    12_000,
    {
      type: 'archive.finding',
      table: 'public.bookings',
      partition: 'Q2-FY21',
      path: 'fiscal_quarter=Q2-FY21/part-00000.parquet',
      finding: 'changed file',
      detail: 'its sha256 is 12ab, and was 34cd',
      bytes: '105000000',
    },
  ],
  [
    12_100,
    {
      type: 'archive.finding',
      table: 'public.bookings',
      finding: 'not in the ledger',
      detail: 'version 7 was written by somebody else',
    },
  ],
  [
    12_200,
    {
      type: 'run.finished',
      status: 'failed',
      exitCode: 1,
      totals: { checked: '14', files: '80', rows: '123456789', findings: '2' },
      ms: 12_200,
      error: differences,
    },
  ],
])

export const sweep = stamped([
  started('archive-sweep'),
  [
    100,
    {
      type: 'archive.finding',
      table: 'public.bookings',
      path: 'fiscal_quarter=Q4-FY21/part-00001.parquet',
      finding: 'swept file',
      detail: 'in no version, 3 days old',
      bytes: '12000000',
    },
  ],
  [200, { type: 'run.finished', status: 'ok', exitCode: 0, totals: { findings: '1', bytes: '12000000' }, ms: 200 }],
])

export const query = stamped([
  started('query'),
  [
    10,
    {
      type: 'query.sources',
      table: 'public.bookings',
      partitions: { read: '2', of: '14' },
      files: { read: '5', of: '80' },
      unchecked: '5',
      zone: 'UTC',
      hotRows: '120000',
      hotColumns: ['id', 'price', 'booked_at'],
    },
  ],
  [11, { type: 'columns', columns: ['year', 'n'] }],
  [12, { type: 'row', values: ['2020', 120_345] }],
  [13, { type: 'run.finished', status: 'ok', exitCode: 0, totals: { rows: '1' }, ms: 13 }],
])
