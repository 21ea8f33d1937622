/** Keys in DuckDB's SQL. */
import { digitsOfText, hexDigits } from '../../../model/copy/bytes-text.ts'
import { normalizer } from '../../../model/copy/canonical.ts'
import type { Column, ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { sideOfLimits, wholeLimits, type Limits } from '../../common/type-limits.ts'
import { keyColumns, type KeyDialect } from '../../common/key-ranges.ts'
import { duckText } from './spell.ts'
import { doubledBom, utcTimestampSql } from './select.ts'

export function fromTable({ table: { schema, name } }: TableSpec): string {
  return `${quotedName(schema ?? 'main')}.${quotedName(name)}`
}

/** Bounds are texts as DuckDB prints the keys. */
export const DUCKDB_SOURCE_KEYS: KeyDialect = {
  quote: quotedName,
  from: fromTable,
  bound: ({ type, native }) => (type.kind === 'bytes' ? 'unhex(?)' : `CAST(? AS ${native})`),
  value: ({ type }, text) => {
    if (type.kind === 'bytes') return digitsOfText(text)
    // In a comparison, a bound may be a text of another system.
    const isForeign = text.endsWith(' BC') || (type.kind === 'timestamp' && type.zone && !text.endsWith('+00'))
    return isForeign && (type.kind === 'date' || type.kind === 'timestamp') ? boundText(type, text) : text
  },
  text: ({ name, type }) => {
    const value = quotedName(name)
    return type.kind === 'bytes' ? `'\\x' || lower(hex(${value}))` : doubledBom(printedKey(value, type))
  },
  beyond: ({ type, native }, text) => sideOfLimits(type, text, limitsOf(native)),
  byColumns: true,
}

const WHOLE: Readonly<Record<string, Limits>> = {
  TINYINT: wholeLimits(8, false),
  SMALLINT: wholeLimits(16, false),
  INTEGER: wholeLimits(32, false),
  BIGINT: wholeLimits(64, false),
  HUGEINT: wholeLimits(128, false),
  UTINYINT: wholeLimits(8, true),
  USMALLINT: wholeLimits(16, true),
  UINTEGER: wholeLimits(32, true),
  UBIGINT: wholeLimits(64, true),
  UHUGEINT: wholeLimits(128, true),
}
const DATES: Limits = ['5877642-06-25 BC', '5881580-07-10']
const TIMES: Limits = ['290309-12-22 00:00:00 BC', '294247-01-10 04:00:54.775806']

function limitsOf(native: string): Limits | null {
  if (native === 'DATE') return DATES
  if (native === 'TIMESTAMP' || native === 'TIMESTAMP WITH TIME ZONE') return TIMES
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(native) ?? []
  if (precision === undefined || scale === undefined) return WHOLE[native] ?? null
  const most = `${'9'.repeat(Number(precision) - Number(scale))}.${'9'.repeat(Number(scale))}`
  return [`-${most}`, most]
}

function printedKey(value: string, type: ColumnType): string {
  const printed = `CAST(${value} AS VARCHAR)`
  if (type.kind !== 'timestamp' || !type.zone) return printed
  return `CASE WHEN isinf(${value}) THEN ${printed} ELSE ${utcTimestampSql(value)} || '+00' END`
}

/** For tables that are written: bounds come from another system, in its form. */
export function duckdbTargetKeys(asOf: (column: Column) => ColumnType): KeyDialect {
  return {
    ...DUCKDB_SOURCE_KEYS,
    value: (column, text) => boundText(asOf(column), text),
    beyond: (column, text) => sideOfLimits(column.type, boundText(asOf(column), text), limitsOf(column.native)),
  }
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
