/** Table names, in SQL and in the patterns of users. */
import { quotedTable, type TableName } from '../../../model/copy/column-type.ts'
import { foldedText, namePattern } from '../../../shared/name-pattern.ts'
import { backquotedName } from '../../../shared/sql-text.ts'
import { quoted } from '../load.ts'

export { quoted } from '../load.ts'

/**
 * True for NULL only. In a NOT NULL date column, `IS NULL` is also true for 0000-00-00, even for a row that an outer
 * join has found. With `sql_auto_is_null`, `IS NULL` is true for the id generated last. `IS NOT NULL` works as in other
 * systems.
 * @param name quoted
 */
export function isNull(name: string): string {
  return `(${name} <=> NULL)`
}

/** `"db"."table"`, for sessions of sluice, which have ANSI_QUOTES. */
export function mysqlTableSql({ schema, name }: TableName): string {
  return schema === undefined ? quoted(name) : `${quoted(schema)}.${quoted(name)}`
}

/** The qualified name of a table in backticks, which every sql_mode accepts. */
export function backquotedTable({ schema, name }: TableName): string {
  return schema === undefined ? backquotedName(name) : `${backquotedName(schema)}.${backquotedName(name)}`
}

export type TablePattern = {
  /** Null for the database of the URL. */
  readonly schema: NameTest | null
  readonly table: NameTest
}

export type NameTest = (name: string) => boolean

/**
 * @param pattern `db.table` or `table`, with `*` for any characters; a part with a dot or a `*` in double quotes
 * @param folded true if the server ignores case in names
 */
export function tablePattern(pattern: string, folded: boolean): TablePattern {
  const letters = folded ? 'unicode' : 'exact'
  const inQuotes = quotedTable(pattern)
  if (inQuotes !== null && /"[^"]*[.*][^"]*"/.test(pattern)) {
    const same =
      (text: string): NameTest =>
      (name) =>
        foldedText(name, letters) === foldedText(text, letters)
    return { schema: inQuotes.schema === undefined ? null : same(inQuotes.schema), table: same(inQuotes.name) }
  }
  const dot = pattern.indexOf('.')
  const fits = (text: string): NameTest => namePattern(text, letters)
  return dot < 0
    ? { schema: null, table: fits(pattern) }
    : { schema: fits(pattern.slice(0, dot)), table: fits(pattern.slice(dot + 1)) }
}

/**
 * True if the dictionary can hold the name. Its texts are utf8mb3, and comparing them with a name that has other
 * characters is an error.
 */
export function isDictionaryName(name: string): boolean {
  return !/[\u{10000}-\u{10ffff}]/u.test(name)
}
