/** The events as a zod schema: what docs/events.schema.json is made from, and what every emitted line is checked against. */
import { z } from 'zod'
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
})

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

const side = z.strictObject({
  p50Ms: ms,
  p95Ms: ms,
  coldMs: ms.nullable(),
  readBytes: dec.nullable(),
  opened: z.int().min(0).nullable(),
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
  },
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
    notes: texts.optional(),
    error: error.optional(),
  },
  'chunk.started': { table: z.string(), chunk: z.string(), worker: z.int(), total: dec, unit: z.string() },
  'chunk.progress': { table: z.string(), chunk: z.string(), worker: z.int(), done: dec, total: dec, unit: z.string() },
  'chunk.retried': { table: z.string(), chunk: z.string(), attempt: z.int(), waitMs: ms, error },
  'chunk.done': { table: z.string(), chunk: z.string(), worker: z.int(), done: dec, unit: z.string(), ms },
  'chunk.failed': { table: z.string(), chunk: z.string(), error },
  'verify.check': {
    table: z.string(),
    version: dec,
    check: z.string(),
    equal: z.boolean(),
    log: z.string(),
    catalog: z.string(),
    witness: z.string(),
  },
  'verify.mismatch': {
    table: z.string(),
    version: dec,
    check: z.string(),
    path: z.string().optional(),
    field: z.string(),
    log: z.string(),
    catalog: z.string(),
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
    totals: z.record(z.string(), dec),
    ms,
    resumeCommand: z.string().optional(),
    wrote: texts.optional(),
    error: error.optional(),
  },
} as const satisfies Record<EventType, z.core.$ZodLooseShape>

export const EVENT_TYPES = Object.keys(bodies) as EventType[]

const head = { v: z.literal(1), seq: z.int().min(1), ts: time, runId: dec.nullable() }

const variants = Object.entries(bodies).map(([type, body]) =>
  z.strictObject({ ...head, type: z.literal(type), ...body }),
)

/** One line of `--json`. */
export const eventSchema = z.union(variants as [(typeof variants)[0], ...typeof variants])

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
