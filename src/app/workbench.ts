/**
 * What the terminal UI asks and starts. It is a port: the app runs it over threads, tests over a plain object. Every answer is
 * plain data that can cross a thread; nothing here blocks the caller's event loop.
 */
import type { SluiceError } from '../shared/errors.ts'
import type { CommitEvent, Event } from '../model/run/event.ts'
import type {
  TableRow,
  Placed,
  RecordedRun,
  Overview,
  SchemaField,
  Feature,
  PartitionRow,
  Page,
  FilesPage,
  CommitDetail,
  FileSort,
} from '../model/lake/answers.ts'
import type { AsOf } from '../model/lake/as-of.ts'
import type { TableWish } from '../model/run/table-wish.ts'
import type { Asking } from './ask/port.ts'
import type { BookedEnd, BookedRun, CurvePoint } from '../model/run/run-book.ts'
import type { Operation } from './operations/list.ts'
import type { QueueLook } from './share/queue-look.ts'

/** A run the UI started. Events arrive in order; `done` resolves with the exit code and never rejects. */
export type RunningOperation = {
  readonly operation: Operation
  subscribe(listener: (event: Event) => void): () => void
  /** @param exitCode of the run that ends so, where a signal asks for it; else 75 */
  stop(exitCode?: number): void
  abort(exitCode?: number): void
  pause(paused: boolean): void
  lanes(count: number): void
  /** Rows a second that a copy may move; `Infinity` for no limit. */
  rate(rows: number): void
  /** Of a copy: its `table.steered` tells what became of it. */
  steer(wish: TableWish): void
  readonly done: Promise<number>
}

/** What a run tells of itself to whoever begins to watch it. Plain data, without passwords. */
export type RunAbout = {
  readonly runId: string
  /** URLs of databases as they are shown. */
  readonly operation: Operation
  readonly commandLine: string
  /** That it works in; absent from runs of older programs. */
  readonly folder?: string | null
  readonly tool: string
  readonly host: string
  readonly pid: number
  /** UTC, as events have it. */
  readonly startedAt: string
}

/**
 * A run that goes on in another program of this machine. Whoever leaves it stops nothing. One that breaks off has a last event all the same, which says so;
 * `done` resolves with the exit code, and with 0 where it was left, or dropped.
 */
export type JoinedRun = RunningOperation & {
  readonly about: RunAbout
  /** What stands for everything before the first event that listeners hear. */
  readonly snapshot: readonly Event[]
  /** Whether the run has dropped this viewer, who did not read in time: it can be joined again. */
  wasDropped(): boolean
  /** Hears why something that was asked of the run is left undone. */
  onRefused(listener: (message: string) => void): void
  leave(): void
}

export interface Workbench extends AsyncDisposable {
  /** The lake's path as given, or null when only a catalog or a database was opened. */
  readonly lake: string | null
  /** URL without password; null where there is no catalog, and then no table of one either. */
  readonly catalog: string | null
  /** A database whose tables are shown, as an URL without password: `discover-database` and `copy` take it as it stands here. */
  readonly database?: string | null
  /** Statements of the Ask screen. */
  readonly asking: Asking
  tables(): Promise<readonly TableRow[]>
  /** What somebody means by a path or a URL. @throws SluiceError NO_SUCH_PATH, UNSUPPORTED_URL */
  placed(text: string): Promise<Placed>
  /** The tables below another folder or bucket; every question about one of them can be asked from then on. @throws SluiceError NO_SUCH_PATH, SOURCE_DENIED */
  lakeAt(path: string): Promise<readonly TableRow[]>
  /**
   * Rows of the list that are others by now, anew: tables with new commits, and those that the catalog knows more or less of. It asks as little as it can.
   * @param seen keys of those on the screen: only they are asked for where the system does not tell of changes
   */
  changed(seen: readonly string[]): Promise<readonly TableRow[]>
  overview(key: string): Promise<Overview>
  schema(key: string): Promise<readonly SchemaField[]>
  features(key: string): Promise<readonly Feature[]>
  history(key: string, from: number, count: number): Promise<Page<CommitEvent>>
  commit(key: string, version: number): Promise<CommitDetail>
  partitions(key: string, asOf: AsOf, from: number, count: number): Promise<Page<PartitionRow>>
  files(
    key: string,
    query: {
      readonly asOf: AsOf
      readonly where: string
      readonly sort: FileSort
      readonly descending: boolean
      readonly from: number
      readonly count: number
    },
  ): Promise<FilesPage>
  runs(count: number): Promise<readonly RecordedRun[]>
  start(operation: Operation, commandLine: string): RunningOperation
  /** Operations may name this URL from now on by what is shown of it. */
  know(url: string): void
  /** Runs of this user on this machine, whatever is open; absent where nobody knows of any. */
  readonly machine?: MachineRuns
  /** The queue of workers; absent where none is named. */
  readonly queue?: QueueLook
}

/**
 * A run as the book of this machine has it; nothing of it is a truth that anything else is built on.
 * Its command line, and the resume command of `end`, are as they work from our folder: with a `cd` in front where the run has another one.
 */
export type MachineRun = Omit<BookedRun, 'owner'> & {
  readonly host: string | null
  /** `broken off`: its program has ended without a word. `elsewhere`: of another machine, or container, of which nobody here knows whether it lives. */
  readonly state: 'live' | 'ended' | 'broken off' | 'elsewhere'
  readonly canJoin: boolean
  readonly end: BookedEnd | null
  /** The later run that has done what this one left, by the command that goes on with it; null while nobody has. */
  readonly doneBy: string | null
}

export type { QueueSeen, QueueWanted, SharedRun } from './share/queue-look.ts'
export type { BookedEnd, CurvePoint } from '../model/run/run-book.ts'

/** Runs of this user on this machine, in whatever program. */
export type MachineRuns = {
  /** Newest first; those that cannot be told of in the book as well, as far as they listen. */
  readonly list: (limit: number) => Promise<readonly MachineRun[]>
  /** Why the last look was not whole: the book cannot be read. Null where it was. */
  readonly trouble?: () => SluiceError | null
  /** How far a run was over its time, oldest first; for showing only. */
  readonly curve: (runId: string) => Promise<readonly CurvePoint[]>
  /** @throws SluiceError NO_SUCH_PATH, CONNECT_FAILED where it cannot be joined */
  readonly join: (runId: string) => Promise<JoinedRun>
}
