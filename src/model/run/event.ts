/**
 * Events of a run as one closed, versioned union: the UI folds them, other frontends print them; no code reads them
 * back as the truth. Documented in docs/EVENTS.md. Ids, versions, counts and bytes are decimal strings (`Dec`);
 * durations are numbers of ms.
 */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { AlertEvent } from './alert.ts'
import type { LeftBehind } from '../copy/left-behind.ts'
import type {
  ArchiveColumnsEvent,
  ArchivedEvent,
  ArchiveDestroyedEvent,
  ArchiveErasureEvent,
  ArchiveExpiryEvent,
  ArchiveFindingEvent,
  ArchiveForecastEvent,
  ArchivePlanEvent,
  ArchiveProgressEvent,
  ArchiveStateEvent,
  QuerySourcesEvent,
} from '../archive/events.ts'
import type {
  DecommissionFindingEvent,
  DecommissionStepEvent,
  PartitionAlarmEvent,
  PartitionedEvent,
  PartitionEvent,
  PartitionFindingEvent,
  PartitionForecastEvent,
  PartitionLandedEvent,
  PartitionMadeEvent,
  PartitionPaceEvent,
  PartitionProgressEvent,
  PartitionRateEvent,
  PartitionSqlEvent,
  PartitionStandsEvent,
  PartitionStepEvent,
  PartitionWaitsEvent,
} from '../partition/events.ts'
import type { LifecycleConfigEvent, LifecyclePhaseEvent } from '../partition/lifecycle-events.ts'
import type {
  ChangeEvent,
  CheckEvent,
  ColumnsEvent,
  CommitEvent,
  CopyChunkEvent,
  QuarantineRowEvent,
  CopyRunEvent,
  DifferenceEvent,
  FileEvent,
  QuestionEvent,
  RelationEvent,
  RowEvent,
  RunEvent,
  SlotEvent,
  SourceEvent,
  StatementEvent,
  TableEvent,
} from './answer-events.ts'
import type {
  ChunkStartedEvent,
  ChunkTally,
  CopyPlanLine,
  CopyStartedEvent,
  CopySummaryLine,
  CopyTally,
  KeySpan,
  Latency,
  LookDifferenceEvent,
  ReleaseReason,
} from '../copy/events.ts'
import type {
  CutoverFindingEvent,
  CutoverGateEvent,
  CutoverStepEvent,
  CutoverSwitchedEvent,
} from '../follow/cutover-events.ts'
import type { Dec, Int, Ms, Time } from './dec.ts'
import type {
  FollowCountedEvent,
  FollowHaltedEvent,
  FollowHistoryEvent,
  FollowProgressEvent,
  FollowProvedEvent,
  FollowRowEvent,
  FollowSignedEvent,
  FollowStartedEvent,
  FollowTableEvent,
} from '../follow/events.ts'
import type { FsckCheckedEvent, FsckFindingEvent, FsckProgressEvent } from '../lake/fsck-events.ts'
import type { DiffRangeEvent, RingEvent, RingHostEvent, RingPartEvent } from '../copy/ring-events.ts'
import type { RunReportEvent } from './report/formats.ts'
import type { RunStatus, TableStatus } from './run-status.ts'
import type { ChunksSummaryEvent, RunSummaryEvent } from '../copy/summary-events.ts'
import type {
  ScheduleChangedEvent,
  ScheduleEvent,
  ScheduleOutputEvent,
  ScheduleRunEvent,
  ScheduleTimeEvent,
  ScheduleUnitEvent,
} from '../share/schedule-events.ts'
import type {
  QueueBeatEvent,
  SharedRunEvent,
  SharedSlotEvent,
  SharedTableEvent,
  WorkerEvent,
  WorkerSlotEvent,
} from '../share/worker-events.ts'

export { dec, type Dec } from './dec.ts'
export type {
  ChangeEvent,
  CheckEvent,
  ColumnsEvent,
  CommitEvent,
  CopyChunkEvent,
  QuarantineRowEvent,
  CopyRunEvent,
  DifferenceEvent,
  FileEvent,
  QuestionEvent,
  RelationEvent,
  RowEvent,
  RowValue,
  RunEvent,
  Side,
  SourceEvent,
  StatementEvent,
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
  Latency,
  LookDifferenceEvent,
  PlannedObjectLine,
  ReleaseReason,
} from '../copy/events.ts'
export type { FsckCheckedEvent, FsckFindingEvent, FsckProgressEvent } from '../lake/fsck-events.ts'
export type { RunStatus, TableStatus } from './run-status.ts'
export type { DiffRangeEvent, RingEvent, RingHostEvent, RingPartEvent } from '../copy/ring-events.ts'
export type {
  ChunksSummaryEvent,
  ChunkStretch,
  ChunkSums,
  ClosedState,
  RunSummaryEvent,
} from '../copy/summary-events.ts'

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
      /** Copy only: what it does not bring along. */
      leftBehind?: readonly LeftBehind[]
    }
  /** Settings changed during the run; absent ones are unchanged. */
  | { type: 'run.steered'; paused?: boolean; workers?: Int; lanes?: Int; rate?: Dec | null; stopping?: true }
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
      /** `sync` only: versions of the log that the catalog lacks and that could not be imported. */
      behind?: Dec
      /** `sync` only, if it could not import: when the catalog last got the table. */
      importedAt?: string
      ms: Ms
      /** Copy only. */
      copied?: CopyTally
      /** Copy only: what it did not bring along of this table. */
      leftBehind?: readonly LeftBehind[]
      notes?: readonly string[]
      error?: ErrorInfo
    }
  /** Steering request for a table of a copy, or a chunk. After `retry` the table finishes again; that result counts. */
  | { type: 'table.steered'; table: string; chunk?: string; act: 'pause' | 'resume' | 'skip' | 'retry' }
  | ChunkStartedEvent
  | {
      type: 'chunk.progress'
      table: string
      chunk: string
      worker: Int
      done: Dec
      total: Dec
      unit: string
      /** Current step of the chunk; copy only. */
      step?: 'reading' | 'writing' | 'proving'
      /** Copy only: approximate size in the source so far. */
      bytes?: Dec
    }
  | { type: 'chunk.retried'; table: string; chunk: string; attempt: Int; waitMs: Ms; error: ErrorInfo }
  | ({
      type: 'chunk.done'
      table: string
      chunk: string
      worker: Int
      done: Dec
      unit: string
      ms: Ms
    } & KeySpan &
      Partial<ChunkTally>)
  /** A chunk of a copy that an earlier run proved. */
  | ({ type: 'chunk.skipped'; table: string; chunk: string; provedAt?: string } & KeySpan & ChunkTally)
  /** Before a copy ends, it counts rows of chunks proved by earlier runs, on both sides. `done`, `total`: chunks. */
  | { type: 'look.progress'; table: string; done: Dec; total: Dec }
  | LookDifferenceEvent
  | { type: 'chunk.failed'; table: string; chunk: string; error: ErrorInfo }
  /** A chunk of a copy is free again: its worker gave it back, or died. */
  | { type: 'chunk.released'; table: string; chunk: string; reason: ReleaseReason; error?: ErrorInfo }
  /** An index, a constraint or a default that is created besides the rows of a copy, by its name in the target. */
  | { type: 'index.started'; table: string; name: string; kind: string }
  | { type: 'index.done'; table: string; name: string; kind: string; ms: Ms }
  | { type: 'index.failed'; table: string; name: string; kind: string; error: ErrorInfo }
  /** A row that the target refuses; its chunk continues without it. */
  | { type: 'row.aside'; table: string; chunk: string; key: readonly (string | null)[]; error: ErrorInfo }
  /** Rows written at a weaker consistency level than requested, listed so that they can be checked again. */
  | { type: 'rows.fallback'; table: string; level: string; rows: Dec; keys: readonly (readonly string[])[] }
  /** End of a copy in script mode: tables with problems first. */
  | { type: 'copy.summary'; tables: readonly CopySummaryLine[] }
  /** New limit in rows per second, set by the user or because the target slowed down. */
  | { type: 'throttle.on'; reason: string; rate: Dec; cause?: 'pressure' | 'latency'; latency?: Latency }
  | { type: 'throttle.off' }
  /** Time that the target of a copy takes for a megabyte of rows; sent every few seconds. */
  | ({ type: 'target.latency' } & Latency)
  /** A run over the ring of one table in terms of the Cassandra Data Migrator: tokens, number of ranges, run id. */
  | {
      type: 'run.tracked'
      table: string
      job: 'MIGRATE' | 'VALIDATE'
      /** Tokens, both inclusive. */
      min: Dec
      max: Dec
      splits: Dec
      /** Percent of each range. */
      coverage: number
      /** Ranges to process. */
      ranges: Dec
      /** Id in `cdm_run_info`; absent if nothing is written there. */
      cdmRun?: Dec
      /** The run that it resumes. */
      previous?: Dec
      /** Ranges that the previous run left; 0 also for a tracked run without work. */
      pending?: Dec
    }
  /** Result of such a run, with the names and the order of `run_info`. */
  | { type: 'run.counted'; table: string; cdmRun?: Dec; counters: Readonly<Record<string, Dec>> }
  // ── comparisons of tables
  | {
      type: 'diff.progress'
      table: string
      /**
       * `looking again`: rechecks rows that just differed. `mending`: with `--fix`. `looking for extra rows`: if the
       * target sorts differently, all its rows are looked up in the source.
       */
      step: 'comparing' | 'looking again' | 'mending' | 'looking for extra rows'
      /** Compared rows of the source, of this estimated total. */
      done: Dec
      total: Dec
      estimated: boolean
      /** Compared key ranges, and the estimated number left. */
      ranges: Dec
      left: Dec
      /** Known differing rows so far. */
      differences: Dec
      /** Rows of the target looked up in the source during the search for surplus rows. */
      looked?: Dec
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
      /** Names of the two sides, if they are not log and catalog. */
      sides?: readonly [string, string]
      /** `validate` only: when the catalog got the table. */
      importedAt?: string
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
  | QuarantineRowEvent
  | SlotEvent
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
  | ArchiveForecastEvent
  | ArchivePlanEvent
  | ArchiveProgressEvent
  | ArchiveStateEvent
  | ArchivedEvent
  | ArchiveFindingEvent
  | ArchiveErasureEvent
  | ArchiveExpiryEvent
  | ArchiveDestroyedEvent
  | QuerySourcesEvent
  // ── replication streams
  | FollowStartedEvent
  | FollowTableEvent
  | FollowProgressEvent
  | FollowProvedEvent
  | FollowRowEvent
  | FollowHaltedEvent
  | FollowCountedEvent
  | FollowHistoryEvent
  | RunReportEvent
  | FollowSignedEvent
  | AlertEvent
  // ── cutovers
  | CutoverGateEvent
  | CutoverFindingEvent
  | CutoverStepEvent
  | CutoverSwitchedEvent
  // ── partitions of a table in use
  | PartitionedEvent
  | PartitionEvent
  | PartitionAlarmEvent
  | PartitionStandsEvent
  | PartitionMadeEvent
  | PartitionProgressEvent
  | PartitionWaitsEvent
  | PartitionLandedEvent
  | PartitionPaceEvent
  | PartitionFindingEvent
  | PartitionForecastEvent
  | PartitionRateEvent
  | PartitionSqlEvent
  | PartitionStepEvent
  | DecommissionFindingEvent
  | DecommissionStepEvent
  // ── lifecycle phases of a table
  | LifecyclePhaseEvent
  | LifecycleConfigEvent
  // ── workers and shared runs
  | ScheduleEvent
  | ScheduleTimeEvent
  | ScheduleRunEvent
  | ScheduleOutputEvent
  | ScheduleChangedEvent
  | ScheduleUnitEvent
  | WorkerSlotEvent
  | QueueBeatEvent
  | WorkerEvent
  | SharedRunEvent
  | SharedSlotEvent
  | SharedTableEvent
  // ── summaries for late viewers
  | RunSummaryEvent
  | ChunksSummaryEvent
  // ── messages and the end
  | {
      type: 'log'
      level: 'note' | 'warn' | 'error' | 'debug'
      table?: string
      message: string
      hint?: string
      /** `sync --watch` only: the catalog cannot be reached, or can again. */
      catalog?: 'away' | 'back'
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
      /** Copy only: what it did not bring along. */
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

type Bodies = { readonly [T in EventType]: Extract<EventBody, { type: T }> }

/** Emits events of these types. Contravariant: an emitter of more types fits where fewer are needed. */
export type Emit<in E extends EventType = EventType> = (event: Bodies[E]) => void
