/** Deletes rows of a table if they match the expected digest, in one write transaction that excludes other writers. */
import { conditionHint } from '../../common/query-errors.ts'
import type Database from 'better-sqlite3'
import { tableText } from '../../../model/copy/column-type.ts'
import { equalDigests } from '../../../model/copy/rows.ts'
import { breathe, throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { RemoveRequest, StepEnd } from '../../../model/archive/port.ts'
import { keyOrder, type SqlCondition } from '../../common/key-ranges.ts'
import { keyListParts } from '../../common/key-parts.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { sqliteTableIdentity } from '../copy/introspect.ts'
import { KEY_TERMS, SQLITE_SOURCE_KEYS, sqliteCondition } from '../copy/key-dialect.ts'
import { sqliteDigest } from '../copy/proof.ts'
import { sqliteColumns, sqliteShape, type SqliteShape } from '../copy/shape.ts'
import { rowPieces } from './row-pieces.ts'
import { sqliteReferrers } from './referrers.ts'
import { closesChunk } from '../copy/connection.ts'

/** Number of rows between two pauses for other work. */
const ROWS_PER_PAUSE = 2000

/**
 * @param connection within a write transaction that has just begun. It is committed if the result is 'done'; otherwise
 * the caller rolls it back
 * @throws SluiceError TABLE_REFUSED if other rows refer to the rows to remove; VALUE_REFUSED for rows that cannot be
 * compared; errors of the driver
 */
export async function removeSqliteRows(connection: Database.Database, request: RemoveRequest): Promise<StepEnd> {
  const { table, columns, where, expect, closing, signal } = request
  const { name } = table.table
  if (sqliteTableIdentity(connection, name) !== table.identity) return 'gone'
  // Values of a column that was not compared would be lost.
  const proved = new Set(columns.map((column) => column.name))
  if (sqliteColumns(connection, name).some((column) => column.hidden === 0 && !proved.has(column.name)))
    return 'differs'
  refuseReferences(connection, request)
  const { guard, statements } = closing
  if (connection.prepare(guard.sql).get(...guard.parameters) === undefined) return 'fenced'
  const shape = sqliteShape(connection, name)
  const conditions = conditionsOf(request, shape)
  const order = shape.rowid ?? keyOrder(table, SQLITE_SOURCE_KEYS)
  try {
    const found = await sqliteDigest(connection, { table, columns, conditions, order }, signal)
    if (!equalDigests(found, expect)) return 'differs'
    if ((await deleteRows(connection, request, conditions)) !== expect.rows) return 'differs'
  } catch (error) {
    throw mistaken(error, where)
  }
  if (!closesChunk(connection, statements)) return 'fenced'
  throwIfAborted(signal)
  connection.exec('COMMIT')
  return 'done'
}

/**
 * Deletes the rows.
 * @returns their number; if it differs from the expected one, the condition is not deterministic, or a trigger
 * interfered
 */
async function deleteRows(
  connection: Database.Database,
  { table, signal }: RemoveRequest,
  conditions: readonly SqlCondition[],
): Promise<bigint> {
  let rows = 0n
  for (const condition of conditions) {
    for (const { sql, parameters } of rowPieces(connection, table, ROWS_PER_PAUSE, condition)) {
      throwIfAborted(signal)
      const piece = connection.prepare(`DELETE FROM ${quote(table.table.name)} WHERE ${sql}`)
      rows += BigInt(piece.run(...parameters).changes)
      await breathe()
    }
  }
  return rows
}

function conditionsOf({ table, range, where }: RemoveRequest, { rowid }: SqliteShape): readonly SqlCondition[] {
  return keyListParts(range, table.key.length, KEY_TERMS).map((part) => sqliteCondition(table, part, where, rowid))
}

/** Refuses to delete rows to which other rows refer: the connection does not enforce foreign keys. */
function refuseReferences(connection: Database.Database, request: RemoveRequest): void {
  const { table } = request
  const { name } = table.table
  for (const { table: child, columns, to, own } of sqliteReferrers(connection, name)) {
    for (const { sql, parameters } of conditionsOf(request, sqliteShape(connection, name))) {
      const parent = `SELECT ${to.map(quote).join(', ')} FROM ${quote(name)} WHERE ${sql}`
      // Rows that are deleted too may refer to each other.
      const others = `SELECT ${columns.map(quote).join(', ')} FROM ${quote(child.name)}${own ? ` WHERE (${sql}) IS NOT TRUE` : ''}`
      // SQLite compares by the collation of the left side, here the parent's.
      const same = columns.map((column, i) => `t.${quote(to[i] ?? column)} = f.${quote(column)}`).join(' AND ')
      const rows = connection.prepare(`SELECT 1 FROM (${parent}) AS t, (${others}) AS f WHERE ${same} LIMIT 1`)
      if (rows.get(...parameters, ...(own ? parameters : [])) === undefined) continue
      throw new SluiceError(
        'TABLE_REFUSED',
        `rows of ${tableText(table.table)} cannot be removed: rows of ${child.name} refer to them`,
        {
          where: tableText(table.table),
          hint: `archive or remove the rows of ${child.name} first`,
        },
      )
    }
  }
}

function mistaken(error: unknown, where: string | null): unknown {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
  if (where === null || error instanceof SluiceError || code !== 'SQLITE_ERROR') return error
  return new SluiceError('BAD_PREDICATE', `SQLite does not understand the condition: ${String(message)}`, {
    where,
    hint: conditionHint('SQLite'),
    cause: error,
  })
}
