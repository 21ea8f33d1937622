/**
 * Controller of the UI: handles keys, starts, steers and ends runs, and leaves the UI. `ScreenReads` reads the data of
 * the screen. The session stores only pending work; all visible state is in the store.
 */
import type { CommandPort } from '../../app/command-port.ts'
import type { TableRow } from '../../model/lake/answers.ts'
import type { Workbench } from '../../app/workbench.ts'
import type { Clock } from '../../shared/clock.ts'
import { sourceAndTarget } from '../../app/operations/facts.ts'
import type { KeyCommand } from '../keymap/bindings.ts'
import { commandOf, onOtherScreens, shownKeyName } from '../keymap/lookup.ts'
import { fieldText, isOneLine } from '../../shared/terminal/field-text.ts'
import type { InputToken } from '../../shared/terminal/input-grammar.ts'
import type { KeyPress } from '../../shared/terminal/key-press.ts'
import { oneRead } from '../../shared/terminal/one-read.ts'
import { SMALLEST } from '../state/geometry.ts'
import { isRunShownOn } from '../run/run-screen.ts'
import { shownRun } from '../screens/queue/queue-open.ts'
import { activeRun, joinedRun } from '../state/selectors.ts'
import { openedDatabase } from '../screens/tables/tables-list.ts'
import type { Action } from '../state/action.ts'
import type { State } from '../state/state.ts'
import type { Store } from '../state/store.ts'
import { wantsName } from '../dialogs/start-dialog.ts'
import { edit, field, type TextField } from '../state/text-field.ts'
import type { Acting, SteeringControls, TerminalPort } from './acting.ts'
import { actOn } from './actions.ts'
import { acceptDialog, completedPalette, dialogCommand, dialogKey } from '../dialogs/actions.ts'
import { AskSession } from '../screens/ask/actions.ts'
import { Databases } from '../screens/tables/load-databases.ts'
import type { OpenLake } from './operations.ts'
import { acceptPrompt, typedBefore } from './prompts.ts'
import { ScreenReads } from './screen-reads.ts'
import { Pictures, RING_PICTURES, TIMELINES } from '../screens/tables/load-pictures.ts'
import { Live } from '../screens/tables/load-commits.ts'
import { Forms } from './forms.ts'
import { Lifecycles } from '../screens/tables/load-lifecycles.ts'
import { FIRST_JOINED, JoinedRuns } from './joined-runs.ts'
import { LedgerPicture } from '../screens/runs/load-ledgers.ts'
import { QueuePolling } from '../screens/queue/load.ts'
import { SharedRuns } from '../screens/queue/steering.ts'
import { RunsWatch } from '../screens/runs/load.ts'
import { Syncs } from '../screens/tables/syncs.ts'
import { Stores } from '../screens/tables/load-stores.ts'
import { JobQueue } from './job-queue.ts'

/** Exit codes as in a headless run: for SIGINT and for SIGTERM. */
const EXIT_OF_INTERRUPT = 130
const EXIT_OF_TERMINATION = 143

/** How long a note replaces the key hints, ms. */
const NOTE_MS = 5000

export class TuiSession implements Acting {
  readonly workbench: Workbench
  readonly store: Store<State, Action>
  readonly clock: Clock
  readonly queue: JobQueue
  readonly joined: JoinedRuns
  readonly ledger: LedgerPicture
  readonly shared: SharedRuns
  readonly databases: Databases
  readonly stores: Stores
  readonly syncs: Syncs
  readonly rings: Pictures
  readonly timelines: Pictures
  readonly lifecycles: Lifecycles
  readonly forms: Forms
  readonly commands: CommandPort | null
  readonly ask: AskSession
  readonly #terminal: TerminalPort
  readonly #reads: ScreenReads
  readonly #live: Live
  readonly #runs: RunsWatch
  readonly #queueWatch: QueuePolling
  #noteTimer: NodeJS.Timeout | undefined
  #leaving = false
  #closed = false

  constructor(workbench: Workbench, store: Store<State, Action>, clock: Clock, terminal: TerminalPort) {
    this.workbench = workbench
    this.store = store
    this.clock = clock
    this.#terminal = terminal
    this.#reads = new ScreenReads(workbench, store, clock, terminal.restMs, (text, tone = 'plain') =>
      store.dispatch({ type: 'flash', flash: { text, tone } }),
    )
    this.queue = new JobQueue(workbench, store, clock, {
      event: (run, event) => {
        terminal.onEvent(run, event)
        if (event.type === 'run.finished') this.#readStoresOf(run)
      },
      story: () => terminal.commands?.story(false) ?? null,
    })
    this.joined = new JoinedRuns(store, clock, {
      join: workbench.machine === undefined ? null : workbench.machine.join,
      story: () => terminal.commands?.story(false) ?? null,
      event: (run, event) => {
        if (this.state.attached && run === FIRST_JOINED) terminal.onEvent(run, event)
      },
    })
    this.databases = new Databases(workbench, store)
    this.ask = new AskSession(workbench, store, clock, (text, tone) => this.flash(text, tone))
    this.ask.copy = (text, what) => this.copy(text, what)
    this.stores = new Stores(workbench, store, this.databases, terminal.commands)
    this.syncs = new Syncs(workbench, store)
    this.rings = new Pictures(workbench, store, RING_PICTURES)
    this.timelines = new Pictures(workbench, store, TIMELINES)
    this.#runs = new RunsWatch(workbench, store, clock)
    this.ledger = new LedgerPicture(workbench, store)
    this.shared = new SharedRuns(workbench, store, clock, (text, tone) => this.flash(text, tone))
    this.#queueWatch = new QueuePolling(workbench, store, clock)
    this.commands = terminal.commands
    this.lifecycles = new Lifecycles(workbench, store, terminal.lifecycle)
    this.#live = new Live(workbench, store, clock, (error) => this.#reads.failed('overview', error))
    this.forms = new Forms(this)
    store.subscribe(() => this.#reads.readMissing())
    this.#reads.readMissing()
    // First draw the screen of a run that starts with the program. Then read other data.
    setImmediate(() => {
      this.databases.listOwn()
      this.ask.loadVisible()
      store.subscribe(() => {
        this.databases.listOwn()
        this.ask.loadVisible()
        this.#runs.refresh()
        this.#queueWatch.refresh()
        this.lifecycles.reopen()
      })
    })
  }

  /** Reads the source and target of an ended run again, because their tables have changed. */
  #readStoresOf(run: number): void {
    const operation = this.state.runs.views.find(({ id }) => id === run)?.operation
    if (operation === undefined) return
    const { source, target } = sourceAndTarget(operation)
    const ends = new Set([source, target].filter((url) => url !== undefined))
    this.databases.readAgain(ends)
    this.stores.readAgain(ends)
  }

  /** `catalog` is '' without a catalog; commands that need one are then disabled. */
  get place(): OpenLake {
    return { lake: this.workbench.lake, catalog: this.workbench.catalog ?? '' }
  }

  get state(): State {
    return this.store.get()
  }

  get steering(): SteeringControls {
    return this.joined.opened() ?? this.queue
  }

  /** Handles the input of one read of the terminal. */
  read(tokens: readonly InputToken[]): void {
    const { inputs, note } = oneRead(tokens, this.#isTyping)
    for (const input of inputs) {
      if (input.kind === 'press') this.press(input.press)
      else this.#insert(input.text)
    }
    if (note !== null) this.flash(note)
  }

  /** Handles one key. Below the smallest size only ctrl-c works, because nothing can be seen. */
  press(key: KeyPress): void {
    if (this.#isTooSmall) {
      if (key.name === 'ctrl-c') this.interrupt()
      return
    }
    if (this.ask.press(key) || this.#edit(key)) return
    const command = commandOf(this.state, key.name)
    if (command !== null) this.run(command)
    else this.#reportUnusedKey(key.name)
  }

  get #isTooSmall(): boolean {
    const { size } = this.state
    return size.columns < SMALLEST.columns || size.rows < SMALLEST.rows
  }

  /** True if typed text would go into a field now. */
  get #isTyping(): boolean {
    if (this.#isTooSmall) return false
    const { dialog } = this.state
    if (dialog?.kind === 'form') return this.forms.isTyping(dialog.form)
    return this.#typingField() !== null || this.ask.isTyping
  }

  /** Inserts pasted text into the open field. */
  #insert(text: string): void {
    if (!this.#isTyping || this.ask.paste(text)) return
    const typed = fieldText(text)
    if (typed !== '') this.#edit({ name: 'paste', typed })
    if (!isOneLine(text)) this.flash('line ends of the pasted text were left out; press enter separately')
  }

  #reportUnusedKey(key: string): void {
    const labels = onOtherScreens(this.state, key)
    if (labels.length === 0 || key === 'esc') return
    const does = labels.length === 1 ? ` (${labels.join('')})` : ''
    this.flash(`${shownKeyName(key)}${does} does nothing here`)
  }

  run(command: KeyCommand, rows?: readonly TableRow[]): void {
    if (command.startsWith('dialog.')) {
      this.#dialogOrPrompt(command)
      return
    }
    this.store.dispatch({ type: 'command', command })
    switch (command) {
      case 'interrupt':
        this.interrupt()
        break
      case 'quit':
        this.quit()
        break
      case 'leave':
        this.leave()
        break
      case 'reload':
        this.store.dispatch({ type: 'reload', now: this.clock.now() })
        this.databases.readAgain()
        this.stores.readAgain()
        break
      case 'suspend':
        this.#terminal.suspend()
        break
      default:
        if (!this.ask.run(command)) actOn(this, command, rows)
    }
  }

  /**
   * Handles ctrl-c and SIGINT: stops the run, aborts a run that is stopping, leaves if nothing runs. A run of another
   * program continues.
   */
  interrupt(): void {
    if (this.ask.interrupt()) return
    const run = activeRun(this.state)
    const isShared = shownRun(this.state)?.status === 'running'
    const leavesOnly = this.state.attached && run === undefined
    if (isShared || (joinedRun(this.state) !== undefined && !leavesOnly)) {
      this.store.dispatch({ type: 'command', command: 'back' })
      const next = run === undefined ? 'leaves sluice' : `stops the ${run.operation.kind} of this program`
      this.flash(`the run continues; ctrl-c again ${next}`)
      return
    }
    this.store.dispatch({ type: 'interrupted' })
    if (run === undefined) {
      this.leave()
    } else if (run.phase === 'stopping') {
      this.queue.abort(EXIT_OF_INTERRUPT)
      this.flash('aborting: the running batches are undone')
    } else if (run.phase !== 'aborting') {
      this.queue.stop(EXIT_OF_INTERRUPT)
      const after = isRunShownOn(run.operation, 'compare') ? '' : ' after the running batches'
      this.flash(`stopping${after}; ctrl-c again aborts`)
    }
  }

  /**
   * Called when the run that the program was started for has ended.
   * @param leave true: leave; false: leave after a key, or now if ctrl-c was pressed
   */
  onRunEnded(leave: boolean): void {
    // Wait for later runs of this program: leaving now would end them.
    if (leave || this.state.interrupted) void this.queue.idle().then(() => this.leave())
    else this.store.dispatch({ type: 'over' })
  }

  /** Handles SIGTERM, SIGHUP, a lost terminal: stops the run, the second time aborts it; leaves when it has ended. */
  terminate(): void {
    if (this.#leaving) this.queue.abort(EXIT_OF_TERMINATION)
    else this.queue.stop(EXIT_OF_TERMINATION)
    this.#leaveWhenIdle()
  }

  /** Handles `q`: goes back one level; at the top level it leaves the UI, with a dialog if a run is active. */
  quit(): void {
    const { screen, focus, zoom } = this.state
    if (screen !== 'tables' || focus !== 'list' || zoom || openedDatabase(this.state) !== null) {
      this.store.dispatch({ type: 'command', command: 'back' })
    } else if (activeRun(this.state) === undefined) {
      this.leave()
    } else {
      this.store.dispatch({ type: 'dialog', dialog: { kind: 'quit', choice: 0 } })
    }
  }

  /** Stops the active run and leaves once it has ended. */
  stopAndLeave(abort: boolean): void {
    if (abort) this.queue.abort()
    else this.queue.stop()
    this.#leaveWhenIdle()
  }

  leave(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#noteTimer)
    this.#reads.close()
    this.#live.close()
    this.ask.close()
    this.databases.close()
    this.stores.close()
    this.syncs.close()
    this.rings.close()
    this.timelines.close()
    this.lifecycles.close()
    this.forms.close()
    this.queue.dispose()
    this.joined.close()
    this.#runs.close()
    this.#queueWatch.close()
    this.ledger.close()
    this.#terminal.leave()
  }

  copy(text: string, what: string): void {
    this.#terminal.copy(text)
    this.flash(`copied: ${what}`, 'ok')
  }

  copyCommand(line: string): void {
    this.copy(this.commands?.called(line) ?? line, 'command')
  }

  flash(text: string, tone: 'plain' | 'ok' | 'bad' = 'plain'): void {
    const note = { text, tone }
    this.store.dispatch({ type: 'flash', flash: note })
    // Notes about errors and ongoing work stay until the next key; others are removed after NOTE_MS.
    if (tone === 'bad' || text.endsWith('…')) return
    clearTimeout(this.#noteTimer)
    this.#noteTimer = setTimeout(() => {
      if (this.state.flash === note) this.store.dispatch({ type: 'flash', flash: null })
    }, NOTE_MS).unref()
  }

  #leaveWhenIdle(): void {
    if (this.#leaving) return
    this.#leaving = true
    void this.queue.idle().then(() => {
      this.leave()
    })
  }

  #typingField(): TextField | null {
    const { prompt, dialog } = this.state
    if (prompt !== null) return prompt.field
    if (dialog?.kind === 'palette' || dialog?.kind === 'rollback') return dialog.field
    if (dialog?.kind === 'start' && wantsName(dialog)) return dialog.field
    return dialog?.kind === 'help' && dialog.typing ? dialog.field : null
  }

  /** Edits the open field, or passes the key to the open dialog. @returns true if the key was used */
  #edit(key: KeyPress): boolean {
    if (this.state.dialog?.kind === 'form') return this.forms.press(this.state.dialog.form, key)
    const current = this.#typingField()
    if (current === null) return this.state.dialog !== null && dialogKey(this, key.name)
    const { dialog } = this.state
    if (dialog?.kind === 'start' && dialogKey(this, key.name)) return true
    const rollback = dialog?.kind === 'rollback'
    if (rollback && (key.name === 'left' || key.name === 'right')) return dialogKey(this, key.name)
    if (this.state.dialog?.kind === 'palette' && key.name === 'tab') {
      const text = completedPalette(this.state)
      if (text !== null) this.store.dispatch({ type: 'typed', field: field(text) })
      return true
    }
    const next = edit(current, key.name, key.typed)
    if (next === null) return false
    this.store.dispatch({ type: 'typed', field: next })
    return true
  }

  #dialogOrPrompt(command: KeyCommand): void {
    const { prompt } = this.state
    if (this.state.dialog !== null) {
      if (command === 'dialog.accept') acceptDialog(this)
      else dialogCommand(this, command)
      return
    }
    if (prompt === null) return
    if (command === 'dialog.accept') {
      acceptPrompt(this, prompt)
    } else if (command === 'dialog.close') {
      this.store.dispatch({ type: 'typed', field: field(prompt.before) })
      this.store.dispatch({ type: 'close-prompt' })
    } else if (prompt.kind === 'add-store' && command === 'dialog.next') {
      void this.stores.complete()
    } else {
      const earlier = typedBefore(this.state, prompt, command === 'dialog.previous')
      if (earlier !== null) this.store.dispatch({ type: 'typed', field: field(earlier) })
    }
  }
}
