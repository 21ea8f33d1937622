/** Key ranges in SQL for D1, whose parameters are texts and doubles only. */
import { digitsOfText, hexDigits } from '../../../model/copy/bytes-text.ts'
import { normalizer } from '../../../model/copy/canonical.ts'
import { fitsDouble } from '../../../model/copy/decimal.ts'
import type { Column, ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { KeyDialect } from '../../common/key-ranges.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { floatKeyText, valueOfLiteral } from '../../common/sqlite-dialect/any.ts'
import { binderOf } from '../../common/sqlite-dialect/bind.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'
import { freeRowid } from '../../common/sqlite-dialect/table-facts.ts'

/** Bound of an untyped column, which converts no texts: a JSON list, `[value]`, or for bytes `[null, hex digits]`. */
const ANY_BOUND = '(SELECT coalesce(unhex(value ->> 1), value ->> 0) FROM (SELECT ? AS value))'

/** For tables that are read: bounds are texts of the stored values. */
export const D1_SOURCE_KEYS: KeyDialect = {
  quote,
  from: (table) => quote(table.table.name),
  bound: ({ type }) => boundOf(type),
  value: ({ type }, text) => {
    if (type.kind === 'bytes') return digitsOfText(text)
    if (type.kind === 'float') return floatKeyText(text)
    return isAny(type) ? anyValue(text) : text
  },
  text: textSql,
}

/**
 * For tables that are written: bounds come from another system, in its spelling; rows hold canonical values.
 * @param asOf the type in which the values of a column were transferred
 */
export function d1TargetKeys(asOf: (column: Column) => ColumnType): KeyDialect {
  return {
    ...D1_SOURCE_KEYS,
    bound: (column) => boundOf(asOf(column)),
    value: (column, text) => {
      const as = asOf(column)
      if (isAny(as)) return anyValue(text)
      const value = binderOf(as, affinityOf(column.native))(normalizer(as)(text))
      return value !== null && typeof value === 'object' ? hexDigits(value) : value
    },
  }
}

/** A key's value as a text that represents it exactly. */
function textSql({ name, type, native }: Column): string {
  const column = quote(name)
  if (type.kind === 'bytes') return `'\\x' || lower(hex(${column}))`
  const affinity = affinityOf(native)
  // 15 digits if a double holds the decimal exactly: with more digits other systems would read a neighbouring value.
  const digits = type.kind === 'decimal' && fitsDouble(type.precision, type.scale) ? 15 : 17
  const number = `CASE typeof(${column}) WHEN 'real' THEN printf('%!.${digits}g', ${column}) ELSE CAST(${column} AS TEXT) END`
  if (isAny(type)) {
    return (
      `CASE typeof(${column}) WHEN 'text' THEN '''' || replace(${column}, '''', '''''') || '''' ` +
      `WHEN 'blob' THEN 'x''' || lower(hex(${column})) || '''' ELSE ${number} END`
    )
  }
  // A cast would round a double to 15 digits; a column of whole numbers may hold one, too.
  return affinity === 'text' ? column : number
}

function boundOf(type: ColumnType): string {
  if (type.kind === 'bytes') return 'unhex(?)'
  return isAny(type) ? ANY_BOUND : '?'
}

function isAny(type: ColumnType): boolean {
  return type.kind === 'native' && type.name === 'any'
}

function anyValue(literal: string): SqlValue {
  const value = valueOfLiteral(literal)
  if (typeof value === 'object') return JSON.stringify([null, hexDigits(value)])
  return typeof value === 'string' ? JSON.stringify([value]) : `[${literal}]`
}

/** A name by which SQL can read the rowid, because no column has it. @throws SluiceError UNSUPPORTED_KEY if none */
export function rowidOf(table: TableSpec): string {
  const free = freeRowid(table.columns)
  if (free !== null) return free
  throw new SluiceError(
    'UNSUPPORTED_KEY',
    `the rows of ${table.table.name} cannot be identified: its columns rowid, _rowid_ and oid hide the row numbers`,
    {
      where: table.table.name,
      hint: 'rename one of them, or give the table a primary key',
    },
  )
}
