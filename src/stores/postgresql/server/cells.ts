/** Reads columns: the SELECT expression of each column, and the conversion of COPY output into a cell. */
import { hasArrayBounds } from '../../../model/copy/array-bounds.ts'
import { bytesOfText } from '../../../model/copy/bytes-text.ts'
import { normalizer } from '../../../model/copy/canonical.ts'
import type { ColumnType } from '../../../model/copy/column-type.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import { isRefusedValue, valueError } from '../../common/as-stored.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import { quoteName } from './connect.ts'

type AnyColumn = ReadColumn | WriteColumn

export type Reader = (text: string) => Exclude<Cell, null>

/** Readers of a column's fields in COPY's text format; not called for NULL (`\N`). */
export type FieldReader = {
  /** For fields without a backslash; null if the field itself is the cell. */
  readonly plain: Reader | null
  /** For fields that may contain escapes. */
  readonly escaped: Reader
}

/** SELECT expression of a column, for `fieldReader`. */
export function postgresSelection({ name, as, column: { type } }: AnyColumn): string {
  const column = quoteName(name)
  // Converted on the server: the shortest text of a float4, read as float8, is a different number.
  if (isWidened(as, type)) return `${column}::float8`
  if (asJson(as, type)) {
    // Elements of native types are read as texts: a record would become a JSON object, which is no literal of its type.
    const json = `pg_catalog.to_jsonb(${column}${type.of.kind === 'native' ? '::text[]' : ''})::text`
    const bounded = `pg_catalog.array_dims(${column}) OPERATOR(pg_catalog.~) '\\[(?!1:)'::text`
    return `CASE WHEN ${bounded} THEN ${column}::text ELSE ${json} END`
  }
  return column
}

function isWidened(as: ColumnType, type: ColumnType): boolean {
  return as.kind === 'float' && as.bits === 64 && type.kind === 'float' && type.bits === 32
}

function asJson(as: ColumnType, type: ColumnType): type is ColumnType & { readonly kind: 'list' } {
  return type.kind === 'list' && (as.kind === 'list' || as.kind === 'json')
}

/** True if each value of the column can be transferred without loss, as the type `as`. */
export function isLossless({ as, column: { type } }: AnyColumn): boolean {
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
      // Both types have the same text, with or without a zone, because sessions are in UTC.
      return type.kind === 'timestamp' && type.digits <= (as.cut ?? as.digits)
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
  const quick = isLossless(column) ? quickReader(column) : undefined
  if (quick === null) return { plain: null, escaped: unescaped }
  const read = quick ?? slowReader(column)
  return { plain: read, escaped: (field) => read(unescaped(field)) }
}

/**
 * Returns a reader for texts of values as the server prints them, without `postgresSelection` and without escapes. Its
 * cells are the same as in a copy. Null if the text itself is the cell.
 * @param json `to_jsonb` for the text of an array; null if the column is not an array
 */
export function valueReader(column: AnyColumn, json: ((literal: string) => string) | null): Reader | null {
  const {
    as,
    column: { type },
  } = column
  if (as.kind === 'bytes' && type.kind === 'bytes') return bytesOfText
  if (isWidened(as, type)) return (text) => Math.fround(Number(text))
  if (asJson(as, type) && json !== null) {
    const read = listReader(as)
    return (text) => read(hasArrayBounds(text) ? text : json(text))
  }
  const quick = isLossless(column) ? quickReader(column) : undefined
  return quick === undefined ? slowReader(column) : quick
}

/** Reader for the JSON of an array. An array with explicit bounds keeps the text that the server prints. */
function listReader(as: ColumnType): Reader {
  const read = normalizer(as)
  return as.kind === 'list' ? (text) => (hasArrayBounds(text) ? text : read(text)) : read
}

/** Reader for all columns without a `quickReader`. The zone is removed from timestamps, which are in UTC. */
function slowReader({ as, column: { type } }: AnyColumn): Reader {
  const read = asJson(as, type) ? listReader(as) : normalizer(as)
  return type.kind === 'timestamp' && type.zone ? (text) => read(withoutZone(text)) : read
}

/**
 * Null if the text of the server is the cell; undefined if the column needs a `slowReader`. Reference implementation:
 * `normalizer`.
 */
function quickReader({ as, column: { type } }: AnyColumn): Reader | null | undefined {
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
      return type.kind === 'timestamp' && type.zone ? withoutZone : null
    case 'bytes':
    case 'json':
    case 'list':
      return undefined
  }
}

/** Removes trailing zeros: `1.50` becomes `1.5`. */
function trimmedDecimal(text: string): string {
  if (!text.endsWith('0') || !text.includes('.')) return text
  let end = text.length
  while (text[end - 1] === '0') end--
  return text.slice(0, text[end - 1] === '.' ? end - 1 : end)
}

/** Removes the zone `+00`: sessions are in UTC, so no other zone occurs. */
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

/**
 * Adds the column's name to an error about a value; returns other errors unchanged.
 * @param isTarget as for `valueError`
 */
export function inColumn(error: unknown, { name }: AnyColumn, table: string, isTarget: boolean): unknown {
  if (!isRefusedValue(error)) return error
  return valueError(isTarget, error.message, { where: `${table}.${name}`, cause: error })
}
