/** Results of lists and queries: one event per line. */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { RingSpec } from '../copy/column-type.ts'
import type { Dec, Factor, FileSystemName, Int, Ms, Time } from './dec.ts'

/** A Delta table that `discover` found. */
export type TableEvent = {
  type: 'table'
  /** Path below the given folder, '/' between parts; '.' for the folder itself. */
  table: string
  location: string
  readable: boolean
  version?: Dec
  files?: Dec
  bytes?: Dec
  rows?: Dec
  lastCommit?: Time
  partitionColumns?: readonly string[]
  features?: readonly string[]
  protocol?: string
  /** First version that the log can still reconstruct. */
  historyFrom?: Dec
  error?: ErrorInfo
}

/** A database file that `discover` found. */
export type SourceEvent = {
  type: 'source'
  source: string
  location: string
  system: FileSystemName
  bytes: Dec
  modified: Time
}

/** A table of a database, as listed by `discover URL`. */
export type RelationEvent = {
  type: 'relation'
  table: string
  rows: Dec
  estimated: boolean
  bytes: Dec
  /** Key columns; empty if there is no key. */
  key: readonly string[]
  columns: readonly { name: string; type: string; nullable: boolean }[]
  partitioning?: string
  /** Only for rows on a token ring. */
  ring?: Pick<RingSpec, 'partitioner' | 'columns'>
  /** True if an interrupted copy of it can be resumed. */
  resumable: boolean
  /** Copy into this table, according to the ledger. `proved`: number of chunks with equal checksums. */
  filled?: { rows: Dec; chunks: Dec; done: Dec; proved: Dec; at?: string; source?: string }
  /** The stream that applies changes to it, and its state for this table. */
  followed?: { stream: Dec; status: string; state: string }
  note?: string
}

/** A key whose rows differ between the sides of a `diff`. */
export type DifferenceEvent = {
  type: 'difference'
  table: string
  /** null for NULL. */
  key: readonly (string | null)[]
  difference: 'missing' | 'extra' | 'different'
  /** Columns that differ, with their values as canonical text. */
  columns?: readonly { column: string; source: string | null; target: string | null }[]
  /** True if `--fix` repaired it. */
  fixed?: boolean
  /** Columns with a later write time in the target than in the source: kept unless overwriting is requested. */
  newer?: readonly string[]
}

export type FileEvent = {
  type: 'file'
  path: string
  size: Dec
  rows?: Dec
  /** Rows removed by a deletion vector. */
  deletedRows?: Dec
  addedVersion?: Dec
  modified: Dec
  partitionValues: Readonly<Record<string, string | null>>
  deletionVector?: string
  stats?: string
}

export type CommitEvent = {
  type: 'commit'
  version: Dec
  time: Time
  /** True if `time` is the in-commit timestamp; false if it is the time of the commit's file. */
  inCommitTime: boolean
  operation?: string
  engine?: string
  adds: Dec
  removes: Dec
  addedBytes: Dec
  removedBytes: Dec
  files?: Dec
  bytes?: Dec
  rows?: Dec
  checkpoint: boolean
}

export type ChangeEvent = {
  type: 'change'
  change: 'added' | 'removed' | 'protocol' | 'metadata' | 'txn' | 'domain' | 'cdc'
  version: Dec
  path?: string
  size?: Dec
  rows?: Dec
  deletionVector?: string
  dataChange?: boolean
  detail?: string
}

/** One import (`migration-status`) or one recorded command (`runs`). */
export type RunEvent = {
  type: 'run'
  run: Dec
  table: string
  command: string
  status: string
  version?: Dec
  behind?: Dec
  filesProcessed?: Dec
  startedAt?: string
  completedAt?: string
  error?: string
}

/** A copy, or a command about one, according to the ledger of its target. */
export type CopyRunEvent = {
  type: 'copy.run'
  run: Dec
  operation: string
  /** URLs without passwords. */
  source: string
  target: string
  status: string
  /** Rows that this run wrote: rows of chunks that it was the last run to copy, and rows that it repaired. */
  rows: Dec
  /** The machine on which it runs or ran, if it is not this one. */
  host?: string
  startedAt?: Time
  completedAt?: Time
  exitCode?: number
  error?: string
}

/** A chunk of a copy, according to the ledger of its target. */
export type CopyChunkEvent = {
  type: 'copy.chunk'
  table: string
  chunk: Dec
  status: string
  /** Tokens, or values of an integer key, both inclusive; absent if open. */
  tokenMin?: Dec
  tokenMax?: Dec
  /** Bounds of any key, as JSON lists of texts: lower exclusive, upper inclusive. */
  after?: string
  through?: string
  rows: Dec
  attempts: number
  error?: string
}

/** A quarantined row that is still pending, according to the ledger of the target. */
export type QuarantineRowEvent = {
  type: 'quarantine.row'
  run: Dec
  table: string
  /** Row key in the source; empty if it has none. */
  key: readonly (string | null)[]
  stage: 'read' | 'write'
  code: string
  message: string
  /** Values by column; long ones are truncated. */
  row: Readonly<Record<string, string | number | null>>
  at: Time
}

/** A replication slot of a source; a field is null if the server does not report its value. */
export type SlotEvent = {
  type: 'slot'
  slot: string
  plugin: string | null
  database: string | null
  /** True if a session uses it now. */
  active: boolean
  /** `reserved`, `extended`, `unreserved`, `lost`. */
  status: string | null
  /** Bytes of log that it retains. */
  held: Dec | null
  /** Bytes that may still be written before it is lost; null without a limit. */
  safe: Dec | null
  /** Confirmed position, as the server prints it. */
  confirmed: string | null
  /** Run of the copy to which the slot belongs, according to its name. */
  run?: Dec
}

/** Column names of a query, sent before its first row. */
export type ColumnsEvent = { type: 'columns'; columns: readonly string[] }

/** Numbers that JSON would round are text; bytes are hexadecimal after `\\x`. */
export type RowValue = string | number | boolean | null

/** One row of a query, in the order of the columns. */
export type RowEvent = { type: 'row'; values: readonly RowValue[] }

/** One finding of `doctor`. */
export type CheckEvent = {
  type: 'check'
  /** What was checked: program, database, catalog, lake. */
  area: string
  check: string
  status: 'ok' | 'warn' | 'fail'
  /** Short description of the finding. */
  found: string
  cause?: string
  hint?: string
}

/** A statement printed by `grants`; `applied` is true if it was run. */
export type StatementEvent = { type: 'statement'; sql: string; applied: boolean }

export type AnswerTiming = {
  p50Ms: Ms
  p95Ms: Ms
  coldMs: Ms | null
  readBytes: Dec | null
  opened: Int<0> | null
  /** Lake requests for one answer, and their bytes; only for a bucket or with simulated latency. */
  requests?: Dec
  requestBytes?: Dec
  /**
   * Sequential round trips of one answer over open connections; each one costs the latency. Counted in one execution;
   * for a folder as if it were a bucket; absent for a database in this process.
   */
  roundTrips?: Dec
  /** For a lake in a folder: requests that a bucket would need for one answer. */
  bucketRequests?: Dec
  /** Simulated latency of a round trip of this side. */
  addedMs?: Ms
  /** Where the latency is added: on the wire by a proxy, or to calls of the program if the lake is a folder. */
  delayed?: 'wire' | 'calls'
  /** Threads of DuckDB, if this side reads Parquet or a catalog through it. */
  duckdbThreads?: Int<1>
}

/** One question of `performance-compare`, answered from the files and from SQL. */
export type QuestionEvent = {
  type: 'question'
  question: string
  title: string
  same: boolean
  rows: Dec
  runs: Int
  files: AnswerTiming
  sql: AnswerTiming
  faster: 'files' | 'sql' | 'even'
  /** How many times faster, by the medians of warm runs; at least 1. */
  factor: Factor
  difference?: string
}

/** All events of this file. */
export type AnswerEvents =
  | TableEvent
  | SourceEvent
  | RelationEvent
  | DifferenceEvent
  | FileEvent
  | CommitEvent
  | ChangeEvent
  | RunEvent
  | CopyRunEvent
  | CopyChunkEvent
  | QuarantineRowEvent
  | SlotEvent
  | ColumnsEvent
  | RowEvent
  | CheckEvent
  | StatementEvent
  | QuestionEvent
