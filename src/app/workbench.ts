/**
 * Interface through which the terminal UI uses the app. The app implements it with threads; tests use a plain object.
 * All results are plain data that can be sent to another thread; no call blocks the caller's event loop.
 */
import type { FilesQuery } from '../engine/lake/queries/files-page.ts'
import type { SluiceError } from '../shared/errors.ts'
import type { CommitEvent, Event } from '../model/run/event.ts'
import type {
  TableRow,
  PlacedLake,
  RecordedCommand,
  Overview,
  SchemaField,
  Feature,
  PartitionRow,
  Page,
  FilesPage,
  CommitDetail,
} from '../model/lake/answers.ts'
import type { AsOf } from '../model/lake/as-of.ts'
import type { TableRequest } from '../model/run/table-request.ts'
import type { AskPort } from './ask/port.ts'
import type { RecordedEnd, RecordedRun, CurvePoint } from '../model/run/run-history.ts'
import type { Operation } from './operations/list.ts'
import type { QueueState } from './share/queue-state.ts'

/** A run started by the UI. Events arrive in order; `done` resolves with the exit code and never rejects. */
export type RunningOperation = {
  readonly operation: Operation
  subscribe(listener: (event: Event) => void): () => void
  /** @param exitCode exit code for a stop by signal; default 75 */
  stop(exitCode?: number): void
  abort(exitCode?: number): void
  pause(paused: boolean): void
  workers(count: number): void
  /** Rate limit of a copy in rows per second; `Infinity` for none. */
  rate(rows: number): void
  /** Copy only: `table.steered` reports the result. */
  steer(options: TableRequest): void
  readonly done: Promise<number>
}

/** Description of a run for new viewers. Plain data, without passwords. */
export type RunAbout = {
  readonly runId: string
  /** URLs of databases in displayed form. */
  readonly operation: Operation
  readonly commandLine: string
  /** Working folder; absent from runs of older programs. */
  readonly folder?: string | null
  readonly tool: string
  readonly host: string
  readonly pid: number
  /** Start time in UTC, as in events. */
  readonly startedAt: string
}

/**
 * An active run of another program on this machine. Leaving it stops nothing. If that program ends without a result, a
 * final event reports this. `done` resolves with the exit code, and with 0 if the viewer left or the run was joined
 * again.
 */
export type JoinedRun = RunningOperation & {
  readonly about: RunAbout
  /** Events that represent everything before the first event that listeners receive. */
  readonly snapshot: readonly Event[]
  /** The same run after this viewer was disconnected for reading too slowly; null if it was not joined again. */
  again(): JoinedRun | null
  /** Called with the reason if a request to the run was not applied. */
  onRefused(listener: (message: string) => void): void
  leave(): void
}

export interface Workbench extends AsyncDisposable {
  /** The lake's path as given; null if only a catalog or a database was opened. */
  readonly lake: string | null
  /** URL of the catalog without password; null if no catalog was opened. */
  readonly catalog: string | null
  /** A database whose tables are shown, as URL without password: `discover-database` and `copy` accept this form. */
  readonly database?: string | null
  /** Statements of the Ask screen. */
  readonly asking: AskPort
  tables(): Promise<readonly TableRow[]>
  /** Resolves a path or URL of the user. @throws SluiceError NO_SUCH_PATH, UNSUPPORTED_URL */
  placed(text: string): Promise<PlacedLake>
  /** Tables below another folder or bucket, for all later queries. @throws SluiceError NO_SUCH_PATH, SOURCE_DENIED */
  lakeAt(path: string): Promise<readonly TableRow[]>
  /**
   * Changed rows of the list: tables with new commits, or with a changed catalog state. Reads as little as possible.
   * @param seen keys on the screen: only these are checked if the system does not report changes
   */
  changed(seen: readonly string[]): Promise<readonly TableRow[]>
  overview(key: string): Promise<Overview>
  schema(key: string): Promise<readonly SchemaField[]>
  features(key: string): Promise<readonly Feature[]>
  history(key: string, from: number, count: number): Promise<Page<CommitEvent>>
  commit(key: string, version: number): Promise<CommitDetail>
  partitions(key: string, asOf: AsOf, from: number, count: number): Promise<Page<PartitionRow>>
  files(key: string, query: FilesQuery & { readonly asOf: AsOf }): Promise<FilesPage>
  runs(count: number): Promise<readonly RecordedCommand[]>
  start(operation: Operation, commandLine: string): RunningOperation
  /** Lets operations reference this URL by its displayed form. */
  know(url: string): void
  /** Runs of this user on this machine; absent if unknown. */
  readonly machine?: MachineRuns
  /** The queue of workers; absent if none is configured. */
  readonly queue?: QueueState
}

/**
 * A run in this machine's run history, which is only informative. Its command lines work in the folder of this program:
 * they begin with `cd` if the run has another folder.
 */
export type MachineRun = Omit<RecordedRun, 'owner'> & {
  readonly host: string | null
  /** `broken off`: ended without a final event. `elsewhere`: on another machine or in a container, state unknown. */
  readonly state: 'live' | 'ended' | 'broken off' | 'elsewhere'
  readonly canJoin: boolean
  readonly end: RecordedEnd | null
  /** The later run that completed this run by its follow-up command; null if there is none. */
  readonly doneBy: string | null
}

export type { QueueSnapshot as QueueSeen, QueueRequest as QueueWanted, SharedRun } from './share/queue-state.ts'
export type { RecordedEnd, CurvePoint } from '../model/run/run-history.ts'

/** Runs of this user on this machine, of any program. */
export type MachineRuns = {
  /** The runs, newest first, including runs that are only known by their socket. */
  readonly list: (limit: number) => Promise<readonly MachineRun[]>
  /** Error if the last list is incomplete, because the run history cannot be read; otherwise null. */
  readonly trouble?: () => SluiceError | null
  /** Progress of a run over time, oldest first; only for display. */
  readonly curve: (runId: string) => Promise<readonly CurvePoint[]>
  /** @throws SluiceError NO_SUCH_PATH, CONNECT_FAILED if the run cannot be joined */
  readonly join: (runId: string) => Promise<JoinedRun>
}
