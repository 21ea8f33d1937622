/**
 * `sync --watch` of tables or the whole catalog. Each has its own thread, also while other runs are active, and ends
 * with the UI.
 */
import { defaultNumber } from '../../../app/operations/facts.ts'
import { hasOneOpener } from '../../../engine/run/systems.ts'
import { isInCatalog, type TableRow } from '../../../model/lake/answers.ts'
import { type RunningOperation, type Workbench } from '../../../app/workbench.ts'
import type { Event } from '../../../model/run/event.ts'
import type { Action } from '../../state/action.ts'
import type { State } from '../../state/state.ts'
import type { Store } from '../../state/store.ts'
import { ALL_CATALOG_TABLES, lagOf, type Sync } from './sync-shown.ts'
import { shellQuoted, tableArgument, type TuiJob, type OpenLake } from '../../session/operations.ts'

/** Maximum number of concurrent syncs; each of them has its own thread and connection. */
const MOST = 8
/** Polling interval if the storage does not notify of changes, ms. */
const INTERVAL_MS = 30_000

export class Syncs {
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  readonly #running = new Map<string, RunningOperation>()

  constructor(workbench: Workbench, store: Store<State, Action>) {
    this.#workbench = workbench
    this.#store = store
  }

  /** Starts to sync these tables; if some are being synced, stops those instead. */
  toggle(rows: readonly TableRow[], place: OpenLake): void {
    const known = rows.filter(isInCatalog)
    const going = known.filter(({ key }) => this.#running.has(key))
    if (going.length > 0) {
      for (const { key } of going) this.#stop(key)
      return
    }
    if (this.#isRefused(place)) return
    if (this.#running.has(ALL_CATALOG_TABLES)) {
      this.#say('all tables are synced already: W ends that')
      return
    }
    if (this.#running.size + known.length > MOST) {
      this.#say(`${MOST} tables one by one at most: W brings in all of the catalog in one run`)
      return
    }
    for (const row of known) this.#start(row.key, syncJob([tableArgument(row, place)], place), lagOf(row))
    const what = known.length === 1 ? (known[0]?.name ?? '') : `${known.length} tables`
    this.#say(`new commits of ${what} are imported until w is pressed or the screen is left`)
  }

  /** As `toggle`, for the whole catalog. */
  toggleAll(place: OpenLake): void {
    if (this.#running.has(ALL_CATALOG_TABLES)) {
      this.#stop(ALL_CATALOG_TABLES)
      return
    }
    if (this.#isRefused(place)) return
    for (const key of this.#running.keys()) this.#stop(key)
    const lag = (this.#store.get().slots.tables.value ?? []).reduce((sum, row) => sum + lagOf(row), 0)
    this.#start(ALL_CATALOG_TABLES, syncJob([], place), lag)
    this.#say('new commits of all tables of the catalog are imported until W is pressed or the screen is left')
  }

  close(): void {
    for (const running of this.#running.values()) running.stop()
  }

  #isRefused({ catalog }: OpenLake): boolean {
    if (!hasOneOpener(catalog)) return false
    this.#say('this catalog accepts one program at a time: during a sync nothing else could run')
    return true
  }

  #stop(key: string): void {
    this.#running.get(key)?.stop()
    this.#change(key, { state: 'stopping' })
  }

  #start(key: string, { operation, commandLine }: TuiJob, lag: number): void {
    this.#store.dispatch({ type: 'sync-begun', key, lag })
    const running = this.#workbench.start(operation, commandLine)
    this.#running.set(key, running)
    running.subscribe((event) => this.#take(key, event))
    void running.done.then((exitCode) => {
      this.#running.delete(key)
      if (exitCode === 0 || this.#of(key)?.state !== 'failed') this.#store.dispatch({ type: 'sync-ended', key })
    })
  }

  #take(key: string, event: Event): void {
    switch (event.type) {
      case 'table.finished':
        this.#trouble(key, event.error === undefined ? null : `${event.error.code}: ${event.error.message}`)
        break
      case 'log':
        if (event.level === 'warn' || event.level === 'error') this.#trouble(key, event.message)
        break
      case 'run.finished':
        if (event.status === 'failed') this.#change(key, { state: 'failed', error: event.error ?? null })
        break
      default:
    }
  }

  #trouble(key: string, trouble: string | null): void {
    if (this.#of(key)?.trouble !== trouble) this.#change(key, { trouble })
  }

  #of(key: string): Sync | undefined {
    return this.#store.get().syncs.find((one) => one.key === key)
  }

  #change(key: string, change: Partial<Sync>): void {
    this.#store.dispatch({ type: 'sync', key, change })
  }

  #say(text: string): void {
    this.#store.dispatch({ type: 'flash', flash: { text, tone: 'plain' } })
  }
}

/** @param tables empty for the whole catalog */
function syncJob(tables: readonly string[], { catalog }: OpenLake): TuiJob {
  const words = ['sluice', 'sync', ...(tables.length === 0 ? ['--all'] : tables), '--watch', '--database-url', catalog]
  return {
    operation: {
      kind: 'sync',
      tables,
      catalog,
      watch: true,
      intervalMs: INTERVAL_MS,
      batchSize: defaultNumber('sync', 'batch-size'),
      parallel: defaultNumber('sync', 'parallel'),
    },
    commandLine: words.map(shellQuoted).join(' '),
  }
}
