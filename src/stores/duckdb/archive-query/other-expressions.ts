/** Refuses expressions that the source computes differently, so that no answer silently differs from the source's. */
import type { ArgumentTest, ExpressionRules, OtherExpression } from '../../../model/archive/expressions.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { definitionTokens, maskedCode } from '../../common/definition-text.ts'
import type { PlanJson } from './needs.ts'

export type Node = { readonly [key: string]: PlanJson }

/** @throws SluiceError BAD_QUERY for a cast or a literal that has another result in the source */
export function refuseOtherCasts(sql: string, { casts, escapes }: ExpressionRules): void {
  const code = maskedCode(sql, 'standard', "'")
  for (const { written, what, instead } of casts) {
    const found = written.exec(code)
    if (found !== null) throw otherAnswer(found[0].trim(), what, instead)
  }
  if (escapes === undefined) return
  const tokens = definitionTokens(sql)
  const escaped = tokens.find(
    ({ is, text }, i) => is === 'quoted' && escapes.written.test(text) && !/^e$/i.test(tokens[i - 1]?.text ?? ''),
  )
  if (escaped !== undefined) throw otherAnswer(`'${escaped.text}'`, escapes.what, escapes.instead)
}

export function otherAnswer(name: string, what: string, hint: string): SluiceError {
  return new SluiceError('BAD_QUERY', `${name} ${what}`, {
    reason:
      'DuckDB computes the answer for rows of the table and of the archive, and the database would compute another answer',
    hint,
  })
}

/** Floating point numbers of a statement: it reads a column of them, or has literals or casts that make them. */
type Reals = { readonly read: boolean; readonly made: boolean }

/** True for a plan of `json_serialize_plan`; false for the error if DuckDB cannot plan the statement. */
export function isPlan(part: PlanJson): boolean {
  return isNode(part) && part['error'] === false
}

/**
 * @param plan of the statement before any optimizer
 * @throws SluiceError BAD_QUERY
 */
export function refuseOtherExpressions(plan: PlanJson, { division, others }: ExpressionRules, reals: Reals): void {
  if (!isPlan(plan)) {
    throw otherAnswer(
      'The statement',
      'has no plan in DuckDB that shows its expressions',
      'write it as SELECT, without functions that read files',
    )
  }
  const rounded = reals.made ? others.filter(({ where }) => where === 'real') : []
  const found =
    otherIn(division === 'cuts' ? withCutDivisions(plan) : plan, others, reals) ?? otherIn(plan, rounded, reals)
  if (found === null) return
  const [name, { what, instead }] = found
  throw otherAnswer(name, what, instead)
}

/**
 * `json_serialize_plan` ignores the setting that divisions of whole numbers drop the fraction. Whole numbers that the
 * statement itself casts to floating point numbers are the same in the plan.
 */
function withCutDivisions(part: PlanJson): PlanJson {
  if (part === null || typeof part !== 'object') return part
  if (Array.isArray(part)) return part.map(withCutDivisions)
  const node = Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, withCutDivisions(inner)]))
  const called = callOf(node)
  const isCut = called?.name === '/' && called.parts.every((one) => WHOLE.has(typeOf(withoutCast(one))))
  return isCut ? { ...node, name: '//', return_type: { id: 'BIGINT' } } : node
}

function otherIn(
  part: PlanJson,
  others: readonly OtherExpression[],
  reals: Reals,
): readonly [string, OtherExpression] | null {
  if (part === null || typeof part !== 'object') return null
  for (const inner of Object.values(part)) {
    const found = otherIn(inner, others, reals)
    if (found !== null) return found
  }
  if (Array.isArray(part)) return null
  const node = part as Node
  const called = callOf(node)
  if (called === null) return null
  const rule = others.find(
    ({ names, where }) => names.includes(called.name) && isWhere(where, called.parts, reals, node),
  )
  return rule === undefined ? null : [called.name, rule]
}

/** Name and arguments of a function, also over a window, or of a cast; null for anything else. */
export function callOf(node: Node): { readonly name: string; readonly parts: readonly Node[] } | null {
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
const REALS: ReadonlySet<string> = new Set(['FLOAT', 'DOUBLE'])
const MOMENTS: ReadonlySet<string> = new Set(['DATE', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE'])

/** @param node the call itself */
function isWhere(where: ArgumentTest | undefined, parts: readonly Node[], { read, made }: Reals, node: Node): boolean {
  const types = parts.map(typeOf)
  if (where instanceof RegExp) {
    const text = parts.find((part) => typeOf(part) === 'VARCHAR')
    const found = constantOf(text)
    return text !== undefined && (typeof found !== 'string' || where.test(found))
  }
  if (typeof where === 'number') return parts.length === where
  const second = constantOf(parts[1])
  if (typeof where === 'object') {
    if ('constant' in where) {
      const text = constantOf(parts[0])
      return typeof text === 'string' && types[0] === 'VARCHAR' && where.constant.test(text)
    }
    if ('notFrom' in where) return callOf(parts[0] ?? {})?.name !== where.notFrom
    if ('not' in where) return !where.not.includes(types[0] ?? '')
    return types[1] === 'VARCHAR' && (typeof second !== 'string' || where.second.test(second))
  }
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
      return (read || made) && (types[0] === 'DOUBLE' || types[0] === 'FLOAT')
    case 'rounded': {
      const [, digits = ''] = /\.(\d*?)0*$/.exec(String(constantOf(parts[0]))) ?? []
      return types[0] === 'VARCHAR' && digits.length > scaleOf(node['return_type'])
    }
    case 'decimal':
      return parts.map(withoutCast).some((part) => typeOf(part) === 'DECIMAL' && !hasFraction(part))
    case 'negative':
      return typeof second === 'number' && second < 0
    case 'outside': {
      const length = constantOf(parts[2])
      return second === 0 || (typeof second === 'number' && second < -1) || (typeof length === 'number' && length < 0)
    }
    case 'boolean':
      return parts.some((part) => typeOf(withoutCast(part)) === 'BOOLEAN')
    case 'float':
      return types.includes('FLOAT')
    case 'widened':
      return parts.some((part) => typeOf(part) === 'DOUBLE' && typeOf(withoutCast(part)) === 'FLOAT')
    case 'mixed':
      return types.includes('FLOAT') && parts.some((part) => typeOf(withoutCast(part)) !== 'FLOAT')
    case 'quotient':
      return !isShort(parts[1]) && !parts.map(withoutCast).some((part) => isReal(part, read))
    case 'moment':
      return types.some((type) => MOMENTS.has(type)) && !types.includes('INTERVAL')
  }
}

function withoutCast(part: Node): Node {
  return part['expression_class'] === 'BOUND_CAST' && isNode(part['child']) ? part['child'] : part
}

/** True if the expression has a constant with a decimal point, such as 1.0. @param of types of the constant */
function hasFraction(part: PlanJson, of = FRACTIONS): boolean {
  if (part === null || typeof part !== 'object') return false
  if (isNode(part) && part['expression_class'] === 'BOUND_CONSTANT') return of.has(typeOf(part))
  return Object.values(part).some((inner) => hasFraction(inner, of))
}

/** True for a number with double precision in the source, too: there, averages of other numbers have none. */
function isReal(part: Node, readsReal: boolean): boolean {
  const type = typeOf(part)
  return type === 'VARCHAR' || (REALS.has(type) && (readsReal || hasFraction(part, REALS)))
}

/** True for a constant divisor, such as 2 or 100, whose quotients have at most 4 digits more than the dividend. */
function isShort(divisor: Node | undefined): boolean {
  const digits = constantOf(divisor)
  if (typeof digits !== 'number' || divisor === undefined) return false
  const { value } = withoutCast(divisor)
  const scale = scaleOf(isNode(value) ? value['type'] : undefined)
  return digits === 0 || Number.isInteger((10_000 * 10 ** scale) / digits)
}

/** Digits behind the point of a DECIMAL; 0 for any other type. */
function scaleOf(type: PlanJson | undefined): number {
  const info = isNode(type) ? type['type_info'] : undefined
  return isNode(info) && typeof info['scale'] === 'number' ? info['scale'] : 0
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

export function typeOf({ return_type: type, value, expression_class: kind }: Node): string {
  if (CONDITIONS.has(kind)) return 'BOOLEAN'
  const found = isNode(type) ? type : isNode(value) && isNode(value['type']) ? value['type'] : null
  return found !== null && typeof found['id'] === 'string' ? found['id'] : ''
}

export function isNode(part: PlanJson | undefined): part is Node {
  return part !== null && typeof part === 'object' && !Array.isArray(part)
}
