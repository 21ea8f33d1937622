/** Foreign keys that refer to a table of SQLite, and the rows that refer to its rows. */
import type Database from 'better-sqlite3'
import type { TableName } from '../../../model/copy/column-type.ts'
import type { DanglingRows, Orphans, Referrer, ReferringRow } from '../../../model/archive/port.ts'
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
  readonly from: string
  readonly to: string | null
  readonly onDelete: string
}

export function sqliteReferrers(connection: Database.Database, name: string): readonly Referrer[] {
  const links = connection
    .prepare(
      `SELECT l.name AS child, k.id, k."from", k."to", k.on_delete AS onDelete FROM pragma_table_list AS l, pragma_foreign_key_list(l.name) AS k
       WHERE l.schema = 'main' AND l.type = 'table' AND lower(k."table") = lower(?) ORDER BY l.name, k.id, k.seq`,
    )
    .all(name) as readonly Link[]
  if (links.length === 0) return []
  const primary = sqliteColumns(connection, name)
    .filter(({ pk }) => pk > 0)
    .toSorted((a, b) => a.pk - b.pk)
  const byKey = groupBy(links, ({ child, id }) => JSON.stringify([child, id]))
  return [...byKey.values()].map((parts) => {
    const [{ child, onDelete } = { child: '', onDelete: '' }] = parts
    return {
      name: null,
      table: { name: child },
      columns: parts.map(({ from }) => from),
      to: parts.map(({ from, to }, i) => to ?? primary[i]?.name ?? from),
      onDelete,
      // Connections of sluice do not enforce foreign keys; the removal checks them itself.
      stopsRemoval: false,
      own: child.toLowerCase() === name.toLowerCase(),
    }
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

/** Number of rows of `referrer` whose referenced row does not exist; or the reason why it is unknown. */
export function sqliteOrphans(connection: Database.Database, table: TableName, referrer: Referrer): Orphans {
  if (isLarge(connection, referrer)) return { unknown: TOO_MANY }
  const sql = orphansSql(table, referrer, { quote, table: ({ name }) => quote(name) })
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
  const links = connection
    .prepare(`SELECT id, "table" AS parent, "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq`)
    .all(name) as readonly (Pick<Link, 'id' | 'from' | 'to'> & { readonly parent: string })[]
  const ids = new Set(links.map(({ id }) => id))
  return [...ids].flatMap((id) => {
    const key = links.filter((link) => link.id === id)
    const parent = key[0]?.parent ?? ''
    const columns = key.map(({ from }) => from)
    const known = sqliteColumns(connection, parent)
    const primary = known.filter(({ pk }) => pk > 0).toSorted((a, b) => a.pk - b.pk)
    const same = key.map(({ from, to }, i) => `t.${quote(to ?? primary[i]?.name ?? from)} = f.${quote(from)}`)
    const own = columns.map(quote)
    const rows = `SELECT ${own.join(', ')} FROM ${quote(name)} WHERE ${[...own.map((column) => `${column} IS NOT NULL`), `(${condition ?? '1'})`].join(' AND ')}`
    // If the parent table does not exist, no row of it can exist.
    const gone =
      known.length === 0 ? '1' : `NOT EXISTS (SELECT 1 FROM ${quote(parent)} AS t WHERE ${same.join(' AND ')})`
    const count = connection.prepare(`SELECT count(*) FROM (${rows}) AS f WHERE ${gone}`).pluck().safeIntegers(true)
    const many = count.get() as bigint
    return many === 0n ? [] : [{ columns, to: { name: parent }, rows: many }]
  })
}
