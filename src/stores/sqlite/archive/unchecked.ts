/** CHECK constraints of SQLite. Rows may violate them if they were written while `ignore_check_constraints` was on. */
import type Database from 'better-sqlite3'
import type { UncheckedConstraint } from '../../../model/archive/constraints-port.ts'
import { closingBracket, maskedCode, nameAt } from '../../common/definition-text.ts'
import { foldedDefinitionOf } from '../copy/shape.ts'

/**
 * Returns CHECK constraints only, because connections of sluice do not enforce foreign keys. The constraints are parsed
 * from the definition of the table: SQLite does not list them.
 */
export function sqliteUnchecked(connection: Database.Database, name: string): readonly UncheckedConstraint[] {
  const sql = foldedDefinitionOf(connection, name)
  return sql === null ? [] : checksIn(sql)
}

/** @param sql a CREATE TABLE statement */
export function checksIn(sql: string): readonly UncheckedConstraint[] {
  const code = maskedCode(sql, 'brackets')
  return [...code.matchAll(/\bCHECK\s*\(/gi)].map(({ index, 0: { length } }) => {
    const expression = sql.slice(index + length, closingBracket(code, index + length))
    const named = nameBefore(sql, code, index)
    // The line end before the bracket is needed: a comment at the end of the expression would hide the bracket.
    return { constraint: `CHECK ${named ?? `(${expression.trim()})`}`, violated: `NOT (${expression}\n)` }
  })
}

/** The name in a CONSTRAINT clause that ends before a position; null if there is none. */
function nameBefore(sql: string, code: string, end: number): string | null {
  const at = code.toUpperCase().lastIndexOf('CONSTRAINT', end)
  const named = at === -1 ? null : nameAt(sql.slice(at + 'CONSTRAINT'.length, end), 'brackets')
  return named === null || maskedCode(named.rest, 'brackets').trim() !== '' ? null : named.name
}
