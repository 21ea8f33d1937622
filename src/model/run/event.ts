/**
 * Events of a run as one closed, versioned union: the UI folds them, other frontends print them. Ledger and catalog are
 * authoritative, not stored events. Documented in docs/reference/EVENTS.md; docs/events.schema.json is made from these
 * types. Ids, versions, counts and bytes are decimal strings (`Dec`); durations are numbers of ms.
 */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { ArchiveEvents } from '../archive/events.ts'
import type { CopyEvents, CopyPlanLine, CopyTally } from '../copy/events.ts'
import type { LeftBehind } from '../copy/dependencies.ts'
import type { RingEvents } from '../copy/ring-events.ts'
import type { SummaryEvents } from '../copy/summary-events.ts'
import type { CutoverEvents } from '../follow/cutover-events.ts'
import type { FollowEvents } from '../follow/events.ts'
import type { FsckEvents } from '../lake/fsck-events.ts'
import type { PartitionEvents } from '../partition/events.ts'
import type { LifecycleEvents } from '../partition/lifecycle-events.ts'
import type { ScheduleEvents } from '../share/schedule-events.ts'
import type { WorkerEvents } from '../share/worker-events.ts'
import type { AlertCause, AlertEvent } from './alert.ts'
import type { AnswerEvents } from './answer-events.ts'
import type { Dec, Int, Ms, Time } from './dec.ts'
import type { RunReportEvent } from './report/formats.ts'
import type { RunStatus, TableStatus } from './run-status.ts'

export { dec, type Dec } from './dec.ts'
export type {
  ChangeEvent,
  CheckEvent,
  CommitEvent,
  CopyChunkEvent,
  CopyRunEvent,
  DifferenceEvent,
  FileEvent,
  QuestionEvent,
  RelationEvent,
  RowValue,
  RunEvent,
  AnswerTiming,
  TableEvent,
} from './answer-events.ts'
export type {
  ChunkTally,
  CopyAgain,
  CopyPlanLine,
  CopyStartedEvent,
  CopySummaryLine,
  CopyTally,
  KeySpan,
  TargetLatency,
  LookDifferenceEvent,
  PlannedObjectLine,
  ReleaseReason,
} from '../copy/events.ts'
export type { FsckCheckedEvent, FsckFindingEvent, FsckProgressEvent } from '../lake/fsck-events.ts'
export type { RunStatus, TableStatus } from './run-status.ts'
export type { RingEvent, RingHostEvent, RingPartEvent } from '../copy/ring-events.ts'
export type { ChunksSummaryEvent, ChunkRange, ChunkEventTotals, ClosedState } from '../copy/summary-events.ts'

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
      /** One per table, for `--dry-run`, and when the UI shows the plan before the start. */
      details?: readonly PlanLine[]
      /** Copy only: one per table. */
      copies?: readonly CopyPlanLine[]
      /** Copy only: dependencies that it does not transfer. */
      leftBehind?: readonly LeftBehind[]
    }
  /** Settings changed during the run; absent ones are unchanged. */
  | { type: 'run.steered'; paused?: boolean; workers?: Int; lanes?: Int; rate?: Dec | null; stopping?: true }
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
      /** `sync` only: versions of the log that the catalog lacks and that could not be imported. */
      behind?: Dec
      /** `sync` only, if it could not import: time of the last import of the table. */
      importedAt?: string
      ms: Ms
      /** Copy only: totals of the table. */
      copied?: CopyTally
      /** Copy only: dependencies of this table that it did not transfer. */
      leftBehind?: readonly LeftBehind[]
      notes?: readonly string[]
      error?: ErrorInfo
    }
  // ── chunks of tables, and comparisons
  | CopyEvents
  | RingEvents
  // ── proofs
  | {
      type: 'verify.check'
      table: string
      version: Dec
      check: string
      equal: boolean
      log: string
      catalog: string
      /** The second source with which the values were compared. */
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
      /** Names of the two sides, if they are not log and catalog. */
      sides?: readonly [string, string]
      /** `validate` only: time of the import into the catalog. */
      importedAt?: string
    }
  | FsckEvents
  // ── rows of listing commands
  | AnswerEvents
  // ── archives
  | ArchiveEvents
  // ── replication streams
  | FollowEvents
  | CutoverEvents
  // ── partitions of a table in use
  | PartitionEvents
  | LifecycleEvents
  // ── workers and shared runs
  | ScheduleEvents
  | WorkerEvents
  // ── summaries for late viewers
  | SummaryEvents
  // ── messages and the end
  | AlertEvent
  | RunReportEvent
  | {
      type: 'log'
      level: 'note' | 'warn' | 'error' | 'debug'
      table?: string
      message: string
      hint?: string
      /** `sync --watch` only: the catalog cannot be reached, or can be reached again. */
      catalog?: 'away' | 'back'
      /** Cause of an active alert that an earlier run has sent. */
      alert?: AlertCause
    }
  | {
      type: 'run.finished'
      status: RunStatus
      exitCode: Int<0, 255>
      proof?: string
      /** What was not checked, but a reader might assume it was. */
      notChecked?: string
      totals: Readonly<Record<string, Dec>>
      ms: Ms
      resumeCommand?: string
      /** Copy only: runs with quarantined rows that are still not in the target. */
      asideRuns?: readonly Dec[]
      /** Copy only: dependencies that it did not transfer. */
      leftBehind?: readonly LeftBehind[]
      /** Files that this run wrote for the user, such as a report. */
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
  estimatedMs?: Ms
  error?: ErrorInfo
}

export type EventType = EventBody['type']

/** An event as printed: numbered without gaps, with a UTC timestamp. */
export type Event = { v: 1; seq: Int<1>; ts: Time; runId: Dec | null } & EventBody

/** The events of one type, or of several. */
export type EventOf<T extends EventType> = Extract<Event, { type: T }>

type Bodies = { readonly [T in EventType]: Extract<EventBody, { type: T }> }

/** Emits events of these types. Contravariant: an emitter of more types fits where fewer are needed. */
export type Emit<in E extends EventType = EventType> = (event: Bodies[E]) => void
