/** Column types in which MySQL and MariaDB store the values of a type without loss. */
import type { ColumnType } from '../../../model/copy/column-type.ts'
import { baseTypeName } from './types.ts'

export type MysqlDeclaredType = { readonly native: string; readonly type: ColumnType }

/** Largest precision and largest scale of a DECIMAL. */
const MOST_DIGITS = 65
const MOST_SCALE = 30
/** Longer texts are stored separately anyway, and VARCHARs of a row are limited to 65,535 bytes in total. */
const LONGEST_VARCHAR = 255
const INTEGERS = { 8: 'tinyint', 16: 'smallint', 24: 'mediumint', 32: 'int', 64: 'bigint' } as const
const ENUM = /^(?:enum|set)\('(?:[^']|'')*'(?:,'(?:[^']|'')*')*\)$/i

/** Bytes that an InnoDB index holds for all its columns together, less a few for the lengths of texts. */
export const KEY_BYTES = 2_800

/** As `declare`, for a column that is part of a key. */
export function declareKey(type: ColumnType): MysqlDeclaredType {
  // A text would sort by its digits, and its key ranges would differ from those of the source.
  if (type.kind === 'decimal' && type.precision === undefined) {
    return {
      native: `decimal(${MOST_DIGITS},${MOST_SCALE})`,
      type: { ...type, precision: MOST_DIGITS, scale: MOST_SCALE },
    }
  }
  const declared = declare(type)
  const native = indexable(declared.native, KEY_BYTES)
  if (native === null || native === declared.native) return declared
  return type.kind === 'bytes' ? { native, type } : { native, type: { kind: 'text', most: Math.floor(KEY_BYTES / 4) } }
}

/**
 * Texts compare by bytes: tables are created with such a collation. Timestamps with a zone become a DATETIME in UTC,
 * because a TIMESTAMP ends in 2038. A decimal without a limit becomes a text, which keeps all digits. Types
 * of other systems also become texts.
 */
export function declare(type: ColumnType): MysqlDeclaredType {
  switch (type.kind) {
    case 'bool':
      return { native: 'tinyint(1)', type: { kind: 'int', bits: 8 } }
    case 'int':
      return { native: `${INTEGERS[type.bits]}${type.unsigned === true ? ' unsigned' : ''}`, type }
    case 'decimal':
      return decimal(type)
    case 'float':
      return { native: type.bits === 32 ? 'float' : 'double', type }
    case 'text':
      return text(type)
    case 'bytes':
      return { native: 'longblob', type }
    case 'uuid':
      return { native: 'char(36)', type: { kind: 'text', most: 36, padded: true } }
    case 'date':
      return { native: 'date', type }
    case 'time': {
      const digits = Math.min(6, type.digits)
      return { native: `time${fraction(digits)}`, type: { kind: 'time', digits } }
    }
    case 'timestamp': {
      const digits = Math.min(6, type.digits)
      return { native: `datetime${fraction(digits)}`, type: { kind: 'timestamp', zone: false, digits } }
    }
    case 'json':
    case 'list':
      return { native: 'json', type: { kind: 'json' } }
    case 'native':
      return ENUM.test(type.name) ? { native: type.name, type } : LONG
  }
}

const LONG: MysqlDeclaredType = { native: 'longtext', type: { kind: 'text' } }

function decimal(type: ColumnType & { kind: 'decimal' }): MysqlDeclaredType {
  const { precision, scale = 0 } = type
  const fits = precision !== undefined && precision >= 1 && precision <= MOST_DIGITS
  if (!fits || scale < 0 || scale > MOST_SCALE || scale > precision) return LONG
  return { native: `decimal(${precision},${scale})`, type: { kind: 'decimal', precision, scale } }
}

function text({ most, padded }: ColumnType & { kind: 'text' }): MysqlDeclaredType {
  if (most === undefined || most < 1 || most > LONGEST_VARCHAR) return LONG
  return padded === true
    ? { native: `char(${most})`, type: { kind: 'text', most, padded } }
    : { native: `varchar(${most})`, type: { kind: 'text', most } }
}

function fraction(digits: number): string {
  return digits === 0 ? '' : `(${digits})`
}

/** MariaDB prints COMPRESSED in a comment that only MariaDB reads. */
const PLAIN = /^[a-z][a-z0-9 ]*(?:\(\d+(?:,\s*\d+)?\))?(?: unsigned)?(?: zerofill)?(?: \/\*M?!\d+ COMPRESSED\*\/)?$/i

/** True if a text is a type and nothing else: it is put into SQL unchanged. */
export function isType(native: string): boolean {
  return PLAIN.test(native) || ENUM.test(native)
}

/**
 * Replacement for a type whose values an index cannot hold as a whole; null if there is none.
 * @param bytes bytes of the index that are left for this column
 */
export function indexable(native: string, bytes: number): string | null {
  switch (baseTypeName(native)) {
    case 'tinytext':
    case 'text':
    case 'mediumtext':
    case 'longtext':
      return `varchar(${Math.floor(bytes / 4)})`
    case 'tinyblob':
    case 'blob':
    case 'mediumblob':
    case 'longblob':
      return `varbinary(${bytes})`
    case 'json':
      return null
    default:
      return native
  }
}
