/** The events as a zod schema: what docs/events.schema.json is made from, and what every emitted line is checked against. */
import { z } from 'zod'
import { FINDINGS, type FindingKind } from '../../src/delta/fsck/finding.ts'
import { ARCHIVE_STATES } from '../../src/model/archiving/state.ts'
import type { Event, EventType } from '../../src/model/event.ts'
import { ERROR_CODES } from '../../src/shared/errors.ts'
import type { ErrorCode } from '../../src/shared/errors.ts'

const dec = z
  .string()
  .regex(/^-?\d+$/)
  .meta({ description: 'decimal integer as text' })
const ms = z.number().min(0)
const time = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
const texts = z.array(z.string())

const error = z.strictObject({
  code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  hint: z.string().optional(),
  reason: z.string().optional(),
  where: z.string().optional(),
  retryable: z.boolean(),
  stack: z.string().optional(),
})

const archiveState = z.enum(ARCHIVE_STATES)
const partitioner = z.enum(['murmur3', 'random', 'ycql'])
const serverEstimate = z.strictObject({ partitions: dec, bytes: dec })
const namedPart = z.strictObject({ from: dec, to: dec, rows: dec, bytes: dec })

const planLine = z.strictObject({
  table: z.string(),
  location: z.string(),
  status: z.enum(['import', 'resume', 'current', 'failed', 'refused']),
  fromVersion: dec.optional(),
  toVersion: dec.optional(),
  commits: dec.optional(),
  files: dec.optional(),
  bytes: dec.optional(),
  rows: dec.optional(),
  logBytes: dec.optional(),
  estimatedMs: ms.optional(),
  error: error.optional(),
})

const leftBehind = z.array(
  z.strictObject({ kind: z.string(), table: z.string().optional(), names: texts, means: z.string() }),
)

const copyPlanLine = z.strictObject({
  table: z.string(),
  to: z.string(),
  status: z.enum(['copy', 'resume', 'done', 'refused']),
  rows: dec,
  estimated: z.boolean(),
  bytes: dec,
  chunkRows: dec,
  chunks: dec,
  writers: dec.optional(),
  key: texts,
  proof: z.string(),
  create: z.boolean(),
  onExisting: z.string(),
  columns: z.array(
    z.strictObject({
      from: z.string(),
      to: z.string(),
      source: z.string(),
      target: z.string(),
      lossy: z.string().optional(),
    }),
  ),
  requests: dec.optional(),
  requestMs: ms.optional(),
  objects: z
    .array(
      z.strictObject({
        name: z.string(),
        kind: z.string(),
        status: z.enum(['build', 'there', 'left']),
        note: z.string().optional(),
      }),
    )
    .optional(),
  leftBehind: leftBehind.optional(),
  notes: texts.optional(),
  error: error.optional(),
})

const copyTally = z.strictObject({
  chunks: dec,
  proved: dec,
  earlier: dec,
  looked: dec,
  provedAt: z.tuple([z.string(), z.string()]).optional(),
  read: dec,
  written: dec,
  skipped: dec,
  quarantined: dec,
  bytes: dec.optional(),
  readPoints: dec,
  again: z
    .strictObject({ compared: dec, differed: dec, mended: dec, removed: dec, extra: dec, newer: dec.optional() })
    .optional(),
})

const copySummaryLine = z.strictObject({
  table: z.string(),
  status: z.enum(['ok', 'current', 'failed', 'refused', 'stopped', 'skipped']),
  written: dec,
  earlier: dec.optional(),
  failed: dec,
  fallback: dec,
  recovered: dec,
  unrecovered: dec,
  ms,
  rowsPerSecond: dec,
  error: error.optional(),
})

/** Edges of a chunk of a copy. */
/** null where a column of the key is NULL. */
const rowKey = z.array(z.string().nullable())
const keySpan = { from: texts.nullable().optional(), to: texts.nullable().optional() }

const chunkTally = {
  read: dec,
  written: dec,
  skipped: dec,
  quarantined: dec,
  attempt: z.int(),
  bytes: dec.optional(),
  checksum: z.strictObject({ source: z.string(), target: z.string() }).optional(),
}

const latency = { p95Ms: ms, baselineMs: ms.nullable() }
const act = z.enum(['pause', 'resume', 'skip', 'retry'])

const side = z.strictObject({
  p50Ms: ms,
  p95Ms: ms,
  coldMs: ms.nullable(),
  readBytes: dec.nullable(),
  opened: z.int().min(0).nullable(),
  requests: dec.optional(),
  requestBytes: dec.optional(),
  addedMs: ms.optional(),
  delayed: z.enum(['wire', 'calls']).optional(),
  duckdbThreads: z.int().min(1).optional(),
})

/** The own fields of each event; the head is added to all of them. */
const bodies = {
  'run.started': {
    command: z.string(),
    tool: z.string(),
    source: z.string().optional(),
    target: z.string().optional(),
    resumes: dec.optional(),
    baseline: z.strictObject({ done: dec }).optional(),
  },
  'plan.ready': {
    hash: z.string(),
    tables: dec,
    chunks: dec,
    unit: z.string(),
    total: dec,
    estimated: z.boolean(),
    bytes: dec,
    excluded: texts,
    details: z.array(planLine).optional(),
    copies: z.array(copyPlanLine).optional(),
    leftBehind: leftBehind.optional(),
  },
  'run.steered': {
    paused: z.boolean().optional(),
    workers: z.int().optional(),
    rate: dec.nullable().optional(),
    stopping: z.literal(true).optional(),
  },
  'run.tracked': {
    table: z.string(),
    job: z.enum(['MIGRATE', 'VALIDATE']),
    min: dec,
    max: dec,
    splits: dec,
    coverage: z.number(),
    ranges: dec,
    cdmRun: dec.optional(),
    previous: dec.optional(),
    pending: dec.optional(),
  },
  'run.counted': { table: z.string(), cdmRun: dec.optional(), counters: z.record(z.string(), dec) },
  'table.started': { table: z.string(), location: z.string(), fromVersion: dec, toVersion: dec },
  'table.finished': {
    table: z.string(),
    status: z.enum(['ok', 'current', 'failed', 'refused', 'stopped', 'skipped']),
    location: z.string().optional(),
    version: dec.optional(),
    historyFrom: dec.optional(),
    files: dec.optional(),
    bytes: dec.optional(),
    actions: dec.optional(),
    ms,
    copied: copyTally.optional(),
    leftBehind: leftBehind.optional(),
    notes: texts.optional(),
    error: error.optional(),
  },
  'copy.started': {
    table: z.string(),
    to: z.string(),
    rows: dec,
    estimated: z.boolean(),
    key: texts,
    low: z.string().optional(),
    high: z.string().optional(),
    ring: z.strictObject({ partitioner, columns: z.number() }).optional(),
    chunkRows: dec,
    writers: dec.optional(),
    chunks: dec,
    done: z.strictObject({ chunks: dec, rows: dec }),
  },
  'table.steered': { table: z.string(), chunk: z.string().optional(), act },
  'chunk.started': {
    table: z.string(),
    chunk: z.string(),
    worker: z.int(),
    total: dec,
    unit: z.string(),
    ...keySpan,
  },
  'chunk.progress': {
    table: z.string(),
    chunk: z.string(),
    worker: z.int(),
    done: dec,
    total: dec,
    unit: z.string(),
    step: z.enum(['reading', 'writing', 'proving']).optional(),
    bytes: dec.optional(),
  },
  'chunk.retried': { table: z.string(), chunk: z.string(), attempt: z.int(), waitMs: ms, error },
  'chunk.done': {
    table: z.string(),
    chunk: z.string(),
    worker: z.int(),
    done: dec,
    unit: z.string(),
    ms,
    ...keySpan,
    ...z.object(chunkTally).partial().shape,
  },
  'chunk.skipped': { table: z.string(), chunk: z.string(), provedAt: z.string().optional(), ...keySpan, ...chunkTally },
  'look.progress': { table: z.string(), done: dec, total: dec },
  'look.difference': {
    table: z.string(),
    chunk: z.string().optional(),
    side: z.enum(['source', 'target']),
    sourceBefore: dec,
    source: dec,
    expected: dec,
    target: dec,
    accepted: z.literal(true).optional(),
    ...keySpan,
  },
  'chunk.failed': { table: z.string(), chunk: z.string(), error },
  'chunk.released': {
    table: z.string(),
    chunk: z.string(),
    reason: z.enum(['stop', 'asked', 'lease', 'ended', 'compare']),
    error: error.optional(),
  },
  'row.aside': { table: z.string(), chunk: z.string(), key: rowKey, error },
  'rows.fallback': { table: z.string(), level: z.string(), rows: dec, keys: z.array(texts) },
  'copy.summary': { tables: z.array(copySummaryLine) },
  'throttle.on': {
    reason: z.string(),
    rate: dec,
    cause: z.enum(['pressure', 'latency']).optional(),
    latency: z.strictObject(latency).optional(),
  },
  'throttle.off': {},
  'index.started': { table: z.string(), name: z.string(), kind: z.string() },
  'index.done': { table: z.string(), name: z.string(), kind: z.string(), ms },
  'index.failed': { table: z.string(), name: z.string(), kind: z.string(), error },
  'target.latency': latency,
  'diff.progress': {
    table: z.string(),
    step: z.enum(['comparing', 'looking again', 'mending']),
    done: dec,
    total: dec,
    estimated: z.boolean(),
    ranges: dec,
    left: dec,
    differences: dec,
  },
  'verify.check': {
    table: z.string(),
    version: dec,
    check: z.string(),
    equal: z.boolean(),
    log: z.string(),
    catalog: z.string(),
    witness: z.string(),
    sides: z.tuple([z.string(), z.string()]).readonly().optional(),
  },
  'verify.mismatch': {
    table: z.string(),
    version: dec,
    check: z.string(),
    path: z.string().optional(),
    field: z.string(),
    log: z.string(),
    catalog: z.string(),
    sides: z.tuple([z.string(), z.string()]).readonly().optional(),
  },
  question: {
    question: z.string(),
    title: z.string(),
    same: z.boolean(),
    rows: dec,
    runs: z.int(),
    files: side,
    sql: side,
    faster: z.enum(['files', 'sql', 'even']),
    factor: z.number().min(1),
    difference: z.string().optional(),
  },
  'fsck.finding': {
    table: z.string(),
    level: z.enum(['finding', 'note']),
    finding: z.enum(Object.keys(FINDINGS) as [FindingKind, ...FindingKind[]]),
    path: z.string().optional(),
    column: z.string().optional(),
    log: z.string().optional(),
    found: z.string().optional(),
    detail: z.string(),
    bytes: dec.optional(),
    hint: z.string(),
  },
  'fsck.progress': {
    table: z.string(),
    step: z.enum(['listing', 'files', 'sample', 'checkpoints', 'history']),
    done: dec,
    total: dec.optional(),
    bytes: dec,
  },
  'fsck.checked': {
    table: z.string(),
    check: z.enum(['listing', 'vectors', 'footers', 'statistics', 'rows', 'checkpoints', 'sidecars', 'history']),
    looked: dec,
    of: dec,
    findings: dec,
    detail: z.string(),
  },
  table: {
    table: z.string(),
    location: z.string(),
    readable: z.boolean(),
    version: dec.optional(),
    files: dec.optional(),
    bytes: dec.optional(),
    rows: dec.optional(),
    lastCommit: time.optional(),
    partitionColumns: texts.optional(),
    features: texts.optional(),
    protocol: z.string().optional(),
    historyFrom: dec.optional(),
    error: error.optional(),
  },
  source: {
    source: z.string(),
    location: z.string(),
    system: z.enum(['sqlite', 'duckdb']),
    bytes: dec,
    modified: time,
  },
  file: {
    path: z.string(),
    size: dec,
    rows: dec.optional(),
    deletedRows: dec.optional(),
    addedVersion: dec.optional(),
    modified: dec,
    partitionValues: z.record(z.string(), z.string().nullable()),
    deletionVector: z.string().optional(),
    stats: z.string().optional(),
  },
  'copy.run': {
    run: dec,
    operation: z.string(),
    source: z.string(),
    target: z.string(),
    status: z.string(),
    rows: dec,
    startedAt: time.optional(),
    completedAt: time.optional(),
    exitCode: z.number().optional(),
    error: z.string().optional(),
  },
  'copy.chunk': {
    table: z.string(),
    chunk: dec,
    status: z.string(),
    tokenMin: dec.optional(),
    tokenMax: dec.optional(),
    after: z.string().optional(),
    through: z.string().optional(),
    rows: dec,
    attempts: z.number(),
    error: z.string().optional(),
  },
  'quarantine.row': {
    run: dec,
    table: z.string(),
    key: z.array(z.string().nullable()),
    stage: z.enum(['read', 'write']),
    code: z.string(),
    message: z.string(),
    row: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
    at: time,
  },
  relation: {
    table: z.string(),
    rows: dec,
    estimated: z.boolean(),
    bytes: dec,
    key: texts,
    columns: z.array(z.strictObject({ name: z.string(), type: z.string(), nullable: z.boolean() })),
    partitioning: z.string().optional(),
    ring: z.strictObject({ partitioner, columns: z.number() }).optional(),
    resumable: z.boolean(),
    note: z.string().optional(),
  },
  'ring.part': {
    table: z.string(),
    from: dec,
    to: dec,
    rows: dec,
    partitions: dec,
    bytes: dec,
    exact: z.boolean(),
    server: serverEstimate.optional(),
  },
  'ring.host': {
    table: z.string(),
    host: z.string(),
    datacenter: z.string(),
    rack: z.string(),
    up: z.boolean(),
    ranges: dec,
    share: z.number(),
    rows: dec,
    bytes: dec,
  },
  ring: {
    table: z.string(),
    partitioner,
    parts: dec,
    rows: dec,
    partitions: dec,
    bytes: dec,
    exact: z.boolean(),
    seen: dec,
    skew: z.number(),
    largest: z.array(namedPart),
    emptiest: z.array(namedPart),
    fullest: z.strictObject({ key: texts, token: dec, rows: dec, bytes: dec, more: z.boolean() }).optional(),
    server: serverEstimate.optional(),
  },
  difference: {
    table: z.string(),
    key: rowKey,
    difference: z.enum(['missing', 'extra', 'different']),
    columns: z
      .array(z.strictObject({ column: z.string(), source: z.string().nullable(), target: z.string().nullable() }))
      .optional(),
    fixed: z.boolean().optional(),
    newer: texts.optional(),
  },
  'diff.range': {
    table: z.string(),
    worker: z.number(),
    from: dec,
    to: dec,
    status: z.enum(['PASS', 'DIFF', 'DIFF_CORRECTED', 'FAIL']),
    rows: dec,
    valid: dec,
    missing: dec,
    fixedMissing: dec,
    different: dec,
    fixedDifferent: dec,
    extra: dec,
    removed: dec,
    errors: dec,
    ms,
    error: error.optional(),
  },
  columns: { columns: texts },
  row: { values: z.array(z.union([z.string(), z.number(), z.null()])) },
  commit: {
    version: dec,
    time,
    inCommitTime: z.boolean(),
    operation: z.string().optional(),
    engine: z.string().optional(),
    adds: dec,
    removes: dec,
    addedBytes: dec,
    removedBytes: dec,
    files: dec.optional(),
    bytes: dec.optional(),
    rows: dec.optional(),
    checkpoint: z.boolean(),
  },
  change: {
    change: z.enum(['added', 'removed', 'protocol', 'metadata', 'txn', 'domain', 'cdc']),
    version: dec,
    path: z.string().optional(),
    size: dec.optional(),
    rows: dec.optional(),
    deletionVector: z.string().optional(),
    dataChange: z.boolean().optional(),
    detail: z.string().optional(),
  },
  run: {
    run: dec,
    table: z.string(),
    command: z.string(),
    status: z.string(),
    version: dec.optional(),
    behind: dec.optional(),
    filesProcessed: dec.optional(),
    startedAt: z.string().optional(),
    completedAt: z.string().optional(),
    error: z.string().optional(),
  },
  check: {
    area: z.string(),
    check: z.string(),
    status: z.enum(['ok', 'warn', 'fail']),
    found: z.string(),
    cause: z.string().optional(),
    hint: z.string().optional(),
  },
  statement: { sql: z.string(), applied: z.boolean() },
  'archive.columns': {
    table: z.string(),
    archive: z.string(),
    partitionColumn: z.string(),
    calendar: z.string(),
    columns: z.array(
      z.strictObject({ column: z.string(), source: z.string(), stored: z.string(), note: z.string().optional() }),
    ),
    foreign: z.string().optional(),
    notLooked: texts.optional(),
  },
  'archive.planned': {
    table: z.string(),
    partition: z.string(),
    status: z.enum(['due', 'resume', 'drop', 'done', 'later', 'held', 'blocked']),
    state: archiveState.optional(),
    from: z.string().optional(),
    to: z.string().optional(),
    rows: dec,
    estimated: z.boolean(),
    bytes: dec,
    estimatedMs: ms.optional(),
    note: z.string().optional(),
  },
  'archive.progress': {
    table: z.string(),
    partition: z.string(),
    step: z.enum(['exporting', 'verifying', 'publishing', 'detaching', 'removing', 'dropping', 'restoring']),
    rows: dec,
    total: dec,
    bytes: dec,
  },
  'archive.state': {
    table: z.string(),
    partition: z.string(),
    state: archiveState,
    rows: dec.optional(),
    sourceBytes: dec.optional(),
    bytes: dec.optional(),
    files: dec.optional(),
    version: dec.optional(),
    dropAfter: z.string().optional(),
    writeMs: ms.optional(),
    ms,
    error: error.optional(),
  },
  archived: {
    table: z.string(),
    partition: z.string(),
    state: archiveState,
    archive: z.string(),
    from: z.string().optional(),
    to: z.string().optional(),
    rows: dec.optional(),
    files: dec.optional(),
    bytes: dec.optional(),
    sourceBytes: dec.optional(),
    version: dec.optional(),
    changedAt: z.string().optional(),
    dropAfter: z.string().optional(),
    held: z.string().optional(),
    counted: dec.optional(),
    surplus: dec.optional(),
    foreign: z.string().optional(),
    notLooked: texts.optional(),
    error: z.string().optional(),
  },
  'archive.finding': {
    table: z.string(),
    partition: z.string().optional(),
    path: z.string().optional(),
    finding: z.enum([
      'missing file',
      'changed file',
      'unreadable file',
      'other rows',
      'not in the log',
      'not in the ledger',
      'differs from the source',
      'late rows',
      'changed rows',
      'deleted rows',
      'broken log',
      'foreign archive',
      'stray file',
      'swept file',
    ]),
    detail: z.string(),
    bytes: dec.optional(),
  },
  'query.sources': {
    table: z.string(),
    partitions: z.strictObject({ read: dec, of: dec }),
    files: z.strictObject({ read: dec, of: dec }),
    hotRows: dec,
    hotColumns: texts,
    leftOut: dec.optional(),
    notLooked: texts.optional(),
  },
  log: {
    level: z.enum(['note', 'warn', 'error', 'debug']),
    table: z.string().optional(),
    message: z.string(),
    hint: z.string().optional(),
  },
  'run.finished': {
    status: z.enum(['ok', 'failed', 'refused', 'stopped']),
    exitCode: z.int().min(0).max(255),
    proof: z.string().optional(),
    notChecked: z.string().optional(),
    totals: z.record(z.string(), dec),
    ms,
    resumeCommand: z.string().optional(),
    asideRuns: z.array(dec).optional(),
    leftBehind: leftBehind.optional(),
    wrote: texts.optional(),
    error: error.optional(),
  },
} as const satisfies Record<EventType, z.core.$ZodLooseShape>

export const EVENT_TYPES = Object.keys(bodies) as EventType[]

const head = { v: z.literal(1), seq: z.int().min(1), ts: time, runId: dec.nullable() }

const variants: readonly z.ZodType[] = Object.entries(bodies).map(([type, body]: [string, z.core.$ZodLooseShape]) =>
  z.strictObject({ ...head, type: z.literal(type), ...body }),
)

/** One line of `--json`. Its type is that of the model: one that is inferred from the shapes takes the compiler minutes. */
export const eventSchema = z.union(variants) as z.ZodType<Event>

/** Compiles only while each event of the model fits its schema, field by field. */
type Fields<T extends EventType> = { [K in keyof (typeof bodies)[T]]: unknown }
type Own<T extends EventType> = Omit<Extract<Event, { type: T }>, 'v' | 'seq' | 'ts' | 'runId' | 'type'>
type Drift = {
  [T in EventType]: keyof Fields<T> extends keyof Own<T> ? (keyof Own<T> extends keyof Fields<T> ? never : T) : T
}
export const noDrift: Drift[EventType] extends never ? true : Drift[EventType] = true

/** The JSON schema that docs/events.schema.json holds. */
export function eventJsonSchema(): string {
  const schema = z.toJSONSchema(eventSchema, { target: 'draft-2020-12' })
  const { $schema, ...rest } = schema
  const title = 'One line of `sluice … --json`'
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`
}
