/** Hand-written events of copies and later commands, as an engine sends them. */
import type { CopyPlanLine, EventBody } from '../../src/model/run/event.ts'
import { RUN_ID, stamped } from './recorded.ts'

type Timed = readonly [ms: number, body: EventBody]

const TABLE = 'coordinate_speed_new'
const COLUMNS: CopyPlanLine['columns'] = [
  { from: 'id', to: 'id', source: 'bigint', target: 'INTEGER' },
  { from: 'recorded_at', to: 'recorded_at', source: 'timestamp with time zone', target: 'TEXT' },
  { from: 'speed', to: 'speed_kmh', source: 'double precision', target: 'REAL' },
  { from: 'fix', to: 'fix', source: 'numeric(20,10)', target: 'REAL', lossy: 'decimals become floating point numbers' },
]

export const planLine = (change: Partial<CopyPlanLine> = {}): CopyPlanLine => ({
  table: TABLE,
  to: TABLE,
  status: 'copy',
  rows: '2210059',
  estimated: false,
  bytes: '316000000',
  chunkRows: '50000',
  chunks: '45',
  key: ['id'],
  low: '1',
  high: '2210059',
  proof: 'canonical',
  create: false,
  onExisting: 'refuse',
  columns: COLUMNS.slice(0, 3),
  ...change,
})

export const planOf = (copies: readonly CopyPlanLine[], estimated = false): EventBody => {
  const sum = (pick: (line: CopyPlanLine) => string): string =>
    copies.reduce((all, line) => all + BigInt(pick(line)), 0n).toString()
  return {
    type: 'plan.ready',
    hash: '5b1e09c2aa01f7d3',
    tables: String(copies.length),
    chunks: sum(({ chunks }) => chunks),
    unit: 'row',
    total: sum(({ rows }) => rows),
    estimated,
    bytes: sum(({ bytes }) => bytes),
    excluded: [],
    copies,
  }
}

export const begin = (command = 'copy'): Timed => [
  0,
  {
    type: 'run.started',
    command,
    tool: '0.1.0',
    source: 'postgresql://app@db/tracks',
    target: 'd1://acct/tracks-edge',
  },
]

const started = (change: Partial<Extract<EventBody, { type: 'copy.started' }>> = {}): EventBody => ({
  type: 'copy.started',
  table: TABLE,
  to: TABLE,
  rows: '2210059',
  estimated: false,
  key: ['id'],
  low: '1',
  high: '2210059',
  chunkRows: '50000',
  chunks: '45',
  done: { chunks: '0', rows: '0' },
  ...change,
})

const refused = {
  code: 'ROW_REFUSED',
  message: 'NOT NULL constraint failed: coordinate_speed_new.speed',
  retryable: false,
} as const
const aside = {
  code: 'ROWS_ASIDE',
  message: 'one row of coordinate_speed_new is not in the target',
  hint: 'sluice quarantine list says why; mend it at the source, then sluice quarantine retry',
  retryable: false,
} as const
const chunk = { table: TABLE, worker: 1, unit: 'row' } as const
const retry = `sluice quarantine retry ${RUN_ID} --to d1://acct/tracks-edge`

/** The copy of screens.md: it continues after a stop, is slowed down, and has a quarantined row. */
export const copy = stamped([
  begin(),
  [5, planOf([planLine()])],
  [20, started({ done: { chunks: '6', rows: '300000' } })],
  [
    21,
    {
      type: 'chunk.skipped',
      table: TABLE,
      chunk: '1',
      from: ['1'],
      to: ['50000'],
      read: '50000',
      written: '50000',
      skipped: '0',
      quarantined: '0',
      attempt: 1,
      checksum: { source: 'a1', target: 'a1' },
    },
  ],
  [30, { type: 'chunk.started', ...chunk, chunk: '9', total: '50000', from: ['400001'], to: ['450000'] }],
  [5000, { type: 'chunk.progress', ...chunk, chunk: '9', done: '40000', total: '50000', step: 'writing' }],
  [11_000, { type: 'chunk.progress', ...chunk, chunk: '9', done: '49999', total: '50000', step: 'proving' }],
  [74_000, { type: 'throttle.on', reason: 'target answers 429, Retry-After 1 s', rate: '6000' }],
  [74_500, { type: 'throttle.on', reason: 'target answers 429, Retry-After 2 s', rate: '3000' }],
  [75_000, { type: 'row.aside', table: TABLE, chunk: '9', key: ['431877'], error: refused }],
  [
    75_100,
    {
      type: 'chunk.retried',
      table: TABLE,
      chunk: '23',
      attempt: 3,
      waitMs: 1200,
      error: { code: 'TARGET_IO', message: 'HTTP 502 from the target', retryable: true },
    },
  ],
  [
    76_000,
    {
      type: 'chunk.done',
      ...chunk,
      chunk: '9',
      done: '49999',
      ms: 4900,
      from: ['400001'],
      to: ['450000'],
      read: '50000',
      written: '49999',
      skipped: '0',
      quarantined: '1',
      attempt: 1,
      checksum: { source: 'e47719bc5d00a1f2', target: 'e47719bc5d00a1f2' },
    },
  ],
  [120_000, { type: 'throttle.off' }],
  [
    192_000,
    {
      type: 'table.finished',
      table: TABLE,
      status: 'failed',
      ms: 20,
      copied: {
        chunks: '45',
        proved: '39',
        earlier: '6',
        looked: '6',
        read: '2210059',
        written: '2210058',
        skipped: '0',
        quarantined: '1',
        readPoints: '2',
      },
      notes: [
        '6 of 45 chunks were proved on 2026-11-19, with their values at that time; their counts were compared now, and are equal on both sides; --again compares values',
        'read from 2 states of the source: every chunk is what the source held when it was read',
      ],
      error: aside,
    },
  ],
  [
    192_100,
    {
      type: 'run.finished',
      status: 'failed',
      exitCode: 1,
      proof: 'chunk',
      totals: {
        tables: '1',
        ok: '0',
        read: '2210059',
        written: '2210058',
        skipped: '0',
        quarantined: '1',
        chunks: '45',
        proved: '39',
        earlier: '6',
        looked: '6',
      },
      ms: 192_100,
      resumeCommand: retry,
      error: aside,
    },
  ],
])

const lost = {
  code: 'CONNECTION_LOST',
  message: 'the server closed the connection',
  where: 'postgresql://app@db/tracks',
  hint: 'run the same command again when it is back',
  retryable: true,
} as const
const lossy = {
  code: 'LOSSY_TYPE',
  message: 'public.fixes would lose data: fix (numeric(20,10) to REAL): decimals become floating point numbers',
  hint: 'accept it with --accept-lossy fix, or give the target another type',
  retryable: false,
} as const

/** Several tables: one is new, one is complete already, one fails, one is refused. */
export const manyTables = stamped([
  begin(),
  [
    5,
    planOf(
      [
        planLine({ table: 'public.tracks', to: 'tracks', create: true, estimated: true }),
        planLine({
          table: 'public.cameras',
          to: 'cameras',
          rows: '120',
          chunks: '1',
          chunkRows: '10000',
          key: ['a', 'b'],
          requests: '3',
        }),
        planLine({
          table: 'public.gone',
          to: 'gone',
          rows: '9',
          chunks: '1',
          key: [],
          proof: 'count',
          onExisting: 'append',
          notes: ['it has no key: an interrupted copy of it restarts'],
        }),
        planLine({
          table: 'public.fixes',
          to: 'fixes',
          status: 'refused',
          chunkRows: '0',
          chunks: '0',
          rows: '0',
          columns: [],
          error: lossy,
        }),
      ],
      true,
    ),
  ],
  [6, { type: 'table.finished', table: 'public.fixes', status: 'refused', ms: 1, error: lossy }],
  [20, started({ table: 'public.tracks', to: 'tracks' })],
  [
    21,
    started({ table: 'public.cameras', to: 'cameras', rows: '120', chunks: '1', done: { chunks: '1', rows: '120' } }),
  ],
  [22, started({ table: 'public.gone', to: 'gone', rows: '9', key: [], chunks: '1' })],
  [
    30,
    { type: 'chunk.started', ...chunk, table: 'public.tracks', chunk: '1', total: '50000', from: null, to: ['50000'] },
  ],
  [40, { type: 'chunk.failed', table: 'public.gone', chunk: '1', error: lost }],
  [41, { type: 'chunk.failed', table: 'public.gone', chunk: '2', error: lost }],
  [9000, { type: 'chunk.progress', ...chunk, table: 'public.tracks', chunk: '1', done: '900000', total: '2210059' }],
  [10_100, { type: 'chunk.progress', ...chunk, table: 'public.tracks', chunk: '1', done: '1100000', total: '2210059' }],
  [20_000, { type: 'chunk.done', ...chunk, table: 'public.tracks', chunk: '1', done: '2210059', ms: 20_000 }],
  [
    20_100,
    {
      type: 'table.finished',
      table: 'public.tracks',
      status: 'ok',
      ms: 5,
      copied: {
        chunks: '45',
        proved: '45',
        earlier: '0',
        looked: '0',
        read: '2210059',
        written: '2210059',
        skipped: '0',
        quarantined: '0',
        readPoints: '1',
      },
    },
  ],
  [
    20_101,
    {
      type: 'table.finished',
      table: 'public.cameras',
      status: 'ok',
      ms: 1,
      copied: {
        chunks: '1',
        proved: '0',
        earlier: '1',
        looked: '1',
        provedAt: ['2026-11-19T10:00:00.000Z', '2026-11-19T10:00:00.000Z'],
        read: '120',
        written: '120',
        skipped: '0',
        quarantined: '0',
        readPoints: '1',
      },
    },
  ],
  [
    20_102,
    {
      type: 'table.finished',
      table: 'public.gone',
      status: 'failed',
      ms: 1,
      copied: {
        chunks: '1',
        proved: '0',
        earlier: '0',
        looked: '0',
        read: '0',
        written: '0',
        skipped: '0',
        quarantined: '0',
        readPoints: '0',
      },
      error: lost,
    },
  ],
  [
    20_200,
    {
      type: 'run.finished',
      status: 'failed',
      exitCode: 1,
      proof: 'chunk',
      totals: {
        tables: '4',
        ok: '2',
        read: '2210179',
        written: '2210179',
        skipped: '0',
        quarantined: '0',
        chunks: '47',
        proved: '45',
        earlier: '1',
        looked: '1',
      },
      ms: 20_200,
      resumeCommand: "sluice copy --from postgresql://app@db/tracks --to d1://acct/tracks-edge --tables 'public.*'",
      error: {
        code: 'TABLES_FAILED',
        message: '2 of 4 tables are not complete in the target',
        hint: 'see the lines above',
        retryable: false,
      },
    },
  ],
])

/** A dry run with only a plan, and a table that would lose values. */
export const dryRun = stamped([
  begin(),
  [
    5,
    planOf([
      planLine({ create: true, columns: COLUMNS, requests: '450' }),
      planLine({
        table: 'fixes',
        to: 'fixes',
        status: 'refused',
        chunkRows: '0',
        chunks: '0',
        rows: '0',
        columns: [],
        error: { ...lossy, message: lossy.message.replace('public.', '') },
      }),
    ]),
  ],
  [
    9,
    {
      type: 'run.finished',
      status: 'refused',
      exitCode: 6,
      proof: 'none',
      totals: { tables: '2', refused: '1' },
      ms: 9,
      error: { ...lossy, message: lossy.message.replace('public.', '') },
    },
  ],
])

export const stopped = stamped([
  begin(),
  [5, planOf([planLine({ create: true, columns: COLUMNS })])],
  [20, started()],
  [
    900,
    {
      type: 'table.finished',
      table: TABLE,
      status: 'stopped',
      ms: 20,
      copied: {
        chunks: '45',
        proved: '18',
        earlier: '0',
        looked: '0',
        read: '900000',
        written: '900000',
        skipped: '0',
        quarantined: '0',
        readPoints: '1',
      },
    },
  ],
  [
    1000,
    {
      type: 'run.finished',
      status: 'stopped',
      exitCode: 75,
      proof: 'chunk',
      totals: {
        tables: '1',
        ok: '0',
        read: '900000',
        written: '900000',
        skipped: '0',
        quarantined: '0',
        chunks: '45',
        proved: '18',
        earlier: '0',
        looked: '0',
      },
      ms: 1000,
      resumeCommand: 'sluice copy --from "$DATABASE_URL" --to d1://acct/tracks-edge --table coordinate_speed_new',
    },
  ],
])

export const diff = stamped([
  begin('diff'),
  [10, { type: 'difference', table: 'public.tracks', key: ['7'], difference: 'missing' }],
  [11, { type: 'difference', table: 'public.tracks', key: ['8', 'a,b\n'], difference: 'extra', fixed: true }],
  [
    12,
    {
      type: 'difference',
      table: 'public.tracks',
      key: ['9'],
      difference: 'different',
      columns: [
        { column: 'speed', source: '12.5', target: null },
        { column: 'note', source: '', target: `x${'y'.repeat(90)}` },
      ],
    },
  ],
  [
    20,
    {
      type: 'table.finished',
      table: 'public.tracks',
      status: 'failed',
      ms: 12,
      notes: ['100 rows in the source, 100 in the target: 1 missing, 1 extra, 1 different, 1 mended'],
    },
  ],
  [
    21,
    {
      type: 'table.finished',
      table: 'public.cameras',
      status: 'ok',
      ms: 12,
      notes: ['120 rows in the source, 120 in the target: 0 missing, 0 extra, 0 different'],
    },
  ],
  [
    30,
    {
      type: 'run.finished',
      status: 'failed',
      exitCode: 1,
      totals: { tables: '2', ok: '1', rows: '220', missing: '1', extra: '1', different: '1', fixed: '1' },
      ms: 30,
      error: {
        code: 'DIFFERENCES',
        message: '2 rows differ',
        hint: 'sluice diff --fix mends the target',
        retryable: false,
      },
    },
  ],
])

const ring = (i: number, exact: boolean): Extract<EventBody, { type: 'ring.part' }> => ({
  type: 'ring.part',
  table: 'shop.orders',
  from: String(-(2n ** 63n) + 2n ** 60n * BigInt(i)),
  to: String(-(2n ** 63n) + 2n ** 60n * BigInt(i + 1) - 1n),
  rows: i === 5 ? '90000' : i === 9 ? '0' : '15000',
  partitions: i === 9 ? '0' : '150',
  bytes: i === 5 ? '30000000' : i === 9 ? '0' : '4000000',
  exact,
})

/** Distribution of rows over the token ring of a table, estimated from a sample. */
export const tokens = stamped([
  [0, { type: 'run.started', command: 'tokens', tool: '0.1.0', source: 'cassandra://10.0.0.1/shop' }],
  ...Array.from({ length: 16 }, (_, i): Timed => [300, ring(i, i === 9)]),
  [
    301,
    {
      type: 'ring.host',
      table: 'shop.orders',
      host: '10.0.0.1:9042',
      datacenter: 'dc1',
      rack: 'r1',
      up: true,
      ranges: '16',
      share: 1,
      rows: '300000',
      bytes: '86000000',
    },
  ],
  [
    302,
    {
      type: 'ring',
      table: 'shop.orders',
      partitioner: 'murmur3',
      parts: '16',
      rows: '300000',
      partitions: '2250',
      bytes: '86000000',
      exact: false,
      seen: '12800',
      skew: 4.8,
      largest: [
        { from: '-3458764513820540928', to: '-2305843009213693953', rows: '90000', bytes: '30000000' },
        { from: '-9223372036854775808', to: '-8070450532247928833', rows: '15000', bytes: '4000000' },
      ],
      emptiest: [{ from: '1152921504606846976', to: '2305843009213693951', rows: '0', bytes: '0' }],
      fullest: { key: ['acme\n', '7'], token: '-3000000000000000000', rows: '5000', bytes: '1600000', more: true },
      server: { partitions: '2304', bytes: '91000000' },
    },
  ],
  [310, { type: 'run.finished', status: 'ok', exitCode: 0, totals: { tables: '1', rows: '300000' }, ms: 310 }],
])

export const relations = stamped([
  [0, { type: 'run.started', command: 'discover-database', tool: '0.1.0' }],
  [
    10,
    {
      type: 'relation',
      table: 'public.tracks',
      rows: '2210059',
      estimated: true,
      bytes: '316000000',
      key: ['id'],
      columns: [{ name: 'id', type: 'bigint', nullable: false }],
      partitioning: 'range (day), 12 partitions',
      resumable: true,
    },
  ],
  [
    11,
    {
      type: 'relation',
      table: 'public."; DROP\n',
      rows: '0',
      estimated: false,
      bytes: '0',
      key: [],
      columns: [],
      resumable: false,
      note: 'it has no key: an interrupted copy of it restarts',
    },
  ],
  [20, { type: 'run.finished', status: 'ok', exitCode: 0, totals: { tables: '2', bytes: '316000000' }, ms: 20 }],
])
