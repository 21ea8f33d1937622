/**
 * When the indexes of `delta_files` exist. A load into an empty catalog builds them last; whoever has to look files up by key before that
 * builds them first. A killed import leaves a catalog without them, which is slow but right, and the next import ends with them.
 */
import type { SqlDatabase } from '../../stores/port.ts'
import { dialectOf } from '../dialect.ts'

export class FileIndexes {
  readonly #database: SqlDatabase
  /** Rows were loaded while indexes were missing or statistics old. */
  #stale = false

  constructor(database: SqlDatabase) {
    this.#database = database
  }

  /** Drops the indexes when there is nothing in them yet. Call once, before the first row is loaded. */
  async deferIfEmpty(): Promise<void> {
    const [row] = await this.#database.all('SELECT EXISTS (SELECT 1 FROM delta_files)')
    if (row?.[0] !== 0) return
    await this.#database.write(async (transaction) => {
      for (const { name } of dialectOf(this.#database).fileIndexes)
        await transaction.script(`DROP INDEX IF EXISTS ${name}`)
    })
    this.#stale = true
  }

  /** Says that many rows were loaded, so that `finish` refreshes statistics. */
  loaded(): void {
    this.#stale = true
  }

  /** Makes all indexes exist; cheap when they do. */
  async ensure(): Promise<void> {
    const dialect = dialectOf(this.#database)
    const present = new Set((await this.#database.all(dialect.objectNames)).map(([name]) => name))
    const missing = dialect.fileIndexes.filter(({ name }) => !present.has(name))
    if (missing.length === 0) return
    await this.#database.write(async (transaction) => {
      for (const { sql } of missing) await transaction.script(sql)
    })
  }

  /** Ends a load: indexes there, statistics fresh. */
  async finish(): Promise<void> {
    await this.ensure()
    if (!this.#stale) return
    await this.#database.write((transaction) => transaction.script(dialectOf(this.#database).analyze))
    this.#stale = false
  }
}
