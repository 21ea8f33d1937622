/** Hand-written events, as an engine sends them: input for tests of the renderers. */
import type { Event, EventBody } from '../../src/model/run/event.ts'

const START = Date.parse('2026-11-20T12:04:16.204Z')
export const RUN_ID = '1763625151000000000'

/** Events at the given milliseconds after the start. */
export function stamped(
  bodies: readonly (readonly [ms: number, body: EventBody])[],
  runId: string | null = RUN_ID,
): Event[] {
  return bodies.map(([ms, body], index) => ({
    v: 1,
    seq: index + 1,
    ts: new Date(START + ms).toISOString(),
    runId,
    ...body,
  }))
}

const gap = {
  code: 'LOG_GAP',
  message: 'commits 11 to 13 are missing between checkpoint 10 and commit 14',
  hint: 'restore the three files, or import again when a checkpoint above 14 exists',
  where: './lake/legacy/broken/_delta_log',
  retryable: false,
} as const

const managed = {
  code: 'TABLE_FEATURE',
  message: 'catalogManaged: its commits are in the catalog of another system',
  retryable: false,
} as const

const orders = { table: 'sales/orders', chunk: 'v0..v1841', worker: 1, unit: 'action' } as const
const again = 'sluice batch-import ./lake --recursive --database-url sqlite:///lake.db --exclude _tmp --parallel 3'

/** The batch import of screens.md. */
export const batchImport = stamped([
  [
    0,
    {
      type: 'run.started',
      command: 'batch-import',
      tool: '0.1.0',
      source: './lake',
      target: 'sqlite:///lake.db',
      resumes: '1763625040000000',
      baseline: { done: '420420' },
    },
  ],
  [
    10,
    {
      type: 'plan.ready',
      hash: '77aa01de',
      tables: '5',
      chunks: '19204',
      unit: 'action',
      total: '1911002',
      estimated: true,
      bytes: '512000312',
      excluded: ['_tmp'],
    },
  ],
  [
    20,
    {
      type: 'table.started',
      table: 'crm/accounts',
      location: './lake/crm/accounts',
      fromVersion: '0',
      toVersion: '212',
    },
  ],
  [
    1020,
    {
      type: 'table.finished',
      table: 'crm/accounts',
      status: 'ok',
      version: '212',
      historyFrom: '0',
      files: '1204',
      bytes: '9800000000',
      actions: '2100',
      ms: 210,
    },
  ],
  [
    1100,
    {
      type: 'table.finished',
      table: 'sales/customers',
      status: 'ok',
      version: '75',
      historyFrom: '60',
      files: '31',
      bytes: '14000000',
      actions: '118',
      ms: 90,
    },
  ],
  [2000, { type: 'table.finished', table: 'legacy/broken', status: 'failed', ms: 11, error: gap }],
  [2100, { type: 'table.finished', table: 'staging/managed', status: 'refused', ms: 4, error: managed }],
  [
    2200,
    {
      type: 'table.started',
      table: 'sales/orders',
      location: './lake/sales/orders',
      fromVersion: '0',
      toVersion: '1841',
    },
  ],
  [2300, { type: 'chunk.started', ...orders, total: '1490582' }],
  [2500, { type: 'chunk.progress', ...orders, done: '10000', total: '1490582' }],
  [2600, { type: 'chunk.progress', ...orders, done: '14000', total: '1490582' }],
  [10_400, { type: 'chunk.progress', ...orders, done: '340000', total: '1490582' }],
  [11_000, { type: 'chunk.progress', ...orders, done: '350000', total: '1490582' }],
  [
    12_000,
    {
      type: 'chunk.retried',
      table: 'sales/orders',
      chunk: 'v0..v1841',
      attempt: 2,
      waitMs: 1200,
      error: { code: 'TARGET_BUSY', message: 'database is locked', retryable: true },
    },
  ],
  [45_000, { type: 'chunk.done', ...orders, done: '1490582', ms: 42_700 }],
  [
    45_100,
    {
      type: 'table.finished',
      table: 'sales/orders',
      status: 'ok',
      version: '1841',
      historyFrom: '0',
      files: '300000',
      bytes: '1203331442201',
      actions: '1490582',
      ms: 42_900,
    },
  ],
  [
    46_100,
    {
      type: 'run.finished',
      status: 'failed',
      exitCode: 1,
      totals: { tables: '5', ok: '3', failed: '1', refused: '1', actions: '1490582' },
      ms: 46_100,
      resumeCommand: again,
      error: { code: 'TABLES_FAILED', message: 'some tables failed', hint: 'see the lines above', retryable: false },
    },
  ],
])

/** The validation of screens.md, with one hostile name. */
export const validate = stamped([
  [
    0,
    {
      type: 'run.started',
      command: 'validate',
      tool: '0.1.0',
      source: './lake/finance/ledger',
      target: 'sqlite:///lake.db',
    },
  ],
  [5, { type: 'log', level: 'note', message: 'witnesses: own replay, 6210.crc, _last_checkpoint 6200' }],
  [
    3000,
    {
      type: 'verify.check',
      table: 'finance/ledger',
      version: '6210',
      check: 'active files',
      equal: true,
      log: '38,554',
      catalog: '38,554',
      witness: 'own replay',
    },
  ],
  [
    3100,
    {
      type: 'verify.check',
      table: 'finance/ledger',
      version: '0',
      check: 'active files',
      equal: true,
      log: '3',
      catalog: '3',
      witness: 'own replay',
    },
  ],
  [
    3200,
    {
      type: 'verify.mismatch',
      table: 'finance/ledger',
      version: '6210',
      check: 'stats',
      path: 'year=2024/part-\u001b[31m##[error]x\r\n::warning::.parquet',
      field: 'stats',
      log: '{"numRecords":120011,"minValues":{"id":2}}',
      catalog: '{"numRecords":120011,"minValues":{"id":3}}',
    },
  ],
  [
    6000,
    {
      type: 'run.finished',
      status: 'failed',
      exitCode: 1,
      totals: { checks: '2', differences: '1' },
      ms: 6000,
      error: {
        code: 'DIFFERENCES',
        message: 'the catalog differs from the log',
        hint: 'sluice rollback finance/ledger --confirm=finance/ledger, then import it again',
        retryable: false,
      },
    },
  ],
])

const files = { p50Ms: 1910, p95Ms: 2020, coldMs: 2310, readBytes: '47100221', opened: 6 }
const sql = { p50Ms: 3.1, p95Ms: 3.42, coldMs: 11.8, readBytes: '148000', opened: 0 }

/** The comparison of screens.md. */
export const compare = stamped([
  [
    0,
    {
      type: 'run.started',
      command: 'performance-compare',
      tool: '0.1.0',
      source: './lake/sales/orders',
      target: 'sqlite:///lake.db',
    },
  ],
  [
    9000,
    {
      type: 'question',
      question: 'files-of-partition',
      title: 'files of one partition',
      same: true,
      rows: '4032',
      runs: 7,
      files,
      sql,
      faster: 'sql',
      factor: 615.3,
    },
  ],
  [
    19_000,
    {
      type: 'question',
      question: 'changes',
      title: 'changes v1700 to v1841',
      same: true,
      rows: '1711',
      runs: 7,
      files: { p50Ms: 38.7, p95Ms: 40.2, coldMs: null, readBytes: null, opened: null },
      sql: { ...sql, p50Ms: 44.9, p95Ms: 47 },
      faster: 'files',
      factor: 1.16,
    },
  ],
  [
    41_000,
    { type: 'run.finished', status: 'ok', exitCode: 0, totals: { questions: '2' }, ms: 41_000, wrote: ['./report.md'] },
  ],
])

/** One event of each listing type, with texts that are hard to print. */
export const listings: readonly (readonly Event[])[] = [
  [
    {
      type: 'table',
      table: 'sales/orders',
      location: '/lake/sales/orders',
      readable: true,
      version: '1841',
      files: '300000',
      bytes: '1203331442201',
      rows: '9007199254740993',
      lastCommit: '2026-11-20T11:59:00.000Z',
      partitionColumns: ['year', 'region'],
      features: ['deletionVectors'],
      protocol: '3/7',
      historyFrom: '60',
    },
    { type: 'table', table: '日本/データ', location: '/lake/日本', readable: false, error: gap },
    {
      type: 'source',
      source: 'app.db',
      location: '/lake/app.db',
      system: 'sqlite',
      bytes: '4096',
      modified: '2026-11-19T08:00:00.000Z',
    },
  ] as const,
  [
    {
      type: 'file',
      path: 'year=2024/part-00000.parquet',
      size: '1048576',
      rows: '1200',
      deletedRows: '7',
      addedVersion: '12',
      modified: '1795075200000',
      partitionValues: { year: '2024', region: null },
      stats: '{"numRecords":1200}',
    },
  ] as const,
  [
    {
      type: 'commit',
      version: '1841',
      time: '2026-11-20T11:59:00.000Z',
      inCommitTime: true,
      operation: 'MERGE',
      engine: 'Apache-Spark/3.5',
      adds: '12',
      removes: '11',
      addedBytes: '1048576',
      removedBytes: '1000000',
      files: '300000',
      bytes: '1203331442201',
      checkpoint: true,
    },
  ] as const,
  [
    { type: 'change', change: 'added', version: '12', path: 'a.parquet', size: '10', rows: '1', dataChange: false },
    { type: 'change', change: 'metadata', version: '13', detail: 'column added: email' },
  ] as const,
  [
    {
      type: 'run',
      run: '1763625151000000000',
      table: 'orders-1a2b3c4d',
      command: 'import',
      status: 'completed',
      version: '1841',
      behind: '0',
      filesProcessed: '300000',
      startedAt: '2026-11-20T11:59:00.000Z',
      completedAt: '2026-11-20T11:59:11.000Z',
    },
  ] as const,
].map((rows) =>
  stamped([
    [0, { type: 'run.started', command: 'discover', tool: '0.1.0', source: './lake' }],
    ...rows.map((row) => [100, row] as const),
    [300, { type: 'run.finished', status: 'ok', exitCode: 0, totals: {}, ms: 300 }],
  ]),
)
