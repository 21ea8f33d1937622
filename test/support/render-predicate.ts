/** A parsed condition as text, for comparisons in tests. */
import type { Condition, LiteralValue, Predicate } from '../../src/model/lake/condition.ts'
import { renderColumn } from '../../src/model/lake/predicate.ts'
import { sqlLiteral } from '../../src/shared/sql-text.ts'

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
