/** Columns in the text of a CREATE TABLE, and the expressions of generated columns. */
import { bracketElements, closingBracket, maskedCode, nameAt, type Quoting } from './definition-text.ts'

export type ColumnDefinition = { readonly column: string; readonly text: string; readonly code: string }

/** Definitions of columns. A constraint is included under its first word, as if that were a column's name. */
export function columnsIn(sql: string, quoting: Quoting = 'standard'): readonly ColumnDefinition[] {
  return bracketElements(sql, quoting).flatMap((element) => {
    const named = nameAt(element, quoting)
    if (named === null) return []
    return [{ column: named.name, text: named.rest, code: maskedCode(named.rest, quoting) }]
  })
}

/** The expression in the brackets of `[GENERATED ALWAYS] AS (a + b) STORED`. */
export function expressionIn(code: string, text: string): { readonly sql: string; readonly stored: boolean } | null {
  const found = /\bAS\s*\(/i.exec(code)
  if (found === null) return null
  const from = found.index + found[0].length
  const end = closingBracket(code, from)
  return { sql: text.slice(from, end), stored: /^\s*STORED\b/i.test(code.slice(end + 1)) }
}
