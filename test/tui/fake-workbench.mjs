/**
 * A deterministic workbench on plain data. It is JavaScript because the pty tests run it in a child that cannot load
 * TypeScript.
 */
export const NOW = Date.parse('2026-11-20T12:06:00.000Z')
const MIN = 60_000
const H = 3_600_000
const D = 86_400_000

const err = (code, message, hint, where) => ({ code, message, retryable: false, hint, where })

const raw = [
  // name, version, files, bytes, age, catalog, proof, error
  ['crm/accounts', 212, 1204, 9.8e9, 3 * H, { state: 'current' }, 212],
  ['crm/contacts', 88, 410, 2.1e9, 3 * H, { state: 'current' }, 88],
  ['events/clicks', 20118, 1_000_000, 3.1e12, 2 * MIN, { state: 'behind', commits: 12 }, 20106],
  ['events/errors', 1902, 44_120, 212e9, 2 * MIN, { state: 'behind', commits: 1 }, null],
  ['finance/ledger', 6210, 38_554, 488.2e9, D, { state: 'current' }, { differences: 2, version: 6210 }],
  ['finance/rates', 731, 731, 1.4e9, 6 * H, { state: 'none' }, null],
  ['iot/readings', 100000, 1, 12e6, 9000, { state: 'unfinished', percent: 41, version: 41000 }, null],
  [
    'legacy/broken',
    14,
    null,
    null,
    800 * D,
    { state: 'none' },
    null,
    err(
      'LOG_GAP',
      'commits 11 to 13 are missing between checkpoint 10 and commit 14',
      'restore the three files, or import again when a checkpoint above 14 exists',
      './lake/legacy/broken/_delta_log',
    ),
  ],
  ['ml/features', 17, 2048, 61.3e9, 5 * D, { state: 'none' }, null],
  ['sales/customers', 120, 96, 1.2e9, D, { state: 'current' }, 120],
  ['sales/orders', 1841, 300_000, 1.2e12, 4 * MIN, { state: 'current' }, 1841],
  ['sales/returns', 310, 8400, 31e9, D, { state: 'current' }, null],
  ['scratch/tmp_join', 0, 6, 2e6, 31 * D, { state: 'none' }, null],
  [
    'staging/managed',
    45,
    null,
    null,
    H,
    { state: 'none' },
    null,
    err(
      'TABLE_FEATURE',
      'catalogManaged is not supported; its commits are in the catalog of another system',
      'ask that system for the table',
      './lake/staging/managed/_delta_log',
    ),
  ],
]

const PARTITIONED = new Set(['sales/orders', 'events/clicks'])

function rowOf([name, version, files, bytes, age, catalog, proof, error], lake) {
  return {
    key: `${lake}/${name}`,
    name,
    location: `${lake}/${name}`,
    tableId: catalog.state === 'none' ? null : `${name.split('/').at(-1)}-7f3c91ab`,
    kind: 'delta',
    version,
    files,
    bytes,
    rows: files === null ? null : files * 1000 + 7,
    changed: NOW - age,
    partitionColumns: PARTITIONED.has(name) ? ['year', 'month'] : [],
    features: name === 'sales/orders' ? ['deletionVectors', 'inCommitTimestamp'] : [],
    historyFrom: catalog.state === 'none' ? null : name === 'sales/customers' ? 60 : 0,
    catalog,
    proof:
      proof === null || proof === undefined
        ? { state: 'never' }
        : typeof proof === 'number'
          ? { state: 'proved', version: proof }
          : { state: 'differs', ...proof },
    error: error ?? null,
  }
}

const other = (name, system, bytes, age, lake) => ({
  key: `${lake}/${name}`,
  name,
  location: `${lake}/${name}`,
  tableId: null,
  kind: 'database',
  system,
  version: null,
  files: null,
  bytes,
  rows: null,
  changed: NOW - age,
  partitionColumns: [],
  features: [],
  historyFrom: null,
  catalog: { state: 'none' },
  proof: { state: 'never' },
  error: null,
})

const iso = (ms) => new Date(ms).toISOString()
const OPS = ['WRITE', 'WRITE', 'MERGE', 'WRITE', 'OPTIMIZE', 'WRITE', 'DELETE']

function commitOf(row, version) {
  const op = OPS[version % OPS.length]
  const adds = { WRITE: 12, MERGE: 4, OPTIMIZE: 8, DELETE: 1 }[op]
  const removes = { WRITE: 0, MERGE: 4, OPTIMIZE: 96, DELETE: 1 }[op]
  return {
    type: 'commit',
    version: String(version),
    time: iso(row.changed - (row.version - version) * H),
    inCommitTime: row.features.includes('inCommitTimestamp'),
    operation: op,
    engine: op === 'DELETE' ? 'delta-rs 0.31' : 'Spark 3.5.1',
    adds: String(adds),
    removes: String(removes),
    addedBytes: String(adds * 5_100_000),
    removedBytes: String(removes * 500_000),
    files: String(300_000 - (row.version - version) * 8),
    bytes: '1200000000000',
    rows: '9610000000',
    checkpoint: version % 10 === 0,
  }
}

function fileOf(i) {
  const month = i % 2 === 0 ? 11 : 12
  return {
    type: 'file',
    path: `year=2024/month=${month}/part-${String(i).padStart(5, '0')}-c17a41b2-7cc1-4a1e-9d0a-3b1d8f0e55c2.c000.zstd.parquet`,
    size: String(14_100_000 + (i % 7) * 100_000),
    rows: String(120_000 + i),
    addedVersion: String(1841 - (i % 60)),
    modified: iso(NOW - i * MIN),
    partitionValues: { year: '2024', month: String(month) },
    stats: `{"numRecords":${120_000 + i},"minValues":{"id":${i}},"maxValues":{"id":${9000 + i}}}`,
    ...(i % 5 === 1 ? { deletionVector: 'u:ab^-aqEH.-t@S}K{vb[*k^', deletedRows: '1204' } : {}),
  }
}

/** Events of an import, in the order of a real one. */
export function importEvents(operation) {
  const tables = operation.only ?? ['sales/orders']
  const events = [
    {
      type: 'run.started',
      command: operation.kind,
      tool: '0.1.0',
      source: './lake',
      target: 'sqlite:///lake.db',
      resumes: '1763625040000000000',
      baseline: { done: '2200' },
    },
    {
      type: 'plan.ready',
      hash: '77aa01de',
      tables: String(tables.length),
      chunks: '20',
      unit: 'action',
      total: '10000',
      estimated: true,
      bytes: '512000312',
      excluded: [],
    },
  ]
  return events
}

const QUESTIONS = [
  ['latest-version', 'latest version + schema', 41.2, 0.31, 1],
  ['count-bytes', 'count and bytes of files', 1900, 0.42, 1],
  ['all-files', 'all active files', 1950, 402, 300000],
  ['files-of-partition', 'files of one partition', 1910, 3.1, 4032],
  ['files-by-stats', 'files left by min/max', 1920, 3.9, 312],
  ['snapshot-at', 'snapshot at v1200', 1610, 391, 251004],
  ['commit-of-file', 'which commit added a file', 2200, 0.22, 1],
  ['last-commits', 'last 20 commits', 6.1, 0.28, 20],
  ['changes', 'changes v1700 → v1841', 38.7, 44.9, 1711],
]

function questionEvent([question, title, f, s, rows]) {
  const side = (p50, opened, readBytes) => ({ p50Ms: p50, p95Ms: p50 * 1.06, coldMs: p50 * 1.2 + 5, readBytes, opened })
  return {
    type: 'question',
    question,
    title,
    same: question !== 'broken',
    rows: String(rows),
    runs: 7,
    files: { ...side(f, 6, '47100221'), roundTrips: '5', bucketRequests: '13' },
    sql: { ...side(s, 0, '151552'), roundTrips: '0' },
    faster: f > s ? 'sql' : 'files',
    factor: Math.max(f, s) / Math.min(f, s),
  }
}

class FakeRun {
  constructor(operation, commandLine, runId, play) {
    this.operation = operation
    this.commandLine = commandLine
    this.calls = []
    this.listeners = new Set()
    this.backlog = []
    this.seq = 0
    this.runId = runId
    this.done = new Promise((resolve) => (this.resolve = resolve))
    this.ended = false
    play?.(this)
  }
  subscribe(listener) {
    this.listeners.add(listener)
    for (const event of this.backlog.splice(0)) listener(event)
    return () => this.listeners.delete(listener)
  }
  emit(body) {
    this.seq += 1
    const event = { v: 1, seq: this.seq, ts: iso(NOW + this.seq * 1000), runId: this.runId, ...body }
    if (this.listeners.size === 0) this.backlog.push(event)
    for (const listener of this.listeners) listener(event)
  }
  finish(exitCode, body = {}) {
    if (this.ended) return
    this.ended = true
    clearInterval(this.timer)
    const status = exitCode === 0 ? 'ok' : [75, 130, 143].includes(exitCode) ? 'stopped' : 'failed'
    this.emit({ type: 'run.finished', status, exitCode, totals: {}, ms: 46_100, ...body })
    this.resolve(exitCode)
  }
  stop(exitCode = 75) {
    this.stopExit ??= exitCode
    this.calls.push(exitCode === 75 ? 'stop' : `stop ${exitCode}`)
    this.onStop?.()
  }
  abort(exitCode = 75) {
    this.stopExit ??= exitCode
    this.calls.push('abort')
    this.finish(this.stopExit, { resumeCommand: this.commandLine, error: err('ABORTED', 'aborted on request') })
  }
  pause(paused) {
    this.calls.push(`pause ${paused}`)
    this.paused = paused
  }
  workers(count) {
    this.calls.push(`workers ${count}`)
  }
  steer({ act, table, chunk }) {
    this.calls.push(`${act} ${table}${chunk === undefined ? '' : `#${chunk}`}`)
  }
  rate(rows) {
    this.calls.push(`rate ${rows}`)
  }
}

function planDetails(rows) {
  return rows.map((row) =>
    row.error !== null
      ? {
          table: row.name,
          location: row.location,
          status: row.error.code === 'TABLE_FEATURE' ? 'refused' : 'failed',
          error: row.error,
        }
      : {
          table: row.name,
          location: row.location,
          status:
            row.catalog.state === 'current' ? 'current' : row.catalog.state === 'unfinished' ? 'resume' : 'import',
          fromVersion: '0',
          toVersion: String(row.version),
          commits: String(row.version + 1),
          files: String(row.files),
          bytes: String(row.bytes),
          logBytes: '1366667',
          estimatedMs: 300,
        },
  )
}

const column = (name, type, nullable = true) => ({ name, type, nullable })

/** Tables of a database, as `discover URL` finds them. */
const RELATIONS = [
  {
    table: 'public.coordinate_speed_new',
    rows: '2210059',
    bytes: '410000000',
    key: ['id'],
    columns: [
      column('id', 'bigint', false),
      column('vehicle', 'integer', false),
      column('at', 'timestamptz', false),
      column('speed', 'numeric(6,2)'),
    ],
    resumable: true,
  },
  {
    table: 'public.events',
    rows: '2100000000',
    bytes: '912000000000',
    key: ['tenant', 'at', 'id'],
    columns: [column('tenant', 'text', false), column('at', 'timestamptz', false), column('id', 'uuid', false)],
    partitioning: 'range (at), 48 partitions',
    resumable: true,
  },
  {
    table: 'public.import_tmp',
    rows: '0',
    bytes: '8192',
    key: [],
    columns: [column('line', 'text')],
    resumable: false,
    note: 'it has no key: an interrupted copy of it restarts',
  },
]

/** The same of a Cassandra keyspace. */
const RING_RELATIONS = [
  {
    table: 'shop.orders',
    rows: '1240000',
    bytes: '310000000',
    key: ['customer', 'day', 'id'],
    columns: [column('customer', 'uuid', false), column('day', 'timestamp', false), column('id', 'timeuuid', false)],
    ring: { partitioner: 'murmur3', columns: 1 },
    resumable: true,
  },
]

/** Phases of a table after its cutover to a partitioned one: partitions are missing, and archiving is blocked. */
function phaseEvents(table, { words }) {
  const phase = (number, name, state, detail, more = {}) => ({
    type: 'lifecycle.phase',
    table,
    phase: number,
    name,
    state,
    detail,
    ...more,
  })
  return [
    phase(1, 'partitioning', 'done', 'copied, 2100000000 rows, and followed, equal 2026-11-18T02:00:00.000Z'),
    phase(2, 'switch', 'running', 'switched 2026-11-19T02:10:00.000Z, writers waited 412 ms at the most', {
      pauseMs: 412,
      also: [`sluice cutover 77 ${words.stream} --revert`],
    }),
    phase(3, 'new partitions', 'due', '48 partitions, there up to 2027-01-01; 1 missing', {
      blocks: ['none ahead: too few partitions are ahead: Q1-FY27 is missing'],
      next: `sluice partition ensure ${words.table} --table ${table}`,
    }),
    phase(4, 'archiving', 'blocked', '12 archived up to 2024-01-01; 2 older than 8q: Q1-FY24, Q2-FY24', {
      blocks: ['Q1-FY24: NO_SPACE the disk is full'],
      next: `sluice archive run ${words.table} --table ${table}`,
    }),
  ]
}

/** Three fiscal years by quarters: one archived, one held, the coming ones missing. */
function partitionEvents(table) {
  const quarter = (n) => `Q${(n % 4) + 1}-FY${23 + Math.floor(n / 4)}`
  const day = (n) => `${2022 + Math.floor(n / 4)}-${String((n % 4) * 3 + 1).padStart(2, '0')}-01`
  const states = { 0: 'archived', 1: 'held', 2: 'due', 10: 'current', 11: 'missing', 12: 'missing' }
  const partitions = Array.from({ length: 13 }, (_, n) => ({
    type: 'partition',
    table,
    partition: `events_${day(n).slice(0, 7).replace('-', '_')}`,
    label: quarter(n),
    from: day(n),
    to: day(n + 1),
    state: states[n] ?? 'hot',
    ...(n > 10 ? {} : { rows: String((n + 1) * 1_234_567), bytes: String((n + 1) * 98_000_000) }),
    estimated: n > 0,
  }))
  return [
    {
      type: 'partition.table',
      table,
      by: 'at',
      calendar: 'quarter(first-month=1,year-offset=1,zone=UTC)',
      calendarFrom: 'the bounds of its 10 newest partitions',
      partitions: '11',
      hasDefault: true,
      coveredTo: day(11),
    },
    ...partitions,
    {
      type: 'partition',
      table,
      partition: 'events_default',
      state: 'default',
      rows: '1234',
      bytes: '98000',
      estimated: false,
    },
    {
      type: 'partition.alarm',
      table,
      alarm: 'none ahead',
      from: day(11),
      to: day(13),
      detail: `too few partitions are ahead: ${quarter(11)}, ${quarter(12)} are missing, and the last one ends at ${day(11)}`,
      hint: 'run sluice partition ensure to create them',
    },
    {
      type: 'partition.alarm',
      table,
      alarm: 'rows in the default',
      from: day(11),
      to: day(12),
      rows: '1234',
      detail: `rows of ${quarter(11)} are in the default partition`,
      hint: 'sluice partition ensure moves them',
    },
  ]
}

/** A ring of 64 parts, one of them much larger than the others. */
const ringEvents = (table) => {
  const step = 2n ** 58n
  const parts = Array.from({ length: 64 }, (_, i) => ({
    type: 'ring.part',
    table,
    from: String(-(2n ** 63n) + step * BigInt(i)),
    to: String(-(2n ** 63n) + step * BigInt(i + 1) - 1n),
    rows: String(i === 21 ? 220_000 : i % 16 === 5 ? 0 : 15_000 + ((i * 7919) % 3000)),
    partitions: String(i % 16 === 5 ? 0 : 150),
    bytes: String(i === 21 ? 55_000_000 : i % 16 === 5 ? 0 : 4_000_000),
    exact: false,
  }))
  const name = ({ from, to, rows, bytes }) => ({ from, to, rows, bytes })
  const sorted = parts.toSorted((a, b) => Number(b.rows) - Number(a.rows))
  const host = (no) => ({
    type: 'ring.host',
    table,
    host: `10.0.0.${no}:9042`,
    datacenter: 'dc1',
    rack: `r${no}`,
    up: no !== 3,
    ranges: '16',
    share: 0.667,
    rows: '826666',
    bytes: '206666666',
  })
  return [
    ...parts,
    host(1),
    host(2),
    host(3),
    {
      type: 'ring',
      table,
      partitioner: 'murmur3',
      parts: '64',
      rows: '1240000',
      partitions: '9150',
      bytes: '310000000',
      exact: false,
      seen: '51200',
      skew: 11.35,
      largest: sorted.slice(0, 3).map(name),
      emptiest: sorted.slice(-3).toReversed().map(name),
      fullest: {
        key: ['7f0c2f6e-5f0a-4f5e-9a63-3d2f4b1c0a77'],
        token: '-3170534137668829184',
        rows: '5000',
        bytes: '1250000',
        more: true,
      },
    },
  ]
}

const copyPlan = (table, over = {}) => ({
  table,
  to: table.replace('public.', ''),
  status: 'copy',
  rows: '2210059',
  estimated: false,
  bytes: '410000000',
  chunkRows: '50000',
  chunks: '45',
  key: ['id'],
  proof: 'canonical',
  create: true,
  onExisting: 'refuse',
  columns: [
    { from: 'id', to: 'id', source: 'bigint', target: 'INTEGER' },
    { from: 'at', to: 'at', source: 'timestamptz', target: 'TEXT' },
  ],
  ...over,
})

/** An answer that the test leads: `come` brings rows, `end` is the end of the statement. */
class FakeAnswer {
  constructor(question) {
    this.question = question
    this.calls = []
    this.listeners = new Set()
    this.rows = []
    this.progress = {
      state: 'running',
      columns: null,
      rows: 0,
      bytes: 0,
      ms: 0,
      whole: false,
      cancelled: false,
      error: null,
      notes: [],
    }
  }
  tell(change) {
    this.progress = { ...this.progress, ...change }
    for (const listener of this.listeners) listener(this.progress)
  }
  come(columns, rows) {
    this.rows = [...this.rows, ...rows]
    this.tell({ columns, rows: this.rows.length, ms: 120 })
  }
  end(change = {}) {
    this.tell({ state: 'done', whole: true, ms: 240, ...change })
  }
  subscribe(listener) {
    this.listeners.add(listener)
    listener(this.progress)
    return () => this.listeners.delete(listener)
  }
  cancel() {
    this.calls.push('cancel')
    this.tell({ state: 'cancelling' })
    if (!this.stubborn) this.end({ whole: false, cancelled: true })
  }
  async window(from, count) {
    this.calls.push(`window ${from} ${count}`)
    return this.rows.slice(from, from + count)
  }
  async cell(row, at) {
    return this.rows[row]?.[at] ?? null
  }
  async save(wish) {
    this.calls.push(`save ${wish.path} ${wish.format} ${wish.overwrite}`)
    if (wish.path.includes('there') && !wish.overwrite) return { kind: 'exists' }
    return { kind: 'saved', rows: this.rows.length, bytes: 1234, asText: [], renamed: [] }
  }
  async close() {
    this.calls.push('close')
  }
}

export function fakeWorkbench({
  hold = false,
  slow = false,
  lake = './lake',
  extraTables = 0,
  catalog = 'sqlite:///lake.db',
  database = null,
} = {}) {
  let rows = raw.map((r) => rowOf(r, lake ?? 'lake'))
  for (let i = 0; i < extraTables; i += 1)
    rows.push(
      rowOf([`zz/table_${String(i).padStart(4, '0')}`, i, i, i * 1e6, D, { state: 'none' }, null], lake ?? 'lake'),
    )
  rows.push(
    other('app/chinook.db', 'sqlite', 1e6, 8 * D, lake ?? 'lake'),
    other('bi/cube.duckdb', 'duckdb', 88e6, 2 * D, lake ?? 'lake'),
  )
  const find = (key) => rows.find((row) => row.key === key)
  const fresh = []
  const asked = []
  const runsStarted = []
  const answers = []
  const written = []
  const askedBefore = [
    { at: iso(NOW - H), place: { kind: 'catalog', url: catalog }, sql: 'select 1' },
    { at: iso(NOW - MIN), place: { kind: 'catalog', url: catalog }, sql: 'select count(*)\nfrom delta_files' },
  ]
  const past = [
    ['1763625900000000000', 'sales/orders', 'validate', 'completed', '12:05:45', '12:05:51', '1841'],
    ['1763625800000000000', 'sales/orders', 'import', 'completed', '12:04:25', '12:04:36', '1841'],
    ['1763625700000000000', 'sales/orders', 'import', 'stopped', '11:57:58', '11:58:10', '1200'],
    [
      '1763625600000000000',
      'legacy/broken',
      'import',
      'failed',
      '11:40:52',
      '11:40:53',
      undefined,
      'commits 11 to 13 are missing',
    ],
  ].map(([run, table, command, status, from, to, version, error]) => ({
    type: 'run',
    run,
    table,
    command,
    status,
    ...(version ? { version, filesProcessed: '300000' } : {}),
    startedAt: `2026-11-20T${from}.000Z`,
    completedAt: `2026-11-20T${to}.000Z`,
    ...(error ? { error } : {}),
  }))
  const reading = async (what, answer) => {
    asked.push(what)
    if (slow) await new Promise((resolve) => setTimeout(resolve, 30))
    return answer()
  }
  const readable = (key) => {
    const row = find(key)
    if (row === undefined) throw new Error(`no such table ${key}`)
    if (row.error !== null) throw Object.assign(new Error(row.error.message), { code: row.error.code })
    return row
  }
  const targets = (operation) =>
    operation.only === undefined
      ? rows.filter((r) => r.kind === 'delta' && (operation.kind === 'batch-import' || r.location === operation.table))
      : rows.filter((r) => operation.only.includes(r.name))

  function play(run) {
    if (hold === 'all') return
    const { operation } = run
    if (operation.kind === 'discover-database') {
      queueMicrotask(() => {
        run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0' })
        if (operation.url.includes('away')) {
          const error = err('CONNECT_FAILED', 'Database connection failed', 'Check database URL and credentials')
          run.finish(4, { error })
          return
        }
        const relations = operation.url.startsWith('cassandra:') ? RING_RELATIONS : RELATIONS
        for (const relation of relations) run.emit({ type: 'relation', estimated: true, ...relation })
        run.finish(0)
      })
      return
    }
    if (operation.kind === 'lifecycle-status') {
      const [entry] = operation.entries
      queueMicrotask(() => {
        run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0' })
        for (const event of phaseEvents(entry.table, entry)) run.emit(event)
        run.finish(0)
      })
      return
    }
    if (operation.kind === 'partition-ensure') {
      const [table] = operation.tables
      const status = operation.dryRun ? 'planned' : 'made'
      queueMicrotask(() => {
        run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0', target: 'postgresql://app@db/tracks' })
        run.emit({
          type: 'partition.made',
          table,
          partition: 'public.events_q1_fy27',
          label: 'Q1-FY27',
          from: '2027-01-01',
          to: '2027-04-01',
          status,
        })
        run.finish(0, { totals: { tables: '1', [operation.dryRun ? 'planned' : 'made']: '1', alarms: '0' } })
      })
      return
    }
    if (operation.kind === 'partition-list') {
      queueMicrotask(() => {
        run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0' })
        for (const event of partitionEvents(operation.tables[0])) run.emit(event)
        run.finish(0)
      })
      return
    }
    if (operation.kind === 'copy-runs') {
      queueMicrotask(() => {
        run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0' })
        if (operation.to.includes('away')) {
          run.finish(4)
          return
        }
        run.emit({
          type: 'copy.run',
          run: '1763625800000000000',
          operation: 'copy',
          source: 'postgresql://app@db/tracks',
          target: operation.to,
          status: 'completed',
          rows: '2210059',
          startedAt: iso(NOW - 3 * H),
        })
        run.finish(0)
      })
      return
    }
    if (operation.kind === 'archive-list') {
      queueMicrotask(() => {
        const [table] = operation.tables
        run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0' })
        run.emit({
          type: 'archived',
          table,
          partition: 'Q4-FY22',
          state: 'EXPIRED',
          archive: './archive/events',
          from: '2021-10-01',
          to: '2022-01-01',
          rows: '987654',
        })
        run.finish(0)
      })
      return
    }
    if (operation.kind === 'tokens') {
      queueMicrotask(() => {
        run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0' })
        for (const event of ringEvents(operation.tables[0])) run.emit(event)
        run.finish(0)
      })
      return
    }
    if (operation.kind === 'copy' && operation.dryRun) {
      queueMicrotask(() => {
        run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0' })
        const error = err('LOSSY_TYPE', 'speed numeric(6,2) loses digits as REAL', 'accept it: --accept-lossy speed')
        const copies = operation.tables.map((table) =>
          table.endsWith('events') ? copyPlan(table, { status: 'refused', error, columns: [] }) : copyPlan(table),
        )
        run.emit({
          type: 'plan.ready',
          hash: '5b1e09c2',
          tables: String(copies.length),
          chunks: '45',
          unit: 'row',
          total: '2210059',
          estimated: false,
          bytes: '410000000',
          excluded: [],
          copies,
        })
        run.finish(0)
      })
      return
    }
    if (operation.dryRun) {
      queueMicrotask(() => {
        run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0' })
        const details = planDetails(targets(operation))
        if (details.length === 0) {
          run.finish(2, {
            status: 'refused',
            error: err('NO_SUCH_TABLE', `no table at ${operation.table}`, 'look at the list of tables'),
          })
          return
        }
        run.emit({
          type: 'plan.ready',
          hash: '77aa01de',
          tables: String(details.length),
          chunks: '20',
          unit: 'action',
          total: '10000',
          estimated: true,
          bytes: '4100000',
          excluded: [],
          details,
        })
        run.finish(0)
      })
      return
    }
    if (operation.kind === 'verify-rollback') {
      queueMicrotask(() => {
        const row = rows.find((r) => r.location === operation.table)
        run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0' })
        const broken = row.name === 'finance/ledger'
        run.emit({
          type: 'verify.check',
          table: row.name,
          version: String(row.version),
          check: 'active files',
          equal: !broken,
          log: '300,000',
          catalog: broken ? '299,998' : '300,000',
          witness: 'log read again',
        })
        run.finish(
          broken ? 1 : 0,
          broken
            ? { error: err('NOT_SAFE', 'the log holds two files less than the catalog', 'export the log first') }
            : {},
        )
      })
      return
    }
    if (hold) return
    if (operation.kind === 'performance-compare') {
      queueMicrotask(() => {
        run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0' })
        run.emit({ type: 'log', level: 'note', message: 'count and bytes: skipped, the table has no statistics' })
        for (const q of QUESTIONS)
          if (operation.questions === undefined || operation.questions.includes(q[0])) run.emit(questionEvent(q))
        run.finish(0)
      })
      return
    }
    if (operation.kind === 'import' || operation.kind === 'batch-import') {
      let step = 0
      for (const event of importEvents(operation)) run.emit(event)
      for (const worker of [1, 2, 3])
        run.emit({
          type: 'chunk.started',
          table: `t/${worker}`,
          chunk: 'v0..v1000',
          worker,
          total: '2600',
          unit: 'action',
        })
      run.onStop = () =>
        setTimeout(
          () =>
            run.finish(run.stopExit, { resumeCommand: run.commandLine, error: err('STOPPED', 'stopped on request') }),
          150,
        )
      run.timer = setInterval(() => {
        if (run.paused) return
        step += 1
        for (const worker of [1, 2, 3])
          run.emit({
            type: 'chunk.progress',
            table: `t/${worker}`,
            chunk: 'v0..v1000',
            worker,
            done: String(Math.min(2600, step * 20)),
            total: '2600',
            unit: 'action',
          })
        if (step % 10 === 0) run.emit({ type: 'log', level: 'note', table: 't/1', message: `step ${step}` })
      }, 50)
      return
    }
    queueMicrotask(() => {
      run.emit({ type: 'run.started', command: operation.kind, tool: '0.1.0' })
      run.emit({
        type: 'verify.check',
        table: operation.table,
        version: '1841',
        check: 'active files',
        equal: true,
        log: '300,000',
        catalog: '300,000',
        witness: 'own replay',
      })
      run.emit({
        type: 'table.finished',
        table: operation.table,
        status: 'ok',
        version: '1841',
        historyFrom: '0',
        files: '300000',
        bytes: '1200000000000',
        ms: 6100,
      })
      run.finish(0, { proof: 'log' })
    })
  }

  return {
    asked,
    runsStarted,
    answers,
    written,
    lake,
    catalog,
    database,
    catalogOf(name, state) {
      rows = rows.map((row) => (row.name === name ? { ...row, catalog: state } : row))
    },
    commits(name, change) {
      rows = rows.map((row) => (row.name === name ? { ...row, ...change } : row))
      fresh.push(...rows.filter((row) => row.name === name))
    },
    changed: async () => fresh.splice(0),
    placed: async (text) => {
      if (text.includes('nowhere'))
        throw Object.assign(new Error(`the path ${text} does not exist`), { code: 'NO_SUCH_PATH' })
      return { kind: text.includes('://') ? 'database' : 'lake', url: text }
    },
    lakeAt: async (path) => raw.slice(0, 2).map((row) => rowOf(row, path)),
    tables: () => reading('tables', () => (lake === null ? [] : rows)),
    overview: (key) =>
      reading(`overview ${key}`, () => {
        const row = readable(key)
        const days = Array.from({ length: 56 }, (_, i) => 4 + ((i * 7) % 11) + Math.floor(i / 3))
        return {
          table: row,
          metadataId: '7f3c2b1a-91ab',
          description: null,
          protocol: 'reader 3, writer 7',
          configuration: [
            ['delta.enableDeletionVectors', 'true'],
            ['delta.logRetentionDuration', 'interval 30 days'],
          ],
          createdAt: NOW - 900 * D,
          commits: row.version + 1,
          checkpoints: [1820, 1830, 1840],
          txns: [{ appId: 'etl@batch-7', version: '88' }],
          domains: [],
          lastRuns: past.filter((r) => r.table === row.name),
          fileSizes: [
            { label: '< 1 MB', files: 41210 },
            { label: '1–16 MB', files: 133002 },
            { label: '16–128 MB', files: 108120 },
            { label: '> 128 MB', files: 17668 },
          ],
          commitsPerDay: days,
        }
      }),
    schema: (key) =>
      reading(`schema ${key}`, () => {
        readable(key)
        const f = (path, depth, type, nullable, partition = false, notes = []) => ({
          path,
          depth,
          type,
          nullable,
          partition,
          notes,
        })
        return [
          f('id', 0, 'long', false),
          f('amount', 0, 'decimal(12,2)', true),
          f('customer', 0, 'struct', true),
          f('customer.name', 1, 'string', true),
          f('customer.地址', 1, 'string', true, false, ['column mapping id 7']),
          f('year', 0, 'integer', true, true),
          f('month', 0, 'integer', true, true),
        ]
      }),
    features: (key) =>
      reading(`features ${key}`, () =>
        readable(key).features.map((name) => ({
          name,
          side: 'reader+writer',
          readable: true,
          note: name === 'deletionVectors' ? '2,118 files have one' : 'commit times come from the log',
        })),
      ),
    history: (key, from, count) =>
      reading(`history ${key} ${from}`, () => {
        const row = readable(key)
        const total = row.version + 1
        return {
          rows: Array.from({ length: Math.max(0, Math.min(count, total - from)) }, (_, i) =>
            commitOf(row, row.version - from - i),
          ),
          total,
          from,
        }
      }),
    commit: (key, version) =>
      reading(`commit ${key} ${version}`, () => {
        const row = readable(key)
        const commit = commitOf(row, version)
        const files = Array.from({ length: Number(commit.adds) }, (_, i) => ({
          path: fileOf(i).path,
          size: 14_100_000,
          rows: 120_000 + i,
        }))
        return {
          commit,
          predicate: '(t.id = s.id)',
          user: 'etl@batch-7',
          metrics: [
            ['numOutputRows', '1204'],
            ['executionTimeMs', '2100'],
          ],
          added: files,
          removed: [],
          addedTotal: files.length,
          removedTotal: Number(commit.removes),
        }
      }),
    partitions: (key, _asOf, from, count) =>
      reading(`partitions ${key} ${from}`, () => {
        const row = readable(key)
        if (row.partitionColumns.length === 0)
          return { rows: [{ values: {}, files: row.files, bytes: row.bytes, rows: row.rows }], total: 1, from: 0 }
        const all = Array.from({ length: 48 }, (_, i) => ({
          values: { year: String(2021 + Math.floor(i / 12)), month: String((i % 12) + 1) },
          files: 4000 + i * 37,
          bytes: 16e9 + i * 0.9e9,
          rows: 100_000_000 + i,
        }))
        return { rows: all.slice(from, from + count), total: 48, from }
      }),
    files: (key, query) =>
      reading(`files ${key} ${query.where} ${query.from} ${JSON.stringify(query.asOf)}`, () => {
        const row = readable(key)
        if (query.where.includes('!!'))
          throw Object.assign(new Error('near "!!": a comparison was expected'), { code: 'BAD_PREDICATE' })
        const all = row.files ?? 0
        const left = query.where === '' ? all : 312
        const asOfVersion = query.asOf.version ?? row.version
        const rowsOf = Array.from({ length: Math.max(0, Math.min(query.count, left - query.from)) }, (_, i) => {
          const file = fileOf(query.from + i)
          return query.where === ''
            ? file
            : i % 4 === 2
              ? { ...file, range: {} }
              : { ...file, range: { min: String(i), max: String(9000 + i) } }
        })
        return {
          rows: rowsOf,
          total: left,
          from: query.from,
          version: asOfVersion,
          commitTime: row.changed,
          funnel: {
            all: { files: all, bytes: row.bytes ?? 0 },
            partition: {
              files: query.where === '' ? all : 4032,
              bytes: query.where === '' ? row.bytes : 16.3e9,
              columns: query.where === '' ? [] : ['month'],
            },
            stats: {
              files: left,
              bytes: query.where === '' ? row.bytes : 1.1e9,
              columns: query.where === '' ? [] : ['id'],
            },
            keptWithoutStats: query.where === '' ? 0 : 4,
            ms: 3.1,
          },
        }
      }),
    runs: (count) => reading('runs', () => past.slice(0, count)),
    know() {},
    asking: {
      ask(question) {
        const answer = new FakeAnswer(question)
        answers.push(answer)
        return answer
      },
      relations: async () => [
        {
          name: 'orders',
          columns: [
            { name: 'order_id', type: 'bigint' },
            { name: 'order_date', type: 'date' },
            { name: 'amount', type: 'numeric' },
          ],
        },
        { name: 'customers', columns: [{ name: 'id', type: 'bigint' }] },
      ],
      history: async () => askedBefore,
      remember: async (statement) => {
        askedBefore.push(statement)
        return true
      },
      write: async (path, text, overwrite) => {
        if (path.includes('there') && !overwrite) return null
        written.push({ path, text })
        return path
      },
      paths: async (begin) => ['out/', 'orders.csv'].filter((path) => path.startsWith(begin)),
    },
    start(operation, commandLine) {
      const run = new FakeRun(operation, commandLine, String(1763625151000000000n + BigInt(runsStarted.length)), play)
      runsStarted.push(run)
      return run
    },
    [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]: async () => {},
  }
}
