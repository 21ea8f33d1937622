import type { LogEntry } from '../../render/log-entry.ts'
import type { WorkerRow } from '../../model/share/distributed.ts'
/** Everything the screen shows, as one plain value. Reducers replace it, views read it, nothing else keeps state. */
import type { LeftBehind } from '../../model/copy/left-behind.ts'
import type { AsOf } from '../../model/lake/as-of.ts'
import type {
  CommitDetail,
  Feature,
  FileSort,
  FilesPage,
  Overview,
  Page,
  PartitionRow,
  SchemaField,
  RecordedRun,
  TableRow,
} from '../../model/lake/answers.ts'
import type { MachineRun } from '../../app/workbench.ts'
import type { CommitEvent, CopyRunEvent, CopyPlanLine, PlanLine, RelationEvent } from '../../model/run/event.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { CommandForm, Startable } from '../../app/command-port.ts'
import type { Form } from '../form/form.ts'
import { FRESH_ASK, type AskState } from './ask-state.ts'
import type { BarsShown } from './compare-figures.ts'
import type { RelationRow } from './relation-row.ts'
import { freshStore, type NamedStore, type Store } from './listed-store.ts'
import type { Sync } from './sync-shown.ts'
import type { RunView } from '../run/run-view.ts'
import { freshQueue, type QueueShown } from './queue/queue-shown.ts'
import type { RingShown } from './ring-shown.ts'
import type { LifecycleShown } from './lifecycle-shown.ts'
import type { TimelineShown } from './timeline-shown.ts'
import type { TextField } from './text-field.ts'
import type { Operation } from '../../app/operations/list.ts'

/** `queue`: a screen of a queue of workers, which is opened from the Runs screen. */
export type Screen = 'tables' | 'runs' | 'compare' | 'log' | 'ask' | 'queue'

export const TABS = ['overview', 'schema', 'history', 'files', 'partitions', 'features'] as const
export type Tab = (typeof TABS)[number]

export const TABLE_SORTS = ['name', 'version', 'files', 'bytes', 'changed', 'catalog', 'proof'] as const
export type TableSort = (typeof TABLE_SORTS)[number]
export const FILE_SORTS: readonly FileSort[] = ['added', 'path', 'size', 'rows']

/** A place in a list of known length: the row under the cursor and the first row on screen. */
export type Position = { readonly cursor: number; readonly top: number }
export const START: Position = { cursor: 0, top: 0 }

/** What was read from the workbench, and for which question; `loading` is the question that is being answered now. */
export type Slot<T> = {
  readonly key: string
  readonly identity: string
  readonly value: T | null
  readonly error: string | null
  readonly loading: string | null
}

export type SlotValues = {
  readonly tables: readonly TableRow[]
  readonly runs: readonly RecordedRun[]
  readonly overview: Overview
  readonly schema: readonly SchemaField[]
  readonly features: readonly Feature[]
  readonly history: Page<CommitEvent>
  readonly commit: CommitDetail
  readonly partitions: Page<PartitionRow>
  readonly largest: Page<PartitionRow>
  readonly files: FilesPage
}
export type SlotName = keyof SlotValues
export type Slots = { readonly [K in SlotName]: Slot<SlotValues[K]> }

export type TablesState = {
  /** Null where no row has the cursor: before there are any, and while the one that is remembered may still come. */
  readonly cursorKey: string | null
  /** Row of an earlier session, until it is there or cannot come any more. */
  readonly wanted: string | null
  readonly top: number
  readonly filter: string
  readonly sort: TableSort
  readonly descending: boolean
  readonly marks: ReadonlySet<string>
  /** Row where a range began (`V`), or null. */
  readonly anchor: string | null
}

export type DetailState = {
  /** Key of the table that is shown. */
  readonly key: string | null
  readonly tab: Tab
  readonly asOf: AsOf
  readonly where: string
  readonly fileSort: FileSort
  readonly fileDescending: boolean
  readonly at: Readonly<Record<Tab, Position>>
}

export type LogState = {
  readonly entries: readonly LogEntry[]
  readonly filter: string
  readonly errorsOnly: boolean
  /** Whether the newest line stays in sight. */
  readonly follow: boolean
  readonly at: Position
}

/** Where one is on the screen of a copy: on its tables or its chunks, and on which of them, by name. */
export type CopySelection = {
  readonly pane: 'top' | 'chunks'
  /** Null while the table that is worked on is shown, whichever that is. */
  readonly table: string | null
  readonly chunk: string | null
  readonly top: number
}
export const NO_SELECTION: CopySelection = { pane: 'top', table: null, chunk: null, top: 0 }

/** A database whose tables are listed. */
export type Database = {
  /** As operations name it: an URL without password. */
  readonly url: string
  readonly title: string
  /** Row of the list that it was opened from; null where it is what the program was opened with. */
  readonly parent: string | null
  readonly state: 'reading' | 'ready' | 'failed'
  readonly relations: readonly RelationEvent[]
  readonly error: ErrorInfo | null
}

/** Runs whose pictures are kept. */
export const KEPT_RUNS = 50

export type RunsState = {
  /** Runs started here, oldest first; the last one may be running. */
  readonly views: readonly RunView[]
  /** Of this machine, as they were last asked for. */
  readonly machine: readonly MachineRun[]
  /** Of databases whose tables are listed, by their ledgers. */
  readonly ledgers: readonly { readonly url: string; readonly runs: readonly CopyRunEvent[] }[]
  readonly queue: readonly { readonly operation: Operation; readonly commandLine: string }[]
  /** Local id of the run whose screen is open, or null for the list. */
  readonly open: number | null
  readonly at: Position
  readonly results: Position
  readonly errorsOnly: boolean
  readonly copy: CopySelection
}

export type CompareState = BarsShown & { readonly at: Position }

export type Prompt = {
  readonly kind:
    'filter' | 'where' | 'add-store' | 'as-of' | 'log-filter' | 'import-path' | 'copy-to' | 'ask-save' | 'picture-to'
  readonly field: TextField
  readonly before: string
  readonly error: string | null
}

export type CheckLine = { readonly label: string; readonly text: string; readonly tone: 'ok' | 'bad' | 'plain' }

export type Dialog =
  | { readonly kind: 'help'; readonly field: TextField; readonly typing: boolean; readonly top: number }
  | { readonly kind: 'palette'; readonly field: TextField; readonly cursor: number }
  | {
      readonly kind: 'text'
      readonly title: string
      readonly lines: readonly string[]
      readonly top: number
      readonly copy: string
      readonly isCommand?: boolean
      /** The form that is open again when it is closed. */
      readonly form?: Form
    }
  | { readonly kind: 'form'; readonly form: Form }
  | {
      readonly kind: 'plan'
      readonly title: string
      readonly operation: Operation
      readonly commandLine: string
      /** Whether `enter` starts the operation; false when only the plan was asked for. */
      readonly start: boolean
      readonly state: 'reading' | 'ready' | 'failed'
      readonly lines: readonly PlanLine[]
      readonly error: ErrorInfo | null
      readonly top: number
    }
  | {
      readonly kind: 'copy-plan'
      readonly title: string
      readonly operation: Operation
      readonly commandLine: string
      readonly state: 'reading' | 'ready' | 'failed'
      /** When the sides were asked, ms. */
      readonly askedAt: number
      /** What was said last while they are asked. */
      readonly told: string | null
      readonly lines: readonly CopyPlanLine[]
      /** What the copy does not bring along. */
      readonly left: readonly LeftBehind[]
      readonly error: ErrorInfo | null
      readonly top: number
    }
  | {
      readonly kind: 'rollback'
      readonly row: TableRow
      readonly operation: Operation
      readonly commandLine: string
      readonly field: TextField
      readonly focus: 'cancel' | 'go'
      readonly state: 'checking' | 'safe' | 'unsafe' | 'failed'
      readonly lines: readonly CheckLine[]
      readonly error: ErrorInfo | null
    }
  | {
      readonly kind: 'lifecycle'
      readonly row: RelationRow
      /** Command under the cursor; null for the first. */
      readonly chosen: string | null
      readonly top: number
    }
  | {
      readonly kind: 'start'
      readonly of: {
        readonly title: string
        /** Whose phases it was chosen from, or the form that it was filled in. */
        readonly row: RelationRow | null
        readonly form: Form | null
        readonly command: string
      }
      readonly state: 'reading' | 'ready' | 'failed'
      /** Null until its words are read. */
      readonly read: Startable | null
      /** What the plan tells. */
      readonly lines: readonly string[]
      /** What has to be typed; null where nothing has. */
      readonly typed: { readonly confirm: string; readonly what: string; readonly name: string | null } | null
      readonly error: ErrorInfo | null
      readonly field: TextField
      readonly focus: 'back' | 'go'
      readonly top: number
      /** Cells of wide tables that are out of sight at the left. */
      readonly left: number
    }
  /** Why a row needs somebody, by its key. */
  | { readonly kind: 'need'; readonly key: string }
  | { readonly kind: 'quit'; readonly choice: number }
  /** @property run id of its view: another one may be steered by now */
  | { readonly kind: 'abort'; readonly run: number; readonly choice: number }
  /** Before a run is stopped that this program has not started. */
  | { readonly kind: 'stop'; readonly run: number; readonly choice: number }
  /** The same of a run that workers share, and before what is left of one that has ended is queued. */
  | { readonly kind: 'drain'; readonly worker: WorkerRow; readonly choice: number }
  | { readonly kind: 'schedule'; readonly name: string; readonly choice: number }
  | { readonly kind: 'shared'; readonly act: 'stop' | 'resume'; readonly runId: string; readonly choice: number }

export type Flash = { readonly text: string; readonly tone: 'plain' | 'ok' | 'bad' }

export type State = {
  readonly size: { readonly columns: number; readonly rows: number }
  readonly ascii: boolean
  readonly lake: string | null
  readonly catalog: string | null
  /** What can be filled in and started. */
  readonly forms: readonly CommandForm[]
  /** Databases whose tables are listed, in the order in which they were opened. */
  readonly databases: readonly Database[]
  /** Other stores, in the order in which they are listed. */
  readonly stores: readonly Store[]
  readonly syncs: readonly Sync[]
  /** Whether the tables that the program was opened with are folded away. */
  readonly ownFolded: boolean
  /** Pictures of rings that were asked for, by the key of their rows. */
  readonly rings: ReadonlyMap<string, RingShown>
  /** The same of lines of time. */
  readonly timelines: ReadonlyMap<string, TimelineShown>
  /** The same with their phases. */
  readonly lifecycles: ReadonlyMap<string, LifecycleShown>
  /** Time of the last reading or event, and at most a minute old: ages count from here. */
  readonly now: number
  /** Raised by `R` and by every finished run: answers of older generations are asked again. */
  readonly generation: number
  readonly screen: Screen
  readonly focus: 'list' | 'detail' | 'needs'
  readonly zoom: boolean
  readonly slots: Slots
  readonly tables: TablesState
  readonly detail: DetailState
  readonly runs: RunsState
  /** Null where no queue is named. */
  readonly queue: QueueShown | null
  readonly compare: CompareState
  readonly log: LogState
  readonly ask: AskState
  readonly prompt: Prompt | null
  readonly dialog: Dialog | null
  readonly flash: Flash | null
  /** What was accepted in prompts, newest first; those of URLs may hold passwords, and are kept nowhere else. */
  readonly accepted: Readonly<Partial<Record<Prompt['kind'], readonly string[]>>>
  readonly interrupted: boolean
  /** The program was started for one run, which has ended: a key leaves. */
  readonly over: boolean
  /** The program was started to look at one run, which goes on when it is left. */
  readonly attached: boolean
}

const slot = <T>(): Slot<T> => ({ key: '', identity: '', value: null, error: null, loading: null })

const FRESH_POSITIONS: Readonly<Record<Tab, Position>> = {
  overview: START,
  schema: START,
  history: START,
  files: START,
  partitions: START,
  features: START,
}

/** A detail pane that shows the table `key` from its start. */
export function freshDetail(key: string | null, from: DetailState | null): DetailState {
  return {
    key,
    tab: from?.tab ?? 'overview',
    asOf: {},
    where: '',
    fileSort: from?.fileSort ?? 'added',
    fileDescending: from?.fileDescending ?? true,
    at: FRESH_POSITIONS,
  }
}

/** The state before anything was read. */
export function initialState(options: {
  readonly columns: number
  readonly rows: number
  readonly ascii: boolean
  readonly lake: string | null
  readonly catalog: string | null
  readonly now: number
  readonly screen?: Screen
  readonly stores?: readonly NamedStore[]
  readonly forms?: readonly CommandForm[]
  readonly attached?: boolean
  /** URL of the queue without password. */
  readonly queue?: string
}): State {
  return {
    size: { columns: options.columns, rows: options.rows },
    ascii: options.ascii,
    lake: options.lake,
    catalog: options.catalog,
    forms: options.forms ?? [],
    databases: [],
    stores: (options.stores ?? []).map((named) => freshStore(named, false)),
    syncs: [],
    ownFolded: false,
    rings: new Map(),
    timelines: new Map(),
    lifecycles: new Map(),
    now: options.now,
    generation: 0,
    screen: options.screen ?? 'tables',
    focus: 'list',
    zoom: false,
    slots: {
      tables: slot(),
      runs: slot(),
      overview: slot(),
      schema: slot(),
      features: slot(),
      history: slot(),
      commit: slot(),
      partitions: slot(),
      largest: slot(),
      files: slot(),
    },
    tables: {
      cursorKey: null,
      wanted: null,
      top: 0,
      filter: '',
      sort: 'name',
      descending: false,
      marks: new Set(),
      anchor: null,
    },
    detail: freshDetail(null, null),
    runs: {
      views: [],
      machine: [],
      ledgers: [],
      queue: [],
      open: null,
      at: START,
      results: START,
      errorsOnly: false,
      copy: NO_SELECTION,
    },
    queue: options.queue === undefined ? null : freshQueue(options.queue),
    compare: { at: START, bars: 'time', cold: false, latency: 0 },
    log: { entries: [], filter: '', errorsOnly: false, follow: true, at: START },
    ask: FRESH_ASK,
    prompt: null,
    dialog: null,
    flash: null,
    accepted: {},
    interrupted: false,
    over: false,
    attached: options.attached ?? false,
  }
}
