/**
 * Parts of a table's CREATE statement. It has expressions as they are; the dictionary is in utf8mb3 and prints '?' in
 * place of the characters that it lacks.
 */
import type { TableName } from '../../../model/copy/column-type.ts'
import { bracketElements, maskedCode, nameAt } from '../../common/definition-text.ts'
import type { MysqlSession } from '../session.ts'
import { mysqlTableSql, quoted } from './names.ts'

/** Each by its name; for a key or a check the text after the name. MariaDB names a check on a column as the column. */
export type Definitions = {
  readonly keys: ReadonlyMap<string, string>
  readonly checks: ReadonlyMap<string, string>
  readonly columns: ReadonlyMap<string, ColumnDefinition>
}

export type ColumnDefinition = {
  /** What stands before and after the clauses DEFAULT and ON UPDATE. */
  readonly before: string
  readonly after: string
  /** SQL of the DEFAULT clause; null if there is none. */
  readonly value: string | null
  /** Expression of a generated column, without brackets; null if it is not generated. */
  readonly generated: string | null
  /** From the word CHECK on; null if the column has none. */
  readonly check: string | null
}

export async function mysqlDefinitions(session: MysqlSession, table: TableName): Promise<Definitions> {
  const [created] = await session.command(`SHOW CREATE TABLE ${mysqlTableSql(table)}`)
  const keys = new Map<string, string>()
  const checks = new Map<string, string>()
  const columns = new Map<string, ColumnDefinition>()
  for (const element of bracketElements(String(created?.[1] ?? ''), 'backslash')) {
    const [, constraint, key] =
      /^(?:(CONSTRAINT)|((?:(?:UNIQUE|FULLTEXT|SPATIAL|VECTOR)\s+)?KEY))\s+/.exec(element) ?? []
    const named = nameAt(element.slice(constraint === undefined ? (key ?? '').length : constraint.length))
    if (named === null) continue
    const { name, rest } = named
    if (key !== undefined) keys.set(name, rest.trim())
    else if (constraint !== undefined) {
      if (/^\s*CHECK\b/.test(rest)) checks.set(name, rest.trim())
    } else if (/^["`]/.test(element)) {
      const column = columnDefinition(rest)
      columns.set(name, column)
      if (column.check !== null && !isJsonCheck(name, column.check)) checks.set(name, column.check)
    }
  }
  return { keys, checks, columns }
}

/** True for the check that MariaDB gives a column of type JSON. It has the quotes of the session. */
export function isJsonCheck(column: string, check: string): boolean {
  const names = [quoted(column), `\`${column.replaceAll('`', '``')}\``]
  return names.some((name) => check === `json_valid(${name})` || check === `CHECK (json_valid(${name}))`)
}

/** True if a text of the dictionary may have lost characters, or bytes that are no text. */
export function lacksCharacters(text: string): boolean {
  return text.includes('?')
}

/** Columns as the CREATE statement has them; null if it is not needed: the dictionary's texts are exact. */
export async function columnsBeyond(
  texts: readonly unknown[],
  session: MysqlSession,
  table: TableName,
): Promise<Definitions['columns'] | null> {
  if (!texts.some((text) => lacksCharacters(String(text)))) return null
  return (await mysqlDefinitions(session, table)).columns
}

/**
 * An expression in the syntax of our sessions, where a backslash is a plain character; null if other backslashes
 * remain, whose meaning is not known.
 */
export function plainExpression(sql: string, flavour: 'mysql' | 'mariadb'): string | null {
  // The dictionary of MySQL puts a backslash before every quote; a CREATE statement only before quotes within a text.
  const plain = sql.replaceAll(String.raw`\'`, flavour === 'mysql' ? "'" : "''")
  return plain.includes('\\') ? null : plain
}

/** Clauses after the type, in the order in which both servers print them. A clause may follow within a comment. */
const CLAUSES = /^(.*?)( DEFAULT .*?)?( ON UPDATE .*?)?((?: COMMENT | CHECK | {2}(?!.* DEFAULT )).*)?$/s

function columnDefinition(text: string): ColumnDefinition {
  const outline = outlineOf(text)
  const [, head = '', value, , tail = ''] = CLAUSES.exec(outline) ?? []
  const [check] = /(?<= )CHECK \(_*\)$/.exec(outline) ?? []
  const generated = /(?<= GENERATED ALWAYS AS \()[^)]*/.exec(outline)
  return {
    before: text.slice(0, head.length),
    after: text.slice(text.length - tail.length),
    value: value === undefined ? null : text.slice(head.length, head.length + value.length).slice(' DEFAULT '.length),
    check: check === undefined ? null : text.slice(outline.length - check.length),
    generated: generated === null ? null : text.slice(generated.index, generated.index + generated[0].length),
  }
}

/** The text with `_` in place of quoted parts and of all within brackets: each other character keeps its position. */
function outlineOf(text: string): string {
  let depth = 0
  return maskedCode(text, 'backslash', '_').replaceAll(/[^]/g, (char) => {
    if (char === ')') depth--
    const shown = depth > 0 ? '_' : char
    if (char === '(') depth++
    return shown
  })
}
