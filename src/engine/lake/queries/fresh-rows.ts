/**
 * Finds rows of the list that may have changed. The operating system reports changes in local folders. It does not
 * report changes in buckets or by other machines, so the next commits of tables on the screen are also polled.
 */
import { commitName, LOG_FOLDER } from '../../../delta/log-path.ts'
import { pathOfLocation } from '../../../model/lake/lake-url.ts'
import type { SqlDatabase } from '../../../model/run/sql-port.ts'
import { LogWatch } from '../watch.ts'
import { logFolder } from '../import/sync-one.ts'
import { openLake } from '../../run/registry.ts'
import type { TableRow } from '../../../model/lake/answers.ts'
import { catalogVersions } from './catalog-rows.ts'

/** How often tables on the screen are polled for their next commit, ms. */
const POLL_MS = 3000
/** How often the catalog is polled, ms: other programs import tables too. */
const CATALOG_MS = 2000
/** Maximum number of tables on the screen that are polled: as many as a tall terminal shows. */
const MOST = 100

export class FreshRows implements Disposable {
  readonly #watch = new LogWatch(Number.POSITIVE_INFINITY, () => undefined)
  #rows: readonly TableRow[] = []
  /** Folders that changed at the previous call: a commit that was being written then is complete now. */
  #changedBefore: ReadonlySet<string> = new Set()
  #polledAt = 0
  #catalogAt = 0
  #versions: ReadonlyMap<string, number | null> | null = null

  /** Starts watching these rows, which were just read. */
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
   * Rows that may have changed. A change that the operating system reports is returned one call later.
   * @param seen keys of the rows on the screen
   * @param ask returns the catalog if it can be queried now; null if there is none
   */
  async due(
    seen: readonly string[],
    now: number,
    ask: () => Promise<SqlDatabase | null>,
    signal: AbortSignal,
  ): Promise<readonly TableRow[]> {
    const due = new Set(this.#changedBefore)
    this.#changedBefore = this.#watch.take()
    if (now - this.#polledAt >= POLL_MS) {
      this.#polledAt = now
      for (const key of await this.#polled(seen, signal)) due.add(key)
    }
    if (now - this.#catalogAt >= CATALOG_MS) {
      this.#catalogAt = now
      for (const key of await this.#changedVersions(await ask())) due.add(key)
    }
    return this.#rows.filter(({ key }) => due.has(key))
  }

  /** Stores rows that were read again. */
  replace(rows: readonly TableRow[]): void {
    const byKey = new Map(rows.map((row) => [row.key, row]))
    this.#rows = this.#rows.map((row) => byKey.get(row.key) ?? row)
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]()
  }

  /** Tables on the screen whose next commit exists. Unreadable logs are skipped: reading the row reports them. */
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

  /** Tables whose version in the catalog has changed since the last call. */
  async #changedVersions(database: SqlDatabase | null): Promise<readonly string[]> {
    if (database === null) {
      // If a catalog is created later, all its tables are reported as changed.
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
