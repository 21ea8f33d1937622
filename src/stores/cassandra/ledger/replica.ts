/**
 * One participant's copy of the ledger: an SQLite database in memory, which only entries of the log change.
 *
 * Values that SQLite would read from its environment come from the entry: the clock is the entry's, and random
 * functions are refused. So equal entries make equal databases on every machine.
 */
import Database from 'better-sqlite3'
import { SluiceError } from '../../../shared/errors.ts'
import type { Statement } from '../../../model/run/ledger-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { answerOf } from '../../common/sqlite-dialect/answer.ts'
import type { StoredEntry, EntryBatch } from './entry.ts'

/** Results of statements, and the batch to record for those that changed something. */
export type Ran = {
  readonly results: readonly (readonly SqlRow[])[]
  /** Null if nothing changed. */
  readonly batch: EntryBatch | null
}

/** Functions with different results on each machine; no statement of a ledger may call them. */
const FORBIDDEN = ['random', 'randomblob', 'julianday', 'strftime', 'date', 'time', 'datetime', 'timediff']
const KEPT_STATEMENTS = 300

export class Replica {
  readonly #database: Database.Database
  readonly #prepared = new Map<string, Database.Statement>()
  #now = 0

  /** @param image result of `image`; null for an empty ledger */
  constructor(image: Buffer | null = null) {
    this.#database = image === null ? new Database(':memory:') : new Database(image)
    const define = (name: string, body: (...parameters: unknown[]) => unknown): void => {
      this.#database.function(name, { varargs: true }, body)
    }
    // Add half a millisecond, so that rounding down returns the same millisecond.
    define('unixepoch', (word) => (word === 'subsec' ? (this.#now + 0.5) / 1000 : Math.floor(this.#now / 1000)))
    const iso = (): string => new Date(this.#now).toISOString()
    define('current_timestamp', () => iso().slice(0, 19).replace('T', ' '))
    define('current_date', () => iso().slice(0, 10))
    define('current_time', () => iso().slice(11, 19))
    for (const name of FORBIDDEN) {
      define(name, () => {
        throw new SluiceError(
          'INTERNAL',
          `a statement of the ledger calls ${name}(), which cannot be replayed from a log`,
        )
      })
    }
  }

  begin(now: number): void {
    this.#now = now
    this.#database.exec('BEGIN')
  }

  commit(): void {
    this.#database.exec('COMMIT')
  }

  rollback(): void {
    if (this.#database.inTransaction) this.#database.exec('ROLLBACK')
  }

  /** Between `begin` and `commit`: runs all of these statements or none. @throws what SQLite throws */
  run(statements: readonly Statement[]): Ran {
    this.#database.exec('SAVEPOINT batch')
    try {
      const ran = this.#run(statements)
      this.#database.exec('RELEASE batch')
      return ran
    } catch (error) {
      // Some failures have already ended the whole transaction.
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK TO batch; RELEASE batch')
      throw error
    }
  }

  /** Applies an entry of another program. @throws if its effect differs from the recorded one */
  apply({ now, batches }: StoredEntry): void {
    this.begin(now)
    try {
      for (const { statements, changes } of batches) {
        const ran = this.run(statements)
        const found = ran.batch?.changes ?? 0
        if (found !== changes)
          throw new Error(`it changes ${found} rows now, and changed ${changes} when it was recorded`)
      }
      this.commit()
    } finally {
      this.rollback()
    }
  }

  /** The whole ledger as bytes, from which `new Replica` makes an equal replica. */
  image(): Buffer {
    return this.#database.serialize()
  }

  close(): void {
    this.#database.close()
  }

  #run(statements: readonly Statement[]): Ran {
    const before = this.#number('SELECT total_changes()')
    const changing: Statement[] = []
    const schema = this.#number('PRAGMA schema_version')
    const results = statements.map((statement) => {
      const prepared = this.#prepare(statement.sql)
      if (!prepared.readonly) changing.push(statement)
      return answerOf(prepared, statement.parameters)
    })
    const changes = this.#number('SELECT total_changes()') - before
    const isSame = changes === 0 && this.#number('PRAGMA schema_version') === schema
    return { results, batch: isSame ? null : { statements: changing, changes } }
  }

  #number(sql: string): number {
    return Number(this.#prepare(sql).pluck(true).get())
  }

  #prepare(sql: string): Database.Statement {
    let statement = this.#prepared.get(sql)
    if (statement === undefined) {
      if (this.#prepared.size >= KEPT_STATEMENTS) this.#prepared.clear()
      statement = this.#database.prepare(sql)
      this.#prepared.set(sql, statement)
    }
    return statement
  }
}
