/**
 * Detects replaced tables. A snapshot holds the rows of every table, but not the names. Tools that alter large tables
 * rename a new table to the old name. A read by name would then find the new table as of the snapshot: with some rows
 * or none.
 */
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'
import { refuseReordered } from '../../common/column-order.ts'
import type { MysqlSession } from '../session.ts'
import { mysqlTableSql } from './names.ts'

export class SameTables {
  /** By name: creation time of the table that was found at the first use of the name. */
  readonly #made = new Map<string, string>()

  /**
   * Locks the table's name until the session's reader is returned, and checks that it is the same table as at first.
   * @throws SluiceError CONNECTION_LOST, retryable, if it is another table: a new view is needed; SOURCE_GONE if
   * columns have swapped names
   */
  async hold(session: MysqlSession, spec: TableSpec, label: string): Promise<void> {
    const { table } = spec
    const name = mysqlTableSql(table)
    // Any read locks the name.
    await session.rows(`SELECT 1 FROM ${name} LIMIT 0`)
    const made = (await createdAt(session, table)) ?? ''
    const before = this.#made.get(name) ?? made
    this.#made.set(name, before)
    if (before === made) {
      const [now = []] = await columnsInOrder(session, [table])
      refuseReordered(spec, now, 'source', label)
      return
    }
    // Fails if the table was altered so that older snapshots cannot read it.
    await session.rows(`SELECT 1 FROM ${name} LIMIT 1`)
    throw new SluiceError('CONNECTION_LOST', `${tableText(table)} is not the table that was opened at the beginning`, {
      where: label,
      reason: 'it was replaced by another table, or altered',
      hint: 'run the same command again: it continues where it stopped',
      kind: 'source',
      retryable: true,
    })
  }
}

/** Creation time of the table; null if there is no such table, or if the server does not report the time. */
export async function createdAt(session: MysqlSession, { schema, name }: TableName): Promise<string | null> {
  const [[time] = []] = await session.rows(
    'SELECT CREATE_TIME FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?',
    [schema ?? null, name],
  )
  return time == null ? null : String(time)
}

/** Column names of these tables, in one query. The session must have locked them by reading or writing. */
export async function columnsInOrder(
  session: MysqlSession,
  tables: readonly TableName[],
): Promise<readonly (readonly string[])[]> {
  if (tables.length === 0) return []
  // Names as literals, table by table: for a list of names, servers read the whole dictionary.
  const questions = tables.map(
    ({ schema, name }, place) =>
      `SELECT ${place} AS place, COLUMN_NAME AS name, ORDINAL_POSITION AS ordinal FROM information_schema.COLUMNS
       WHERE TABLE_SCHEMA = ${schema === undefined ? 'DATABASE()' : sqlLiteral(schema)} AND TABLE_NAME = ${sqlLiteral(name)}`,
  )
  const found = tables.map((): string[] => [])
  const rows = await session.command(`${questions.join(' UNION ALL ')} ORDER BY place, ordinal`)
  for (const [place, column] of rows) found[Number(place)]?.push(String(column))
  return found
}
