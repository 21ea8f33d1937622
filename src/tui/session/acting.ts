/** Interface of a session for keys and dialogs. */
import type { Clock } from '../../shared/clock.ts'
import type { CommandForm, CommandPort } from '../../app/command-port.ts'
import type { Form } from '../form/form.ts'
import type { TableRow } from '../../model/lake/answers.ts'
import type { RunningOperation, Workbench } from '../../app/workbench.ts'
import type { LifecycleStatusOperation } from '../../partition/operations/lifecycle-status/declaration.ts'
import type { Event } from '../../model/run/event.ts'
import type { KeyCommand } from '../keymap/bindings.ts'
import type { Action } from '../state/action.ts'
import type { State } from '../state/state.ts'
import type { Store } from '../state/store.ts'
import type { AskSession } from '../screens/ask/actions.ts'
import type { Databases } from '../screens/tables/load-databases.ts'
import type { Lifecycles } from '../screens/tables/load-lifecycles.ts'
import type { OpenLake } from './operations.ts'
import type { Pictures } from '../screens/tables/load-pictures.ts'
import type { JoinedRuns } from './joined-runs.ts'
import type { Syncs } from '../screens/tables/syncs.ts'
import type { Stores } from '../screens/tables/load-stores.ts'
import type { SharedRuns } from '../screens/queue/steering.ts'
import type { LedgerPicture } from '../screens/runs/load-ledgers.ts'
import type { JobQueue } from './job-queue.ts'

/** Functions that only the terminal can provide. */
export type TerminalPort = {
  copy(text: string): void
  suspend(): void
  /** Ends the app. */
  leave(): void
  /** Called with the events of every run, numbered from 1. */
  onEvent(run: number, event: Event): void
  /** Lifecycle settings of the config file; null without one. */
  readonly lifecycle: LifecycleStatusOperation | null
  /** Parses printed commands; null if unsupported. */
  readonly commands: CommandPort | null
  /** Time for which the cursor must stay on a row before its details are read, ms. The first step does not wait. */
  readonly restMs: number
}

export type SteeringControls = Pick<RunningOperation, 'stop' | 'abort' | 'pause' | 'workers' | 'rate' | 'steer'>

/** Control of the open form. */
export type Filling = {
  /** @param words typed after the command */
  open(of: CommandForm, words: readonly string[]): void
  /** Shows a form again, as the user left it. */
  show(form: Form): void
  /** Handles a key of the form that does not edit it. */
  command(form: Form, command: KeyCommand): void
  /** Cancels pending reads of the form. */
  close(): void
}

export type Acting = {
  readonly workbench: Workbench
  readonly clock: Clock
  readonly store: Store<State, Action>
  readonly queue: JobQueue
  /** Runs of other programs that are shown here. */
  readonly joined: JoinedRuns
  /** A run read from the ledger of its target. */
  readonly ledger: LedgerPicture
  /** Runs shared by worker processes. */
  readonly shared: SharedRuns
  /** Run that steering keys change: the run on screen, or the run of this program. */
  readonly steering: SteeringControls
  readonly databases: Databases
  readonly stores: Stores
  readonly syncs: Syncs
  readonly rings: Pictures
  readonly timelines: Pictures
  readonly lifecycles: Lifecycles
  readonly forms: Filling
  readonly ask: AskSession
  /** Null if command lines cannot be parsed. */
  readonly commands: CommandPort | null
  readonly place: OpenLake
  readonly state: State
  /**
   * Executes one command, from a key or from the palette.
   * @param rows tables to act on; default: the marked ones, or the one under the cursor
   */
  run(command: KeyCommand, rows?: readonly TableRow[]): void
  /** Copies a text to the clipboard. */
  copy(text: string, what: string): void
  /** Copies a command in the syntax of the local shell. @param line begins with `sluice`, or calls it after a `cd` */
  copyCommand(line: string): void
  flash(text: string, tone?: 'plain' | 'ok' | 'bad'): void
  /** Stops the active run and leaves once it has ended. */
  stopAndLeave(abort: boolean): void
}
