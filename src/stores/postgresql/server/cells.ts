/** Columns on their way out: how each is asked for, and how what COPY prints becomes a cell. */
import { bytesOfText } from '../../../model/copy/bytes-text.ts'
import { normalizer } from '../../../model/copy/canonical.ts'
import type { ColumnType } from '../../../model/copy/column-type.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import { isRefusedValue, valueError } from '../../common/as-stored.ts'
import type { ReadColumn, WriteColumn } from '../../../model/copy/port.ts'
import { quoteName } from './connect.ts'

type AnyColumn = ReadColumn | WriteColumn

export type Reader = (text: string) => Exclude<Cell, null>

/** Readers of one column's fields in COPY's text format; none for `\\N`. */
export type FieldReader = {
  /** For fields without a backslash; null where the cell is the field itself. */
  readonly plain: Reader | null
  /** For fields that may hold escapes. */
  readonly escaped: Reader
}

/** What stands behind SELECT for a column. Its text is what `fieldReader` takes. */
export function selected({ name, as, column: { type } }: AnyColumn): string {
  const column = quoteName(name)
  // The shortest text of a single-precision number names another number in double precision.
  if (isWidened(as, type)) return `${column}::float8`
  if (asJson(as, type)) {
    // As texts, or records and the like would become objects, which no literal can be made of again.
    return `pg_catalog.to_jsonb(${column}${type.of.kind === 'native' ? '::text[]' : ''})::text`
  }
  return column
}

function isWidened(as: ColumnType, type: ColumnType): boolean {
  return as.kind === 'float' && as.bits === 64 && type.kind === 'float' && type.bits === 32
}

function asJson(as: ColumnType, type: ColumnType): type is ColumnType & { readonly kind: 'list' } {
  return type.kind === 'list' && (as.kind === 'list' || as.kind === 'json')
}

/** Whether every value of a column is one of the type it travels as, and keeps all of itself there. */
export function travelsWhole({ as, column: { type } }: AnyColumn): boolean {
  switch (as.kind) {
    case 'float':
      return type.kind === 'float' && type.bits <= as.bits
    case 'decimal':
      return (
        type.kind === 'int' ||
        (type.kind === 'decimal' &&
          (type.scale ?? Infinity) <= (as.cut ?? Infinity) &&
          (as.scale === undefined || (type.scale ?? Infinity) <= as.scale))
      )
    case 'time':
      return type.kind === 'time' && type.digits <= (as.cut ?? as.digits)
    case 'timestamp':
      return type.kind === 'timestamp' && type.zone === as.zone && type.digits <= (as.cut ?? as.digits)
    case 'native':
      return as.name !== 'ewkb'
    default:
      return type.kind === as.kind
  }
}

export function fieldReader(column: AnyColumn): FieldReader {
  const { as } = column
  if (as.kind === 'bytes' && column.column.type.kind === 'bytes') {
    const bytes: Reader = (field) => bytesOfText(field.slice(1))
    return { plain: bytes, escaped: bytes }
  }
  const quick = travelsWhole(column) ? quickReader(as) : undefined
  if (quick === null) return { plain: null, escaped: unescaped }
  const read = quick ?? normalizer(as)
  return { plain: read, escaped: (field) => read(unescaped(field)) }
}

/**
 * Reader of what the server prints for the column itself, neither changed by `selected` nor escaped; the cell is the one that a copy makes of the same
 * value. Null where the cell is the text.
 * @param json what `to_jsonb` makes of the text of an array; null where the column is none
 */
export function valueReader(column: AnyColumn, json: ((literal: string) => string) | null): Reader | null {
  const {
    as,
    column: { type },
  } = column
  if (as.kind === 'bytes' && type.kind === 'bytes') return bytesOfText
  if (isWidened(as, type)) return (text) => Math.fround(Number(text))
  if (asJson(as, type) && json !== null) {
    const read = normalizer(as)
    return (text) => read(json(text))
  }
  const quick = travelsWhole(column) ? quickReader(as) : undefined
  return quick === undefined ? normalizer(as) : quick
}

/** For what the server prints in canonical form already (null), or nearly so; undefined for the rest. Slow twin: `normalizer`. */
function quickReader(as: ColumnType): Reader | null | undefined {
  switch (as.kind) {
    case 'bool':
      return (text) => (text === 't' ? '1' : '0')
    case 'int':
    case 'uuid':
    case 'date':
    case 'time':
    case 'native':
      return null
    case 'text':
      return as.padded === true ? (text) => text.replace(/ +$/, '') : null
    case 'float':
      return as.bits === 32 ? (text) => Math.fround(Number(text)) : Number
    case 'decimal':
      return trimmedDecimal
    case 'timestamp':
      return as.zone ? withoutZone : null
    case 'bytes':
    case 'json':
    case 'list':
      return undefined
  }
}

/** `1.50` as `1.5`. */
function trimmedDecimal(text: string): string {
  if (!text.endsWith('0') || !text.includes('.')) return text
  let end = text.length
  while (text[end - 1] === '0') end--
  return text.slice(0, text[end - 1] === '.' ? end - 1 : end)
}

/** Sessions are in UTC. */
function withoutZone(text: string): string {
  if (text.endsWith('+00')) return text.slice(0, -3)
  return text.replace(/\+00 BC$/, ' BC')
}

const ESCAPED = /\\(.)/gs
const LETTERS: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

export function unescaped(field: string): string {
  if (!field.includes('\\')) return field
  return field.replaceAll(ESCAPED, (_, char: string) => LETTERS[char] ?? char)
}

/** The error with the name of its column; what is no verdict on a value comes back unchanged. @param isTarget as `valueError` has it */
export function inColumn(error: unknown, { name }: AnyColumn, table: string, isTarget: boolean): unknown {
  if (!isRefusedValue(error)) return error
  return valueError(isTarget, error.message, { where: `${table}.${name}`, cause: error })
}
