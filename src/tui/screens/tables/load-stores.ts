/**
 * Stores in addition to the program's own. They are read when unfolded. If a store cannot be read, the others are still
 * shown.
 */
import type { RunningOperation, Workbench } from '../../../app/workbench.ts'
import type { CommandPort } from '../../../app/command-port.ts'
import { commonStart } from '../../../shared/common-start.ts'
import { asSluiceError } from '../../../shared/errors.ts'
import { isSamePlace } from '../../../shared/same-place.ts'
import { redactText, redactUrl, secretsOfUrl } from '../../../shared/redact.ts'
import type { Action } from '../../state/action.ts'
import type { ListedStore } from './listed-store.ts'
import type { State } from '../../state/state.ts'
import type { Store } from '../../state/store.ts'
import type { StoreRow } from './stores.ts'
import { field } from '../../state/text-field.ts'
import type { CopyRunEvent } from '../../../model/run/answer-events.ts'
import { copyRunsOf } from '../../session/operations.ts'
import type { Databases } from './load-databases.ts'

/** Maximum number of copies into a database that are listed with its tables. */
const MOST_COPIES = 8

export class Stores {
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  readonly #databases: Databases
  readonly #commands: CommandPort | null
  readonly #reading = new Set<string>()
  readonly #asking = new Set<RunningOperation>()
  #closed = false

  constructor(workbench: Workbench, store: Store<State, Action>, databases: Databases, commands: CommandPort | null) {
    this.#workbench = workbench
    this.#store = store
    this.#databases = databases
    this.#commands = commands
  }

  /** Adds a typed path or URL; its password stays in the workbench. The prompt stays open if nothing is found there. */
  async add(text: string): Promise<void> {
    try {
      const { kind, url } = await this.#workbench.placed(text)
      const label = kind === 'database' ? redactUrl(url) : url
      const { lake, catalog } = this.#store.get()
      if ([lake, catalog].some((own) => own !== null && isSamePlace(own, label))) {
        this.#store.dispatch({ type: 'prompt-error', error: 'it is already open: its tables are listed first' })
        return
      }
      if (kind === 'database') this.#workbench.know(url)
      this.#store.dispatch({ type: 'close-prompt' })
      this.#store.dispatch({
        type: 'store-added',
        store: { name: text.includes('://') ? label : text, url: label },
        kind,
      })
      const added = this.#store.get().stores.find((one) => one.url === label)
      if (added !== undefined) this.#unfold(added)
    } catch (thrown) {
      const error = redactText(asSluiceError(thrown).message, secretsOfUrl(text))
      this.#store.dispatch({ type: 'prompt-error', error })
    }
  }

  /** Completes the prompt with files, folders and names of the config file. */
  async complete(): Promise<void> {
    const { prompt } = this.#store.get()
    if (prompt?.kind !== 'add-store' || this.#commands === null) return
    const { text } = prompt.field
    const found = await this.#commands.complete(['discover', '--config', text])
    const words = found.map(({ word }) => word).filter((word) => word.startsWith(text))
    const shared = commonStart(words)
    const now = this.#store.get().prompt
    if (now?.kind !== 'add-store' || now.field.text !== text) return
    if (shared.length > text.length) this.#store.dispatch({ type: 'typed', field: field(shared) })
    else if (words.length > 1) this.#flash(words.map((word) => word.slice(text.lastIndexOf('/') + 1)).join('  '))
    else this.#flash('nothing there begins with this')
  }

  /** Folds a store, or unfolds and reads it. */
  toggle(row: StoreRow | null): void {
    if (row === null) return
    const { store } = row
    if (store === null) {
      this.#store.dispatch({ type: 'own-folded', folded: row.open })
      return
    }
    if (!row.open) {
      this.#unfold(store)
      return
    }
    this.#store.dispatch({ type: 'store', key: store.key, change: { open: false } })
    this.#store.dispatch({ type: 'cursor', key: store.key })
  }

  /** Reads unfolded and failed stores again. @param of redacted URLs; default: all stores */
  readAgain(of?: ReadonlySet<string>): void {
    for (const store of this.#store.get().stores) {
      const isMeant = of === undefined || of.has(store.url)
      if (isMeant && store.error === undefined && (store.open || store.state === 'failed')) void this.#read(store)
    }
  }

  close(): void {
    this.#closed = true
    for (const running of this.#asking) running.abort()
  }

  #unfold(store: ListedStore): void {
    this.#store.dispatch({ type: 'store', key: store.key, change: { open: true } })
    // A store whose variable is not set cannot be read.
    if (store.error === undefined) void this.#read(store)
  }

  async #read(store: ListedStore): Promise<void> {
    const { key, url, name } = store
    if (this.#reading.has(key)) return
    this.#reading.add(key)
    const change = (by: Partial<ListedStore>): void => {
      if (!this.#closed) this.#store.dispatch({ type: 'store', key, change: by })
    }
    change({ state: 'reading', failure: null })
    try {
      const kind = store.kind ?? (await this.#workbench.placed(url)).kind
      change({ kind })
      if (kind === 'database') {
        this.#databases.open(url, name, key)
        change({ state: 'ready' })
        void this.#copies(store)
      } else {
        change({ tables: await this.#workbench.lakeAt(url), state: 'ready' })
      }
    } catch (thrown) {
      change({ state: 'failed', failure: asSluiceError(thrown).info() })
    } finally {
      this.#reading.delete(key)
    }
  }

  /**
   * Reads the copies into a database from its ledger. Without a ledger there are no copies. Errors are ignored: the
   * table list of the database reports them.
   */
  async #copies({ key, url }: ListedStore): Promise<void> {
    const { operation, commandLine } = copyRunsOf(url, MOST_COPIES)
    const running = this.#workbench.start(operation, commandLine)
    const copies: CopyRunEvent[] = []
    running.subscribe((event) => {
      if (event.type === 'copy.run') copies.push(event)
    })
    this.#asking.add(running)
    await running.done
    this.#asking.delete(running)
    if (copies.length > 0 && !this.#closed) this.#store.dispatch({ type: 'store', key, change: { copies } })
  }

  #flash(text: string): void {
    this.#store.dispatch({ type: 'flash', flash: { text, tone: 'plain' } })
  }
}
