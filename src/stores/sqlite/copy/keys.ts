/** Chooses the row key of a table. */
import type Database from 'better-sqlite3'
import type { Column } from '../../../model/copy/column-type.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import type { SqliteColumnInfo, SqliteShape } from './shape.ts'

export type Key = { readonly key: readonly string[]; readonly primary: boolean }

const NONE: Key = { key: [], primary: false }

/** The primary key, else the smallest unique index, those without NULLs first. */
export function sqliteKey(
  connection: Database.Database,
  table: string,
  columns: readonly Column[],
  infos: readonly SqliteColumnInfo[],
  { alias }: SqliteShape,
): Key {
  if (alias !== null) return { key: [alias], primary: true }
  const primary = infos
    .filter(({ pk }) => pk > 0)
    .toSorted((a, b) => a.pk - b.pk)
    .map(({ name }) => name)
  const byName = new Map(columns.map((column) => [column.name, column]))
  const usable = uniqueIndexes(connection, table).filter(({ names, collations }) =>
    names.every((name, i) => {
      const column = byName.get(name)
      // Floats cannot be bounds; and under another collation than the column's, equal keys could be two rows.
      return (
        column !== undefined &&
        column.generated !== true &&
        column.type.kind !== 'float' &&
        (column.collation ?? 'BINARY') === collations[i]
      )
    }),
  )
  const ofPrimary = usable.find(({ origin }) => origin === 'pk')
  if (ofPrimary !== undefined) return { key: primary, primary: true }
  const nulls = (names: readonly string[]): number =>
    names.some((name) => byName.get(name)?.nullable !== false) ? 1 : 0
  const [best] = usable.toSorted(
    (a, b) => nulls(a.names) - nulls(b.names) || a.names.length - b.names.length || (a.name < b.name ? -1 : 1),
  )
  return best === undefined ? NONE : { key: best.names, primary: false }
}

type UniqueIndex = {
  readonly name: string
  readonly origin: string
  readonly names: readonly string[]
  readonly collations: readonly string[]
}

/** Only indexes on whole columns, over all rows. */
function uniqueIndexes(connection: Database.Database, table: string): readonly UniqueIndex[] {
  const indexes = connection
    .prepare(`SELECT name, origin FROM pragma_index_list(?) WHERE "unique" = 1 AND partial = 0`)
    .all(table) as { readonly name: string; readonly origin: string }[]
  const parts = connection.prepare(`SELECT name, coll FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno`)
  return indexes.flatMap(({ name, origin }) => {
    const columns = parts.all(name) as { readonly name: string | null; readonly coll: string }[]
    const names = columns.flatMap((column) => (column.name === null ? [] : [column.name]))
    if (names.length < columns.length) return []
    return [{ name, origin, names, collations: columns.map(({ coll }) => coll.toUpperCase()) }]
  })
}

/**
 * Collations of columns that do not compare by bytes, from the bytecode of a statement: SQLite shows them nowhere else.
 * Null for a collation of another program: SQLite cannot compare by it here.
 */
export function collationsOf(
  connection: Database.Database,
  table: string,
  columns: readonly string[],
): ReadonlyMap<string, string | null> {
  const found = new Map<string, string | null>()
  for (const name of columns) {
    try {
      const program = connection.prepare(`EXPLAIN SELECT +${quote(name)} = 'x' FROM ${quote(table)}`).all() as {
        readonly opcode: string
        readonly p4: string | null
      }[]
      const compare = program.find(({ opcode }) => opcode === 'Eq' || opcode === 'Ne')
      const collation = /^(.*)-\d+$/s.exec(compare?.p4 ?? '')?.[1]?.toUpperCase() ?? 'BINARY'
      if (collation !== 'BINARY') found.set(name, collation)
    } catch (error) {
      if (!/no such collation/.test(String(error))) throw error
      found.set(name, null)
    }
  }
  return found
}
