/** Keys in DuckDB's SQL. */
import { digitsOfText, hexDigits } from '../../../model/copy/bytes-text.ts'
import { normalizer } from '../../../model/copy/canonical.ts'
import type { Column, ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { keyColumns, type KeyDialect } from '../../common/key-ranges.ts'
import { duckText } from './spell.ts'
import { kept, wallClock } from './select.ts'

export function fromTable({ table: { schema, name } }: TableSpec): string {
  return `${quotedName(schema ?? 'main')}.${quotedName(name)}`
}

/** Bounds are texts as DuckDB prints the keys. */
export const SOURCE_KEYS: KeyDialect = {
  quote: quotedName,
  from: fromTable,
  bound: ({ type, native }) => (type.kind === 'bytes' ? 'unhex(?)' : `CAST(? AS ${native})`),
  value: ({ type }, text) => {
    if (type.kind === 'bytes') return digitsOfText(text)
    // A bound of another system, for a comparison.
    return text.endsWith(' BC') && (type.kind === 'date' || type.kind === 'timestamp') ? boundText(type, text) : text
  },
  text: ({ name, type }) => {
    const value = quotedName(name)
    return type.kind === 'bytes' ? `'\\x' || lower(hex(${value}))` : kept(printedKey(value, type))
  },
  byColumns: true,
}

function printedKey(value: string, type: ColumnType): string {
  const printed = `CAST(${value} AS VARCHAR)`
  if (type.kind !== 'timestamp' || !type.zone) return printed
  return `CASE WHEN isinf(${value}) THEN ${printed} ELSE ${wallClock(value)} || '+00' END`
}

/** For tables that are written: bounds come from another system, in its form. */
export function targetKeys(asOf: (column: Column) => ColumnType): KeyDialect {
  return { ...SOURCE_KEYS, value: (column, text) => boundText(asOf(column), text) }
}

/** Keys of another system as DuckDB reads them; bytes as hexadecimal digits. */
export function* boundTexts(
  table: TableSpec,
  keys: readonly RowKey[],
  asOf: (column: Column) => ColumnType,
): Generator<RowKey> {
  const types = keyColumns(table).map(asOf)
  for (const key of keys) yield key.map((text, i) => (text === null ? null : boundText(types[i] as ColumnType, text)))
}

function boundText(as: ColumnType, text: string): string {
  return keyCellText(as, normalizer(as)(text))
}

/** A key value as DuckDB reads it; bytes as hexadecimal digits. */
export function keyCellText(as: ColumnType, cell: Exclude<Cell, null>): string {
  return typeof cell === 'object' ? hexDigits(cell) : duckText(as, String(cell))
}
