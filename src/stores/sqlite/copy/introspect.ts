/** Tables of a SQLite file, with columns and keys. */
import type Database from 'better-sqlite3'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { collationsOf, sqliteUniqueIndexes } from './keys.ts'
import { rowsOf } from '../reader.ts'
import { definitionOf, sqliteColumns, sqliteShape, type SqliteShape } from './shape.ts'
import { sizesOf } from './sizes.ts'
import { tablesNamed } from '../../common/sqlite-dialect/table-named.ts'
import {
  declaredConflicts,
  firstValuesSql,
  inferredType,
  dependsOnRows,
  rowidBlocks,
  sqliteColumnOf,
  sqliteIdentity,
  sqliteKeyOf,
  type InferredType,
  type SqliteColumnInfo,
} from '../../common/sqlite-dialect/table-facts.ts'

type Named = { readonly name: string; readonly sql: string }

/** @param pattern `name` or `main.name`, with `*` for any characters; case is ignored, as by SQLite */
export function sqliteTables(connection: Database.Database, pattern: string): readonly TableSpec[] {
  const all = connection
    .prepare(
      `SELECT l.name, s.sql FROM pragma_table_list AS l JOIN main.sqlite_schema AS s ON s.type = 'table' AND s.name = l.name
       WHERE l.schema = 'main' AND l.type = 'table' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
    )
    .all() as Named[]
  const chosen = tablesNamed(all, pattern)
  if (chosen.length === 0) return []
  const sizes = sizesOf(
    connection,
    all.map(({ name }) => name),
    chosen.map(({ name }) => name),
  )
  return chosen.map((table) => specOf(connection, table, sizes.get(table.name) ?? { rows: 0n, bytes: 0n }))
}

/** Current value of `TableSpec.identity`; null if there is no table of exactly that name. */
export function sqliteTableIdentity(connection: Database.Database, name: string): string | null {
  const sql = definitionOf(connection, name)
  return sql === null ? null : sqliteIdentity(name, sql)
}

function specOf(
  connection: Database.Database,
  { name, sql }: Named,
  size: { readonly rows: bigint; readonly bytes: bigint },
): TableSpec {
  const shape = sqliteShape(connection, name)
  // `hidden` is 1 for hidden columns of virtual tables.
  const infos = sqliteColumns(connection, name).filter(({ hidden }) => hidden !== 1)
  const columns = columnSpecs(connection, name, infos, shape)
  return {
    table: { name },
    identity: sqliteIdentity(name, sql),
    columns,
    ...(declaredConflicts(sql).length === 0 ? {} : { declaresConflicts: true as const }),
    ...sqliteKeyOf(shape.alias, columns, infos, sqliteUniqueIndexes(connection, name)),
    ...size,
    ...(shape.rowid === null ? {} : { blocks: blocksOf(connection, name, shape.rowid) }),
  }
}

function columnSpecs(
  connection: Database.Database,
  table: string,
  infos: readonly SqliteColumnInfo[],
  { alias, strict }: SqliteShape,
): readonly Column[] {
  const collations = collationsOf(
    connection,
    table,
    infos.map(({ name }) => name),
  )
  return infos.map((info): Column => {
    const inferred = inferredIn(connection, table, info) ?? undefined
    const column = sqliteColumnOf(info, alias, inferred, strict)
    const collation = collations.get(info.name)
    return collation === undefined ? column : { ...column, collation: collation ?? 'unknown' }
  })
}

/**
 * Type of a column without a usable declared type, inferred from its first rows. Date and time columns are included:
 * SQLite has no such types, so a date column that holds numbers becomes a number column. Later rows must have the
 * inferred type. Null if the declared type is right.
 */
function inferredIn(
  connection: Database.Database,
  table: string,
  { name, type: native }: SqliteColumnInfo,
): InferredType | null {
  if (!dependsOnRows(native)) return null
  return inferredType(native, rowsOf(connection, firstValuesSql(table, name)))
}

function blocksOf(connection: Database.Database, table: string, rowid: string): bigint {
  const most = connection
    .prepare(`SELECT max(${rowid}) FROM ${quote(table)}`)
    .pluck()
    .safeIntegers(true)
    .get() as bigint | null
  return rowidBlocks(most)
}
