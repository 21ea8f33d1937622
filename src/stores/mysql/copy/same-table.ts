/**
 * A snapshot holds the rows of every table, but not their names: where a table was put in the place of another by RENAME, as tools do that alter
 * large tables, readers would find in it what it held when the snapshot was taken, half filled or empty.
 */
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { literal } from '../../../shared/sql-text.ts'
import { refuseReordered } from '../../common/column-order.ts'
import type { Session } from '../session.ts'
import { tableSql } from './names.ts'

export class SameTables {
  /** When the table was made that had the name at its first use. */
  readonly #made = new Map<string, string>()

  /**
   * Keeps the table under its name until the session's reader is given back, and makes sure that it is the one that was there at first.
   * @throws SluiceError CONNECTION_LOST, retryable, where another one is: it needs another view; SOURCE_GONE where columns have exchanged their names
   */
  async hold(session: Session, spec: TableSpec, label: string): Promise<void> {
    const { table } = spec
    const name = tableSql(table)
    // Whatever was read locks the name.
    await session.rows(`SELECT 1 FROM ${name} LIMIT 0`)
    const [[time] = []] = await session.rows(
      'SELECT CREATE_TIME FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?',
      [table.schema ?? null, table.name],
    )
    const made = String(time ?? '')
    const before = this.#made.get(name) ?? made
    this.#made.set(name, before)
    if (before === made) {
      const [now = []] = await columnsInOrder(session, [table])
      refuseReordered(spec, now, 'source', label)
      return
    }
    // Where it was altered so that no older snapshot can be read, the server says so.
    await session.rows(`SELECT 1 FROM ${name} LIMIT 1`)
    throw new SluiceError(
      'CONNECTION_LOST',
      `${tableText(table)} is not the table that this view of the source began with`,
      {
        where: label,
        reason: 'another one was put in its place, or it was altered a little',
        hint: 'run the same command again: it goes on where it stopped',
        kind: 'source',
        retryable: true,
      },
    )
  }
}

/** Names of the columns of each of these tables, in one question; of tables that the session has locked by reading or writing them. */
export async function columnsInOrder(
  session: Session,
  tables: readonly TableName[],
): Promise<readonly (readonly string[])[]> {
  if (tables.length === 0) return []
  // Names as literals, table by table: servers look up those alone, where they read the whole dictionary for a list.
  const questions = tables.map(
    ({ schema, name }, place) =>
      `SELECT ${place} AS place, COLUMN_NAME AS name, ORDINAL_POSITION AS ordinal FROM information_schema.COLUMNS
       WHERE TABLE_SCHEMA = ${schema === undefined ? 'DATABASE()' : literal(schema)} AND TABLE_NAME = ${literal(name)}`,
  )
  const found = tables.map((): string[] => [])
  const rows = await session.command(`${questions.join(' UNION ALL ')} ORDER BY place, ordinal`)
  for (const [place, column] of rows) found[Number(place)]?.push(String(column))
  return found
}
