/** State of the terminal UI: its screens, lists, prompts and loaded data. */
import type { LogEntry } from '../../render/log-entry.ts'
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
  RecordedCommand,
  TableRow,
} from '../../model/lake/answers.ts'
import type { MachineRun } from '../../app/workbench.ts'
import type { CommitEvent, CopyRunEvent, RelationEvent } from '../../model/run/event.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { CommandForm } from '../../app/command-port.ts'
import { FRESH_ASK, type AskState } from '../screens/ask/state.ts'
import type { BarsShown } from '../screens/compare/compare-figures.ts'
import { freshStore, type RememberedStore, type ListedStore } from '../screens/tables/listed-store.ts'
import type { Sync } from '../screens/tables/sync-shown.ts'
import type { RunView } from '../run/run-view.ts'
import { freshQueue, type QueueShown } from '../screens/queue/queue-shown.ts'
import type { RingShown } from '../screens/tables/ring-shown.ts'
import type { LifecycleShown } from '../screens/tables/lifecycle-shown.ts'
import type { TimelineShown } from '../screens/tables/timeline-shown.ts'
import type { TextField } from './text-field.ts'
import type { Operation } from '../../app/operations/list.ts'
import type { Dialog } from '../dialogs/state.ts'

/** `queue`: a screen of the queue of worker processes, opened from the Runs screen. */
export type Screen = 'tables' | 'runs' | 'compare' | 'log' | 'ask' | 'queue'

export const TABS = ['overview', 'schema', 'history', 'files', 'partitions', 'features'] as const

export type Tab = (typeof TABS)[number]

export const TABLE_SORTS = ['name', 'version', 'files', 'bytes', 'changed', 'catalog', 'proof'] as const

export type TableSort = (typeof TABLE_SORTS)[number]

export const FILE_SORTS: readonly FileSort[] = ['added', 'path', 'size', 'rows']

/** Position in a list: the row under the cursor and the first visible row. */
export type ListPosition = { readonly cursor: number; readonly top: number }

export const START: ListPosition = { cursor: 0, top: 0 }

/**
 * Data read from the workbench. `key`: key of the read; `loading`: key of the pending read, or null; `identity`: what
 * the data is about, see `dataIdentity`.
 */
export type LoadState<T> = {
  readonly key: string
  readonly identity: string
  readonly value: T | null
  readonly error: string | null
  readonly loading: string | null
}

export type DataValues = {
  readonly tables: readonly TableRow[]
  readonly runs: readonly RecordedCommand[]
  readonly overview: Overview
  readonly schema: readonly SchemaField[]
  readonly features: readonly Feature[]
  readonly history: Page<CommitEvent>
  readonly commit: CommitDetail
  readonly partitions: Page<PartitionRow>
  readonly largest: Page<PartitionRow>
  readonly files: FilesPage
}

export type DataName = keyof DataValues

export type LoadStates = { readonly [K in DataName]: LoadState<DataValues[K]> }

export type TablesState = {
  /** Key of the row under the cursor. Null before there are rows, or while the remembered row may still appear. */
  readonly cursorKey: string | null
  /** Key of the remembered row of an earlier session, until it appears or can no longer appear. */
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
  /** Key of the shown table. */
  readonly key: string | null
  readonly tab: Tab
  readonly asOf: AsOf
  readonly where: string
  readonly fileSort: FileSort
  readonly fileDescending: boolean
  readonly at: Readonly<Record<Tab, ListPosition>>
}

export type LogPaneState = {
  readonly entries: readonly LogEntry[]
  readonly filter: string
  readonly errorsOnly: boolean
  /** True if the newest line stays visible. */
  readonly follow: boolean
  readonly at: ListPosition
}

/** Cursor on the screen of a copy: its pane, and the table and chunk by name. */
export type CopySelection = {
  readonly pane: 'top' | 'chunks'
  /** Null: the table being copied is shown. */
  readonly table: string | null
  readonly chunk: string | null
  readonly top: number
}

export const NO_SELECTION: CopySelection = { pane: 'top', table: null, chunk: null, top: 0 }

/** A database whose tables are listed. */
export type Database = {
  /** URL without password, as operations name it. */
  readonly url: string
  readonly title: string
  /** Key of the row from which the database was opened; null for the program's own database. */
  readonly parent: string | null
  readonly state: 'reading' | 'ready' | 'failed'
  readonly relations: readonly RelationEvent[]
  readonly error: ErrorInfo | null
}

/** Maximum number of runs whose views are kept. */
export const KEPT_RUN_VIEWS = 50

export type RunsState = {
  /** Runs started here, oldest first, after joined runs of other programs. The last may be active. */
  readonly views: readonly RunView[]
  /** Runs of this machine, as last read. */
  readonly machine: readonly MachineRun[]
  /** Runs from the ledgers of listed databases. */
  readonly ledgers: readonly { readonly url: string; readonly runs: readonly CopyRunEvent[] }[]
  readonly queue: readonly { readonly operation: Operation; readonly commandLine: string }[]
  /** Local id of the open run; null for the list. */
  readonly open: number | null
  readonly at: ListPosition
  readonly results: ListPosition
  readonly errorsOnly: boolean
  readonly copy: CopySelection
}

export type CompareState = BarsShown & { readonly at: ListPosition }

export type Prompt = {
  readonly kind:
    'filter' | 'where' | 'add-store' | 'as-of' | 'log-filter' | 'import-path' | 'copy-to' | 'ask-save' | 'picture-to'
  readonly field: TextField
  /** Text of the field when the prompt was opened; restored if the prompt is closed without `enter`. */
  readonly before: string
  readonly error: string | null
}

export type Flash = { readonly text: string; readonly tone: 'plain' | 'ok' | 'bad' }

export type State = {
  readonly size: { readonly columns: number; readonly rows: number }
  readonly ascii: boolean
  readonly lake: string | null
  readonly catalog: string | null
  /** Commands that can be filled in and started. */
  readonly forms: readonly CommandForm[]
  /** Databases whose tables are listed, in the order of opening. */
  readonly databases: readonly Database[]
  /** Other stores, in list order. */
  readonly stores: readonly ListedStore[]
  readonly syncs: readonly Sync[]
  /** True if the program's own tables are folded. */
  readonly ownFolded: boolean
  /** Token rings that were read, by row key. */
  readonly rings: ReadonlyMap<string, RingShown>
  /** Time lines that were read, by row key. */
  readonly timelines: ReadonlyMap<string, TimelineShown>
  /** Lifecycle phases that were read, by row key. */
  readonly lifecycles: ReadonlyMap<string, LifecycleShown>
  /** Time of the last read or event, at most a minute old; ages are relative to it. ms since the epoch. */
  readonly now: number
  /** Incremented by `R` and by every finished run; data of older generations is read again. */
  readonly generation: number
  readonly screen: Screen
  readonly focus: 'list' | 'detail' | 'needs'
  readonly zoom: boolean
  readonly slots: LoadStates
  readonly tables: TablesState
  readonly detail: DetailState
  readonly runs: RunsState
  /** Null if no queue is configured. */
  readonly queue: QueueShown | null
  readonly compare: CompareState
  readonly log: LogPaneState
  readonly ask: AskState
  readonly prompt: Prompt | null
  readonly dialog: Dialog | null
  readonly flash: Flash | null
  /** Accepted inputs of prompts, newest first. URLs in them may contain passwords, and are not stored anywhere else. */
  readonly accepted: Readonly<Partial<Record<Prompt['kind'], readonly string[]>>>
  /** True if ctrl-c stopped a run or left the UI: the exit code is then 130. */
  readonly interrupted: boolean
  /** True if the program was started for one run, which has ended: a key then leaves the UI. */
  readonly hasRunEnded: boolean
  /** True if the program only shows one run, which continues after the user leaves. */
  readonly attached: boolean
}

const slot = <T>(): LoadState<T> => ({ key: '', identity: '', value: null, error: null, loading: null })

const FRESH_POSITIONS: Readonly<Record<Tab, ListPosition>> = {
  overview: START,
  schema: START,
  history: START,
  files: START,
  partitions: START,
  features: START,
}

/** Detail state for the table `key`. Tab and sort of `from` are kept; everything else is reset. */
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

/** The state before anything is read. */
export function initialState(options: {
  readonly columns: number
  readonly rows: number
  readonly ascii: boolean
  readonly lake: string | null
  readonly catalog: string | null
  readonly now: number
  readonly screen?: Screen
  readonly stores?: readonly RememberedStore[]
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
    hasRunEnded: false,
    attached: options.attached ?? false,
  }
}
