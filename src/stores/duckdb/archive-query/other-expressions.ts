/** Refuses expressions that the source computes differently, so that no answer silently differs from the source's. */
import type { ArgumentTest, ExpressionRules, OtherExpression } from '../../../model/archive/expressions.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { definitionTokens, maskedCode } from '../../common/definition-text.ts'
import type { PlanJson } from './needs.ts'

export type Node = { readonly [key: string]: PlanJson }

/** @throws SluiceError BAD_QUERY for a cast or a literal that has another result in the source */
export function refuseOtherCasts(sql: string, { casts, escapes, own }: ExpressionRules): void {
  const code = maskedCode(sql, 'standard', "'").replaceAll("'", (quote, at: number) => (sql[at] === '"' ? '"' : quote))
  // The plan shows neither macros nor calls with NULL.
  const called = new RegExp(
    String.raw`(?<![\w.])(?:${own})(?=\s*\()|\b(?:current|session)_(?:user|role|schema|catalog)\b`,
    'i',
  )
  for (const { written, what, instead } of [...casts, { written: called, ...UNPROVED }]) {
    const found = written.exec(code)
    if (found !== null) throw otherAnswer(sql.slice(found.index, found.index + found[0].length).trim(), what, instead)
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
      'DuckDB computes the answer for rows of the table and of the archive, and the database may compute another answer',
    hint,
  })
}

/** Floating point numbers of a statement: it reads a column of them, or has literals or casts that make them. */
type Reals = { readonly read: boolean; readonly made: boolean }
/** `truncated`: the statement cuts dates by date_trunc. */
type Facts = Reals & { readonly truncated: boolean }

/** True for a plan of `json_serialize_plan`; false for the error if DuckDB cannot plan the statement. */
export function isPlan(part: PlanJson): boolean {
  return isNode(part) && part['error'] === false
}

/**
 * @param plan of the statement before any optimizer
 * @throws SluiceError BAD_QUERY
 */
export function refuseOtherExpressions(plan: PlanJson, rules: ExpressionRules, reals: Reals): void {
  if (!isPlan(plan)) {
    throw otherAnswer(
      'The statement',
      'has no plan in DuckDB that shows its expressions',
      'write it as SELECT, without functions that read files',
    )
  }
  const shown = rules.division === 'cuts' ? withCutDivisions(plan) : plan
  const truncated = anyNode(plan, (node) => {
    const called = callOf(node)
    return called?.name === 'date_trunc' && signatureOf(called.parts).endsWith('D')
  })
  const facts = { ...reals, truncated }
  const judge = { same: sameOf(rules), own: new RegExp(`^(?:${rules.own})$`, 'u'), facts }
  const rounded = reals.made ? rules.others.filter(({ where }) => where === 'real') : []
  const found = otherIn(shown, { ...judge, others: rules.others }) ?? otherIn(plan, { facts, others: rounded })
  if (found === null) return
  const [name, { what, instead }] = found
  throw otherAnswer(name, what, instead)
}

type Judge = {
  readonly others: readonly OtherExpression[]
  readonly facts: Facts
  /** Equal calls by name; absent: only `others` are refused. */
  readonly same?: ReadonlyMap<string, Same>
  readonly own?: RegExp
}

const UNPROVED = {
  what: 'with arguments of these types may have another result in the database',
  instead: 'use a function that only DuckDB has, or constants as arguments, or compute it from the answer',
}

type Same = { readonly signatures: RegExp; readonly instead: string | undefined }

function sameOf({ same }: ExpressionRules): ReadonlyMap<string, Same> {
  return new Map(
    same.flatMap(([names, signatures, instead]) =>
      names.split(', ').map((name) => [name, { signatures: new RegExp(`^(?:${signatures})$`, 'su'), instead }]),
    ),
  )
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

function otherIn(part: PlanJson, judge: Judge): readonly [string, Omit<OtherExpression, 'names'>] | null {
  if (part === null || typeof part !== 'object') return null
  for (const inner of Object.values(part)) {
    const found = otherIn(inner, judge)
    if (found !== null) return found
  }
  const called = isNode(part) ? callOf(part) : null
  if (called === null || !isNode(part)) return null
  const { name, parts } = called
  const rule = judge.others.find(({ names, where }) => names.includes(name) && isWhere(where, parts, judge.facts, part))
  if (rule !== undefined) return [name, rule]
  const known = judge.same?.get(name)
  const isOwn = judge.own?.test(name) === true || (name.startsWith('CAST') && judge.same !== undefined)
  const isSame = known === undefined ? !isOwn : known.signatures.test(signatureOf(parts))
  return isSame || isIdentity(name, part, parts)
    ? null
    : [name, { ...UNPROVED, instead: known?.instead ?? UNPROVED.instead }]
}

/** True for a cast to another size of the same type. */
function isIdentity(name: string, cast: Node, [from]: readonly Node[]): boolean {
  return name.startsWith('CAST') && from !== undefined && SIGNS[typeOf(from)] === SIGNS[typeOf(cast)]
}

/** Types and constants of the arguments, as `SameCalls` describes them. */
function signatureOf(parts: readonly Node[]): string {
  const signs = parts.map((part) => {
    const [value, type] = [constantOf(part), typeOf(part)]
    if (typeof value === 'string' && type === 'VARCHAR') return `'${value.replaceAll("'", '')}'`
    if (typeof value === 'number' && WHOLE.has(type)) return value > 0 ? 'c' : value === 0 ? '0' : '-'
    return /^(?:trunc|round|floor|ceil|ceiling)$/.test(callOf(part)?.name ?? '') ? 'w' : (SIGNS[type] ?? 'o')
  })
  return signs.join('')
}

/** Name and arguments of a function, also over a window, or of a cast; null for anything else. */
export function callOf(node: Node): { readonly name: string; readonly parts: readonly Node[] } | null {
  const { expression_class: kind, name, children, child, type, left, right } = node
  if (kind === 'BOUND_COMPARISON') return { name: isEquality(type) ? '=' : '<', parts: [left, right].filter(isNode) }
  if (kind === 'BOUND_OPERATOR' && isEquality(type) && Array.isArray(children))
    return { name: '=', parts: children.filter(isNode) }
  if (kind === 'BOUND_CAST') {
    const to = typeOf(node)
    return isNode(child)
      ? { name: WHOLE.has(to) ? 'CAST' : `CAST to ${to === 'VARCHAR' ? 'text' : to}`, parts: [child] }
      : null
  }
  if (typeof name !== 'string' || !Array.isArray(children)) return null
  return typeof kind === 'string' && CALLS.has(kind) ? { name, parts: children.filter(isNode) } : null
}

/** True for =, <>, IN and IS DISTINCT FROM, which need no order. */
function isEquality(type: PlanJson | undefined): boolean {
  return typeof type === 'string' && /^COMPARE_(?:EQUAL|NOTEQUAL|DISTINCT_FROM|NOT_DISTINCT_FROM|IN|NOT_IN)$/.test(type)
}

const CALLS: ReadonlySet<string> = new Set(['BOUND_FUNCTION', 'BOUND_AGGREGATE', 'BOUND_WINDOW'])
/** Expressions without a type in the plan, which are booleans. */
const CONDITIONS: ReadonlySet<PlanJson | undefined> = new Set([
  'BOUND_COMPARISON',
  'BOUND_CONJUNCTION',
  'BOUND_BETWEEN',
])

const SIGNED = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT']
const UNSIGNED = ['UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT', 'UHUGEINT']
const WHOLE: ReadonlySet<string> = new Set([...SIGNED, ...UNSIGNED])
const LONG: ReadonlySet<string> = new Set(['BIGINT', 'HUGEINT', 'UBIGINT'])
const FRACTIONS: ReadonlySet<string> = new Set(['FLOAT', 'DOUBLE', 'DECIMAL'])
const REALS: ReadonlySet<string> = new Set(['FLOAT', 'DOUBLE'])
const NUMBERS: ReadonlySet<string> = new Set([...WHOLE, ...FRACTIONS])

/** Signs of types in signatures. */
const SIGNS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(SIGNED.map((type) => [type, 'i'])),
  ...Object.fromEntries(UNSIGNED.map((type) => [type, 'u'])),
  DECIMAL: 'd',
  FLOAT: 'f',
  DOUBLE: 'r',
  VARCHAR: 't',
  BOOLEAN: 'b',
  DATE: 'D',
  TIMESTAMP: 'T',
  'TIMESTAMP WITH TIME ZONE': 'Z',
  TIME: 'm',
  INTERVAL: 'v',
  BLOB: 'x',
  UUID: 'U',
  NULL: 'n',
}

/** @param node the call itself */
function isWhere(
  where: ArgumentTest | undefined,
  parts: readonly Node[],
  { read, made, truncated }: Facts,
  node: Node,
): boolean {
  if (where === undefined) return true
  if (where instanceof RegExp) return where.test(signatureOf(parts))
  const types = parts.map(typeOf)
  switch (where) {
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
    case 'computed':
      return parts
        .map(withoutCast)
        .some((part) => /^[-+*]$/.test(callOf(part)?.name ?? '') && typeOf(part) === 'DECIMAL')
    case 'widened':
      return parts.some((part) => typeOf(part) === 'DOUBLE' && typeOf(withoutCast(part)) === 'FLOAT')
    case 'mixed':
      return types.includes('FLOAT') && parts.some((part) => typeOf(withoutCast(part)) !== 'FLOAT')
    case 'quotient':
      return !isShort(parts[1]) && !parts.map(withoutCast).some((part) => isReal(part, read))
    case 'long':
      return (
        parts.some((part) => typeOf(part) === 'DOUBLE' && LONG.has(typeOf(withoutCast(part)))) &&
        !parts.some((part) => Math.abs(Number(constantOf(part) ?? Infinity)) < 2 ** 53)
      )
    case 'boolean':
      return parts.some((part) => typeOf(withoutCast(part)) === 'BOOLEAN')
    case 'nullable':
      return parts
        .slice(1)
        .some((part) => constantOf(part) === null && withoutCast(part)['type'] !== 'OPERATOR_COALESCE')
    case 'literals': {
      const signature = signatureOf(parts)
      const isTexts = /^(?:t|'[^']*')+$/.test(signature) && /'[^']*[\p{L} ]/u.test(signature)
      return isTexts && !parts.some(readsText)
    }
    case 'truncated':
      return truncated && types[0] === 'TIMESTAMP'
    case 'typed':
      return parts.some(
        (part) =>
          part['expression_class'] === 'BOUND_CAST' &&
          NUMBERS.has(typeOf(part)) &&
          typeOf(withoutCast(part)) === 'VARCHAR' &&
          !(constantOf(part) !== null && parts.some((one) => withoutCast(one)['expression_class'] === 'BOUND_REF')),
      )
  }
}

/** True if the expression reads a text of a column. */
function readsText(part: Node): boolean {
  return anyNode(part, (node) => node['expression_class'] === 'BOUND_REF' && typeOf(node) === 'VARCHAR')
}

function withoutCast(part: Node): Node {
  return part['expression_class'] === 'BOUND_CAST' && isNode(part['child']) ? part['child'] : part
}

/** True if the expression has a constant with a decimal point, such as 1.0. @param of types of the constant */
function hasFraction(part: Node, of = FRACTIONS): boolean {
  return anyNode(part, (node) => node['expression_class'] === 'BOUND_CONSTANT' && of.has(typeOf(node)))
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

/** True if the test is true of a node of the plan, at any depth. */
export function anyNode(part: PlanJson, test: (node: Node) => boolean): boolean {
  if (part === null || typeof part !== 'object') return false
  return (isNode(part) && test(part)) || Object.values(part).some((inner: PlanJson) => anyNode(inner, test))
}

export function isNode(part: PlanJson | undefined): part is Node {
  return part !== null && typeof part === 'object' && !Array.isArray(part)
}
