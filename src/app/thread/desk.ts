/** Answers the workbench's queries from the catalog if it holds the table, otherwise from the log. */
import { partitionTotals } from '../../catalog/query/files.ts'
import { catalogPresence } from '../../catalog/migrate.ts'
import type { LogReach } from '../../delta/listed-log.ts'
import { asSluiceError, SluiceError, type ErrorInfo } from '../../shared/errors.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import { mayHoldCatalog } from '../../engine/run/catalog-url.ts'
import { openCatalogDatabase } from '../../engine/run/registry.ts'
import type { AsOf } from '../../model/lake/as-of.ts'
import type { FilesPage, Overview, Page, PartitionRow, PlacedLake, TableRow } from '../../model/lake/answers.ts'
import type { Workbench } from '../workbench.ts'
import { commitDetail, historyPage } from '../../engine/lake/queries/commits.ts'
import { declaredTable, features, logHead, overviewOf, schemaFields } from '../../engine/lake/queries/describe.ts'
import { FilePages, type FilesQuery } from '../../engine/lake/queries/files-page.ts'
import { logicalNames, type LogicalNames } from '../../engine/lake/queries/logical-names.ts'
import { locate, placedAt, type Located } from '../../engine/lake/queries/located.ts'
import { filesFromLog, partitionsFromLog } from '../../engine/lake/queries/log-files.ts'
import { FreshRows } from '../../engine/lake/queries/fresh-rows.ts'
import { recentRuns } from '../../engine/lake/queries/recorded-runs.ts'
import { listLakeTables, rereadRows } from '../../engine/lake/queries/tables.ts'
import type { QueryMethod } from './messages.ts'
import { hasOneOpener } from '../../engine/run/systems.ts'

/** Connection timeout, ms: stores would wait a minute. The screen reports the server as unreachable, and retries. */
const CONNECT_TIMEOUT_MS = 1000

/** True for an unreachable server, as opposed to an unreadable catalog. */
const isUnreachable = ({ code }: SluiceError): boolean =>
  ['CONNECT_FAILED', 'CONNECTION_LOST', 'TLS_FAILED'].includes(code)

/** Key of the lake that the program was opened with. */
const OWN = ''

type Answers = Omit<
  Workbench,
  'start' | 'know' | 'machine' | 'asking' | 'lake' | 'catalog' | typeof Symbol.asyncDispose
>

export class QueryDesk implements Answers {
  readonly #lake: string | null
  readonly #catalog: string | null
  readonly #closed = new AbortController()
  readonly #signal = this.#closed.signal
  readonly #filePages = new FilePages()
  #database: SqlDatabase | null = null
  #asking = 0
  /** Listed tables, by path of the lake. */
  readonly #lakes = new Map<string, readonly TableRow[]>()
  readonly #fresh = new FreshRows()
  /** Error if the catalog was unreachable since the last listing of the tables; otherwise null. */
  #catalogError: SluiceError | null = null

  constructor(at: { readonly lake: string | null; readonly catalog: string | null }) {
    this.#lake = at.lake
    this.#catalog = at.catalog
  }

  get #hasOneOpener(): boolean {
    return this.#catalog !== null && hasOneOpener(this.#catalog)
  }

  /** Runs a query by name, as received from another thread. */
  async answer(method: QueryMethod, given: readonly unknown[]): Promise<unknown> {
    const ask = this[method] as (...given: readonly unknown[]) => Promise<unknown>
    this.#asking++
    try {
      return await ask.call(this, ...given)
    } finally {
      if (--this.#asking === 0 && this.#hasOneOpener) await this.#closeDatabase()
    }
  }

  /** Aborts current queries, as far as possible. No queries may follow. */
  stop(): void {
    this.#closed.abort(new SluiceError('ABORTED', 'the query was aborted, because the UI was closed'))
    this.#fresh[Symbol.dispose]()
  }

  /** Closes the database. A file that only one program can open would block every run if it stayed open. */
  async #closeDatabase(): Promise<void> {
    const database = this.#database
    this.#database = null
    await database?.close()
  }

  async tables(): Promise<readonly TableRow[]> {
    this.#catalogError = null
    const rows = this.#catalog === null ? [] : await this.#listed(this.#lake, await this.#catalogOrNull())
    this.#lakes.set(OWN, rows)
    this.#follow()
    return rows
  }

  placed(text: string): Promise<PlacedLake> {
    return placedAt(text)
  }

  async lakeAt(path: string): Promise<readonly TableRow[]> {
    const rows = await this.#listed(path, await this.#catalogOrNull())
    this.#lakes.set(path, rows)
    this.#follow()
    return rows
  }

  #follow(): void {
    this.#fresh.follow(this.#rows, Date.now())
  }

  /** Rows of all listed lakes. */
  get #rows(): readonly TableRow[] {
    return [...this.#lakes.values()].flat()
  }

  async #listed(lake: string | null, database: SqlDatabase | null): Promise<readonly TableRow[]> {
    try {
      return await listLakeTables(lake, database, this.#signal, this.#awayInfo)
    } catch (thrown) {
      const error = asSluiceError(thrown)
      // If the connection breaks during the query, data of the lake can still be read.
      if (database === null || lake === null || !isUnreachable(error)) throw error
      this.#catalogError = error
      return listLakeTables(lake, null, this.#signal, error.info())
    }
  }

  async changed(seen: readonly string[]): Promise<readonly TableRow[]> {
    // If only one program can open the file, opening it every few seconds would block other programs.
    const isShared = !this.#hasOneOpener && this.#catalogError === null
    const ask = async (): Promise<SqlDatabase | null> => (isShared ? this.#catalogOrNull() : null)
    const due = await this.#fresh.due(seen, Date.now(), ask, this.#signal)
    if (due.length === 0) return []
    const database = this.#catalogError === null ? await this.#catalogOrNull() : null
    const away = this.#awayInfo
    const read = await rereadRows(due, database, this.#signal)
    const rows =
      away === null ? read : read.map((row) => ({ ...row, catalog: { state: 'away', error: away } as const }))
    const before = new Map(due.map((row) => [row.key, JSON.stringify(row)]))
    const others = rows.filter((row) => before.get(row.key) !== JSON.stringify(row))
    const byKey = new Map(others.map((row) => [row.key, row]))
    for (const [lake, listed] of this.#lakes)
      this.#lakes.set(
        lake,
        listed.map((row) => byKey.get(row.key) ?? row),
      )
    this.#fresh.replace(others)
    return others
  }

  async overview(key: string): Promise<Overview> {
    const table = this.#rows.find((row) => row.key === key)
    if (table === undefined) throw new SluiceError('NO_SUCH_TABLE', `${key} is no longer in the list`)
    return overviewOf(table, await this.#locate(key, {}, 'all'), await this.#catalogOrNull(), this.#signal)
  }

  async schema(key: string): ReturnType<Workbench['schema']> {
    return schemaFields(await declaredTable(await this.#locate(key, {}), this.#signal))
  }

  async features(key: string): ReturnType<Workbench['features']> {
    return features(await declaredTable(await this.#locate(key, {}), this.#signal))
  }

  async history(key: string, from: number, count: number): ReturnType<Workbench['history']> {
    return historyPage(await this.#locate(key, {}, 'all'), from, count, this.#signal)
  }

  async commit(key: string, version: number): ReturnType<Workbench['commit']> {
    return commitDetail(await this.#locate(key, {}, 'all'), version, this.#signal)
  }

  async partitions(key: string, asOf: AsOf, from: number, count: number): Promise<Page<PartitionRow>> {
    const located = await this.#locate(key, asOf)
    const names = await this.#names(key, located, asOf)
    const page = await this.#partitions(located, asOf, from, count)
    if (names === null) return page
    return { ...page, rows: page.rows.map((row) => ({ ...row, values: names.values(row.values) })) }
  }

  async #partitions(located: Located, asOf: AsOf, from: number, count: number): Promise<Page<PartitionRow>> {
    if (located.from === 'log') return partitionsFromLog(located, asOf, from, count, this.#signal)
    const { database, table } = located
    const totals = await partitionTotals(database, table.tableId, table.version, count, from)
    const [row] = await database.all(
      `SELECT count(*) FROM (SELECT DISTINCT partition_no FROM delta_files
         WHERE table_id = ? AND partition_no IS NOT NULL AND added_version <= ? AND (removed_version IS NULL OR removed_version > ?)) AS held`,
      [table.tableId, table.version, table.version],
    )
    const rows = totals.map(({ values, ...counts }) => ({
      values: JSON.parse(values) as Record<string, string | null>,
      ...counts,
    }))
    return { rows, total: row?.[0] as number, from }
  }

  async files(key: string, query: FilesQuery & { readonly asOf: AsOf }): Promise<FilesPage> {
    const located = await this.#locate(key, query.asOf)
    const names = await this.#names(key, located, query.asOf)
    const page =
      located.from === 'log'
        ? await filesFromLog(located, query.asOf, query, this.#signal)
        : await this.#filePages.page(located, query, this.#signal)
    if (names === null) return page
    const rows = page.rows.map((file) => ({
      ...file,
      partitionValues: names.values(file.partitionValues),
      ...(file.stats === undefined ? {} : { stats: names.stats(file.stats) }),
    }))
    return { ...page, rows }
  }

  async runs(count: number): ReturnType<Workbench['runs']> {
    const database = await this.#open()
    return database === null ? [] : recentRuns(database, count, this.#rows)
  }

  async #names(key: string, located: Located, asOf: AsOf): Promise<LogicalNames | null> {
    // Reading the log for names is needed only with column mapping.
    const row = this.#rows.find((one) => one.key === key)
    if (row !== undefined && !row.features.includes('columnMapping')) return null
    return logicalNames(await logHead(located, asOf, this.#signal))
  }

  async #locate(key: string, asOf: AsOf, reach?: LogReach): Promise<Located> {
    return locate(key, asOf, await this.#catalogOrNull(), this.#signal, reach)
  }

  get #awayInfo(): ErrorInfo | null {
    return this.#catalogError?.info() ?? null
  }

  /** The catalog; null if it does not exist yet, or if it is unreachable while a lake is open. */
  async #catalogOrNull(): Promise<SqlDatabase | null> {
    if (this.#catalogError !== null) return null
    try {
      return await this.#open()
    } catch (thrown) {
      const error = asSluiceError(thrown)
      if (this.#lake === null || !isUnreachable(error)) throw error
      this.#catalogError = error
      return null
    }
  }

  /** The catalog, once it exists: an import can create it while the UI is open. @throws SluiceError of kind target */
  async #open(): Promise<SqlDatabase | null> {
    // A known unreachable catalog is retried only by the next listing of the tables.
    if (this.#catalogError !== null) throw this.#catalogError
    if (this.#database !== null) return this.#database
    if (this.#catalog === null || !mayHoldCatalog(this.#catalog)) return null
    const database = await openCatalogDatabase(this.#catalog, 'read', { retryLimitMs: CONNECT_TIMEOUT_MS })
    if ((await catalogPresence(database)) === 'absent') {
      await database.close()
      return null
    }
    this.#database = database
    return database
  }
}
