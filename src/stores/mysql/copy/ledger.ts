/** MySQL and MariaDB as the database of a copy's ledger. */
import type { LedgerDatabase, Statement } from '../../copy-port.ts'
import { REPEATABLE, type SqlRow } from '../../port.ts'
import type { MysqlConfig } from '../config.ts'
import { openMysql, type MysqlDatabase } from '../sql-database.ts'
import { endMarked } from './commit.ts'

/** @throws SluiceError CONNECT_FAILED, TLS_FAILED */
export async function openLedger(url: string, config: MysqlConfig): Promise<LedgerDatabase> {
  return new Ledger(await openMysql(url, 'write'), config)
}

class Ledger implements LedgerDatabase {
  readonly dialect = 'mysql'
  readonly #database: MysqlDatabase
  readonly #config: MysqlConfig

  constructor(database: MysqlDatabase, config: MysqlConfig) {
    this.#database = database
    this.#config = config
  }

  async all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    return await this.#database.all(sql, parameters)
  }

  async batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]> {
    return await this.#database.write(async (transaction) => {
      const answers: (readonly SqlRow[])[] = []
      for (const { sql, parameters } of statements) answers.push(await transaction.all(sql, parameters))
      return answers
    }, REPEATABLE)
  }

  /** @throws SluiceError TARGET_BUSY where the server does not end it in time */
  async endSession(session: string): Promise<void> {
    if (session !== '') await endMarked(this.#config, session)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database.close()
  }
}
