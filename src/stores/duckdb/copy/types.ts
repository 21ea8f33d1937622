/** Column types in DuckDB's notation, and back. */
import type { ColumnType } from '../../../model/copy/column-type.ts'

/** The DuckDB type that stores values of a type of another system, and the column type that DuckDB reports for it. */
export function declareDuckdbType(type: ColumnType): { readonly native: string; readonly type: ColumnType } {
  const native = nativeOf(type)
  return { native, type: duckdbColumnType(native) }
}

function nativeOf(type: ColumnType): string {
  switch (type.kind) {
    case 'bool':
      return 'BOOLEAN'
    case 'int':
      return `${type.unsigned === true ? 'U' : ''}${INTEGERS[type.bits]}`
    case 'decimal':
      return decimalOf(type)
    case 'float':
      return type.bits === 32 ? 'FLOAT' : 'DOUBLE'
    case 'bytes':
      return 'BLOB'
    case 'uuid':
      return 'UUID'
    case 'date':
      return 'DATE'
    case 'time':
      return type.digits > 6 ? 'TIME_NS' : 'TIME'
    case 'timestamp':
      if (type.zone) return 'TIMESTAMP WITH TIME ZONE'
      return type.digits > 6 ? 'TIMESTAMP_NS' : 'TIMESTAMP'
    case 'json':
      return 'JSON'
    case 'list':
      return PLAIN_ITEMS.has(type.of.kind) && type.of.kind !== 'list' ? `${nativeOf(type.of)}[]` : 'JSON'
    case 'text':
    case 'native':
      return 'VARCHAR'
  }
}

const INTEGERS = { 8: 'TINYINT', 16: 'SMALLINT', 24: 'INTEGER', 32: 'INTEGER', 64: 'BIGINT' } as const

/** Item types whose values JSON can write in only one way. */
const PLAIN_ITEMS: ReadonlySet<ColumnType['kind']> = new Set(['bool', 'int', 'text', 'uuid'])

/** The DuckDB type of a decimal; a text for more than 38 digits. */
function decimalOf({ precision, scale = 0 }: ColumnType & { kind: 'decimal' }): string {
  return precision === undefined || precision > 38 || scale > precision || scale < 0
    ? 'VARCHAR'
    : `DECIMAL(${precision},${scale})`
}

/** @param native as `duckdb_columns()` prints it */
export function duckdbColumnType(native: string): ColumnType {
  const simple = SIMPLE.get(native)
  if (simple !== undefined) return simple
  const decimal = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(native)
  if (decimal !== null) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
  const item = /^(.*)\[\d*\]$/s.exec(native)?.[1]
  if (item !== undefined && spellsAsJson(item)) return { kind: 'list', of: duckdbColumnType(item) }
  return /^(?:STRUCT\(|MAP\()/.test(native) && spellsAsJson(native)
    ? { kind: 'json' }
    : { kind: 'native', name: native }
}

/**
 * True for unions and variants: the text of a value does not name its type, so DuckDB takes the first type that accepts
 * it.
 */
export function textHidesType(native: string): boolean {
  return /\b(?:UNION\(|VARIANT\b)/.test(native.replaceAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"/g, ''))
}

const SIMPLE: ReadonlyMap<string, ColumnType> = new Map<string, ColumnType>([
  ['BOOLEAN', { kind: 'bool' }],
  ['TINYINT', { kind: 'int', bits: 8 }],
  ['SMALLINT', { kind: 'int', bits: 16 }],
  ['INTEGER', { kind: 'int', bits: 32 }],
  ['BIGINT', { kind: 'int', bits: 64 }],
  ['UTINYINT', { kind: 'int', bits: 8, unsigned: true }],
  ['USMALLINT', { kind: 'int', bits: 16, unsigned: true }],
  ['UINTEGER', { kind: 'int', bits: 32, unsigned: true }],
  ['UBIGINT', { kind: 'int', bits: 64, unsigned: true }],
  ['HUGEINT', { kind: 'decimal', precision: 39, scale: 0 }],
  ['UHUGEINT', { kind: 'decimal', precision: 39, scale: 0 }],
  ['BIGNUM', { kind: 'decimal' }],
  ['FLOAT', { kind: 'float', bits: 32 }],
  ['DOUBLE', { kind: 'float', bits: 64 }],
  ['VARCHAR', { kind: 'text' }],
  ['BLOB', { kind: 'bytes' }],
  ['UUID', { kind: 'uuid' }],
  ['DATE', { kind: 'date' }],
  ['TIME', { kind: 'time', digits: 6 }],
  ['TIME_NS', { kind: 'time', digits: 9 }],
  ['TIMESTAMP', { kind: 'timestamp', zone: false, digits: 6 }],
  ['TIMESTAMP_S', { kind: 'timestamp', zone: false, digits: 0 }],
  ['TIMESTAMP_MS', { kind: 'timestamp', zone: false, digits: 3 }],
  ['TIMESTAMP_NS', { kind: 'timestamp', zone: false, digits: 9 }],
  ['TIMESTAMP WITH TIME ZONE', { kind: 'timestamp', zone: true, digits: 6 }],
  ['JSON', { kind: 'json' }],
])

/** True if JSON can represent every value of a type without losing digits of its numbers. */
function spellsAsJson(native: string): boolean {
  if (
    !/^(?:STRUCT\(|MAP\(VARCHAR, |.*\[\d*\]$)/s.test(native) &&
    !SIMPLE.has(native) &&
    !/^(?:DECIMAL|ENUM)\(/.test(native)
  ) {
    return false
  }
  return !/\b(?:BLOB|BIT|INTERVAL|UNION|BIGNUM|TIME WITH TIME ZONE|VARIANT|GEOMETRY|MAP\((?!VARCHAR, ))/.test(native)
}
