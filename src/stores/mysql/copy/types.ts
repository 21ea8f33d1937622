/** Maps column types of MySQL and MariaDB to the types that all stores share. */
import type { ColumnType } from '../../../model/copy/column-type.ts'

/** A column from the server's dictionary. */
export type FoundColumn = {
  /** Without length: `varchar`. */
  readonly base: string
  /** As declared: `varchar(50)`. */
  readonly native: string
  readonly characters: number | null
  readonly precision: number | null
  readonly scale: number | null
  readonly fraction: number | null
}

const BITS: Readonly<Record<string, 8 | 16 | 24 | 32 | 64>> = {
  tinyint: 8,
  smallint: 16,
  mediumint: 24,
  int: 32,
  integer: 32,
  bigint: 64,
}

const TEXTS = new Set(['varchar', 'tinytext', 'text', 'mediumtext', 'longtext'])
/**
 * Bytes of the longest value of each type; values of longtext and longblob are limited by the server's packets only.
 */
export const LENGTHS: Readonly<Record<string, number>> = {
  tinytext: 255,
  text: 65_535,
  mediumtext: 16_777_215,
  tinyblob: 255,
  blob: 65_535,
  mediumblob: 16_777_215,
}
const BYTES = new Set(['binary', 'varbinary', 'tinyblob', 'blob', 'mediumblob', 'longblob'])
/** Types that only the server itself understands. They are copied as hexadecimal digits of its own bytes. */
const OPAQUE = new Set([
  'geometry',
  'point',
  'linestring',
  'polygon',
  'multipoint',
  'multilinestring',
  'multipolygon',
  'geomcollection',
  'geometrycollection',
  'vector',
])

/**
 * `tinyint(1)` is a number: the server declares BOOLEAN so, but such columns may hold 2 and -1 too. `bit(1)` holds only
 * 0 and 1; a longer `bit` is an unsigned integer. A `timestamp` is an instant, a `datetime` is not. A `time` may be
 * negative or longer than a day; MySQL accepts that, and other targets refuse such rows.
 */
export function mysqlColumnType(found: FoundColumn): ColumnType {
  const { base, native } = found
  const bits = BITS[base]
  if (bits !== undefined) return { kind: 'int', bits, ...(/\bunsigned\b/.test(native) ? { unsigned: true } : {}) }
  if (TEXTS.has(base)) {
    return base === 'varchar' && found.characters !== null ? { kind: 'text', most: found.characters } : { kind: 'text' }
  }
  if (BYTES.has(base)) return { kind: 'bytes' }
  if (OPAQUE.has(base)) return { kind: 'native', name: `mysql ${base}` }
  switch (base) {
    case 'bit':
      return bitsOf(found.precision ?? 1)
    case 'year':
      return { kind: 'int', bits: 16 }
    case 'decimal':
      return { kind: 'decimal', precision: found.precision ?? 10, scale: found.scale ?? 0 }
    case 'float':
      return { kind: 'float', bits: 32 }
    case 'double':
      return { kind: 'float', bits: 64 }
    case 'char':
      return { kind: 'text', most: found.characters ?? 1, padded: true }
    case 'date':
      return { kind: 'date' }
    case 'time':
      return { kind: 'time', digits: found.fraction ?? 0 }
    case 'datetime':
      return { kind: 'timestamp', zone: false, digits: found.fraction ?? 0 }
    case 'timestamp':
      return { kind: 'timestamp', zone: true, digits: found.fraction ?? 0 }
    case 'json':
      return { kind: 'json' }
    case 'uuid':
      return { kind: 'uuid' }
    default:
      return { kind: 'native', name: native }
  }
}

function bitsOf(bits: number): ColumnType {
  if (bits === 1) return { kind: 'bool' }
  const size = ([8, 16, 24, 32] as const).find((most) => bits <= most) ?? 64
  return { kind: 'int', bits: size, unsigned: true }
}

/** `varchar` of `varchar(50)`. */
export function baseTypeName(native: string): string {
  return /^[a-z0-9]+/i.exec(native)?.[0].toLowerCase() ?? ''
}

export function isOpaque(base: string): boolean {
  return OPAQUE.has(base)
}

/** True for geometry types. */
export function isGeometry(base: string): boolean {
  return OPAQUE.has(base) && base !== 'vector'
}

/** True for an opaque type without a form that other systems can read. */
export function isHexed(base: string): boolean {
  return OPAQUE.has(base) && !isGeometry(base)
}

export function isText(base: string): boolean {
  return base === 'char' || TEXTS.has(base)
}

export function isBytes(base: string): boolean {
  return BYTES.has(base)
}

export function isWholeType(base: string): boolean {
  return BITS[base] !== undefined || base === 'year'
}

/** True for collations that compare by bytes, including trailing blanks. */
export function isByBytes(collation: string): boolean {
  return collation === 'binary' || collation === 'utf8mb4_nopad_bin' || collation === 'utf8mb4_0900_bin'
}
