/** SQL that converts texts of the wire form to Parquet values, and refuses values that would change. */
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { sqlLiteral, quotedName } from '../../../shared/sql-text.ts'
import { isDecimal, nativeOf } from './columns.ts'

/** Start of the error for a refused value; the column's number, a colon, and the start of the value follow. */
const MARK = 'sluice-refused:'
const SHOWN = 60
/** Length of `YYYY-MM-DD HH:MM:SS.ffffff`. */
const LONGEST_TIMESTAMP = 26

/** Name of a column while its values are texts. */
export function wireName(at: number): string {
  return `c${at}`
}

/** The Parquet value of the column `wireName(at)` in a table `wire` of texts, with its physical name. */
export function castColumn(column: StoredColumn, at: number): string {
  return `${valueOf(column, at)} AS ${quotedName(column.physical)}`
}

/** As `castColumn`, if the field may be bytes already: `binary` columns are not converted. */
export function castField(column: StoredColumn, at: number): string {
  return column.stored === 'binary' ? `wire.${wireName(at)} AS ${quotedName(column.physical)}` : castColumn(column, at)
}

/**
 * As `castColumn`, only for reading: accepts infinite times, and returns NULL for a value that the type cannot hold.
 */
export function readableColumn(column: StoredColumn, at: number): string {
  const { stored } = column
  const value = valueOf(column, at, () => 'NULL')
  if (stored !== 'date' && stored !== 'timestamp' && stored !== 'timestamp_ntz') return value
  const text = `wire.${wireName(at)}`
  return `CASE WHEN ${text} IN ('infinity', '-infinity') THEN CAST(${text} AS ${nativeOf(stored)}) ELSE ${value} END`
}

/** SQL that fails the statement for a value that its type cannot hold. @param text SQL of the value's text */
export function refusing(text: string, at: number): string {
  return `error(${sqlLiteral(`${MARK}${at}:`)} || left(${text}, ${SHOWN}))`
}

type Otherwise = (text: string, at: number) => string

function valueOf({ stored }: StoredColumn, at: number, otherwise: Otherwise = refusing): string {
  const text = `wire.${wireName(at)}`
  switch (stored) {
    case 'string':
      return text
    case 'binary':
      return `unhex(${text})`
    case 'date':
      return checked(
        text,
        at,
        'DATE',
        (date) => `${date} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' AND ${hasNoBc(text)}`,
        otherwise,
      )
    case 'timestamp':
      return `make_timestamptz(epoch_us(${checkedTimestamp(text, at, otherwise)}))`
    case 'timestamp_ntz':
      return checkedTimestamp(text, at, otherwise)
    default:
      if (!isDecimal(stored)) return checked(text, at, nativeOf(stored), (value) => `${value} IS NOT NULL`, otherwise)
      return checkedDecimal(text, at, nativeOf(stored), otherwise)
  }
}

function checkedTimestamp(text: string, at: number, otherwise: Otherwise): string {
  return checked(
    text,
    at,
    'TIMESTAMP',
    (instant) =>
      `${instant} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999' AND strlen(${text}) <= ${LONGEST_TIMESTAMP} AND ${hasNoBc(text)}`,
    otherwise,
  )
}

/** Condition that a text has no BC, which DuckDB ignores after a date. */
function hasNoBc(text: string): string {
  return `NOT ends_with(${text}, 'C')`
}

/** SQL for the decimal, or for `otherwise` if DuckDB would round decimal places other than zeros at the end. */
function checkedDecimal(text: string, at: number, native: string, otherwise: Otherwise): string {
  const scale = Number(/,(\d+)\)$/.exec(native)?.[1] ?? 0)
  const point = `strpos(${text}, '.')`
  const fits = `(${point} = 0 OR strlen(${text}) - ${point} <= ${scale} OR strlen(rtrim(${text}, '0')) - ${point} <= ${scale})`
  return checked(text, at, native, (value) => `${value} IS NOT NULL AND ${fits}`, otherwise)
}

function checked(
  text: string,
  at: number,
  native: string,
  holds: (value: string) => string,
  otherwise: Otherwise,
): string {
  const value = `TRY_CAST(${text} AS ${native})`
  return `CASE WHEN ${text} IS NULL THEN NULL WHEN ${holds(value)} THEN ${value} ELSE ${otherwise(text, at)} END`
}

/** Error for a refused value, from DuckDB's message; null if the message has another cause. */
export function valueRefusal(message: string, columns: readonly StoredColumn[]): SluiceError | null {
  const found = refused(message, columns)
  if (found === null) return null
  const { column, shown } = found
  return new SluiceError(
    'VALUE_REFUSED',
    `${column.name}: an archive cannot store this value as ${column.stored}: ${shown}`,
    {
      where: column.name,
      reason: 'stored as that type it would become another value, or NULL',
      hint: 'correct the value at the source',
      kind: 'source',
    },
  )
}

/** The column of a refused value, and the start of that value. */
export function refused<Of extends StoredColumn>(
  message: string,
  columns: readonly Of[],
): { readonly column: Of; readonly shown: string } | null {
  const found = new RegExp(`${MARK}(\\d+):(.*)`, 's').exec(message)
  const column = columns[Number(found?.[1])]
  return found === null || column === undefined ? null : { column, shown: (found[2] ?? '').slice(0, SHOWN) }
}
