/** From the texts of the wire form to the values that Parquet holds, as SQL that refuses whatever would become another value. */
import type { StoredColumn } from '../../../model/archiving/stored-column.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { literal, quotedName } from '../../../shared/sql-text.ts'
import { isDecimal, nativeOf } from './columns.ts'

/** Behind it stand the number of the column, a colon, and the beginning of the value. */
const MARK = 'sluice-refused:'
const SHOWN = 60
/** `YYYY-MM-DD HH:MM:SS.ffffff` */
const LONGEST_MOMENT = 26

/** Name of a column while its values are texts. */
export function wireName(at: number): string {
  return `c${at}`
}

/** The value that Parquet holds, of the column `wireName(at)` of a table `wire` of texts; under its physical name. */
export function castColumn(column: StoredColumn, at: number): string {
  return `${valueOf(column, at)} AS ${quotedName(column.physical)}`
}

function valueOf({ stored }: StoredColumn, at: number): string {
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
        (date) => `${date} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' AND ${christian(text)}`,
      )
    case 'timestamp':
      return `make_timestamptz(epoch_us(${checkedMoment(text, at)}))`
    case 'timestamp_ntz':
      return checkedMoment(text, at)
    default:
      if (!isDecimal(stored)) return checked(text, at, nativeOf(stored), (value) => `${value} IS NOT NULL`)
      return checkedDecimal(text, at, nativeOf(stored))
  }
}

function checkedMoment(text: string, at: number): string {
  return checked(
    text,
    at,
    'TIMESTAMP',
    (moment) =>
      `${moment} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999' AND strlen(${text}) <= ${LONGEST_MOMENT} AND ${christian(text)}`,
  )
}

/** DuckDB takes no notice of a BC behind a date. */
function christian(text: string): string {
  return `NOT ends_with(${text}, 'C')`
}

/** DuckDB rounds what has too many digits behind the point. Zeros at the end are no such digits. */
function checkedDecimal(text: string, at: number, native: string): string {
  const scale = Number(/,(\d+)\)$/.exec(native)?.[1] ?? 0)
  const point = `strpos(${text}, '.')`
  const fits = `(${point} = 0 OR strlen(${text}) - ${point} <= ${scale} OR strlen(rtrim(${text}, '0')) - ${point} <= ${scale})`
  return checked(text, at, native, (value) => `${value} IS NOT NULL AND ${fits}`)
}

function checked(text: string, at: number, native: string, holds: (value: string) => string): string {
  const value = `TRY_CAST(${text} AS ${native})`
  const refuse = `error(${literal(`${MARK}${at}:`)} || left(${text}, ${SHOWN}))`
  return `CASE WHEN ${text} IS NULL THEN NULL WHEN ${holds(value)} THEN ${value} ELSE ${refuse} END`
}

/** What is said of a refused value, by the message that DuckDB ended with; null where it ended for something else. */
export function refusal(message: string, columns: readonly StoredColumn[]): SluiceError | null {
  const found = new RegExp(`${MARK}(\\d+):(.*)`, 's').exec(message)
  const column = columns[Number(found?.[1])]
  if (found === null || column === undefined) return null
  const shown = (found[2] ?? '').slice(0, SHOWN)
  return new SluiceError(
    'VALUE_REFUSED',
    `${column.name}: an archive cannot hold this value as ${column.stored}: ${shown}`,
    {
      where: column.name,
      reason: 'stored as that type it would become another value, or none',
      hint: `mend the value at its source, or store the text of the column with --as-text ${column.name}`,
      kind: 'source',
    },
  )
}
