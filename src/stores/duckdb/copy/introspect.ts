/** Tables of a DuckDB file. */
import { createHash } from 'node:crypto'
import { calledExactly, floatKeyOf, quotedTable, type Column, type TableSpec } from '../../../model/copy/column-type.ts'
import { foldedText, namePattern } from '../../../shared/name-pattern.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { doubledBom } from './select.ts'
import type { DuckdbCopySession } from './session.ts'
import { duckdbColumnType, textHidesType } from './types.ts'

type Table = { readonly schema: string; readonly name: string; readonly sql: string; readonly rows: bigint }

/** @param pattern `name` for the schema main, or `schema.name`, with `*` for any characters */
export async function duckdbTables(
  session: DuckdbCopySession,
  pattern: string,
  signal: AbortSignal,
): Promise<readonly TableSpec[]> {
  const wanted = matcher(pattern)
  const ask = (sql: string): Promise<readonly SqlRow[]> => session.rows(sql, [], { signal })
  const tables = await ask(
    `SELECT ${doubledBom('schema_name')}, ${doubledBom('table_name')}, ${doubledBom("coalesce(sql, '')")}, CAST(estimated_size AS VARCHAR) FROM duckdb_tables()
     WHERE database_name = current_database() AND NOT internal AND NOT temporary`,
  )
  const all = tables.map(([schema, name, sql, rows]): Table => {
    return { schema: String(schema), name: String(name), sql: String(sql), rows: BigInt(String(rows)) }
  })
  const found = all.filter((table) => wanted(table)).toSorted((a, b) => (order(a) < order(b) ? -1 : 1))
  const chosen = calledExactly(found, pattern, (table) => table)
  if (chosen.length === 0) return []
  const columns = await ask(
    `SELECT ${doubledBom('schema_name')}, ${doubledBom('table_name')}, ${doubledBom('column_name')}, ${doubledBom('data_type')}, is_nullable, column_default IS NOT NULL
     FROM duckdb_columns() WHERE database_name = current_database() ORDER BY column_index`,
  )
  const constraints = await ask(
    `SELECT ${doubledBom('schema_name')}, ${doubledBom('table_name')}, constraint_type, CAST(to_json(constraint_column_names) AS VARCHAR)
     FROM duckdb_constraints() WHERE database_name = current_database() AND constraint_type IN ('PRIMARY KEY', 'UNIQUE') ORDER BY constraint_index`,
  )
  const bytes = await bytesOf(ask)
  const known = all.reduce((sum, { rows }) => sum + rows, 0n)
  return chosen.map((table) => {
    const of = (row: SqlRow): boolean => row[0] === table.schema && row[1] === table.name
    const share = known === 0n ? 0n : (bytes * table.rows) / known
    return specOf(table, columns.filter(of), constraints.filter(of), share)
  })
}

function order({ schema, name }: Table): string {
  return `${schema}.${name}`
}

function isSame(a: string, b: string): boolean {
  return foldedText(a, 'ascii') === foldedText(b, 'ascii')
}

function matcher(pattern: string): (table: Table) => boolean {
  const fits = namePattern(pattern, 'ascii')
  const quoted = quotedTable(pattern)
  return (table) =>
    (table.schema === 'main' && fits(table.name)) ||
    (pattern.includes('.') && fits(order(table))) ||
    (quoted !== null && isSame(table.name, quoted.name) && isSame(table.schema, quoted.schema ?? 'main'))
}

function specOf(
  { schema, name, sql, rows }: Table,
  columnRows: readonly SqlRow[],
  constraints: readonly SqlRow[],
  bytes: bigint,
): TableSpec {
  const columns = columnRows.map(([, , column, native, nullable, hasDefault]): Column => {
    const text = String(column)
    const collation = definedAs(sql, text, String(native), / COLLATE (?:"((?:[^"]|"")+)"|([\w.]+))/y)
    const generated = definedAs(sql, text, String(native), / GENERATED ALWAYS AS/y) !== null
    const type = duckdbColumnType(String(native))
    return {
      name: text,
      type,
      native: String(native),
      ...(native === 'JSON' ? { spelled: true } : {}),
      ...(type.kind === 'decimal' && (type.scale ?? 0) > 0 ? { zeros: true } : {}),
      ...(textHidesType(String(native)) ? { oneWay: true } : {}),
      nullable: nullable === 1,
      ...(generated ? { generated: true } : {}),
      ...(hasDefault === 1 && !generated ? { hasDefault: true } : {}),
      ...(collation === null ? {} : { collation: collation[1] ?? collation[2] ?? '' }),
    }
  })
  return {
    table: { schema, name },
    identity: `${schema}.${name} ${createHash('sha256').update(sql).digest('hex').slice(0, 16)}`,
    columns,
    ...keyOf(columns, constraints),
    rows,
    bytes,
    // A column named rowid hides DuckDB's row numbers, so the table cannot be divided by them.
    ...(hidesNumbers(columns) ? {} : { blocks: rows }),
  }
}

/** True if the table has a column named rowid, so that SQL cannot use DuckDB's row numbers. */
export function hidesNumbers(columns: TableSpec['columns']): boolean {
  return columns.some(({ name }) => name.toLowerCase() === 'rowid')
}

/** Matches the text after a column in CREATE TABLE: DuckDB shows collations and generated columns only there. */
function definedAs(sql: string, name: string, native: string, what: RegExp): RegExpExecArray | null {
  for (const written of [name, quotedName(name)]) {
    for (const before of ['(', ', ']) {
      const start = `${before}${written} ${native}`
      for (let at = sql.indexOf(start); at !== -1; at = sql.indexOf(start, at + 1)) {
        what.lastIndex = at + start.length
        const found = what.exec(sql)
        if (found !== null) return found
      }
    }
  }
  return null
}

/** The primary key, else the unique key with the fewest columns. Keys without nullable columns are preferred. */
function keyOf(
  columns: readonly Column[],
  constraints: readonly SqlRow[],
): Pick<TableSpec, 'key' | 'primary' | 'floatKey'> {
  const keys = constraints.map(([, , kind, names]) => {
    return { primary: kind === 'PRIMARY KEY', names: JSON.parse(String(names)) as readonly string[] }
  })
  const usable = keys.filter(({ names }) =>
    names.every((name) =>
      columns.some((column) => column.name === name && column.type.kind !== 'float' && column.generated !== true),
    ),
  )
  const nulls = (names: readonly string[]): number =>
    columns.some(({ name, nullable }) => nullable && names.includes(name)) ? 1 : 0
  const [best] = usable.toSorted(
    (a, b) =>
      Number(b.primary) - Number(a.primary) || nulls(a.names) - nulls(b.names) || a.names.length - b.names.length,
  )
  if (best !== undefined) return { key: best.names, primary: best.primary }
  const all = keys.map(({ names }) => names)
  return { key: [], primary: false, ...floatKeyOf(columns, all) }
}

async function bytesOf(ask: (sql: string) => Promise<readonly SqlRow[]>): Promise<bigint> {
  const [size] = await ask('SELECT CAST(block_size * used_blocks AS VARCHAR) FROM pragma_database_size() LIMIT 1')
  return BigInt(String(size?.[0] ?? 0))
}
