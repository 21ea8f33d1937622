/** Indexes, constraints and defaults of a table, for all systems that use SQLite's SQL. */
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { IndexPart, SchemaObject } from '../../../model/copy/schema-object.ts'
import { nameAt } from '../definition-text.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { quote } from './ddl.ts'
import { withSingleQuotes } from './literals.ts'
import { declaredChecks } from './table-facts.ts'
import { groupBy } from '../../../shared/group-by.ts'

export type SqliteListQuery = { readonly sql: string; readonly parameters: readonly string[] }

/** Runs queries and returns the rows of each, in order. @throws SluiceError of the system */
export type ListRows = (
  queries: readonly SqliteListQuery[],
  signal: AbortSignal,
) => Promise<readonly (readonly SqlRow[])[]>

/** Indexes and constraints of the tables of a database. @param build runs the statement `sql` */
export function sqliteObjectStore(
  rowsOf: ListRows,
  build: (sql: string, object: SchemaObject, table: TableSpec, signal: AbortSignal) => Promise<void>,
): ObjectStore {
  return {
    words: 'sqlite',
    list: async (tables, signal) => {
      const lists: (readonly SchemaObject[])[] = []
      for (const table of tables) lists.push(objectsIn(table, await rowsOf(objectQueries(table), signal)))
      return lists
    },
    scope: () => 'schema',
    usedNames: async (table, names, signal) => {
      const [rows = []] = await rowsOf([takenQuery(table, names)], signal)
      return new Set(rows.map(([name]) => String(name)))
    },
    adapted: (object) => fittedObject(object),
    build: async (object, table, _inUse, signal) => build(createIndex(object, table), object, table, signal),
  }
}

/** Queries for the indexes, constraints and defaults of a table; `objectsIn` evaluates their rows. */
export function objectQueries({ table: { name } }: TableSpec): readonly SqliteListQuery[] {
  return [
    {
      sql: `SELECT i.name, i."unique", i.origin, i.partial, x.name, x."desc", x.coll, s.sql FROM pragma_index_list(?) AS i
            JOIN pragma_index_xinfo(i.name) AS x LEFT JOIN sqlite_schema AS s ON s.type = 'index' AND s.name = i.name
            WHERE x."key" ORDER BY i.seq, x.seqno`,
      parameters: [name],
    },
    {
      // A foreign key that names no columns refers to those of the primary key.
      sql: `SELECT k.id, k."from", k."table", coalesce(k."to", p.name), k.on_update, k.on_delete FROM pragma_foreign_key_list(?) AS k
            LEFT JOIN pragma_table_info(k."table") AS p ON p.pk = k.seq + 1 ORDER BY k.id, k.seq`,
      parameters: [name],
    },
    { sql: 'SELECT name, dflt_value, pk, hidden FROM pragma_table_xinfo(?) ORDER BY pk, cid', parameters: [name] },
    { sql: "SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)", parameters: [name] },
  ]
}

/** @param answers rows of each query of `objectQueries`, in the same order */
export function objectsIn(table: TableSpec, answers: readonly (readonly SqlRow[])[]): readonly SchemaObject[] {
  const [indexes = [], keys = [], columns = [], [created] = []] = answers
  const objects: SchemaObject[] = [...groupBy(indexes, ([name]) => name).values()].map((rows) =>
    indexObject(table, rows),
  )
  const primary = columns.filter(([, , place]) => Number(place) > 0).map(([name]) => String(name))
  const hasPrimary = objects.some((object) => object.kind === 'unique' && object.primary === true)
  if (primary.length > 0 && !hasPrimary) objects.push(uniqueOf(`${table.table.name}_pkey`, primary, true))
  for (const rows of groupBy(keys, ([id]) => id).values()) objects.push(foreignKey(table, rows))
  for (const [name, value, , hidden] of columns) {
    if (value == null || Number(hidden) > 1) continue
    objects.push({ kind: 'default', name: String(name), own: String(value), columns: [String(name)] })
  }
  for (const [at, { name, expression }] of declaredChecks(String(created?.[0] ?? '')).entries()) {
    const usual = `${table.table.name}_check${at === 0 ? '' : at}`
    objects.push({ kind: 'check', name: name ?? usual, own: `CHECK (${expression.trim()})`, columns: null })
  }
  return objects
}

function indexObject({ table, columns }: TableSpec, rows: readonly SqlRow[]): SchemaObject {
  const [[name, unique, origin, partial, , , , sql] = []] = rows
  const parts = rows.map(([, , , , column, descending, collation]): IndexPart => {
    const usual = columns.find((one) => one.name === column)?.collation ?? 'BINARY'
    const special =
      column == null || String(collation).toUpperCase() === usual.toUpperCase() ? {} : { special: String(collation) }
    return {
      column: column == null ? null : String(column),
      ...(Number(descending) === 1 ? { descending: true } : {}),
      ...special,
    }
  })
  const names = parts.flatMap(({ column }) => (column === null ? [] : [column]))
  if (origin !== 'c') {
    const primary = origin === 'pk'
    const made = `${table.name}_${primary ? 'pkey' : `${names.join('_')}_key`}`
    return { ...uniqueOf(made, names, primary), parts }
  }
  const isPartial = Number(partial) === 1
  const own = withSingleQuotes(tailOf(String(sql ?? '')), columns)
  return {
    kind: 'index',
    name: String(name),
    own,
    columns: isPartial || names.length < parts.length ? null : names,
    unique: Number(unique) === 1,
    method: 'btree',
    parts,
    include: [],
    ...(isPartial ? { where: own } : {}),
  }
}

function uniqueOf(
  name: string,
  columns: readonly string[],
  primary: boolean,
): SchemaObject & { readonly kind: 'index' | 'unique' } {
  return {
    kind: 'unique',
    name,
    own: '',
    columns,
    unique: true,
    ...(primary ? { primary } : {}),
    method: 'btree',
    parts: columns.map((column) => ({ column })),
    include: [],
  }
}

/** The part of a user's `CREATE INDEX a ON b (c) WHERE d` from the bracket on. */
export function tailOf(sql: string): string {
  const head = /^\s*CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:IF\s+NOT\s+EXISTS\s+)?/i.exec(sql)
  let rest = sql.slice(head?.[0].length ?? 0)
  for (let names = 0; names < 4; names++) {
    const named = nameAt(rest, 'brackets')
    if (named === null) break
    rest = named.rest.trimStart().replace(/^\./, '')
    if (rest.startsWith('(')) break
  }
  return rest.trim()
}

function foreignKey({ table }: TableSpec, rows: readonly SqlRow[]): SchemaObject {
  const [[, , parent, , onUpdate, onDelete] = []] = rows
  const from = rows.map(([, column]) => String(column))
  const to = rows.flatMap(([, , , column]) => (column == null ? [] : [String(column)]))
  return {
    kind: 'foreign key',
    name: `${table.name}_${from.join('_')}_fkey`,
    own: '',
    columns: from,
    from,
    to: { table: { name: String(parent) }, columns: to },
    onDelete: String(onDelete),
    onUpdate: String(onUpdate),
    rest: '',
  }
}

/** Query for the names that are taken by objects other than indexes of the table. */
function takenQuery({ table }: TableSpec, names: readonly string[]): SqliteListQuery {
  return {
    sql: `SELECT j.value FROM json_each(?) AS j JOIN sqlite_schema AS s ON lower(s.name) = lower(j.value)
          WHERE NOT (s.type = 'index' AND lower(s.tbl_name) = lower(?))`,
    parameters: [JSON.stringify(names), table.name],
  }
}

/**
 * The object as these systems can create it. A constraint that only CREATE TABLE can define is refused, unless an index
 * suffices.
 */
function fittedObject(object: SchemaObject): SchemaObject | { readonly refused: string } {
  switch (object.kind) {
    case 'index':
      return object.own === '' ? { ...object, method: 'btree', include: [] } : object
    case 'unique':
      return { ...object, kind: 'index', method: 'btree', include: [], own: '' }
    case 'foreign key':
      return { refused: 'SQLite adds foreign keys only when a table is created' }
    case 'check':
      return { refused: 'SQLite adds checks only when a table is created' }
    case 'exclusion':
      return { refused: 'SQLite has no exclusion constraints' }
    case 'default':
      return { refused: 'SQLite adds defaults only when a table is created' }
  }
}

/** CREATE INDEX of a fitted object; does nothing if it exists. */
function createIndex(object: SchemaObject, { table }: TableSpec): string {
  if (object.kind !== 'index') throw new Error(`SQLite cannot create a ${object.kind}`)
  const { own, parts, unique, name } = object
  const list = parts.map(({ column, descending, special }) => {
    return `${quote(column ?? '')}${special === undefined ? '' : ` COLLATE ${quote(special)}`}${descending ? ' DESC' : ''}`
  })
  const definition = own === '' ? `(${list.join(', ')})` : own
  return `CREATE ${unique ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS ${quote(name)} ON ${quote(table.name)} ${definition}`
}
