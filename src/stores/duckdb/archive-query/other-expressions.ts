/** Refuses expressions that the source computes differently, so that no answer silently differs from the source's. */
import type { ArgumentTest, ExpressionRules, OtherExpression } from '../../../model/archive/expressions.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { definitionCode } from '../../common/definition-text.ts'
import { parsedPlan, type PlanJson } from './needs.ts'

type Node = { readonly [key: string]: PlanJson }

/** A type of texts with its length, which the plan does not have. */
const SIZED = /\b(?:nchar|nvarchar|bpchar|varchar|char|character|text|string)(?:\s+varying)?\s*\(\s*\d+\s*\)/i
/** A cast to `char` without a length. */
const CHAR = /::\s*(?:char|character)\b(?!\s+varying)|\bas\s+(?:char|character)(?=\s*\))/i

/** @throws SluiceError BAD_QUERY for a cast to a text of limited length, if it cuts the text in the source */
export function refuseCutTexts(sql: string, { cutsTexts }: ExpressionRules): void {
  if (cutsTexts === 'never') return
  const code = definitionCode(sql)
  const found = SIZED.exec(code) ?? (cutsTexts === 'also char' ? CHAR.exec(code) : null)
  if (found === null) return
  const what = 'is a cast that cuts the text in the database, and not in DuckDB'
  throw otherAnswer(found[0], what, 'left(t, 3) has the first 3 characters')
}

function otherAnswer(name: string, what: string, hint: string): SluiceError {
  return new SluiceError('BAD_QUERY', `${name} ${what}`, {
    reason:
      'DuckDB computes the answer for rows of the table and of the archive, and the database would compute another answer',
    hint,
  })
}

/**
 * @param plan of the statement before any optimizer, as `json_serialize_plan` writes it
 * @param readsReal true if the statement reads a column of floating point numbers
 * @throws SluiceError BAD_QUERY
 */
export function refuseOtherExpressions(plan: string, { others }: ExpressionRules, readsReal: boolean): void {
  const found = otherIn(parsedPlan(plan), others, readsReal)
  if (found === null) return
  const [name, { what, instead }] = found
  throw otherAnswer(name, what, instead)
}

function otherIn(
  part: PlanJson,
  others: readonly OtherExpression[],
  readsReal: boolean,
): readonly [string, OtherExpression] | null {
  if (part === null || typeof part !== 'object') return null
  for (const inner of Object.values(part)) {
    const found = otherIn(inner, others, readsReal)
    if (found !== null) return found
  }
  if (Array.isArray(part)) return null
  const node = part as Node
  const called = callOf(node)
  if (called === null) return null
  const rule = others.find(({ names, where }) => names.includes(called.name) && isWhere(where, called.parts, readsReal))
  return rule === undefined ? null : [called.name, rule]
}

/** Name and arguments of a function, also over a window, or of a cast; null for anything else. */
function callOf(node: Node): { readonly name: string; readonly parts: readonly Node[] } | null {
  const { expression_class: kind, name, children, child } = node
  if (kind === 'BOUND_CAST') {
    const to = typeOf(node)
    return isNode(child)
      ? { name: WHOLE.has(to) ? 'CAST' : `CAST to ${to === 'VARCHAR' ? 'text' : to}`, parts: [child] }
      : null
  }
  if (typeof name !== 'string' || !Array.isArray(children)) return null
  return typeof kind === 'string' && CALLS.has(kind) ? { name, parts: children.filter(isNode) } : null
}

const CALLS: ReadonlySet<string> = new Set(['BOUND_FUNCTION', 'BOUND_AGGREGATE', 'BOUND_WINDOW'])
/** Expressions without a type in the plan, which are booleans. */
const CONDITIONS: ReadonlySet<PlanJson | undefined> = new Set([
  'BOUND_COMPARISON',
  'BOUND_CONJUNCTION',
  'BOUND_BETWEEN',
])

const WHOLE: ReadonlySet<string> = new Set(['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT'])
const FRACTIONS: ReadonlySet<string> = new Set(['FLOAT', 'DOUBLE', 'DECIMAL'])
const MOMENTS: ReadonlySet<string> = new Set(['DATE', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE'])

function isWhere(where: ArgumentTest | undefined, parts: readonly Node[], readsReal: boolean): boolean {
  const types = parts.map(typeOf)
  if (where instanceof RegExp) {
    const text = parts.find((part) => typeOf(part) === 'VARCHAR')
    const found = constantOf(text)
    return text !== undefined && (typeof found !== 'string' || where.test(found))
  }
  if (typeof where === 'number') return parts.length === where
  if (typeof where === 'object') return !where.not.includes(types[0] ?? '')
  const second = constantOf(parts[1])
  switch (where) {
    case undefined:
      return true
    case 'text':
      return types[0] === 'VARCHAR'
    case 'fraction':
      return types.some((type) => FRACTIONS.has(type))
    case 'real':
      // DuckDB averages whole numbers as floating point numbers, but the source does not: without a column of floating
      // point numbers, the argument may be such an average.
      return readsReal && (types[0] === 'DOUBLE' || types[0] === 'FLOAT')
    case 'decimal':
      return parts.map(withoutCast).some((part) => typeOf(part) === 'DECIMAL' && !hasFraction(part))
    case 'negative':
      return typeof second === 'number' && second < 0
    case 'zero':
      return second === 0
    case 'letters':
      return typeof second !== 'string' || /\p{L}/u.test(second)
    case 'pattern':
      return typeof second !== 'string' || second.includes('\\')
    case 'boolean':
      return parts.some((part) => typeOf(withoutCast(part)) === 'BOOLEAN')
    case 'float':
      return types.includes('FLOAT')
    case 'widened':
      return parts.some((part) => typeOf(part) === 'DOUBLE' && typeOf(withoutCast(part)) === 'FLOAT')
    case 'mixed':
      return types.includes('FLOAT') && parts.some((part) => typeOf(withoutCast(part)) !== 'FLOAT')
    case 'moment':
      return types.some((type) => MOMENTS.has(type)) && !types.includes('INTERVAL')
  }
}

function withoutCast(part: Node): Node {
  return part['expression_class'] === 'BOUND_CAST' && isNode(part['child']) ? part['child'] : part
}

/** True if the expression has a constant with a decimal point, such as 1.0. */
function hasFraction(part: PlanJson): boolean {
  if (part === null || typeof part !== 'object') return false
  if (isNode(part) && part['expression_class'] === 'BOUND_CONSTANT') return FRACTIONS.has(typeOf(part))
  return Object.values(part).some(hasFraction)
}

/** The value of a constant, also below casts and a sign; null if it is no constant. */
function constantOf(part: Node | undefined): number | string | null {
  if (part === undefined) return null
  const { expression_class: kind, value, child, children, name } = part
  if (kind === 'BOUND_CAST') return isNode(child) ? constantOf(child) : null
  if (kind === 'BOUND_FUNCTION' && name === '-' && Array.isArray(children) && children.length === 1) {
    const inner = constantOf(children.filter(isNode)[0])
    return typeof inner === 'number' ? -inner : null
  }
  const found = kind === 'BOUND_CONSTANT' && isNode(value) ? value['value'] : null
  return typeof found === 'number' || typeof found === 'string' ? found : null
}

function typeOf({ return_type: type, value, expression_class: kind }: Node): string {
  if (CONDITIONS.has(kind)) return 'BOOLEAN'
  const found = isNode(type) ? type : isNode(value) && isNode(value['type']) ? value['type'] : null
  return found !== null && typeof found['id'] === 'string' ? found['id'] : ''
}

function isNode(part: PlanJson | undefined): part is Node {
  return part !== null && typeof part === 'object' && !Array.isArray(part)
}
