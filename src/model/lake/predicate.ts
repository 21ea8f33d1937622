/**
 * Conditions of `--where`: columns compared with literals, `IN`, `BETWEEN`, `IS NULL`, `LIKE`, joined by `AND`, `OR`,
 * `NOT`. Plain data; the evaluator interprets literals by the column's type.
 */
import { backquotedName } from '../../shared/sql-text.ts'
import type { ColumnRef, Condition, Predicate } from './condition.ts'
import { RESERVED } from './predicate-lexer.ts'

export { NEGATED } from './condition.ts'
export type { ColumnRef, Comparison, Condition, Literal, LiteralValue, Predicate } from './condition.ts'
export { predicateError } from './predicate-lexer.ts'
export { parsePredicate } from './predicate-parser.ts'

function renderName(name: string): string {
  const isBare = /^[\p{L}_][\p{L}\p{M}\p{N}_$]*$/u.test(name) && !RESERVED.has(name.toUpperCase())
  return isBare ? name : backquotedName(name)
}

/** A column as it is written in a condition. */
export function renderColumn(column: Pick<ColumnRef, 'names'>): string {
  return column.names.map(renderName).join('.')
}

/** Every column once, in order of first use. */
export function predicateColumns(predicate: Predicate): readonly ColumnRef[] {
  const found = new Map<string, ColumnRef>()
  const walk = (condition: Condition): void => {
    if ('parts' in condition) condition.parts.forEach(walk)
    else if ('part' in condition) walk(condition.part)
    else {
      const key = renderColumn(condition.column)
      if (!found.has(key)) found.set(key, condition.column)
    }
  }
  walk(predicate.root)
  return [...found.values()]
}
