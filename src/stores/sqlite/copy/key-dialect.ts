/** Keys in SQLite's SQL, without a driver. */
import { bytesOfText } from '../../../model/copy/bytes-text.ts'
import { normalizer } from '../../../model/copy/canonical.ts'
import type { Column, ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import { fitsDouble } from '../../../model/copy/decimal.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { rangeCondition, type KeyDialect, type SqlCondition } from '../../common/key-ranges.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { floatKeyText, literalOf, valueOfLiteral } from '../../common/sqlite-dialect/any.ts'
import { binderOf } from '../../common/sqlite-dialect/bind.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'
import type { Range } from '../../../model/copy/range.ts'

/** Maximum number of terms of a condition. SQLite nests one level per term, and allows a thousand levels. */
export const KEY_TERMS = 400

/** Keys of tables that are read. A bound is the text of a stored value of any storage class. */
export const SQLITE_SOURCE_KEYS: KeyDialect = {
  quote,
  from: (table) => quote(table.table.name),
  // A column without affinity compares a number and a text by storage class, so the bound is cast to a number.
  bound: ({ type, native }) => (type.kind === 'decimal' && affinityOf(native) === 'any' ? 'CAST(? AS NUMERIC)' : '?'),
  value: (column, text) => storedValue(column, text),
  text: textExpression,
}

/**
 * Keys of tables that are written. A bound comes from another system, in the spelling of that system; rows contain
 * canonical texts.
 * @param asOf the type in which the values of a column were transferred
 */
export function sqliteTargetKeys(asOf: (column: Column) => ColumnType): KeyDialect {
  return {
    ...SQLITE_SOURCE_KEYS,
    bound: () => '?',
    value: (column, text) => {
      const as = asOf(column)
      const cell: Cell = normalizer(as)(text)
      return binderOf(as, affinityOf(column.native))(cell)
    },
  }
}

/** Condition for the rows of a range. @param rowid of the table; null if it has none */
export function sqliteCondition(
  table: TableSpec,
  range: Range,
  where: string | null,
  rowid: string | null,
): SqlCondition {
  const condition = rangeCondition(table, range, where, SQLITE_SOURCE_KEYS)
  if (range.by !== 'block') return condition
  if (rowid === null) throw new Error(`${table.table.name} has no numbered rows`)
  const edges = [
    ...(range.from > 0n ? [`${rowid} >= ${range.from}`] : []),
    ...(range.to === null ? [] : [`${rowid} < ${range.to}`]),
  ]
  return { ...condition, sql: [...edges, condition.sql].join(' AND ') }
}

function textExpression({ name, type }: Column): string {
  const column = quote(name)
  if (type.kind === 'bytes') return `'\\x' || lower(hex(${column}))`
  // Print 15 digits if a double preserves every decimal of the type: more digits would show another decimal.
  if (type.kind === 'decimal' && fitsDouble(type.precision, type.scale)) {
    return `CASE typeof(${column}) WHEN 'real' THEN printf('%!.15g', ${column}) ELSE CAST(${column} AS TEXT) END`
  }
  if (type.kind !== 'native' || type.name !== 'any') return `CAST(${column} AS TEXT)`
  // quote() is not used, because it cuts texts off at U+0000.
  return (
    `CASE typeof(${column}) WHEN 'text' THEN '''' || replace(${column}, '''', '''''') || '''' ` +
    `WHEN 'blob' THEN 'x''' || lower(hex(${column})) || '''' ELSE CAST(${column} AS TEXT) END`
  )
}

function storedValue({ name, type }: Column, text: string): SqlValue {
  switch (type.kind) {
    case 'bool':
    case 'int':
      if (/^-?\d{1,19}$/.test(text)) return BigInt(text)
      throw new SluiceError('VALUE_REFUSED', `a key in ${name} is not a whole number: ${text.slice(0, 60)}`, {
        hint: 'correct the row at the source, or name other unique columns with --key',
      })
    case 'bytes':
      // For a column of bytes, an archive may contain literals, if some values of the column are not bytes.
      return text === '' || text.startsWith('\\x') ? bytesOfText(text) : valueOfLiteral(text)
    case 'native':
      return type.name === 'any' ? valueOfLiteral(text) : text
    case 'float':
      return floatKeyText(text)
    default:
      return text
  }
}

/** Text of a key, for messages. */
export function shownSqliteKey(values: readonly SqlValue[]): string {
  const shown = values.map((value) => {
    if (value === null) return 'NULL'
    return value instanceof Uint8Array ? literalOf(value) : String(value).slice(0, 60)
  })
  return shown.length === 1 ? (shown[0] ?? '') : `(${shown.join(', ')})`
}
