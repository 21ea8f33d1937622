/**
 * When the indexes of `delta_files` exist. A load into an empty catalog, or into a partition of its own, builds them last; whoever has to look
 * files up by key before that builds them first. A killed import leaves some missing, which is slow but right, and the next import ends with them.
 */
import { SluiceError } from '../../shared/errors.ts'
import { REPEATABLE, type SqlDatabase } from '../../model/run/sql-port.ts'
import { dialectOf } from '../dialect.ts'

export class FileIndexes {
  readonly #database: SqlDatabase
  /** Rows were loaded while indexes were missing or statistics old. */
  #stale = false

  constructor(database: SqlDatabase) {
    this.#database = database
  }

  /**
   * Prepares the first load of a table, before its first row.
   * @param rows that are about to come, roughly
   */
  async beforeLoad(tableId: string, rows: number): Promise<void> {
    const { files } = dialectOf(this.#database)
    this.#stale = true
    if (files.kind === 'partitions') {
      if (rows >= files.fromRows) await this.#tryTo((database) => ask(database, files.add, tableId))
      return
    }
    const [row] = await this.#database.all('SELECT EXISTS (SELECT 1 FROM delta_files)')
    if (row?.[0] !== 0) return
    await this.#tryTo((database) =>
      database.write(async (transaction) => {
        const present = await this.#present()
        for (const { name, drop } of files.indexes) {
          if (present.has(name)) await this.#orElsewhere(transaction.script(drop), name, false)
        }
      }, REPEATABLE),
    )
  }

  /** Says that many rows were loaded, so that `finish` refreshes statistics. */
  loaded(): void {
    this.#stale = true
  }

  /** Makes all indexes exist that look-ups in a table need; cheap when they do. */
  async ensure(tableId: string): Promise<void> {
    const { files } = dialectOf(this.#database)
    if (files.kind === 'partitions') {
      await this.#tryTo((database) => ask(database, files.index, tableId))
      return
    }
    if (files.indexes.length === 0) return
    const present = await this.#present()
    const missing = files.indexes.filter(({ name }) => !present.has(name))
    if (missing.length === 0) return
    await this.#tryTo((database) =>
      database.write(async (transaction) => {
        // Another program may have built them since.
        const now = await this.#present()
        for (const { name, sql } of missing) {
          if (!now.has(name)) await this.#orElsewhere(transaction.script(sql), name, true)
        }
      }, REPEATABLE),
    )
  }

  /** Ends a load: indexes there, for tables too that a killed import left without, and statistics fresh. */
  async finish(): Promise<void> {
    const { files } = dialectOf(this.#database)
    if (files.kind === 'shared') await this.ensure('')
    else await this.#tryTo((database) => database.write((transaction) => transaction.all(files.indexAll), REPEATABLE))
    if (!this.#stale) return
    await this.#tryTo((database) =>
      database.write((transaction) => transaction.script(dialectOf(database).analyze), REPEATABLE),
    )
    this.#stale = false
  }

  /** Where DDL commits by itself, nothing keeps another worker or program from doing the same meanwhile: then it is done. */
  async #orElsewhere(work: Promise<void>, name: string, wanted: boolean): Promise<void> {
    try {
      await work
    } catch (error) {
      if ((await this.#present()).has(name) !== wanted) throw error
    }
  }

  async #present(): Promise<ReadonlySet<unknown>> {
    return new Set((await this.#database.all(dialectOf(this.#database).objectNames)).map(([name]) => name))
  }

  /** Indexes and statistics make things fast, not right: without the rights for them, or behind a long lock, the import goes on all the same. */
  async #tryTo(body: (database: SqlDatabase) => Promise<unknown>): Promise<void> {
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
