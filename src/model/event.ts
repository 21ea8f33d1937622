/**
 * What happens in a run, in one closed and versioned union: the UI folds it, the headless faces print it, nobody reads it
 * back as truth. Documented in docs/EVENTS.md. Ids, versions, counts and bytes are decimal strings (`Dec`); durations are numbers of ms.
 */
import type { ErrorInfo } from '../shared/errors.ts'

/** A decimal integer as text, so that no JSON reader rounds it. */
export type Dec = string

export const dec = (n: number | bigint): Dec => n.toString()

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
    }
  | { type: 'table.started'; table: string; location: string; fromVersion: Dec; toVersion: Dec }
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
      notes?: readonly string[]
      error?: ErrorInfo
    }
  | { type: 'chunk.started'; table: string; chunk: string; worker: number; total: Dec; unit: string }
  | { type: 'chunk.progress'; table: string; chunk: string; worker: number; done: Dec; total: Dec; unit: string }
  | { type: 'chunk.retried'; table: string; chunk: string; attempt: number; waitMs: number; error: ErrorInfo }
  | { type: 'chunk.done'; table: string; chunk: string; worker: number; done: Dec; unit: string; ms: number }
  | { type: 'chunk.failed'; table: string; chunk: string; error: ErrorInfo }
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
    }
  | QuestionEvent
  // ── rows of listing commands
  | TableEvent
  | FileEvent
  | CommitEvent
  | ChangeEvent
  | RunEvent
  | SourceEvent
  // ── talk and the end
  | { type: 'log'; level: 'note' | 'warn' | 'error' | 'debug'; table?: string; message: string; hint?: string }
  | {
      type: 'run.finished'
      status: RunStatus
      exitCode: number
      proof?: string
      totals: Readonly<Record<string, Dec>>
      ms: number
      resumeCommand?: string
      /** A file this run wrote for the user, such as a report. */
      wrote?: readonly string[]
      error?: ErrorInfo
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

export type Side = { p50Ms: number; p95Ms: number; coldMs: number | null; readBytes: Dec | null; opened: number | null }

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
