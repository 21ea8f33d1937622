/**
 * Converts column types to type names for SQLite, and back. SQLite accepts any word as a type name, and derives from it
 * how values are stored (the affinity). A name that contains `TEXT` keeps every character, so `DECIMAL_TEXT(38,10)`
 * keeps all its digits where `DECIMAL` would convert to a double. `DECIMAL_REAL(10,2)` is a double on purpose: it keeps
 * 15 digits, and compares as numbers do.
 */
import { fitsDouble } from '../../../model/copy/decimal.ts'
import type { ColumnType } from '../../../model/copy/column-type.ts'

/** Conversion of values when SQLite stores them. `any` leaves them unchanged. */
export type Affinity = 'integer' | 'real' | 'numeric' | 'text' | 'any'

/** @param strict true if the table is STRICT: only then `ANY` has that affinity */
export function affinityOf(declared: string, strict = false): Affinity {
  const name = declared.toUpperCase()
  if (strict && name === 'ANY') return 'any'
  if (name.includes('INT')) return 'integer'
  if (/CHAR|CLOB|TEXT/.test(name)) return 'text'
  if (name === '' || name.includes('BLOB')) return 'any'
  return /REAL|FLOA|DOUB/.test(name) ? 'real' : 'numeric'
}

/** Type of a column whose declaration gives no type: its values are read to infer types. */
export const ANY: ColumnType = { kind: 'native', name: 'any' }

export type SqliteDeclaredType = {
  readonly native: string
  readonly type: ColumnType
  /** As `Column.sortedAs`. */
  readonly sortedAs?: 'text' | 'number'
  /** As `Column.spelled`. */
  readonly spelled?: true
}

/**
 * The name of a type that SQLite keeps exactly, and the type as it is read back.
 * @param decimal how decimals are stored. Default: doubles if these keep all digits, otherwise texts. `text`: always
 * texts. `real`: always doubles; if these lose digits, the column is read back as a float
 */
export function declareSqliteType(type: ColumnType, decimal?: 'text' | 'real'): SqliteDeclaredType {
  const native = nativeOf(type, decimal)
  const back = sqliteColumnType(native) ?? ANY
  return { native, type: back, ...sortedAsOf(native, back), ...spelledOf(back) }
}

/** `Column.sortedAs` of a column: SQLite compares values as its affinity has stored them. */
export function sortedAsOf(native: string, { kind }: ColumnType): Pick<SqliteDeclaredType, 'sortedAs'> {
  const affinity = affinityOf(native)
  if (kind === 'decimal' && affinity === 'text') return { sortedAs: 'text' }
  return kind === 'text' && affinity !== 'text' && affinity !== 'any' ? { sortedAs: 'number' } : {}
}

/** `Column.spelled` of a column: set for JSON, which SQLite keeps as written. */
export function spelledOf({ kind }: ColumnType): { readonly spelled?: true } {
  return kind === 'json' ? { spelled: true } : {}
}

/** Kinds whose values have several spellings: a column that stores texts as written may not have the canonical one. */
const RESPELLED: ReadonlySet<ColumnType['kind']> = new Set(['bool', 'decimal', 'uuid', 'date', 'time', 'timestamp'])

/**
 * `Column.exactAs` of a column. It is set if the canonical form of a value could be stored as another value than the
 * column has: `1` for 'true', `7` for 7.0, or lower case for a UUID in upper case.
 * @param kind kind of the declared type, not of a type inferred from rows, which may change during a copy into the
 * table
 * @param isInferred true if the type of the column was inferred from rows
 */
export function exactOf(
  native: string,
  { kind }: ColumnType,
  options: { readonly isInferred: boolean; readonly strict?: boolean },
): { readonly exactAs?: string } {
  const affinity = affinityOf(native, options.strict)
  if (affinity === 'any') return options.isInferred ? { exactAs: 'any' } : {}
  if (!RESPELLED.has(kind)) return {}
  if (affinity === 'text') return { exactAs: 'text' }
  // Numbers of a decimal column are read and stored as the same numbers, so `exactAs` is not needed.
  return kind === 'decimal' ? {} : { exactAs: 'any' }
}

function decimalName(precision: number | undefined, scale: number, options: 'text' | 'real' | undefined): string {
  const fits = fitsDouble(precision, scale)
  if (options === 'real' && !fits) return 'REAL'
  const size = precision === undefined ? '' : `(${precision},${scale})`
  return `${fits && options !== 'text' ? 'DECIMAL_REAL' : 'DECIMAL_TEXT'}${size}`
}

function nativeOf(type: ColumnType, options: 'text' | 'real' | undefined): string {
  switch (type.kind) {
    case 'bool':
      return 'BOOLEAN'
    case 'int':
      return type.bits === 64 && type.unsigned === true ? decimalName(20, 0, options) : 'INTEGER'
    case 'decimal':
      return decimalName(type.precision, type.scale ?? 0, options)
    case 'float':
      return 'REAL'
    case 'text':
      return type.most === undefined ? 'TEXT' : `VARCHAR(${type.most})`
    case 'bytes':
      return 'BLOB'
    case 'uuid':
      return 'UUID_TEXT'
    case 'date':
      return 'DATE_TEXT'
    case 'time':
      return `TIME_TEXT(${type.digits})`
    case 'timestamp':
      return `${type.zone ? 'TIMESTAMPTZ' : 'TIMESTAMP'}_TEXT(${type.digits})`
    case 'json':
    case 'list':
      return 'JSON_TEXT'
    case 'native':
      return type.name === 'any' ? '' : 'TEXT'
  }
}

/** The type of a declared name; null if the name gives no type to check values against. */
export function sqliteColumnType(declared: string): ColumnType | null {
  const found = /^([^(]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*([+-]?\d+)\s*)?\))?([^()]*)$/.exec(declared.toUpperCase().trim())
  if (found === null) return null
  const [, front = '', first, second, behind = ''] = found
  const name = `${front} ${behind}`.replaceAll(/\s+/g, ' ').trim()
  const size = first === undefined ? undefined : Number(first)
  const exact = BY_NAME.get(name)?.(size, second === undefined ? undefined : Number(second))
  if (exact !== undefined) return exact
  if (/^(?:UNSIGNED |SIGNED )?(?:(?:BIG|SMALL|TINY|MEDIUM) ?)?(?:INT|INTEGER)[248]?(?: UNSIGNED| SIGNED)?$/.test(name))
    return INT
  if (name.startsWith('BOOL')) return { kind: 'bool' }
  if (/CHAR|CLOB|TEXT|STRING/.test(name)) return { kind: 'text', ...(size === undefined ? {} : { most: size }) }
  if (/BLOB|BINARY|^BYTEA$|^IMAGE$/.test(name)) return { kind: 'bytes' }
  if (/REAL|FLOA|DOUB/.test(name)) return { kind: 'float', bits: 64 }
  return null
}

/** Integers of any declared width hold 64 bits: SQLite does not check the width. */
const INT: ColumnType = { kind: 'int', bits: 64 }
const WALL = timestamp(false)
const MOMENT = timestamp(true)

type Sized = (size?: number, scale?: number) => ColumnType

const BY_NAME: ReadonlyMap<string, Sized> = new Map<string, Sized>([
  ['DECIMAL_TEXT', decimalOf],
  ['DECIMAL_REAL', decimalInDouble],
  ['DECIMAL', decimalOf],
  ['DEC', decimalOf],
  ['NUMERIC', decimalOf],
  ['NUMBER', decimalOf],
  ['DATE_TEXT', () => ({ kind: 'date' })],
  ['DATE', () => ({ kind: 'date' })],
  ['TIME_TEXT', time],
  ['TIME', time],
  ['TIME WITHOUT TIME ZONE', time],
  ['TIMESTAMP_TEXT', WALL],
  ['TIMESTAMP', WALL],
  ['DATETIME', WALL],
  ['TIMESTAMP WITHOUT TIME ZONE', WALL],
  ['TIMESTAMPTZ_TEXT', MOMENT],
  ['TIMESTAMPTZ', MOMENT],
  ['TIMESTAMP WITH TIME ZONE', MOMENT],
  ['UUID_TEXT', () => ({ kind: 'uuid' })],
  ['UUID', () => ({ kind: 'uuid' })],
  ['GUID', () => ({ kind: 'uuid' })],
  ['UNIQUEIDENTIFIER', () => ({ kind: 'uuid' })],
  ['JSON_TEXT', () => ({ kind: 'json' })],
  ['JSON', () => ({ kind: 'json' })],
])

function decimalOf(precision?: number, scale = 0): ColumnType {
  return precision === undefined ? { kind: 'decimal' } : { kind: 'decimal', precision, scale }
}

/** A decimal whose digits a double cannot keep is read as a float, whatever its declared name. */
function decimalInDouble(precision?: number, scale = 0): ColumnType {
  return fitsDouble(precision, scale) ? decimalOf(precision, scale) : { kind: 'float', bits: 64 }
}

function time(digits = 6): ColumnType {
  return { kind: 'time', digits }
}

function timestamp(zone: boolean): Sized {
  return (digits = 6) => ({ kind: 'timestamp', zone, digits })
}
