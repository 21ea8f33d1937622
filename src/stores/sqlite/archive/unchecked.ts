/** CHECK constraints of SQLite. Rows may violate them if they were written while `ignore_check_constraints` was on. */
import type Database from 'better-sqlite3'
import type { UncheckedConstraint } from '../../../model/archive/constraints-port.ts'
import { declaredChecks } from '../../common/sqlite-dialect/table-facts.ts'
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
  return declaredChecks(sql).map(({ name, expression }) => ({
    constraint: `CHECK ${name ?? `(${expression.trim()})`}`,
    // The line end before the bracket is needed: a comment at the end of the expression would hide the bracket.
    violated: `NOT (${expression}\n)`,
  }))
}
