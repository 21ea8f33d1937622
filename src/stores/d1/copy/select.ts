/** SELECT expressions, and decoding of values. Whole numbers are selected as texts, because the API sends doubles. */
import { shownValue } from '../../../model/copy/bytes-text.ts'
import { isPlainType } from '../../../model/copy/canonical.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import { SluiceError, type ErrorKind } from '../../../shared/errors.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import { isRefusedValue, storedCell, valueError, type MistypedRows } from '../../common/as-stored.ts'
import type { StoredValue } from '../../common/sqlite-dialect/any.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { sqliteCellReaderOf } from '../../common/sqlite-dialect/read-cell.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'
import type { D1Row, D1Value } from '../client.ts'

/** Maximum bytes of a BLOB whose hexadecimal digits fit into a text; a longer BLOB is selected as a list of numbers. */
const LONG_BYTES = 990_000
const LARGEST_DOUBLE = '1.7976931348623157e308'

/**
 * Form in which a column's values are selected: unchanged if the column has only one storage class; otherwise with the
 * letter of the class before each value. In a column of whole numbers, whole numbers have no letter.
 */
type Form = 'text' | 'integer' | 'real' | 'tagged'

function formOf({ column }: ReadColumn): Form {
  const { kind } = column.type
  const affinity = affinityOf(column.native)
  if (affinity === 'text' && kind !== 'bytes' && kind !== 'native') return 'text'
  if (affinity === 'integer' && (kind === 'int' || kind === 'bool')) return 'integer'
  return affinity === 'real' && kind === 'float' ? 'real' : 'tagged'
}

/** SELECT expression of a column. */
export function selectSql(column: ReadColumn): string {
  const sql = quote(column.name)
  switch (formOf(column)) {
    case 'text':
      return sql
    case 'integer':
      return taggedSql(sql, { integer: `CAST(${sql} AS TEXT)` })
    case 'real':
      return `CASE WHEN typeof(${sql}) = 'real' AND abs(${sql}) > ${LARGEST_DOUBLE} THEN CAST(${sql} AS TEXT) ELSE ${sql} END`
    case 'tagged':
      return taggedSql(sql)
  }
}

/**
 * Expression for the position of a row. A text that is not printable ASCII is selected as `h` and its hexadecimal
 * digits, because the API replaces bytes that are not valid UTF-8.
 */
export function placeSql(sql: string): string {
  const plain = `length(CAST(${sql} AS BLOB)) = length(${sql}) AND ${sql} NOT GLOB '*[^ -~]*'`
  return taggedSql(sql, { text: `CASE WHEN ${plain} THEN 't' || ${sql} ELSE 'h' || hex(${sql}) END` })
}

/**
 * Expression for a value of any storage class: `i`, `t`, `b` or `r`, and then its text. Finite REAL values and long
 * BLOBs are selected unchanged; `r` marks infinite numbers, which JSON does not have.
 */
function taggedSql(
  sql: string,
  { integer = `'i' || ${sql}`, text = `'t' || ${sql}` }: { readonly integer?: string; readonly text?: string } = {},
): string {
  return (
    `CASE typeof(${sql}) WHEN 'integer' THEN ${integer} WHEN 'text' THEN ${text} ` +
    `WHEN 'real' THEN CASE WHEN abs(${sql}) > ${LARGEST_DOUBLE} THEN 'r' || CAST(${sql} AS TEXT) ELSE ${sql} END ` +
    `WHEN 'blob' THEN CASE WHEN length(${sql}) > ${LONG_BYTES} THEN ${sql} ELSE 'b' || hex(${sql}) END END`
  )
}

/** Decodes a value to what the driver of a local database would return. */
function storedOf(value: Exclude<D1Value, null>, form: Form): StoredValue {
  if (typeof value === 'object') return Buffer.from(value)
  if (form === 'text' || form === 'real' || typeof value === 'number') return value
  if (form === 'integer' && /^[-\d]/.test(value)) return value
  const rest = value.slice(1)
  switch (value[0]) {
    case 'i':
      return BigInt(rest)
    case 'b':
      return Buffer.from(rest, 'hex')
    case 'h':
      return Buffer.from(rest, 'hex').toString()
    case 'r':
      return rest.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
    default:
      return rest
  }
}

export type Decoder = {
  /**
   * @param from index of the first column; the values before are the position of the row
   * @param broken bytes of texts that are not valid UTF-8, by column
   */
  row(values: D1Row, from: number, broken?: ReadonlyMap<string, Uint8Array>): Row
  /** The values as texts, for messages. */
  shown(values: D1Row, from: number): readonly (string | null)[]
}

/** For `RowRequest.asStored`: key columns, and the set that collects rows with a value that does not fit its column. */
type StoredRows = { readonly key: readonly string[]; readonly odd: MistypedRows }

/**
 * @param table for messages @param kind error kind for a value that does not fit its column's type
 * @throws (`row`) SluiceError VALUE_REFUSED with table, column and row
 */
export function d1Decoder(
  columns: readonly ReadColumn[],
  table: string,
  kind: ErrorKind,
  stored?: StoredRows,
): Decoder {
  const steps = columns.map((column) => {
    const form = formOf(column)
    const plain = form === 'text' && column.column.type.kind === 'text' && isPlainType(column.as)
    return { name: column.name, form, plain, read: sqliteCellReaderOf(column.column, column.as, column.intoText) }
  })
  const refusal = (column: string, values: D1Row, from: number, cause: SluiceError): SluiceError => {
    const where = `${table}.${column}, row ${values.slice(0, from).map(shownPlace).join(', ')}`
    const message = `${where}: ${cause.message}`
    if (stored !== undefined && isRefusedValue(cause)) return valueError(true, message, { where, cause })
    return new SluiceError(cause.code, message, {
      where,
      kind,
      hint: cause.hint ?? 'correct the value at the source',
      cause,
    })
  }
  return {
    row: (values, from, broken) => {
      const cells: Cell[] = new Array<Cell>(steps.length)
      for (let i = 0; i < steps.length; i++) {
        const value = values[from + i] ?? null
        const step = steps[i]
        if (value === null || step === undefined) cells[i] = null
        else if (step.plain && typeof value === 'string' && broken === undefined) cells[i] = value
        else {
          const bytes = broken?.get(step.name)
          try {
            if (bytes !== undefined) throw notCharacters()
            cells[i] = step.read(storedOf(value, step.form))
          } catch (error) {
            if (stored !== undefined && !stored.key.includes(step.name) && isRefusedValue(error)) {
              stored.odd.add(cells)
              cells[i] = storedCell(bytes ?? storedOf(value, step.form))
              continue
            }
            if (error instanceof SluiceError) throw refusal(step.name, values, from, error)
            throw error
          }
        }
      }
      return cells
    },
    shown: (values, from) =>
      steps.map(({ form }, i) => {
        const value = values[from + i] ?? null
        if (value === null) return null
        return shownValue(storedOf(value, form))
      }),
  }
}

function notCharacters(): SluiceError {
  return new SluiceError('VALUE_REFUSED', 'this text is not valid UTF-8', {
    hint: 'correct the value at the source, or give the column the type BLOB',
  })
}

function shownPlace(value: D1Value): string {
  return value === null ? 'NULL' : shownValue(storedOf(value, 'tagged')).slice(0, 60)
}
