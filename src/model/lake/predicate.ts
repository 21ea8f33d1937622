/**
 * Conditions of `--where`: columns compared with literals, `IN`, `BETWEEN`, `IS NULL`, `LIKE`, joined by `AND`, `OR`,
 * `NOT`. Plain data; the evaluator interprets literals by the column's type.
 */
import { backquotedName, sqlLiteral } from '../../shared/sql-text.ts'
import type { ColumnRef, Condition, LiteralValue, Predicate } from './condition.ts'
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

function renderLiteral(value: LiteralValue): string {
  switch (value.kind) {
    case 'number':
      return value.text
    case 'boolean':
      return value.value ? 'TRUE' : 'FALSE'
    case 'null':
      return 'NULL'
    default: {
      const quoted = sqlLiteral(value.text)
      return value.kind === 'string' ? quoted : `${value.kind.toUpperCase()} ${quoted}`
    }
  }
}

function renderInner(condition: Condition, parent: 'or' | 'and' | 'not'): string {
  const text = renderCondition(condition)
  const needsParentheses = condition.kind === 'or' || (condition.kind === 'and' && parent === 'not')
  return needsParentheses ? `(${text})` : text
}

/** A condition as text that parses to the same condition. */
export function renderCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'and':
    case 'or': {
      const parts = condition.parts.map((part) => renderInner(part, condition.kind))
      return parts.join(` ${condition.kind.toUpperCase()} `)
    }
    case 'not':
      return `NOT ${renderInner(condition.part, 'not')}`
    case 'compare':
      return `${renderColumn(condition.column)} ${condition.op} ${renderLiteral(condition.value)}`
    case 'in':
    case 'like':
    case 'between': {
      const column = renderColumn(condition.column) + (condition.negated ? ' NOT' : '')
      if (condition.kind === 'in') return `${column} IN (${condition.values.map(renderLiteral).join(', ')})`
      if (condition.kind === 'like') return `${column} LIKE ${renderLiteral(condition.pattern)}`
      return `${column} BETWEEN ${renderLiteral(condition.low)} AND ${renderLiteral(condition.high)}`
    }
    default:
      return `${renderColumn(condition.column)} IS ${condition.negated ? 'NOT ' : ''}NULL`
  }
}

/** The predicate in canonical spelling: upper-case keywords, `<>` for `!=`, no unnecessary parentheses. */
export function renderPredicate(predicate: Predicate): string {
  return renderCondition(predicate.root)
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
