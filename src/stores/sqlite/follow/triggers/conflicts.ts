/**
 * Rows that REPLACE deletes (`INSERT OR REPLACE`, `UPDATE OR REPLACE`, `UNIQUE … ON CONFLICT REPLACE`) fire no delete
 * trigger unless the writer has set `recursive_triggers`. So BEFORE triggers note the keys of all rows that have the
 * same unique value as the new row. A key that is noted without need only costs a lookup of its row.
 */
import type Database from 'better-sqlite3'
import { bracketElements, maskedCode, nameAt } from '../../../common/definition-text.ts'
import { generatedExpressions } from '../../../common/sqlite-dialect/dependency-list.ts'
import { quote } from '../../../common/sqlite-dialect/ddl.ts'
import { tailOf } from '../../../common/sqlite-dialect/object-list.ts'
import type { SqliteColumnInfo } from '../../../common/sqlite-dialect/table-facts.ts'
import { foldedDefinitionOf, sqliteColumns, sqliteShape } from '../../copy/shape.ts'

/**
 * A uniqueness rule: terms over a row, each with its collation. It applies to the rows for which `where` is true; if
 * `where` is null, to all rows.
 */
export type Unique = {
  readonly name: string
  /** Definition of the index; null if it has none. */
  readonly sql: string | null
  readonly terms: readonly Term[]
  readonly where: string | null
}

/** @property column name of the column; null for an expression */
type Term = { readonly sql: string; readonly column: string | null; readonly collation: string }

/** Words that SQLite reads as values in a DEFAULT clause; it reads every other word there as a text. */
const VALUES = /^(?:NULL|TRUE|FALSE|CURRENT_(?:DATE|TIME|TIMESTAMP))$/i

type IndexRow = {
  readonly name: string
  readonly column: string | null
  readonly coll: string
  readonly partial: number
  readonly sql: string | null
}

/** All uniqueness rules of a table, including its rowid. */
export function uniquesOf(connection: Database.Database, table: string): readonly Unique[] {
  const { alias, rowid } = sqliteShape(connection, table)
  const number = alias === null ? rowid : quote(alias)
  const rows = connection
    .prepare(
      `SELECT i.name, x.name AS "column", x.coll, i.partial, s.sql FROM pragma_index_list(?) AS i JOIN pragma_index_xinfo(i.name) AS x
         LEFT JOIN main.sqlite_schema AS s ON s.type = 'index' AND s.name = i.name
       WHERE i."unique" = 1 AND x."key" = 1 ORDER BY i.name, x.seqno`,
    )
    .all(table) as IndexRow[]
  const found: Unique[] =
    number === null
      ? []
      : [{ name: 'rowid', sql: null, terms: [{ sql: number, column: alias, collation: 'BINARY' }], where: null }]
  for (const name of new Set(rows.map((one) => one.name))) found.push(uniqueOf(rows.filter((one) => one.name === name)))
  return found
}

/** @param rows the parts of one index, in order */
function uniqueOf(rows: readonly IndexRow[]): Unique {
  const [{ name, partial, sql } = { name: '', partial: 0, sql: null }] = rows
  const tail = sql === null ? '' : tailOf(sql)
  const elements = bracketElements(tail, 'brackets')
  const terms = rows.map(({ column, coll }, at): Term => {
    const collation = coll.toUpperCase()
    if (column !== null) return { sql: quote(column), column, collation }
    return { sql: `(${expressionOf(elements[at] ?? '')})`, column: null, collation }
  })
  return { name, sql, terms, where: partial === 1 ? `(${conditionOf(tail)})` : null }
}

/** An index element without its COLLATE, ASC or DESC. */
function expressionOf(element: string): string {
  const code = maskedCode(element, 'brackets', '"')
  const tail =
    /(?:(?<![\w$\u0080-\uffff])COLLATE\s*(?:"+|[^\s"()]+)\s*)?(?:(?<![\w$\u0080-\uffff])(?:ASC|DESC))?\s*$/i.exec(code)
  return element.slice(0, tail?.index ?? element.length)
}

/** @param tail of a partial index: its elements in brackets, then WHERE and the condition */
function conditionOf(tail: string): string {
  const code = maskedCode(tail, 'brackets', '"')
  let depth = 0
  for (let at = 0; at < code.length; at++) {
    if (code[at] === '(') depth++
    else if (code[at] === ')') depth--
    else if (depth === 0 && /^WHERE\b/i.test(code.slice(at, at + 6))) return tail.slice(at + 5)
  }
  throw new Error(`this is not an index with a condition: ${tail}`)
}

/** False for a rowid that is not a column, because such a rowid is not copied to targets. True for all other rules. */
export function isOfColumns({ terms, sql }: Unique): boolean {
  return sql !== null || terms.some(({ column }) => column !== null)
}

/**
 * True if the rule is the row key, compared by bytes. It needs no extra note: a new row is noted under this key anyway.
 */
export function isIdentity({ terms, where }: Unique, identity: readonly string[]): boolean {
  return (
    where === null &&
    terms.length === identity.length &&
    terms.every(({ column, collation }) => collation === 'BINARY' && column !== null && identity.includes(column))
  )
}

/**
 * Statements of triggers that fire before a row is written.
 * @param identity columns whose values are noted @param note `INSERT INTO … (…)` of the log
 */
export function conflictNotes(
  connection: Database.Database,
  table: string,
  identity: readonly string[],
  note: string,
): { readonly insert: readonly string[]; readonly update: readonly string[] } {
  const columns = newColumns(connection, table)
  const uniques = uniquesOf(connection, table).filter((one) => !isIdentity(one, identity))
  const keys = identity.map(quote).join(', ')
  const others = identity.map((name) => `${quote(name)} IS NOT OLD.${quote(name)}`).join(' OR ')
  const found = ({ terms, where }: Unique): string => {
    const same = terms.map((term) => `${term.sql} = ${newValue(term, columns)} COLLATE ${quote(term.collation)}`)
    return `${note} SELECT ${keys} FROM ${quote(table)} WHERE ${[...same, ...(where === null ? [] : [where])].join(' AND ')}`
  }
  // SQL condition: the update changes a value of the index. For an index with expressions or a condition, this is not
  // known, so the condition is: the found row is not the updated row.
  const changed = ({ terms, where }: Unique): string =>
    where !== null || terms.some(({ column, sql }) => column === null && sql.startsWith('('))
      ? others
      : terms
          .map((term) => `${newValue(term, columns)} IS NOT OLD.${term.sql} COLLATE ${quote(term.collation)}`)
          .join(' OR ')
  return {
    insert: uniques.map(found),
    update: uniques.map((one) => `${found(one)} AND (${changed(one)})`),
  }
}

/** SQL of a term's value for the new row. In an expression, columns of the new row replace those of the table. */
function newValue({ sql, column }: Term, columns: readonly NewColumn[]): string {
  if (column === null && sql.startsWith('(')) return `(SELECT ${sql} FROM (${newRow(columns)}))`
  const info = columns.find(({ name }) => name === column)
  if (info === undefined) return `NEW.${sql}`
  return info.expression !== null && columns.some(isFilled) ? `(SELECT ${sql} FROM (${newRow(columns)}))` : filled(info)
}

/**
 * The new row as it will be stored. A generated column may use other generated columns, so they are computed in several
 * passes.
 */
function newRow(columns: readonly NewColumn[]): string {
  const generated = columns.filter(({ expression }) => expression !== null)
  let row = `SELECT ${columns.map((one) => `${filled(one)} AS ${quote(one.name)}`).join(', ')}`
  if (!columns.some(isFilled)) return row
  const next = columns.map(({ name, expression }) =>
    expression === null ? quote(name) : `(${expression}) AS ${quote(name)}`,
  )
  for (const _ of generated) row = `SELECT ${next.join(', ')} FROM (${row})`
  return row
}

/** A column and, if it is generated, its expression. */
type NewColumn = SqliteColumnInfo & { readonly expression: string | null }

function newColumns(connection: Database.Database, table: string): readonly NewColumn[] {
  const expressions = generatedExpressions(foldedDefinitionOf(connection, table) ?? '')
  return sqliteColumns(connection, table).flatMap((one) => {
    if (one.hidden === 1) return []
    const made = one.hidden > 1 ? expressions.get(one.name.toLowerCase()) : undefined
    return [{ ...one, expression: made?.sql ?? null }]
  })
}

function isFilled({ notnull, dflt_value: initial }: SqliteColumnInfo): boolean {
  return notnull === 1 && initial !== null
}

/**
 * SQL of a new value. `NOT NULL ON CONFLICT REPLACE` replaces NULL by the default only after the triggers, which see
 * NULL.
 */
function filled(info: SqliteColumnInfo): string {
  const value = `NEW.${quote(info.name)}`
  return isFilled(info) ? `coalesce(${value}, (${initialOf(info.dflt_value ?? '')}))` : value
}

/** SQL of a default. SQLite reads a single name there as a text, quoted or not; in a trigger it would be a column. */
function initialOf(initial: string): string {
  const named = nameAt(initial, 'brackets')
  const isName = named?.rest.trim() === '' && !initial.trimStart().startsWith("'")
  if (named === null || !isName || VALUES.test(initial.trim())) return initial
  return `'${named.name.replaceAll("'", "''")}'`
}
