/**
 * Which rows of the list are others by now. Folders of this machine are watched by the system; tables elsewhere, and shares that other machines write to,
 * are asked whether the next commit is there: those on the screen, every few seconds.
 */
import { commitName, LOG_FOLDER } from '../../../delta/log-path.ts'
import { pathOfLocation } from '../../../model/lake/lake-url.ts'
import type { SqlDatabase } from '../../../model/run/sql-port.ts'
import { LogWatch } from '../watch.ts'
import { logFolder } from '../import/sync-one.ts'
import { openLake } from '../../run/registry.ts'
import type { TableRow } from '../../../model/lake/answers.ts'
import { catalogVersions } from './catalog-rows.ts'

/** A table on the screen is asked for its next commit so often, ms. */
const POLL_MS = 3000
/** Other programs bring tables into the catalog too, ms. */
const CATALOG_MS = 2000
/** Tables on the screen that are asked for at most: as many as a tall terminal shows. */
const MOST = 100

export class FreshRows implements Disposable {
  readonly #watch = new LogWatch(Number.POSITIVE_INFINITY, () => undefined)
  #rows: readonly TableRow[] = []
  /** Folders in which something went on at the last look: a commit that is being written is read once it is whole. */
  #stirred: ReadonlySet<string> = new Set()
  #polledAt = 0
  #catalogAt = 0
  #versions: ReadonlyMap<string, number | null> | null = null

  /** Begins to look after these rows, which were read just now. */
  follow(rows: readonly TableRow[], now: number): void {
    this.#rows = rows
    this.#versions = null
    this.#polledAt = now
    this.#catalogAt = 0
    this.#watch.follow(
      new Map(
        rows.flatMap((row) => {
          const folder = row.kind === 'delta' ? logFolder({ location: row.key }) : null
          return folder === null ? [] : [[row.key, folder] as const]
        }),
      ),
    )
  }

  /**
   * Rows that may be others than they were. What the system tells of is due at the next call.
   * @param seen keys of those on the screen
   * @param ask the catalog, where it may be asked now; null where there is none
   */
  async due(
    seen: readonly string[],
    now: number,
    ask: () => Promise<SqlDatabase | null>,
    signal: AbortSignal,
  ): Promise<readonly TableRow[]> {
    const due = new Set(this.#stirred)
    this.#stirred = this.#watch.take()
    if (now - this.#polledAt >= POLL_MS) {
      this.#polledAt = now
      for (const key of await this.#polled(seen, signal)) due.add(key)
    }
    if (now - this.#catalogAt >= CATALOG_MS) {
      this.#catalogAt = now
      for (const key of await this.#moved(await ask())) due.add(key)
    }
    return this.#rows.filter(({ key }) => due.has(key))
  }

  /** Rows that were read again. */
  replace(rows: readonly TableRow[]): void {
    const byKey = new Map(rows.map((row) => [row.key, row]))
    this.#rows = this.#rows.map((row) => byKey.get(row.key) ?? row)
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]()
  }

  /** Tables on the screen whose next commit is there. A log that cannot be looked at is no news: what is wrong with it, a reading says. */
  async #polled(seen: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
    const keys = new Set(seen)
    const rows = this.#rows.filter(({ key, kind, version }) => keys.has(key) && kind === 'delta' && version !== null)
    const found = await Promise.all(
      rows.slice(0, MOST).map(async ({ key, version }) => {
        try {
          const log = await openLake(pathOfLocation(key))
          return (await log.head(`${LOG_FOLDER}/${commitName((version ?? 0) + 1)}`, signal)) === null ? [] : [key]
        } catch {
          return []
        }
      }),
    )
    return found.flat()
  }

  /** Tables of which the catalog holds another version than when it was asked last. */
  async #moved(database: SqlDatabase | null): Promise<readonly string[]> {
    if (database === null) {
      // Whatever a catalog holds that is made meanwhile is news.
      this.#versions = new Map()
      return []
    }
    const before = this.#versions
    const now = await catalogVersions(database)
    this.#versions = now
    if (before === null) return []
    return this.#rows.flatMap(({ key }) => (before.get(key) === now.get(key) ? [] : [key]))
  }
}
