/**
 * Decides when the indexes of `delta_files` are built. A load into an empty catalog, or into its own partition, builds
 * them at its end. If files must be found by key earlier, they are built before that. A killed import may leave some
 * missing, which is slow but correct, and the next import builds them.
 */
import { SluiceError } from '../../shared/errors.ts'
import { REPEATABLE, type SqlDatabase } from '../../model/run/sql-port.ts'
import { dialectOf } from '../dialect.ts'

export class FileIndexes {
  readonly #database: SqlDatabase
  /** True if rows were loaded since the statistics were refreshed. */
  #stale = false

  constructor(database: SqlDatabase) {
    this.#database = database
  }

  /** Prepares the first load of a table; call before its first row. @param rows approximate number of rows to load */
  async beforeLoad(tableId: string, rows: number): Promise<void> {
    const { files } = dialectOf(this.#database)
    this.#stale = true
    if (files.kind === 'partitions') {
      if (rows >= files.fromRows) await this.#tryOptional((database) => ask(database, files.add, tableId))
      return
    }
    const [row] = await this.#database.all('SELECT EXISTS (SELECT 1 FROM delta_files)')
    if (row?.[0] !== 0) return
    await this.#tryOptional((database) =>
      database.write(async (transaction) => {
        const present = await this.#present()
        for (const { name, drop } of files.indexes) {
          if (present.has(name)) await this.#ignoreSameChange(transaction.script(drop), name, false)
        }
      }, REPEATABLE),
    )
  }

  /** Notes that many rows were loaded, so that `finish` refreshes statistics. */
  loaded(): void {
    this.#stale = true
  }

  /** Creates all indexes that look-ups in a table need; cheap if they exist. */
  async ensure(tableId: string): Promise<void> {
    const { files } = dialectOf(this.#database)
    if (files.kind === 'partitions') {
      await this.#tryOptional((database) => ask(database, files.index, tableId))
      return
    }
    if (files.indexes.length === 0) return
    const present = await this.#present()
    const missing = files.indexes.filter(({ name }) => !present.has(name))
    if (missing.length === 0) return
    await this.#tryOptional((database) =>
      database.write(async (transaction) => {
        // Another program may have built them since.
        const now = await this.#present()
        for (const { name, sql } of missing) {
          if (!now.has(name)) await this.#ignoreSameChange(transaction.script(sql), name, true)
        }
      }, REPEATABLE),
    )
  }

  /** Ends a load: builds missing indexes, also for tables of killed imports, and refreshes statistics. */
  async finish(): Promise<void> {
    const { files } = dialectOf(this.#database)
    if (files.kind === 'shared') await this.ensure('')
    else
      await this.#tryOptional((database) =>
        database.write((transaction) => transaction.all(files.indexAll), REPEATABLE),
      )
    if (!this.#stale) return
    await this.#tryOptional((database) =>
      database.write((transaction) => transaction.script(dialectOf(database).analyze), REPEATABLE),
    )
    this.#stale = false
  }

  /** Ignores an error if another worker or program made the same change, as may happen where DDL commits implicitly. */
  async #ignoreSameChange(work: Promise<void>, name: string, wanted: boolean): Promise<void> {
    try {
      await work
    } catch (error) {
      if ((await this.#present()).has(name) !== wanted) throw error
    }
  }

  async #present(): Promise<ReadonlySet<unknown>> {
    return new Set((await this.#database.all(dialectOf(this.#database).objectNames)).map(([name]) => name))
  }

  /** Indexes and statistics affect only speed: without rights for them, or after a long lock, imports continue. */
  async #tryOptional(body: (database: SqlDatabase) => Promise<unknown>): Promise<void> {
    try {
      await body(this.#database)
    } catch (error) {
      if (!(error instanceof SluiceError) || !/^TARGET_(DENIED|BUSY)$/.test(error.code)) throw error
    }
  }
}

function ask(database: SqlDatabase, sql: string, tableId: string): Promise<unknown> {
  return database.write((transaction) => transaction.all(sql, [tableId]), REPEATABLE)
}
