/** Foreign keys that lead to a table of SQLite, and rows by which they hold rows of it. */
import type Database from 'better-sqlite3'
import type { TableName } from '../../../model/copy/column-type.ts'
import type { Orphans, Referrer, ReferringRow } from '../../archive-port.ts'
import { orphansSql, referringSql } from '../../referring-sql.ts'
import { quote } from '../../sqlite-dialect/ddl.ts'
import { columnsOf } from '../copy/shape.ts'

/** Rows that a statement may look at, which nobody can stop: about a second. */
const MOST_ROWS = 1_000_000
const TOO_MANY = `it has more than ${MOST_ROWS} rows`

type Link = {
  readonly child: string
  readonly id: number
  readonly from: string
  readonly to: string | null
  readonly onDelete: string
}

export function referrersOf(connection: Database.Database, name: string): readonly Referrer[] {
  const links = connection
    .prepare(
      `SELECT l.name AS child, k.id, k."from", k."to", k.on_delete AS onDelete FROM pragma_table_list AS l, pragma_foreign_key_list(l.name) AS k
       WHERE l.schema = 'main' AND l.type = 'table' AND lower(k."table") = lower(?) ORDER BY l.name, k.id, k.seq`,
    )
    .all(name) as readonly Link[]
  if (links.length === 0) return []
  const primary = columnsOf(connection, name)
    .filter(({ pk }) => pk > 0)
    .toSorted((a, b) => a.pk - b.pk)
  const byKey = new Map<string, Referrer & { readonly columns: string[]; readonly to: string[] }>()
  for (const { child, id, from, to, onDelete } of links) {
    const key = JSON.stringify([child, id])
    const known = byKey.get(key) ?? {
      name: null,
      table: { name: child },
      columns: [],
      to: [],
      onDelete,
      // Connections of ours do not enforce foreign keys, and look for themselves.
      stopsRemoval: false,
      own: child.toLowerCase() === name.toLowerCase(),
    }
    byKey.set(key, known)
    known.to.push(to ?? primary[known.columns.length]?.name ?? from)
    known.columns.push(from)
  }
  return [...byKey.values()]
}

export function referringRow(
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

export function orphansOf(connection: Database.Database, table: TableName, referrer: Referrer): Orphans {
  if (isLarge(connection, referrer)) return { unknown: TOO_MANY }
  const sql = orphansSql(table, referrer, { quote, table: ({ name }) => quote(name) })
  return { rows: connection.prepare(sql).pluck().safeIntegers(true).get() as bigint }
}

function isLarge(connection: Database.Database, { table }: Referrer): boolean {
  return connection.prepare(`SELECT 1 FROM ${quote(table.name)} LIMIT 1 OFFSET ${MOST_ROWS}`).get() !== undefined
}
