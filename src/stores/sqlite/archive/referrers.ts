/** Foreign keys that refer to a table of SQLite, and the rows that refer to its rows. */
import type Database from 'better-sqlite3'
import type { TableName } from '../../../model/copy/column-type.ts'
import type {
  CountedKey,
  DanglingRows,
  Orphans,
  Referrer,
  ReferringRow,
  TableKey,
} from '../../../model/archive/constraints-port.ts'
import { orphansSql, referringSql } from '../../common/referring-sql.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { sqliteColumns } from '../copy/shape.ts'
import { sqliteCode } from '../errors.ts'
import { groupBy } from '../../../shared/group-by.ts'

/**
 * Maximum number of rows that a statement may read, which takes about a second. A running statement cannot be stopped.
 */
const MOST_ROWS = 1_000_000
const TOO_MANY = `it has more than ${MOST_ROWS} rows`

type Link = {
  readonly child: string
  readonly id: number
  readonly parent: string
  readonly from: string
  readonly to: string | null
  readonly onDelete: string
}

export function sqliteReferrers(connection: Database.Database, name: string): readonly Referrer[] {
  return sqliteKeys(connection, name).flatMap(({ key, arrives }) => (arrives ? [key] : []))
}

/** See `ReferrerStore.keys`. */
export function sqliteKeys(connection: Database.Database, name: string): readonly TableKey[] {
  const links = connection
    .prepare(
      `SELECT l.name AS child, k.id, k."table" AS parent, k."from", k."to", k.on_delete AS onDelete FROM pragma_table_list AS l, pragma_foreign_key_list(l.name) AS k
       WHERE l.schema = 'main' AND l.type = 'table' AND lower(?) IN (lower(l.name), lower(k."table")) ORDER BY l.name, k.id, k.seq`,
    )
    .all(name) as readonly Link[]
  const byKey = groupBy(links, ({ child, id }) => JSON.stringify([child, id]))
  return [...byKey.values()].map((parts) => {
    const [{ child, parent, onDelete } = { child: '', parent: '', onDelete: '' }] = parts
    const primary = sqliteColumns(connection, parent)
      .filter(({ pk }) => pk > 0)
      .toSorted((a, b) => a.pk - b.pk)
    const [leaves, arrives] = [child, parent].map((one) => one.toLowerCase() === name.toLowerCase())
    const key = {
      name: null,
      table: { name: child },
      columns: parts.map(({ from }) => from),
      to: parts.map(({ from, to }, i) => to ?? primary[i]?.name ?? from),
      onDelete,
      // Connections of sluice do not enforce foreign keys; the removal checks them itself.
      stopsRemoval: false,
      own: leaves === true && arrives === true,
    }
    return { key, parent: { name: parent }, leaves: leaves === true, arrives: arrives === true }
  })
}

export function sqliteReferringRow(
  connection: Database.Database,
  table: TableName,
  referrer: Referrer,
  condition: string | null,
): ReferringRow {
  if (isLarge(connection, referrer)) return { unknown: TOO_MANY }
  const dialect = {
    quote,
    table: ({ name }: TableName) => quote(name),
    text: (expression: string) => `CAST(${expression} AS TEXT)`,
  }
  const row = connection
    .prepare(referringSql(table, referrer, condition, dialect))
    .raw(true)
    .get() as readonly unknown[] | undefined
  return row === undefined ? null : { values: row.map(String) }
}

/** Number of rows whose referenced row does not exist; or the reason why it is unknown. */
export function sqliteOrphans(connection: Database.Database, counted: CountedKey): Orphans {
  if (isLarge(connection, counted.key)) return { unknown: TOO_MANY }
  const dialect = { quote, table: ({ name }: TableName) => quote(name) }
  const sql = orphansSql(counted, dialect, sqliteColumns(connection, counted.parent.name).length === 0)
  try {
    return { rows: connection.prepare(sql).pluck().safeIntegers(true).get() as bigint }
  } catch (error) {
    // The table may use a collation that only another program defines.
    if (sqliteCode(error) === 'SQLITE_ERROR') return { unknown: (error as Error).message }
    throw error
  }
}

function isLarge(connection: Database.Database, { table }: Referrer): boolean {
  return connection.prepare(`SELECT 1 FROM ${quote(table.name)} LIMIT 1 OFFSET ${MOST_ROWS}`).get() !== undefined
}

/** See `ReferrerStore.dangling`. Each row costs a lookup in the unique index that the key refers to. */
export function danglingRows(
  connection: Database.Database,
  { name }: TableName,
  condition: string | null,
): readonly DanglingRows[] {
  return sqliteKeys(connection, name).flatMap(({ key, parent, leaves }) => {
    if (!leaves) return []
    const { columns } = key
    // A table that does not exist has no row.
    const isGone = sqliteColumns(connection, parent.name).length === 0
    const child = `(SELECT ${columns.map(quote).join(', ')} FROM ${quote(name)} WHERE ${condition ?? '1'})`
    const table = (one: TableName): string => (one === key.table ? child : quote(one.name))
    const sql = orphansSql({ key, parent }, { quote, table }, isGone)
    const rows = connection.prepare(sql).pluck().safeIntegers(true).get() as bigint
    return rows === 0n ? [] : [{ columns, to: parent, rows }]
  })
}
