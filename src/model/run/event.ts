/**
 * What happens in a run, in one closed and versioned union: the UI folds it, the headless faces print it, nobody reads it
 * back as truth. Documented in docs/EVENTS.md. Ids, versions, counts and bytes are decimal strings (`Dec`); durations are numbers of ms.
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
import type { Dec } from './dec.ts'
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
      /** One line a table, when the plan is what was asked for (`--dry-run`) or the UI shows it before it starts. */
      details?: readonly PlanLine[]
      /** Of a copy, one a table. */
      copies?: readonly CopyPlanLine[]
      /** Of a copy: what it does not bring along. */
      leftBehind?: readonly LeftBehind[]
    }
  /** Turned while it runs; what is not named stays as it is. */
  | { type: 'run.steered'; paused?: boolean; workers?: number; lanes?: number; rate?: Dec | null; stopping?: true }
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
      /** Of `sync`: versions that the log had and the catalog had not, where they could not be brought. */
      behind?: Dec
      /** Of `sync`, where it could not follow: when the catalog got the table. */
      importedAt?: string
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
  | ChunkStartedEvent
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
      /** Looked at once more: what differed a moment ago. Mending: with `--fix`. For extra rows: all rows of a target that sorts otherwise are looked up in the source. */
      step: 'comparing' | 'looking again' | 'mending' | 'looking for extra rows'
      /** Rows of the source that were compared, of about so many. */
      done: Dec
      total: Dec
      estimated: boolean
      /** Ranges of keys that were compared, and about how many are left. */
      ranges: Dec
      left: Dec
      /** Rows that differ, as far as is known. */
      differences: Dec
      /** Rows of the target that were looked up in the source, while extra ones are looked for. */
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
      /** Names of the two sides where they are not the log and the catalog. */
      sides?: readonly [string, string]
      /** Of `validate`: when the catalog got the table. */
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
  // ── changes that follow a copy
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
  // ── two tables that change places
  | CutoverGateEvent
  | CutoverFindingEvent
  | CutoverStepEvent
  | CutoverSwitchedEvent
  // ── partitions of a live table
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
  // ── the way of a table from one phase to the next
  | LifecyclePhaseEvent
  | LifecycleConfigEvent
  // ── workers, and the runs that they share
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
  // ── what whoever joins late is told first
  | RunSummaryEvent
  | ChunksSummaryEvent
  // ── talk and the end
  | {
      type: 'log'
      level: 'note' | 'warn' | 'error' | 'debug'
      table?: string
      message: string
      hint?: string
      /** Of `sync --watch`: the catalog cannot be reached, or answers again. */
      catalog?: 'away' | 'back'
    }
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

export type EventType = EventBody['type']

/** An event as it is printed: numbered without gaps, stamped in UTC. */
export type Event = { v: 1; seq: number; ts: string; runId: Dec | null } & EventBody

type Bodies = { readonly [T in EventType]: Extract<EventBody, { type: T }> }

/** Says events of these types: who may say more may be asked by who says less. */
export type Emit<in E extends EventType = EventType> = (event: Bodies[E]) => void
