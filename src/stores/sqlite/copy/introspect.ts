import type Database from 'better-sqlite3'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { collationsOf, uniqueIndexes } from './keys.ts'
import { inferredTypes } from './infer.ts'
import { definitionOf, sqliteColumns, sqliteShape, type SqliteShape } from './shape.ts'
import { sizesOf } from './sizes.ts'
import { matchesTableName } from '../../common/sqlite-dialect/table-named.ts'
import { ANY, exactOf, isNumberAsText, spelledOf, sqliteColumnType } from '../../common/sqlite-dialect/types.ts'
import {
  rowidBlocks,
  sqliteIdentity,
  sqliteKeyOf,
  type SqliteColumnInfo,
} from '../../common/sqlite-dialect/table-facts.ts'

type Named = { readonly name: string; readonly sql: string }

/** @param pattern `name` or `main.name`, with `*` for any characters; case is ignored, as by SQLite */
export function sqliteTables(connection: Database.Database, pattern: string): readonly TableSpec[] {
  const wanted = matchesTableName(pattern)
  const all = connection
    .prepare(
      `SELECT l.name, s.sql FROM pragma_table_list AS l JOIN main.sqlite_schema AS s ON s.type = 'table' AND s.name = l.name
       WHERE l.schema = 'main' AND l.type = 'table' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
    )
    .all() as Named[]
  const chosen = all.filter(({ name }) => wanted(name)).toSorted((a, b) => (a.name < b.name ? -1 : 1))
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
    ...sqliteKeyOf(shape.alias, columns, infos, uniqueIndexes(connection, name)),
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
  const inferred = inferredTypes(connection, table, infos)
  const collations = collationsOf(
    connection,
    table,
    infos.map(({ name }) => name),
  )
  return infos.map(({ name, type: native, notnull, dflt_value: initial, hidden }): Column => {
    const collation = collations.get(name)
    const declared = sqliteColumnType(native) ?? ANY
    const type = inferred.get(name) ?? declared
    return {
      name,
      type,
      native,
      ...(inferred.has(name) ? { typeOfNone: declared } : {}),
      ...(isNumberAsText(native, type) ? { asText: true } : {}),
      ...spelledOf(type),
      ...exactOf(native, declared, { isInferred: inferred.has(name), strict }),
      nullable: notnull === 0 && name !== alias,
      ...(hidden > 1 ? { generated: true } : {}),
      ...(name === alias ? { identity: true } : {}),
      ...(initial === null ? {} : { hasDefault: true }),
      ...(collation === undefined ? {} : { collation: collation ?? 'unknown' }),
    }
  })
}

function blocksOf(connection: Database.Database, table: string, rowid: string): bigint {
  const most = connection
    .prepare(`SELECT max(${rowid}) FROM ${quote(table)}`)
    .pluck()
    .safeIntegers(true)
    .get() as bigint | null
  return rowidBlocks(most)
}
