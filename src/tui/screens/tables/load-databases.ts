/** Databases whose tables are listed next to those of the lake. Each is read by its own operation. */
import type { TableRow } from '../../../model/lake/answers.ts'
import type { RunningOperation, Workbench } from '../../../app/workbench.ts'
import type { RelationEvent } from '../../../model/run/event.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { shownCount } from '../../../render/screen-format.ts'
import type { Action } from '../../state/action.ts'
import type { State } from '../../state/state.ts'
import type { Store } from '../../state/store.ts'
import { fileUrl } from './relation-row.ts'
import { discoverDatabaseJob } from '../../session/operations.ts'

/** Maximum number of tables that are listed per database; `discover URL` lists all of them. */
const MOST = 20_000

export class Databases {
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  readonly #asking = new Map<string, RunningOperation>()
  readonly #seen = new Set<string>()
  #closed = false

  constructor(workbench: Workbench, store: Store<State, Action>) {
    this.#workbench = workbench
    this.#store = store
  }

  /** Lists the tables of a database. @param parent key of the row from which the database is opened */
  open(url: string, title: string, parent: string | null): void {
    if (this.#asking.has(url)) return
    this.#store.dispatch({ type: 'database-opened', url, title, parent })
    const { operation, commandLine } = discoverDatabaseJob(url)
    const running = this.#workbench.start(operation, commandLine)
    this.#asking.set(url, running)
    const relations: RelationEvent[] = []
    let error: ErrorInfo | null = null
    running.subscribe((event) => {
      if (event.type === 'relation' && relations.push(event) === MOST + 1) running.stop()
      if (event.type === 'run.finished') error = event.error ?? null
    })
    void running.done.then(() => {
      this.#asking.delete(url)
      const whole = relations.length <= MOST
      if (error === null || !whole)
        this.#store.dispatch({ type: 'relations', url, relations: relations.slice(0, MOST) })
      this.#store.dispatch({ type: 'database-read', url, error: whole ? error : null })
      const text = `only the first ${shownCount(MOST)} tables are listed: sluice discover ${shellQuote(redactUrl(url))} lists all`
      if (!whole) this.#store.dispatch({ type: 'flash', flash: { text, tone: 'plain' } })
    })
  }

  /** Shows or hides the tables of a database file in the lake. */
  toggle(row: TableRow): void {
    const url = fileUrl(row)
    if (url === null) return
    if (this.#store.get().databases.some((database) => database.url === url))
      this.#store.dispatch({ type: 'database-closed', url })
    else this.open(url, row.name, row.key)
  }

  /**
   * Lists the tables of the program's own database when the Tables or Ask screen is first shown. A catalog database is
   * listed only if the catalog has no tables and no lake is open.
   */
  listOwn(): void {
    const { screen, lake, catalog, slots } = this.#store.get()
    if ((screen !== 'tables' && screen !== 'ask') || this.#closed) return
    const { database = null } = this.#workbench
    const empty = lake === null && slots.tables.value?.length === 0
    if (database !== null && database !== catalog) this.#openOnce(database)
    else if (catalog !== null && empty) this.#openOnce(catalog)
  }

  #openOnce(url: string): void {
    if (this.#seen.has(url)) return
    this.#seen.add(url)
    this.open(url, url, null)
  }

  /** Lists the tables again. @param of redacted URLs; default: all open databases */
  readAgain(of?: ReadonlySet<string>): void {
    for (const { url, title, parent } of this.#store.get().databases)
      if (of === undefined || of.has(url)) this.open(url, title, parent)
  }

  close(): void {
    this.#closed = true
    for (const running of this.#asking.values()) running.abort()
  }
}
