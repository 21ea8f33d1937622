/** Finds rows that refer to rows of a table by a foreign key, in SQL that several systems understand. */
import type { TableName } from '../../model/copy/column-type.ts'
import type { CountedKey, Referrer } from '../../model/archive/constraints-port.ts'

export type ReferringDialect = {
  readonly quote: (name: string) => string
  readonly table: (name: TableName) => string
  /** SQL that converts an expression to text. */
  readonly text: (expression: string) => string
}

/**
 * @param condition selects rows of the table, in the system's SQL, with unqualified column names; null for all rows
 * @returns a statement that finds one referring row, and returns its referring columns. Each referring row costs a
 * lookup in the referenced unique index
 */
export function referringSql(
  table: TableName,
  referrer: Referrer,
  condition: string | null,
  { quote, table: tableSql, text }: ReferringDialect,
): string {
  const { table: child, columns, own } = referrer
  const values = columns.map((name) => text(`f.${quote(name)}`)).join(', ')
  const within = condition === null ? '' : ` AND (${condition})`
  // Rows that are removed together may refer to each other.
  const besides = own && condition !== null ? ` AND (${condition}) IS NOT TRUE` : ''
  return `SELECT ${values} FROM ${tableSql(child)} f WHERE EXISTS (SELECT 1 FROM ${tableSql(table)} t WHERE ${isReferred(referrer, quote)}${within})${besides} LIMIT 1`
}

/**
 * @param isGone true if the referenced table does not exist
 * @returns a statement for the number of rows that refer to a missing row
 */
export function orphansSql(
  { key, parent }: CountedKey,
  { quote, table: tableSql }: Pick<ReferringDialect, 'quote' | 'table'>,
  isGone = false,
): string {
  const given = key.columns.map((name) => `f.${quote(name)} IS NOT NULL`).join(key.full === true ? ' OR ' : ' AND ')
  const rows = `SELECT count(*) FROM ${tableSql(key.table)} f WHERE (${given})`
  return isGone ? rows : `${rows} AND NOT EXISTS (SELECT 1 FROM ${tableSql(parent)} t WHERE ${isReferred(key, quote)})`
}

/**
 * A condition for rows that refer to a missing row, with unqualified names of their columns. Columns of the parent are
 * renamed, because within the subquery an unqualified name would mean the column of the parent.
 * @param parent the table that the key refers to, as in FROM
 * @param isFull true for MATCH FULL: a row with some NULLs, but not all, violates the key, too
 */
export function danglingSql(
  { columns, to, equal = [] }: Pick<Referrer, 'columns' | 'to' | 'equal'>,
  parent: string,
  quote: ReferringDialect['quote'],
  isFull = false,
): string {
  const given = columns.map((name) => `${quote(name)} IS NOT NULL`).join(isFull ? ' OR ' : ' AND ')
  const names = to.map((name, i) => `${quote(name)} AS sluice_${i}`).join(', ')
  const same = columns.map((name, i) => `sluice_${i} ${equal[i] ?? '='} ${quote(name)}`).join(' AND ')
  return `(${given}) AND NOT EXISTS (SELECT 1 FROM (SELECT ${names} FROM ${parent}) AS sluice_parent WHERE ${same})`
}

/** Condition that row `t` is the row that `f` refers to, by the operators of the foreign key. */
function isReferred({ columns, to, equal = [] }: Referrer, quote: ReferringDialect['quote']): string {
  return to.map((name, i) => `t.${quote(name)} ${equal[i] ?? '='} f.${quote(columns[i] ?? name)}`).join(' AND ')
}
