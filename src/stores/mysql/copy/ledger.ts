/** MySQL and MariaDB as the database of a copy's ledger. */
import { LEDGER_IDLE_MS, type LedgerDatabase, type Statement } from '../../../model/run/ledger-port.ts'
import { REPEATABLE, type SqlRow } from '../../../model/run/sql-port.ts'
import { charsetSql, tableEnd } from '../charset.ts'
import type { MysqlConfig } from '../config.ts'
import { openMysql, type MysqlDatabase } from '../sql-database.ts'
import { endLockHolder } from './commit.ts'
import { quoted } from './names.ts'

/** @throws SluiceError CONNECT_FAILED, TLS_FAILED */
export async function openLedger(url: string, config: MysqlConfig): Promise<LedgerDatabase> {
  return new Ledger(await openMysql(url, 'write', { frozenMs: LEDGER_IDLE_MS }), config)
}

const CREATE_TABLE = /^\s*CREATE\s+TABLE\b/i

class Ledger implements LedgerDatabase {
  readonly dialect = 'mysql'
  readonly label: string
  readonly #database: MysqlDatabase
  readonly #config: MysqlConfig

  constructor(database: MysqlDatabase, config: MysqlConfig) {
    this.#database = database
    this.#config = config
    this.label = config.label
  }

  async all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    return await this.#database.all(sql, parameters)
  }

  async batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]> {
    return await this.#database.write(async (transaction) => {
      const answers: (readonly SqlRow[])[] = []
      for (const { sql, parameters } of statements) answers.push(await transaction.all(this.#spelled(sql), parameters))
      return answers
    }, REPEATABLE)
  }

  #spelled(sql: string): string {
    return CREATE_TABLE.test(sql) ? sql + tableEnd(this.#database.binaryCollation) : sql
  }

  async renewals(tables: readonly string[]): Promise<readonly string[]> {
    const names = tables.map(() => '?').join(', ')
    const rows = await this.all(
      `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (${names})
         AND TABLE_TYPE = 'BASE TABLE' AND TABLE_COLLATION <> ? ORDER BY TABLE_NAME`,
      [...tables, this.#database.binaryCollation],
    )
    const found = new Set(rows.map(([name]) => String(name)))
    const charset = charsetSql(this.#database.binaryCollation)
    return tables
      .filter((name) => found.has(name))
      .map((name) => `ALTER TABLE ${quoted(name)} ROW_FORMAT = DYNAMIC, CONVERT TO CHARACTER SET ${charset}`)
  }

  /** @throws SluiceError TARGET_BUSY if the server does not end it in time */
  async endSession(session: string): Promise<void> {
    if (session !== '') await endLockHolder(this.#config, session)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database.close()
  }
}
