/** Names of tables: in SQL, and in the patterns that people write. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { namePattern } from '../../../shared/name-pattern.ts'
import { quoted } from '../load.ts'

export { quoted } from '../load.ts'

/**
 * True of NULL, and of nothing else. In a column of days that is NOT NULL, `IS NULL` is true of 0000-00-00, too, and so is `t.day IS NULL` of a row that an outer join
 * has found; where `sql_auto_is_null` is set, it is true of the id that was given last. `IS NOT NULL` is as anywhere.
 * @param name quoted
 */
export function isNull(name: string): string {
  return `(${name} <=> NULL)`
}

/** `"db"."table"`, as sessions of ours read it. */
export function tableSql({ schema, name }: TableName): string {
  return schema === undefined ? quoted(name) : `${quoted(schema)}.${quoted(name)}`
}

export type TablePattern = {
  /** Null for the database of the URL. */
  readonly schema: NameTest | null
  readonly table: NameTest
}

export type NameTest = (name: string) => boolean

/**
 * @param pattern `db.table` or `table`, each with `*` for any characters
 * @param folded whether the server takes `A` and `a` in names for the same
 */
export function tablePattern(pattern: string, folded: boolean): TablePattern {
  const dot = pattern.indexOf('.')
  const fits = (text: string): NameTest => namePattern(text, folded ? 'unicode' : 'exact')
  return dot < 0
    ? { schema: null, table: fits(pattern) }
    : { schema: fits(pattern.slice(0, dot)), table: fits(pattern.slice(dot + 1)) }
}

/** Whether the dictionary can hold the name: it is utf8mb3, and a comparison with letters beyond that is an error. */
export function isDictionaryName(name: string): boolean {
  return !/[\u{10000}-\u{10ffff}]/u.test(name)
}
