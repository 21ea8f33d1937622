/** Answers the questions of the workbench, from the catalog where it holds the table and from the log where it does not. */
import { partitionTotals } from '../../catalog/query/files.ts'
import { catalogPresence } from '../../catalog/migrate.ts'
import type { Reach } from '../../delta/listed-log.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlDatabase } from '../../stores/port.ts'
import { mayHoldCatalog } from '../catalog-url.ts'
import { openCatalogDatabase } from '../registry.ts'
import type { AsOf } from '../operation.ts'
import type { FilesPage, Overview, Page, PartitionRow, TableRow, Workbench } from '../workbench.ts'
import { commitDetail, historyPage } from './commits.ts'
import { declared, features, overviewOf, recentRuns, schemaFields } from './describe.ts'
import { FilePages, type FilesQuery } from './files-page.ts'
import { locate, type Located } from './located.ts'
import { filesFromLog, partitionsFromLog } from './log-files.ts'
import { questionUrl } from './question-url.ts'
import { listTables } from './tables.ts'
import type { QueryMethod } from '../thread/messages.ts'
import { hasOneOpener } from '../systems.ts'

type Answers = Omit<Workbench, 'start' | 'lake' | 'catalog' | typeof Symbol.asyncDispose>

export class QueryDesk implements Answers {
  readonly #lake: string | null
  readonly #catalog: string
  readonly #closed = new AbortController()
  readonly #signal = this.#closed.signal
  readonly #filePages = new FilePages()
  #database: SqlDatabase | null = null
  #asking = 0
  #rows: readonly TableRow[] = []

  constructor(at: { readonly lake: string | null; readonly catalog: string }) {
    this.#lake = at.lake
    this.#catalog = at.catalog
  }

  /** One question by its name, as it comes over from another thread. */
  async answer(method: QueryMethod, given: readonly unknown[]): Promise<unknown> {
    const ask = this[method] as (...given: readonly unknown[]) => Promise<unknown>
    this.#asking++
    try {
      return await ask.call(this, ...given)
    } finally {
      if (--this.#asking === 0 && hasOneOpener(this.#catalog)) await this.#letGo()
    }
  }

  /** Breaks off what is being answered, as far as it can be. Nothing is to be asked any more. */
  stop(): void {
    this.#closed.abort(new SluiceError('ABORTED', 'the workbench is closed'))
  }

  /** Some files belong to one opener at a time: held between two questions, it would keep every run from starting. */
  async #letGo(): Promise<void> {
    const database = this.#database
    this.#database = null
    await database?.close()
  }

  async tables(): Promise<readonly TableRow[]> {
    this.#rows = await listTables(this.#lake, await this.#open(), this.#signal)
    return this.#rows
  }

  async overview(key: string): Promise<Overview> {
    const table = this.#rows.find((row) => row.key === key)
    if (table === undefined) throw new SluiceError('NO_SUCH_TABLE', `${key} is not in the list any more`)
    return overviewOf(table, await this.#locate(key, {}, 'all'), await this.#open(), this.#signal)
  }

  async schema(key: string): ReturnType<Workbench['schema']> {
    return schemaFields(await declared(await this.#locate(key, {}), this.#signal))
  }

  async features(key: string): ReturnType<Workbench['features']> {
    return features(await declared(await this.#locate(key, {}), this.#signal))
  }

  async history(key: string, from: number, count: number): ReturnType<Workbench['history']> {
    return historyPage(await this.#locate(key, {}, 'all'), from, count, this.#signal)
  }

  async commit(key: string, version: number): ReturnType<Workbench['commit']> {
    return commitDetail(await this.#locate(key, {}, 'all'), version, this.#signal)
  }

  async partitions(key: string, asOf: AsOf, from: number, count: number): Promise<Page<PartitionRow>> {
    const located = await this.#locate(key, asOf)
    if (located.from === 'log') return partitionsFromLog(located, asOf, from, count, this.#signal)
    const { database, table } = located
    const totals = await partitionTotals(database, table.tableId, table.version, count, from)
    const [row] = await database.all(
      'SELECT count(DISTINCT partition_no) FROM delta_files WHERE table_id = ? AND added_version <= ? AND (removed_version IS NULL OR removed_version > ?)',
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
    if (located.from === 'log') return filesFromLog(located, query.asOf, query, this.#signal)
    return this.#filePages.page(located, query, this.#signal)
  }

  async runs(count: number): ReturnType<Workbench['runs']> {
    const database = await this.#open()
    return database === null ? [] : recentRuns(database, count, this.#rows)
  }

  async #locate(key: string, asOf: AsOf, reach?: Reach): Promise<Located> {
    return locate(key, asOf, await this.#open(), this.#signal, reach)
  }

  /** The catalog, as soon as there is one: the first import makes it while the UI is open. */
  async #open(): Promise<SqlDatabase | null> {
    if (this.#database !== null) return this.#database
    if (!mayHoldCatalog(this.#catalog)) return null
    const database = await openCatalogDatabase(questionUrl(this.#catalog), 'read')
    if ((await catalogPresence(database)) === 'absent') {
      await database.close()
      return null
    }
    this.#database = database
    return database
  }
}
