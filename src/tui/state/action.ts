/** Every action that can change the state. */
import type { TableRow } from '../../model/lake/answers.ts'
import type { AsOf } from '../../model/lake/as-of.ts'
import type { MachineRun, RunAbout } from '../../app/workbench.ts'
import type { CopyRunEvent, Event, RelationEvent } from '../../model/run/event.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { KeyCommand } from '../keymap/bindings.ts'
import type { AskState } from '../screens/ask/state.ts'
import type { QueueAction } from '../screens/queue/queue-shown.ts'
import type { RingShown } from '../screens/tables/ring-shown.ts'
import type { LifecycleShown } from '../screens/tables/lifecycle-shown.ts'
import type { TimelineShown } from '../screens/tables/timeline-shown.ts'
import type { LogEntry } from '../../render/log-entry.ts'
import type { Flash, Prompt, DataName, DataValues } from './state.ts'
import type { Dialog } from '../dialogs/state.ts'
import type { Sync } from '../screens/tables/sync-shown.ts'
import type { RememberedStore, ListedStore } from '../screens/tables/listed-store.ts'
import type { TextField } from './text-field.ts'
import type { Operation } from '../../app/operations/list.ts'

export type Loaded = {
  [K in DataName]: {
    readonly type: 'loaded'
    readonly slot: K
    readonly key: string
    readonly identity: string
    readonly value: DataValues[K]
    readonly now: number
  }
}[DataName]

export type Action =
  | QueueAction
  | { readonly type: 'command'; readonly command: KeyCommand }
  | { readonly type: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly type: 'loading'; readonly slot: DataName; readonly key: string }
  | Loaded
  | {
      readonly type: 'load-failed'
      readonly slot: DataName
      readonly key: string
      readonly identity: string
      readonly error: string
    }
  | { readonly type: 'reload'; readonly now: number }
  /** Changed rows of the list. */
  | { readonly type: 'rows'; readonly rows: readonly TableRow[]; readonly now: number }
  /** Time has passed: ages may have changed. */
  | { readonly type: 'aged'; readonly now: number }
  | { readonly type: 'typed'; readonly field: TextField }
  | { readonly type: 'prompt-error'; readonly error: string }
  | { readonly type: 'close-prompt' }
  | { readonly type: 'accepted'; readonly kind: Prompt['kind']; readonly text: string }
  | { readonly type: 'where'; readonly where: string }
  | { readonly type: 'as-of'; readonly asOf: AsOf }
  | { readonly type: 'dialog'; readonly dialog: Dialog | null }
  | { readonly type: 'flash'; readonly flash: Flash | null }
  | { readonly type: 'run-queued'; readonly operation: Operation; readonly commandLine: string }
  | { readonly type: 'queue'; readonly take: number }
  | {
      readonly type: 'run-added'
      readonly id: number
      readonly operation: Operation
      readonly commandLine: string
      readonly now: number
      readonly show: boolean
    }
  /** A run of another program; `snapshot` sums up its earlier events. */
  | {
      readonly type: 'run-joined'
      readonly id: number
      readonly about: RunAbout
      readonly snapshot: readonly Event[]
      readonly now: number
      readonly show: boolean
    }
  | { readonly type: 'run-shown'; readonly id: number }
  | { readonly type: 'machine-runs'; readonly runs: readonly MachineRun[]; readonly now: number }
  | { readonly type: 'ledger-runs'; readonly url: string; readonly runs: readonly CopyRunEvent[] }
  | { readonly type: 'run-phase'; readonly id: number; readonly phase: 'running' | 'paused' | 'stopping' | 'aborting' }
  | { readonly type: 'run-workers'; readonly id: number; readonly workers: number }
  | { readonly type: 'run-rate'; readonly id: number; readonly rate: number }
  | { readonly type: 'run-ended'; readonly id: number; readonly exitCode: number; readonly now: number }
  | { readonly type: 'events'; readonly id: number; readonly events: readonly Event[]; readonly now: number }
  /** Lines that the run would print without the UI, and its entries for the log. */
  | {
      readonly type: 'output'
      readonly id: number
      readonly lines: readonly string[]
      readonly entries: readonly LogEntry[]
    }
  | { readonly type: 'tick'; readonly now: number }
  | { readonly type: 'database-opened'; readonly url: string; readonly title: string; readonly parent: string | null }
  | { readonly type: 'database-closed'; readonly url: string }
  | { readonly type: 'sync-begun'; readonly key: string; readonly lag: number }
  | { readonly type: 'sync'; readonly key: string; readonly change: Partial<Sync> }
  | { readonly type: 'sync-ended'; readonly key: string }
  | { readonly type: 'own-folded'; readonly folded: boolean }
  /** Moves the cursor of the list to a row. */
  | { readonly type: 'cursor'; readonly key: string }
  | { readonly type: 'store-added'; readonly store: RememberedStore; readonly kind: ListedStore['kind'] }
  | { readonly type: 'store'; readonly key: string; readonly change: Partial<ListedStore> }
  | { readonly type: 'relations'; readonly url: string; readonly relations: readonly RelationEvent[] }
  | { readonly type: 'database-read'; readonly url: string; readonly error: ErrorInfo | null }
  | { readonly type: 'lifecycle-reading'; readonly key: string }
  | { readonly type: 'lifecycle-read'; readonly key: string; readonly shown: LifecycleShown }
  | { readonly type: 'timeline-reading'; readonly key: string }
  | { readonly type: 'timeline-read'; readonly key: string; readonly shown: TimelineShown }
  | { readonly type: 'ring-reading'; readonly key: string }
  | { readonly type: 'ring-read'; readonly key: string; readonly shown: RingShown }
  | { readonly type: 'ask'; readonly ask: AskState }
  | { readonly type: 'log'; readonly entries: readonly LogEntry[] }
  | { readonly type: 'interrupted' }
  /** The run that the program was started for has ended. */
  | { readonly type: 'over' }
