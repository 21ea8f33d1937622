/**
 * Reads SQLite's values as canonical ones. Its columns may hold any value, so each value is first checked against the
 * column's type. Needs no driver.
 */
import { canonicalInstant } from '../../../model/copy/canonical-time.ts'
import { normalizer, type Normalizer } from '../../../model/copy/canonical.ts'
import type { Column, ColumnType } from '../../../model/copy/column-type.ts'
import { storedConverter } from '../../../model/copy/convert.ts'
import { refusedValue } from '../../../model/copy/refused.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { literalOf, type StoredValue } from './any.ts'
import { binderOf, type Binder } from './bind.ts'
import { affinityOf, sqliteColumnType, type Affinity } from './types.ts'

export type CellReader = (stored: StoredValue) => Exclude<Cell, null>

const LARGEST = 2 ** 63

/** As `readerOfType`, and refuses other storage classes if `Column.oneClass` is set. */
export function sqliteCellReaderOf(
  column: Pick<Column, 'type' | 'native' | 'oneClass'>,
  as: ColumnType,
  intoText = false,
): CellReader {
  const read = readerOfType(column, as, intoText)
  if (column.oneClass !== true || read === literalOf) return read
  switch (column.type.kind) {
    case 'text':
      return (stored) => (typeof stored === 'string' ? read(stored) : wrongClass('text', stored))
    case 'int':
    case 'decimal':
      return (stored) => (typeof stored === 'string' ? wrongClass('a number', stored) : read(stored))
    default:
      return read
  }
}

/**
 * @param as the type in which values are transferred: the column's own, or one that the plan allows
 * @param intoText as `ReadColumn.intoText`
 * @throws (the function) SluiceError VALUE_REFUSED if a value is not of the column's type
 */
function readerOfType(
  { type, native }: Pick<Column, 'type' | 'native'>,
  as: ColumnType,
  intoText: boolean,
): CellReader {
  if (as.kind === 'native' && as.name === 'any') return literalOf
  const convert = storedConverter(type, as)
  switch (type.kind) {
    case 'bytes':
      return (stored) => convert(typeof stored === 'object' ? stored : wrongClass('bytes', stored))
    // Here untyped columns are not transferred as literals: their stored text is returned.
    case 'native':
    case 'text':
    case 'json':
      return textReader(convert)
    case 'int':
      return (stored) => convert(inRange(withoutBytes('a whole number', stored)))
    case 'float':
      return (stored) => convert(exactly(withoutBytes('a number', stored)))
    case 'decimal':
      // If source and target column are declared alike, the text is transferred as it is stored.
      if (as.kind === 'native') return (stored) => convert(withoutBytes('a number', stored))
      return intoText && sqliteColumnType(native) === null
        ? finite(decimalReader(type, convert))
        : decimalReader(type, convert)
    case 'timestamp':
      return type.zone && as.kind === 'timestamp' && !as.zone
        ? inUtc(convert)
        : (stored) => convert(withoutBytes(type.kind, stored))
    default:
      return (stored) => convert(withoutBytes(type.kind, stored))
  }
}

/**
 * As `sqliteCellReaderOf`, for values that must be restored exactly: refuses a value whose canonical form would be
 * stored in another storage class or spelling.
 * @param loses called once a time has another spelling: true to refuse it
 * @throws (the function) SluiceError VALUE_REFUSED
 */
export function exactReader(
  { native, type }: Pick<Column, 'native' | 'type'>,
  as: ColumnType,
  loses = (): boolean => false,
): CellReader {
  const read = readerOf({ native, type }, as)
  if (read === literalOf) return read
  const affinity = affinityOf(native, true)
  const bind = binderOf(as, affinity)
  const isInstant = isTime(as)
  return (stored) => {
    const cell = read(stored)
    const value = bound(bind, cell)
    if (isStoredExactly(stored, value, affinity, isInstant)) {
      if (!isInstant || value === stored || !loses()) return cell
      throw refusedValue(
        `spelled as it would be restored (${String(value)}), and a key or constraint compares it`,
        stored,
      )
    }
    throw refusedValue(`${as.kind === 'native' ? 'text' : as.kind} that the column would store unchanged`, stored)
  }
}

/** Returns a function from a stored time to the value that is restored; it returns an unreadable value unchanged. */
export function restoredTime(
  { native, type }: Pick<Column, 'native' | 'type'>,
  as: ColumnType,
): ((stored: StoredValue) => SqlValue) | null {
  if (!isTime(as)) return null
  const read = readerOf({ native, type }, as)
  const bind = binderOf(as, affinityOf(native, true))
  return (stored) => {
    try {
      return bind(read(stored))
    } catch {
      return stored
    }
  }
}

function readerOf({ native, type }: Pick<Column, 'native' | 'type'>, as: ColumnType): CellReader {
  return sqliteCellReaderOf({ native, type: type.kind === 'timestamp' && as.kind === 'timestamp' ? type : as }, as)
}

function isTime({ kind }: ColumnType): boolean {
  return kind === 'date' || kind === 'time' || kind === 'timestamp'
}

/** The value as it would be bound to write it; null if it cannot be written. */
function bound(bind: Binder, cell: Exclude<Cell, null>): SqlValue {
  try {
    return bind(cell)
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'ROW_REFUSED') return null
    throw error
  }
}

/** True if the column would store the bound value exactly as `stored`, to which its affinity is already applied. */
function isStoredExactly(stored: StoredValue, value: SqlValue, affinity: Affinity, isInstant: boolean): boolean {
  if (typeof stored === 'object')
    return typeof value === 'object' && value !== null && Buffer.compare(stored, value) === 0
  if (value === null || typeof value === 'object') return false
  if (typeof stored === 'string') return isInstant ? typeof value === 'string' : value === stored
  if (affinity === 'any') return Object.is(value, stored)
  if (typeof value !== 'string') return Number(value) === Number(stored)
  // The column converts the text of a finite number back into the number, and keeps the text of an infinite one.
  return value === String(stored) && Number.isFinite(Number(stored))
}

/** For a time that is transferred without its zone, as in older archives: converts it to UTC, as SQLite does. */
function inUtc(convert: Normalizer): CellReader {
  return (stored) =>
    convert(typeof stored === 'string' ? canonicalInstant(stored, true) : withoutBytes('timestamp', stored))
}

function textReader(convert: Normalizer): CellReader {
  return (stored) => {
    if (typeof stored === 'string') return convert(stored)
    // A column of numbers converts the text of a number back into the number, but keeps that of an infinite one.
    if (typeof stored === 'number' && !Number.isFinite(stored)) return wrongClass('text', stored)
    return convert(withoutBytes('text', stored))
  }
}

/**
 * For a column without a type. When its texts are copied back, SQLite makes the text of a finite number a number again,
 * and keeps that of an infinite one.
 */
function finite(read: CellReader): CellReader {
  return (stored) =>
    typeof stored === 'number' && !Number.isFinite(stored) ? wrongClass('a finite number', stored) : read(stored)
}

function withoutBytes(what: string, stored: StoredValue): string | number | bigint {
  return typeof stored === 'object' ? wrongClass(what, stored) : stored
}

/** SQLite stores whole numbers beyond 64 bits as floating point numbers, whose last digits are wrong. */
function inRange(stored: string | number | bigint): string | number | bigint {
  if (typeof stored === 'number' && Math.abs(stored) >= LARGEST) return wrongClass('a whole number of 64 bits', stored)
  if (typeof stored === 'string' && stored.length > 18 && !/^[+-]?0*\d{1,18}$/.test(stored)) {
    if (!/^-?\d{19}$/.test(stored) || BigInt.asIntN(64, BigInt(stored)) !== BigInt(stored)) {
      return wrongClass('a whole number of 64 bits', stored)
    }
  }
  return stored
}

function exactly(stored: string | number | bigint): string | number | bigint {
  if (typeof stored !== 'bigint' || BigInt(Number(stored)) === stored) return stored
  return wrongClass('a floating point number', stored)
}

/** Refuses numbers with more digits than the type has: SQLite does not enforce `DECIMAL(10,2)`. */
function decimalReader({ precision, scale = 0 }: ColumnType & { kind: 'decimal' }, convert: Normalizer): CellReader {
  if (precision === undefined) return (stored) => convert(withoutBytes('a number', stored))
  const exact = normalizer({ kind: 'decimal' })
  const whole = precision - scale
  const places = Math.max(scale, 0)
  return (stored) => {
    const text = exact(withoutBytes('a number', stored)) as string
    const point = text.indexOf('.')
    const digits = (point === -1 ? text.length : point) - (text.startsWith('-') ? 1 : 0)
    const behind = point === -1 ? 0 : text.length - point - 1
    if (behind > places || (digits > Math.max(whole, 1) && /^[-\d]/.test(text) && text !== '-Infinity')) {
      return wrongClass(`a number of ${precision} digits, ${places} of them after the decimal point`, stored)
    }
    return convert(text)
  }
}

function wrongClass(what: string, stored: StoredValue): never {
  throw refusedValue(what, stored)
}
