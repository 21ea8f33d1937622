/** Types of random tables, and the interface of a system to generate them. */
import type { Place as SqlPlace, System as SqlSystem } from '../../support/copy-systems.ts'
import type { Random } from './random.ts'

/** Cassandra has no SQL, but has random tables too. */
export type System = SqlSystem | 'cassandra'
export type Place = Omit<SqlPlace, 'system'> & { readonly system: System }

/** The declared type of a column, and SQL expressions that the server accepts for it. */
export type DrawnType = { readonly type: string; readonly values: readonly string[] }

export type DrawnColumn = {
  readonly name: string
  readonly type: string
  /** One SQL expression per row. */
  readonly values: readonly string[]
}

/** An ALTER of the table. */
export type Alter = {
  /** `back` undoes the alter before. */
  readonly what:
    | 'add' | 'add default' | 'drop' | 'rename' | 'retype' | 'swap' | 'rename table' | 'swap tables' | 'not null' | 'null' | 'default' | 'expression' | 'back' // prettier-ignore
  /** Index of the column, modulo the number of columns. */
  readonly at: number
  /** The new name, type and values. */
  readonly column: DrawnColumn
}

export type DrawnTable = {
  readonly system: System
  readonly name: string
  readonly columns: readonly DrawnColumn[]
  /** Indexes of the primary key columns. */
  readonly key: readonly number[]
  /** Clauses after the column list. */
  readonly options: string
  /** Statements that change how sessions of the database read and write; executed once the rows are inserted. */
  readonly settings: readonly string[]
  /** The same for the other side. */
  readonly targetSettings?: readonly string[]
  /** Executed between changes of rows, if the table is replicated. */
  readonly alters?: readonly Alter[]
}

export type Judged = {
  /** Column names, as the server reports them. */
  readonly columns: readonly string[]
  /** The server's own text for each value; rows are sorted by these texts. */
  readonly rows: readonly (readonly string[])[]
}

/** All functions take quoted names. */
export type Clauses = {
  retype(column: string, type: string): string
  nullable(column: string, type: string, isNullable: boolean): string
  expression(column: string, expression: string, kind: string): string
  /** A whole statement. */
  like(name: string, table: string): string
}

/** A system, with everything that the suite uses of it. */
export type DrawnSystem = {
  readonly system: System
  /** Types that the server of this place supports, each with values that it accepts; always in the same order. */
  types(place: Place): Promise<readonly DrawnType[]>
  /** Statements that create user-defined types, before the table. */
  readonly first: readonly string[]
  options(random: Random): string
  /** @param database name of the database */
  settings(random: Random, database: string): readonly string[]
  quote(name: string): string
  /**
   * Clauses of ALTER TABLE, and a table like another, which differ between systems; absent if the system has no stream.
   */
  readonly clauses?: Clauses
  /** Statement that deletes all rows; DELETE if absent. */
  empty?(name: string): string
  /** Clause after the values of a row. */
  behind?(row: readonly string[]): string
  /** The judged texts without what other systems lack. */
  timeless?(judged: Judged): Judged
  /** Statements that begin a session: the server then accepts what a strict one refuses, and finds the table by its name. */
  readonly loose: readonly string[]
  /** Name of the only table that does not belong to sluice, as SQL; empty if there is none. */
  tableOf(place: Place): Promise<string>
  judge(place: Place, table: string): Promise<Judged>
}

/** Statements that create the user-defined types of the table. */
export function definitionsOf({ first }: DrawnSystem, { columns }: DrawnTable): readonly string[] {
  return first.filter((one) => columns.some(({ type }) => mentions(type, one)))
}

/** Statements that create the table without rows. */
export function statementsOf(system: DrawnSystem, table: DrawnTable): readonly string[] {
  const { quote } = system
  const { name, columns, key, options } = table
  const parts = columns.map((column) => `${quote(column.name)} ${column.type}`)
  if (key.length > 0) parts.push(`PRIMARY KEY (${key.map((at) => quote(columns[at]?.name ?? '')).join(', ')})`)
  return [
    ...definitionsOf(system, table),
    `CREATE TABLE ${quote(name)} (${parts.join(', ')})${options === '' ? '' : ` ${options}`}`,
  ]
}

/**
 * A definition is needed if the column type contains its name, or one of the names in the comment of a CREATE
 * EXTENSION.
 */
function mentions(type: string, definition: string): boolean {
  const name = /^CREATE (?:TYPE|DOMAIN|COLLATION) (\w+)/.exec(definition)?.[1]
  const names = name === undefined ? (/\/\* (.*) \*\//.exec(definition)?.[1] ?? '').split(' ') : [name]
  return names.some((one) => new RegExp(`\\b${one}\\b`).test(type))
}

export function rowsOf({ columns }: DrawnTable): readonly (readonly string[])[] {
  return (columns[0]?.values ?? []).map((_, row) => columns.map(({ values }) => values[row] ?? 'NULL'))
}

export function insertOf(
  { quote, behind }: DrawnSystem,
  { name, columns }: DrawnTable,
  row: readonly string[],
): string {
  const names = columns.map((one) => quote(one.name)).join(', ')
  return `INSERT INTO ${quote(name)} (${names}) VALUES (${row.join(', ')}) ${behind?.(row) ?? ''}`.trimEnd()
}

/** Statement that deletes all rows of the table. */
export function emptied({ quote, empty }: DrawnSystem, { name }: DrawnTable): string {
  return empty?.(quote(name)) ?? `DELETE FROM ${quote(name)}`
}

/** The table as SQL statements; ALTERs are given by their kind. */
export function sqlOf(system: DrawnSystem, table: DrawnTable): string {
  const rows = rowsOf(table).map((row) => insertOf(system, table, row))
  const alters = (table.alters ?? []).map(({ what, at, column }) => `-- ${what} ${at}, ${JSON.stringify(column)}`)
  const there = (table.targetSettings ?? []).map((one) => `-- at the target: ${one}`)
  return [...system.loose, ...statementsOf(system, table), ...rows, ...table.settings]
    .map((one) => `${one};`)
    .concat(there, alters)
    .join('\n')
}

/**
 * Creates the table as far as the server accepts it: without its options, its key or its names if the server refuses
 * them, and without refused rows.
 * @returns what was created; null if nothing
 */
export async function makeTable(system: DrawnSystem, place: Place, drawn: DrawnTable): Promise<DrawnTable | null> {
  const table = await declared(system, place, drawn)
  if (table === null) return null
  const taken = await insertedRows(system, place, table)
  if (taken.length === 0 || !(await takes(place, table.settings))) return null
  return { ...table, columns: table.columns.map((one, at) => ({ ...one, values: taken.map((row) => row[at] ?? '') })) }
}

async function declared(system: DrawnSystem, place: Place, table: DrawnTable): Promise<DrawnTable | null> {
  const named = { ...table, name: 't', columns: table.columns.map((one, at) => ({ ...one, name: `c${at}` })) }
  const kinds = [table, { ...table, options: '' }, { ...table, key: [] }, named, { ...named, key: [], options: '' }]
  for (const one of kinds) if (await takes(place, statementsOf(system, one))) return one
  return null
}

async function insertedRows(
  system: DrawnSystem,
  place: Place,
  table: DrawnTable,
): Promise<readonly (readonly string[])[]> {
  const rows = rowsOf(table)
  const inserts = rows.map((row) => insertOf(system, table, row))
  const taken: (readonly string[])[] = []
  if (await takes(place, [...system.loose, ...inserts])) return rows
  await place.sql(emptied(system, table))
  for (const [at, row] of rows.entries()) if (await takes(place, [...system.loose, inserts[at] ?? ''])) taken.push(row)
  return taken
}

/** Whether the server accepts all of these statements. */
async function takes({ sql }: Place, statements: readonly string[]): Promise<boolean> {
  if (statements.length === 0) return true
  return await sql(...statements).then(
    () => true,
    () => false,
  )
}

/** Columns that a message of the program names. */
export function namedIn(text: string, { columns }: DrawnTable): readonly number[] {
  const isNamed = (name: string): boolean =>
    /^\w+$/.test(name) ? new RegExp(`\\b${name}\\b`).test(text) : text.includes(name)
  return columns.flatMap(({ name }, at) => (isNamed(name) ? [at] : []))
}

/** The table without some of its columns. */
export function withoutColumns(table: DrawnTable, gone: readonly number[]): DrawnTable {
  const left = table.columns.map((_, at) => at).filter((at) => !gone.includes(at))
  const key = table.key.filter((at) => !gone.includes(at)).map((at) => left.indexOf(at))
  return { ...table, columns: left.map((at) => table.columns[at] as DrawnColumn), key }
}

/**
 * The first value that differs between both sides, as text; empty if they are equal except for `lacking` missing rows.
 */
export function differenceOf(left: Judged, right: Judged, lacking: number): string {
  if (left.columns.join('\n') !== right.columns.join('\n'))
    return `columns ${left.columns.join(', ')} became ${right.columns.join(', ')}`
  const [here, there] = [linesOf(left), linesOf(right)]
  const missing = without(here, there)
  const surplus = without(there, here)
  if (surplus.length === 0 && missing.length === lacking) return ''
  return `${missing[0] ?? 'nothing'} became ${surplus[0] ?? 'nothing'} (${here.length} rows, ${there.length} there, ${lacking} quarantined)`
}

export function linesOf({ rows }: Judged): readonly string[] {
  return rows.map((row) => JSON.stringify(row))
}

/** Elements of `all` that are not in `others`, counting repetitions. */
function without(all: readonly string[], others: readonly string[]): readonly string[] {
  const left = [...others]
  return all.filter((one) => {
    const at = left.indexOf(one)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}
