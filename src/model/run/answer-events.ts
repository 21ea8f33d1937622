/** What lists and questions are answered with: one event a line. */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { RingSpec } from '../copy/column-type.ts'
import type { Dec } from './dec.ts'

/** A Delta table that `discover` found. */
export type TableEvent = {
  type: 'table'
  /** Path below the folder that was asked for, '/' between parts; '.' when it is the folder itself. */
  table: string
  location: string
  readable: boolean
  version?: Dec
  files?: Dec
  bytes?: Dec
  rows?: Dec
  lastCommit?: string
  partitionColumns?: readonly string[]
  features?: readonly string[]
  protocol?: string
  /** First version that the log can still answer. */
  historyFrom?: Dec
  error?: ErrorInfo
}

/** A database file that `discover` met. */
export type SourceEvent = {
  type: 'source'
  source: string
  location: string
  /** `sqlite` or `duckdb`: the systems whose databases are files. */
  system: string
  bytes: Dec
  modified: string
}

/** A table of a database, as `discover URL` lists it. */
export type RelationEvent = {
  type: 'relation'
  table: string
  rows: Dec
  estimated: boolean
  bytes: Dec
  /** Columns that tell its rows apart; none where nothing does. */
  key: readonly string[]
  columns: readonly { name: string; type: string; nullable: boolean }[]
  partitioning?: string
  /** Of a table whose rows lie on a ring of tokens. */
  ring?: Pick<RingSpec, 'partitioner' | 'columns'>
  /** Whether a copy of it that is broken off goes on where it was. */
  resumable: boolean
  /** What the ledger of this database says of a copy into it: rows as they were written, chunks in all, done, and with equal sums on both sides. */
  filled?: { rows: Dec; chunks: Dec; done: Dec; proved: Dec; at?: string; source?: string }
  /** The stream that applies changes to it, and how far it is with this table. */
  followed?: { stream: Dec; status: string; state: string }
  note?: string
}

/** A key whose rows are not the same on both sides of a `diff`. */
export type DifferenceEvent = {
  type: 'difference'
  table: string
  /** null where a column of the key is NULL. */
  key: readonly (string | null)[]
  difference: 'missing' | 'extra' | 'different'
  /** Columns that differ, with their values in canonical text. */
  columns?: readonly { column: string; source: string | null; target: string | null }[]
  /** What `--fix` did about it. */
  fixed?: boolean
  /** Columns that were written later in the target than in the source: these values stay unless they are to be written over. */
  newer?: readonly string[]
}

export type FileEvent = {
  type: 'file'
  path: string
  size: Dec
  rows?: Dec
  /** Rows that a deletion vector has removed. */
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
  time: string
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

/** A copy, or what was done about one, as the ledger of its target has it. */
export type CopyRunEvent = {
  type: 'copy.run'
  run: Dec
  operation: string
  /** URLs without passwords. */
  source: string
  target: string
  status: string
  /** Of the chunks that it worked on last. */
  rows: Dec
  /** The machine that it runs, or ran, on, where that is another one. */
  host?: string
  startedAt?: string
  completedAt?: string
  exitCode?: number
  error?: string
}

/** A chunk of a copy, as the ledger of its target has it. */
export type CopyChunkEvent = {
  type: 'copy.chunk'
  table: string
  chunk: Dec
  status: string
  /** Tokens, or values of a key that is one whole number, both included; absent where it is open. */
  tokenMin?: Dec
  tokenMax?: Dec
  /** Bounds of any key, as JSON lists of texts: behind the first, up to the second. */
  after?: string
  through?: string
  rows: Dec
  attempts: number
  error?: string
}

/** A row that a copy has set aside and that waits, as the ledger of its target has it. */
export type QuarantineRowEvent = {
  type: 'quarantine.row'
  run: Dec
  table: string
  /** By which the row is found at the source again; empty where it has none. */
  key: readonly (string | null)[]
  stage: 'read' | 'write'
  code: string
  message: string
  /** Values by column; long ones are cut. */
  row: Readonly<Record<string, string | number | null>>
  at: string
}

/** A replication slot of a source; null where the server tells nothing. */
export type SlotEvent = {
  type: 'slot'
  slot: string
  plugin: string | null
  database: string | null
  /** Somebody reads it now. */
  active: boolean
  /** `reserved`, `extended`, `unreserved`, `lost`. */
  status: string | null
  /** Bytes of the log that it holds back. */
  held: Dec | null
  /** Bytes that may still be written before it is lost; null where there is no limit. */
  safe: Dec | null
  /** Up to where everything was read, as the server writes positions. */
  confirmed: string | null
  /** The copy that it belongs to, where its name says so. */
  run?: Dec
}

/** Names of the columns of a query, before its first row. */
export type ColumnsEvent = { type: 'columns'; columns: readonly string[] }

/** Numbers that JSON would round are text; bytes are hexadecimal behind `\\x`. */
export type RowValue = string | number | boolean | null

/** One row of a query, in the order of the columns. */
export type RowEvent = { type: 'row'; values: readonly RowValue[] }

/** One finding of `doctor`. */
export type CheckEvent = {
  type: 'check'
  /** What was looked at: program, database, catalog, lake. */
  area: string
  check: string
  status: 'ok' | 'warn' | 'fail'
  /** What is there, in a few words. */
  found: string
  cause?: string
  hint?: string
}

/** One statement that `grants` prints; `applied` says that it was run. */
export type StatementEvent = { type: 'statement'; sql: string; applied: boolean }

export type Side = {
  p50Ms: number
  p95Ms: number
  coldMs: number | null
  readBytes: Dec | null
  opened: number | null
  /** Requests to the lake for one answer, and the bytes they brought; where the lake is a bucket or latency is simulated. */
  requests?: Dec
  requestBytes?: Dec
  /**
   * Round trips of one answer that follow one another, over connections that are open: what latency is paid for. Counted while it is asked once; of a
   * lake in a folder, as many as it would be in a bucket; none of a database in this process.
   */
  roundTrips?: Dec
  /** Of a lake in a folder: requests that a bucket would be sent for one answer. */
  bucketRequests?: Dec
  /** Simulated latency of a round trip of this side. */
  addedMs?: number
  /** Where that is added: on the wire, by a proxy, or to calls of the program, where the lake is a folder and has no wire. */
  delayed?: 'wire' | 'calls'
  /** Threads of DuckDB, where this side reads through it: the Parquet of a log, or a catalog. */
  duckdbThreads?: number
}

/** One question of `performance-compare`, answered from the files and from SQL. */
export type QuestionEvent = {
  type: 'question'
  question: string
  title: string
  same: boolean
  rows: Dec
  runs: number
  files: Side
  sql: Side
  faster: 'files' | 'sql' | 'even'
  /** How many times faster by the warm medians, at least 1. */
  factor: number
  difference?: string
}
