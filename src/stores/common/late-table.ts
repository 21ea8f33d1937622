/** Ledger tables that are created at their first use, also in an older ledger, and by several programs at once. */
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { asSluiceError } from '../../shared/errors.ts'
import { ledgerDialect } from '../ledger-dialect.ts'
import { refuseForeignTables } from './ledger-tables.ts'
import { ownTable } from './own-tables.ts'

/**
 * Creates a ledger table unless it exists.
 * @param name name of the table in the register (`own-tables`) @param body columns and constraints
 * @throws SluiceError TABLE_REFUSED if a table of a user has this name
 */
export async function createLedgerTable(database: LedgerDatabase, name: string, body: string): Promise<void> {
  if (ownTable(name) === null) throw new Error(`${name} is not in the register of tables (stores/own-tables)`)
  await refuseForeignTables(database, [name])
  await changeTable(database, `CREATE TABLE IF NOT EXISTS ${name} (${body})`)
}

/**
 * Writes the version of a ledger into its table, unless the table already has this version or a higher one: another
 * program may have written it.
 */
export async function noteVersion(database: LedgerDatabase, table: string, version: number): Promise<void> {
  const noted = async (): Promise<number> =>
    Number((await database.all(`SELECT MAX(version) FROM ${table}`))[0]?.[0] ?? 0)
  if ((await noted()) >= version) return
  try {
    await database.batch([
      { sql: `DELETE FROM ${table} WHERE version < ?`, parameters: [version] },
      {
        sql: `INSERT INTO ${table} (version) SELECT ? FROM (SELECT 1) one WHERE NOT EXISTS (SELECT 1 FROM ${table} WHERE version >= ?)`,
        parameters: [version, version],
      },
    ])
  } catch (error) {
    if ((await noted()) < version) throw error
  }
}

/**
 * Adds a primary key to the tables of an older ledger, because some servers refuse changes of tables without one. A
 * table stays as it is if its rows, the login or another session prevent the change.
 * @param keys by table name, the clause after ADD; a table that does not exist is skipped
 */
export async function keyTables(database: LedgerDatabase, keys: Readonly<Record<string, string>>): Promise<void> {
  const { keyless } = ledgerDialect(database.dialect)
  if (keyless === null) return
  const names = Object.keys(keys)
  for (const [name] of await database.all(keyless(names.length), names)) {
    try {
      await changeTable(database, `ALTER TABLE ${String(name)} ADD ${keys[String(name)] ?? ''}`)
    } catch (error) {
      const { code, message } = asSluiceError(error)
      const isEqual = /could not create unique index|duplicate entry/i.test(message)
      if (!isEqual && !/(?:DENIED|BUSY|REFUSED)$/.test(code)) throw error
    }
  }
}

/** Makes one change to a ledger table; no error if another program has made the same change. */
export async function changeTable(database: LedgerDatabase, sql: string): Promise<void> {
  try {
    await database.batch([{ sql, parameters: [] }])
  } catch (error) {
    if (!/already exists|duplicate (?:column|key)|multiple primary key/i.test((error as Error).message)) throw error
  }
}

/** True if a statement failed because a ledger table that is created at its first use does not exist yet. */
export function isMissingTable(error: unknown): boolean {
  return error instanceof Error && /no such table|does not exist|doesn't exist/i.test(error.message)
}
