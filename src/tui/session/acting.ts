/** What keys and dialogs may do with a session. */
import type { Clock } from '../../shared/clock.ts'
import type { CommandForm, CommandPort } from '../../app/command-port.ts'
import type { Form } from '../form/form.ts'
import type { TableRow } from '../../model/lake/answers.ts'
import type { RunningOperation, Workbench } from '../../app/workbench.ts'
import type { Command } from '../keymap/bindings.ts'
import type { Action } from '../state/action.ts'
import type { State } from '../state/state.ts'
import type { Store } from '../state/store.ts'
import type { AskSession } from './ask.ts'
import type { Databases } from './databases.ts'
import type { Lifecycles } from './lifecycles.ts'
import type { Place } from './operations.ts'
import type { Pictures } from './pictures.ts'
import type { JoinedRuns } from './joined-runs.ts'
import type { Syncs } from './syncs.ts'
import type { Stores } from './stores.ts'
import type { SharedRuns } from './shared-runs.ts'
import type { LedgerLook } from './ledger-look.ts'
import type { RunQueue } from './run-queue.ts'

export type Steering = Pick<RunningOperation, 'stop' | 'abort' | 'pause' | 'lanes' | 'rate' | 'steer'>

/** The form that is open. */
export type Filling = {
  /** @param words what was typed behind the command */
  open(of: CommandForm, words: readonly string[]): void
  /** Shows a form as it was when it was left. */
  show(form: Form): void
  /** What a key asks beside filling it in. */
  command(form: Form, command: Command): void
  /** Gives up what is asked for it. */
  close(): void
}

export type Acting = {
  readonly workbench: Workbench
  readonly clock: Clock
  readonly store: Store<State, Action>
  readonly queue: RunQueue
  /** Runs of other programs that are looked at. */
  readonly joined: JoinedRuns
  /** A run by the ledger of its target. */
  readonly ledger: LedgerLook
  /** Runs that workers share. */
  readonly shared: SharedRuns
  /** What keys steer: the run that is looked at, or that of this program. */
  readonly steering: Steering
  readonly databases: Databases
  readonly stores: Stores
  readonly syncs: Syncs
  readonly rings: Pictures
  readonly timelines: Pictures
  readonly lifecycles: Lifecycles
  readonly forms: Filling
  readonly ask: AskSession
  /** Null where nobody reads words of a command line. */
  readonly commands: CommandPort | null
  readonly place: Place
  readonly state: State
  /**
   * One command, from a key or from the palette.
   * @param rows tables that it is for; those that are marked, or the one under the cursor, when absent
   */
  run(command: Command, rows?: readonly TableRow[]): void
  /** Puts a text where other programs can paste it. */
  copy(text: string, what: string): void
  /** Copies a command as a shell of this machine takes it. @param line begins with `sluice`, or calls it behind a `cd` */
  copyCommand(line: string): void
  flash(text: string, tone?: 'plain' | 'ok' | 'bad'): void
  /** Stops what runs and leaves as soon as it has ended. */
  stopAndLeave(abort: boolean): void
}
