/**
 * What happens in a run, in one closed and versioned union: the UI folds it, the headless faces print it, nobody reads it
 * back as truth. Documented in docs/EVENTS.md. Ids, versions, counts and bytes are decimal strings (`Dec`); durations are numbers of ms.
 */
import type { ErrorInfo } from '../shared/errors.ts'
import type { LeftBehind } from './copy/left-behind.ts'
import type { RingSpec } from './copy/column-type.ts'
import type {
  ArchiveColumnsEvent,
  ArchivedEvent,
  ArchiveFindingEvent,
  ArchivePlanEvent,
  ArchiveProgressEvent,
  ArchiveStateEvent,
  QuerySourcesEvent,
} from './archive-events.ts'
import type { ChunkTally, CopyTally, KeySpan, Latency, LookDifferenceEvent, ReleaseReason } from './copy-events.ts'
import type { Dec } from './dec.ts'
import type { FsckCheckedEvent, FsckFindingEvent, FsckProgressEvent } from './fsck-events.ts'
import type { DiffRangeEvent, RingEvent, RingHostEvent, RingPartEvent } from './ring-events.ts'

export { dec, type Dec } from './dec.ts'
export type {
  ChunkTally,
  CopyAgain,
  CopyTally,
  KeySpan,
  Latency,
  LookDifferenceEvent,
  ReleaseReason,
} from './copy-events.ts'
export type { FsckCheckedEvent, FsckFindingEvent, FsckProgressEvent } from './fsck-events.ts'
export type { DiffRangeEvent, RingEvent, RingHostEvent, RingPartEvent } from './ring-events.ts'

export type RunStatus = 'ok' | 'failed' | 'refused' | 'stopped'
export type TableStatus = 'ok' | 'current' | 'failed' | 'refused' | 'stopped' | 'skipped'

export type EventBody =
  // ── a run
  | {
      type: 'run.started'
      command: string
      tool: string
      source?: string
      target?: string
      resumes?: Dec
      baseline?: { done: Dec }
    }
  | {
      type: 'plan.ready'
      hash: string
      tables: Dec
      chunks: Dec
      unit: string
      total: Dec
      estimated: boolean
      bytes: Dec
      excluded: readonly string[]
      /** One line a table, when the plan is what was asked for (`--dry-run`) or the UI shows it before it starts. */
      details?: readonly PlanLine[]
      /** Of a copy, one a table. */
      copies?: readonly CopyPlanLine[]
      /** Of a copy: what it does not bring along. */
      leftBehind?: readonly LeftBehind[]
    }
  /** Turned while it runs; what is not named stays as it is. */
  | { type: 'run.steered'; paused?: boolean; workers?: number; rate?: Dec | null; stopping?: true }
  | { type: 'table.started'; table: string; location: string; fromVersion: Dec; toVersion: Dec }
  | CopyStartedEvent
  | {
      type: 'table.finished'
      table: string
      status: TableStatus
      location?: string
      version?: Dec
      historyFrom?: Dec
      files?: Dec
      bytes?: Dec
      actions?: Dec
      ms: number
      /** Of a copy. */
      copied?: CopyTally
      /** Of a copy: what of this table it has not brought along. */
      leftBehind?: readonly LeftBehind[]
      notes?: readonly string[]
      error?: ErrorInfo
    }
  /** A table of a copy, or one chunk of it, was told what to do while it runs. After `retry` it finishes once more, and that is what counts. */
  | { type: 'table.steered'; table: string; chunk?: string; act: 'pause' | 'resume' | 'skip' | 'retry' }
  | ({ type: 'chunk.started'; table: string; chunk: string; worker: number; total: Dec; unit: string } & KeySpan)
  | {
      type: 'chunk.progress'
      table: string
      chunk: string
      worker: number
      done: Dec
      total: Dec
      unit: string
      /** What is being done with the chunk; of a copy only. */
      step?: 'reading' | 'writing' | 'proving'
      /** Of a copy: about how many of the source so far. */
      bytes?: Dec
    }
  | { type: 'chunk.retried'; table: string; chunk: string; attempt: number; waitMs: number; error: ErrorInfo }
  | ({
      type: 'chunk.done'
      table: string
      chunk: string
      worker: number
      done: Dec
      unit: string
      ms: number
    } & KeySpan &
      Partial<ChunkTally>)
  /** A chunk of a copy that an earlier run has proved. */
  | ({ type: 'chunk.skipped'; table: string; chunk: string; provedAt?: string } & KeySpan & ChunkTally)
  /** Before a copy ends it counts the rows of chunks that earlier runs have proved, on both sides. Chunks; of the source's rows and the target's. */
  | { type: 'look.progress'; table: string; done: Dec; total: Dec }
  | LookDifferenceEvent
  | { type: 'chunk.failed'; table: string; chunk: string; error: ErrorInfo }
  /** A chunk of a copy is free again: its worker gave it back, or is gone. */
  | { type: 'chunk.released'; table: string; chunk: string; reason: ReleaseReason; error?: ErrorInfo }
  /** An index, a constraint or a default that is made beside the rows of a copy, by its name in the target. */
  | { type: 'index.started'; table: string; name: string; kind: string }
  | { type: 'index.done'; table: string; name: string; kind: string; ms: number }
  | { type: 'index.failed'; table: string; name: string; kind: string; error: ErrorInfo }
  /** A row that the target does not take; its chunk goes on without it. */
  | { type: 'row.aside'; table: string; chunk: string; key: readonly (string | null)[]; error: ErrorInfo }
  /** Rows that are in the target at this level of consistency only, because more could not be had; they are listed to be checked again. */
  | { type: 'rows.fallback'; table: string; level: string; rows: Dec; keys: readonly (readonly string[])[] }
  /** At the end of a copy that goes as the parallel script does: tables with problems first. */
  | { type: 'copy.summary'; tables: readonly CopySummaryLine[] }
  /** Rows a second that may go from now on, because somebody said that it was too much, or the target grew slow. */
  | { type: 'throttle.on'; reason: string; rate: Dec; cause?: 'pressure' | 'latency'; latency?: Latency }
  | { type: 'throttle.off' }
  /** How long the target of a copy takes for a megabyte of rows; every few seconds. */
  | ({ type: 'target.latency' } & Latency)
  /** A run over the ring of one table, as the Cassandra Data Migrator tells of it: which tokens, in how many ranges, and what it is called. */
  | {
      type: 'run.tracked'
      table: string
      job: 'MIGRATE' | 'VALIDATE'
      /** Tokens, both included. */
      min: Dec
      max: Dec
      splits: Dec
      /** Percent of each range. */
      coverage: number
      /** Ranges that are to be done. */
      ranges: Dec
      /** In `cdm_run_info`; absent where nothing is written there. */
      cdmRun?: Dec
      /** The run that it goes on with. */
      previous?: Dec
      /** How many ranges that has left; 0 also for a run that was to be tracked, and finds nothing to do. */
      pending?: Dec
    }
  /** What such a run came to, in the names and the order of `run_info`. */
  | { type: 'run.counted'; table: string; cdmRun?: Dec; counters: Readonly<Record<string, Dec>> }
  // ── comparisons of tables
  | {
      type: 'diff.progress'
      table: string
      /** Looked at once more: what differed a moment ago. Mending: with `--fix`. */
      step: 'comparing' | 'looking again' | 'mending'
      /** Rows of the source that were compared, of about so many. */
      done: Dec
      total: Dec
      estimated: boolean
      /** Ranges of keys that were compared, and about how many are left. */
      ranges: Dec
      left: Dec
      /** Rows that differ, as far as is known. */
      differences: Dec
    }
  // ── proofs
  | {
      type: 'verify.check'
      table: string
      version: Dec
      check: string
      equal: boolean
      log: string
      catalog: string
      witness: string
      sides?: readonly [string, string]
    }
  | {
      type: 'verify.mismatch'
      table: string
      version: Dec
      check: string
      path?: string
      field: string
      log: string
      catalog: string
      /** Names of the two sides where they are not the log and the catalog. */
      sides?: readonly [string, string]
    }
  | QuestionEvent
  | FsckFindingEvent
  | FsckCheckedEvent
  | FsckProgressEvent
  // ── rows of listing commands
  | TableEvent
  | FileEvent
  | CommitEvent
  | ChangeEvent
  | RunEvent
  | CopyRunEvent
  | CopyChunkEvent
  | SourceEvent
  | RelationEvent
  | DiffRangeEvent
  | RingPartEvent
  | RingHostEvent
  | RingEvent
  | DifferenceEvent
  | ColumnsEvent
  | RowEvent
  | CheckEvent
  | StatementEvent
  // ── archives
  | ArchiveColumnsEvent
  | ArchivePlanEvent
  | ArchiveProgressEvent
  | ArchiveStateEvent
  | ArchivedEvent
  | ArchiveFindingEvent
  | QuerySourcesEvent
  // ── talk and the end
  | { type: 'log'; level: 'note' | 'warn' | 'error' | 'debug'; table?: string; message: string; hint?: string }
  | {
      type: 'run.finished'
      status: RunStatus
      exitCode: number
      proof?: string
      /** What a reader might take for checked, and is not. */
      notChecked?: string
      totals: Readonly<Record<string, Dec>>
      ms: number
      resumeCommand?: string
      /** Of a copy: runs that set rows aside which are still not in the target. */
      asideRuns?: readonly Dec[]
      /** Of a copy: what it has not brought along. */
      leftBehind?: readonly LeftBehind[]
      /** A file this run wrote for the user, such as a report. */
      wrote?: readonly string[]
      error?: ErrorInfo
    }

/** One table of a copy at its end. Rows that were written, errors and times are of this run. */
export type CopySummaryLine = {
  table: string
  status: TableStatus
  /** Rows that this run has brought into the target. */
  written: Dec
  /** Rows that the target holds already: of chunks that an earlier run or another program has copied; absent where there are none. */
  earlier?: Dec
  /** Rows of the table that could not be brought there, by this run or an earlier one. */
  failed: Dec
  /** Of those that were written: at a lower consistency than asked for. */
  fallback: Dec
  /** Errors that passed when the same was tried again, and those that did not. */
  recovered: Dec
  unrecovered: Dec
  ms: number
  rowsPerSecond: Dec
  error?: ErrorInfo
}

/** A table of a copy begins, or goes on. */
export type CopyStartedEvent = {
  type: 'copy.started'
  table: string
  /** Its name in the target. */
  to: string
  rows: Dec
  estimated: boolean
  /** Columns that the table is cut by; none where it has no key. */
  key: readonly string[]
  /** Smallest and largest key, where it is one column. */
  low?: string
  high?: string
  /** Of a table whose rows lie on a ring of tokens: its first columns of the key name the partition. */
  ring?: Pick<RingSpec, 'partitioner' | 'columns'>
  chunkRows: Dec
  /** Chunks that the target takes at the same time: more workers only wait. */
  writers?: Dec
  /** Chunks known so far, and how many of them earlier runs have proved. */
  chunks: Dec
  done: { chunks: Dec; rows: Dec }
}

/** What a copy is going to do with one table. */
export type CopyPlanLine = {
  table: string
  to: string
  status: 'copy' | 'resume' | 'done' | 'refused'
  rows: Dec
  estimated: boolean
  bytes: Dec
  chunkRows: Dec
  chunks: Dec
  /** Chunks that the target takes at the same time. */
  writers?: Dec
  key: readonly string[]
  proof: string
  create: boolean
  onExisting: string
  columns: readonly { from: string; to: string; source: string; target: string; lossy?: string }[]
  /** Of a service that limits them. */
  requests?: Dec
  /** At least so long the requests have to be spread over, ms. */
  requestMs?: number
  /** Where more than rows was asked for. */
  objects?: readonly PlannedObjectLine[]
  /** What of this table does not come along. */
  leftBehind?: readonly LeftBehind[]
  notes?: readonly string[]
  error?: ErrorInfo
}

/** What becomes of an index, a constraint or a default of the source's table. */
export type PlannedObjectLine = {
  name: string
  kind: string
  status: 'build' | 'there' | 'left'
  /** Why it is left out, or what is not as in the source. */
  note?: string
}

export type PlanLine = {
  table: string
  location: string
  status: 'import' | 'resume' | 'current' | 'failed' | 'refused'
  fromVersion?: Dec
  toVersion?: Dec
  commits?: Dec
  files?: Dec
  bytes?: Dec
  rows?: Dec
  logBytes?: Dec
  estimatedMs?: number
  error?: ErrorInfo
}

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
  system: 'sqlite' | 'duckdb'
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

/** Names of the columns of a query, before its first row. */
export type ColumnsEvent = { type: 'columns'; columns: readonly string[] }

/** Numbers that JSON would round are text; bytes are hexadecimal behind `\\x`. */
export type RowValue = string | number | null

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

export type EventType = EventBody['type']

/** An event as it is printed: numbered without gaps, stamped in UTC. */
export type Event = { v: 1; seq: number; ts: string; runId: Dec | null } & EventBody

export type Emit = (event: EventBody) => void
