/**
 * Binds canonical values for columns of SQLite, which converts values by the column's affinity: a value that would
 * change is refused. Needs no driver.
 */
import { INT64 } from '../../../shared/int64.ts'
import { withoutArrayBounds } from '../../../model/copy/array-bounds.ts'
import { canonicalDecimal } from '../../../model/copy/decimal.ts'
import type { ColumnType } from '../../../model/copy/column-type.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { changedBy } from '../refusals.ts'
import { valueOfLiteral } from './any.ts'
import type { Affinity } from './types.ts'

type Present = Exclude<Cell, null>
export type Binder = (cell: Present) => SqlValue

const { refuse, wellFormed } = changedBy('SQLite')

const WHOLE = /^-?\d+$/
/** Number of decimal digits that a double always keeps exactly. */
const SAFE_DIGITS = 15

/**
 * Converts cells of one column into values to bind, so that the same value is read back. A cell that is not a value of
 * the type was written by another program: it is bound unchanged, to restore it exactly.
 * @throws (the function) SluiceError ROW_REFUSED
 */
export function binderOf(as: ColumnType, affinity: Affinity): Binder {
  switch (as.kind) {
    case 'bytes':
      return (cell) => cell
    case 'float':
      return unless((cell) => typeof cell !== 'number', floatBinder(affinity))
    case 'bool':
    case 'int':
      return unless((cell) => !WHOLE.test(String(cell)), integerBinder(affinity))
    case 'decimal':
      return unless((cell) => typeof cell !== 'string', decimalBinder(affinity))
    case 'list':
      return withoutArrayBounds(as, ofText(affinity))
    case 'native':
      return as.name === 'any' ? (cell) => valueOfLiteral(String(cell)) : ofText(affinity)
    default:
      return ofText(affinity)
  }
}

function ofText(affinity: Affinity): Binder {
  return unless((cell) => typeof cell !== 'string', textBinder(affinity))
}

function unless(isOdd: (cell: Present) => boolean, bind: Binder): Binder {
  return (cell) => (isOdd(cell) ? cell : bind(cell))
}

function integerBinder(affinity: Affinity): Binder {
  if (affinity === 'text') return textBinder(affinity)
  const short: (text: string) => SqlValue = affinity === 'any' ? BigInt : Number
  return (cell) => {
    const text = String(cell)
    if (text.length <= SAFE_DIGITS) return short(text)
    const value = BigInt(text)
    if (value < INT64.least || value > INT64.most)
      return refuse('SQLite cannot store whole numbers of more than 64 bits', cell)
    if (affinity === 'real' && BigInt(Number(value)) !== value)
      return refuse('a floating point column would round it', cell)
    return value
  }
}

function decimalBinder(affinity: Affinity): Binder {
  if (affinity === 'text') return textBinder(affinity)
  return (cell) => {
    const text = String(cell)
    if (affinity !== 'real' && WHOLE.test(text)) {
      const value = BigInt(text)
      if (value >= INT64.least && value <= INT64.most) return value
    }
    const number = Number(text)
    if (affinity === 'real' && !Number.isFinite(number)) {
      return refuse('a column of decimals stored as floating point numbers cannot contain NaN or infinity', text)
    }
    // SQLite has no NaN: the word is stored as a text.
    if (Number.isNaN(number)) return text
    if (!Number.isFinite(number)) return text.endsWith('y') ? number : notExact(affinity, text)
    return canonicalDecimal(String(number)) === text ? number : notExact(affinity, text)
  }
}

function notExact(affinity: Affinity, text: string): string {
  return affinity === 'any' ? text : refuse('a column of this type would round it', text)
}

function floatBinder(affinity: Affinity): Binder {
  if (affinity === 'text') return (cell) => (Object.is(cell, -0) ? '-0.0' : String(cell))
  return (cell) => {
    const number = Number(cell)
    if (Number.isNaN(number)) return refuse('SQLite would store NaN as NULL', cell)
    if (Object.is(number, -0) && affinity !== 'any') return refuse('SQLite would store -0.0 as 0', '-0.0')
    return number
  }
}

/** Texts that SQLite converts to a number. */
const NUMERIC = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/

function textBinder(affinity: Affinity): Binder {
  if (affinity === 'text' || affinity === 'any') return wellFormed
  return (cell) => {
    const text = wellFormed(cell)
    if (!NUMERIC.test(text)) return text
    const kept = WHOLE.test(text) && canonicalDecimal(text) === text && fitsExactly(BigInt(text), affinity)
    if (kept || String(Number(text)) === text) return text
    return refuse('a column of this type would convert the text to a number, and back to another text', text)
  }
}

function fitsExactly(value: bigint, affinity: Affinity): boolean {
  if (affinity === 'real') return BigInt(Number(value)) === value
  return value >= INT64.least && value <= INT64.most
}
