/**
 * Rows of a test table, the statistics that different writers would record, and a slow reference implementation of
 * conditions over rows. It shares no code with src, and compares values in their own types, not as text.
 */
import type { Condition, LiteralValue } from '../../src/model/lake/predicate.ts'

export type ColumnKind = 'long' | 'double' | 'float' | 'decimal' | 'string' | 'date' | 'timestamp' | 'boolean'

/** Decimals are thousandths, dates are days, timestamps are microseconds. */
export type Value = bigint | number | string | boolean | null
export type Row = Readonly<Record<string, Value>>

const DAY_MICROS = 86_400_000_000n

export function timestampText(micros: bigint, digits: 3 | 6): string {
  const second = (micros >= 0n ? micros : micros - 999_999n) / 1_000_000n
  const fraction = String(micros - second * 1_000_000n).padStart(6, '0')
  return `${new Date(Number(second) * 1000).toISOString().slice(0, 19)}.${fraction.slice(0, digits)}Z`
}

export function dateText(days: number): string {
  return timestampText(BigInt(days) * DAY_MICROS, 3).slice(0, 10)
}

export function decimalText(thousandths: bigint): string {
  const digits = String(thousandths < 0n ? -thousandths : thousandths).padStart(4, '0')
  return `${thousandths < 0n ? '-' : ''}${digits.slice(0, -3)}.${digits.slice(-3)}`
}

/** The literal that a user would write for a value. */
export function literalFor(kind: ColumnKind, value: Exclude<Value, null>): LiteralValue {
  switch (kind) {
    case 'boolean':
      return { kind: 'boolean', value: value === true }
    case 'string':
      return { kind: 'string', text: String(value) }
    case 'date':
      return { kind: 'date', text: dateText(Number(value)) }
    case 'timestamp':
      return { kind: 'timestamp', text: timestampText(value as bigint, 6) }
    case 'decimal':
      return { kind: 'number', text: decimalText(value as bigint) }
    default:
      return { kind: 'number', text: String(value) }
  }
}

/** The inverse of `literalFor`. */
function valueOf(kind: ColumnKind, literal: LiteralValue): Value {
  if (literal.kind === 'null') return null
  if (literal.kind === 'boolean') return literal.value
  const { text } = literal
  switch (kind) {
    case 'string':
      return text
    case 'date':
      return Date.parse(`${text}T00:00:00Z`) / 86_400_000
    case 'timestamp':
      return BigInt(Date.parse(text.slice(0, 19) + 'Z')) * 1000n + BigInt(text.slice(20, 26))
    case 'decimal':
      return BigInt(text.replace('.', ''))
    case 'long':
      return BigInt(text)
    default:
      return Number(text)
  }
}

/** Negative, zero or positive; NaN is above all numbers and equal to itself; texts are compared by UTF-8 bytes. */
export function compareValues(a: Exclude<Value, null>, b: Exclude<Value, null>): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  if (typeof a === 'number' && typeof b === 'number') {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  }
  return a < b ? -1 : a > b ? 1 : 0
}

function likePattern(pattern: string): RegExp {
  const source = pattern.replace(
    /\\(.)|([%_])|([\s\S])/gu,
    (_, escaped?: string, wildcard?: string, plain?: string) => {
      if (wildcard !== undefined) return wildcard === '%' ? '[\\s\\S]*' : '[\\s\\S]'
      return `\\u{${((escaped ?? plain ?? '').codePointAt(0) ?? 0).toString(16)}}`
    },
  )
  return new RegExp(`^${source}$`, 'u')
}

/** SQL's three values: null is unknown. */
export function evaluate(condition: Condition, row: Row, kinds: Readonly<Record<string, ColumnKind>>): boolean | null {
  switch (condition.kind) {
    case 'and':
    case 'or': {
      const results = condition.parts.map((part) => evaluate(part, row, kinds))
      const decisive = condition.kind === 'or'
      if (results.includes(decisive)) return decisive
      return results.includes(null) ? null : !decisive
    }
    case 'not': {
      const result = evaluate(condition.part, row, kinds)
      return result === null ? null : !result
    }
    default:
  }
  const name = condition.column.names.join('.')
  const kind = kinds[name] ?? 'string'
  const value = row[name] ?? null
  const against = (literal: LiteralValue): number | null => {
    const other = valueOf(kind, literal)
    return value === null || other === null ? null : compareValues(value, other)
  }
  const negate = (result: boolean | null, negated: boolean) => (result === null ? null : result !== negated)
  switch (condition.kind) {
    case 'isNull':
      return (value === null) !== condition.negated
    case 'compare': {
      const order = against(condition.value)
      if (order === null) return null
      const { op } = condition
      if (op === '=' || op === '<>') return (order === 0) === (op === '=')
      return op.startsWith('<') ? order < 0 || (op === '<=' && order === 0) : order > 0 || (op === '>=' && order === 0)
    }
    case 'in': {
      const orders = condition.values.map(against)
      return negate(orders.includes(0) ? true : orders.includes(null) ? null : false, condition.negated)
    }
    case 'between': {
      const low = against(condition.low)
      const high = against(condition.high)
      const isOutside = (low !== null && low < 0) || (high !== null && high > 0)
      return negate(isOutside ? false : low === null || high === null ? null : true, condition.negated)
    }
    case 'like': {
      const pattern = 'text' in condition.pattern ? condition.pattern.text : ''
      return value === null ? null : negate(likePattern(pattern).test(String(value)), condition.negated)
    }
  }
}

/** Differences between writers. */
export type Habits = {
  /** Length to which texts are truncated, in UTF-16 units or code points, and the suffix of a truncated maximum. */
  readonly cut: number
  readonly cutUnits: boolean
  readonly mark: '' | '\ufffd' | '\u{10ffff}'
  readonly keepsNaN: boolean
  readonly decimalsAsDoubles: boolean
  readonly plural: boolean
  /** Statistics include rows that a deletion vector has since removed. */
  readonly wide: boolean
  readonly without: 'nothing' | 'max' | 'bounds' | 'numRecords' | 'nullCount'
}

function cutText(text: string, habits: Habits): string {
  const units = Array.from({ length: text.length }, (_, i) => text.charAt(i))
  const parts = habits.cutUnits ? units : Array.from(text)
  return parts.slice(0, habits.cut).join('')
}

function boundText(kind: ColumnKind, value: Exclude<Value, null>, isMax: boolean, habits: Habits): string {
  switch (kind) {
    case 'string': {
      const cut = cutText(String(value), habits)
      return JSON.stringify(isMax && cut.length < String(value).length ? cut + habits.mark : cut)
    }
    case 'date':
      return `"${dateText(Number(value))}"`
    case 'timestamp': {
      // Rounds towards zero, as integer division does.
      const millis = (value as bigint) / 1000n
      return `"${timestampText(millis * 1000n, 3)}"`
    }
    case 'decimal':
      return habits.decimalsAsDoubles ? String(Number(decimalText(value as bigint))) : decimalText(value as bigint)
    case 'float': {
      const short = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((digits) => Number(value).toPrecision(digits))
      return String(Number(short.find((text) => Math.fround(Number(text)) === value) ?? value))
    }
    case 'double':
      return Number.isFinite(value) ? (Object.is(value, -0) ? '-0.0' : String(value)) : `"${String(value)}"`
    default:
      return String(value)
  }
}

/** Statistics of a file with these rows, as text. */
export function statsOf(rows: readonly Row[], kinds: Readonly<Record<string, ColumnKind>>, habits: Habits): string {
  const min: string[] = []
  const max: string[] = []
  const nulls: string[] = []
  for (const [name, kind] of Object.entries(kinds)) {
    const key = JSON.stringify(name)
    const values = rows.map((row) => row[name] ?? null).filter((value) => value !== null)
    nulls.push(`${key}:${rows.length - values.length}`)
    const counted = habits.keepsNaN ? values : values.filter((value) => !Number.isNaN(value))
    const sorted = counted.toSorted(compareValues)
    const [first, last] = [sorted[0], sorted.at(-1)]
    if (first === undefined || last === undefined || habits.without === 'bounds' || kind === 'boolean') continue
    min.push(`${key}:${boundText(kind, first, false, habits)}`)
    if (habits.without !== 'max') max.push(`${key}:${boundText(kind, last, true, habits)}`)
  }
  const parts = [
    ...(habits.without === 'numRecords' ? [] : [`"numRecords":${rows.length}`]),
    `"minValues":{${min.join(',')}}`,
    `"maxValues":{${max.join(',')}}`,
    ...(habits.without === 'nullCount' ? [] : [`"nullCount${habits.plural ? 's' : ''}":{${nulls.join(',')}}`]),
    ...(habits.wide ? ['"tightBounds":false'] : []),
  ]
  return `{${parts.join(',')}}`
}
