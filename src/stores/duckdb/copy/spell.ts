/** Canonical values as DuckDB reads them. Values that it would silently round or truncate are refused here. */
import { withoutArrayBounds } from '../../../model/copy/array-bounds.ts'
import type { Column, ColumnType } from '../../../model/copy/column-type.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import { changedBy } from '../../common/refusals.ts'
import { duckdbWireType, type DuckdbWireType } from './select.ts'

type Present = Exclude<Cell, null>

const { refuse, wellFormed } = changedBy('DuckDB')

export type Speller = (cell: Present) => string | number | Uint8Array

/** JavaScript type in which values are passed, before DuckDB converts them to the column's type. */
export function stagedAs(as: ColumnType, column: Column): DuckdbWireType {
  if (as.kind === 'float') return duckdbWireType(column) === 'number' ? 'number' : 'text'
  return as.kind === 'bytes' ? 'bytes' : 'text'
}

/** @throws (the function) SluiceError ROW_REFUSED */
export function spellerOf(as: ColumnType, column: Column): Speller {
  const { type } = column
  switch (as.kind) {
    case 'bytes':
      return (cell) => (typeof cell === 'object' ? cell : refuse('this column accepts only bytes', cell))
    case 'float':
      if (stagedAs(as, column) === 'number') return Number
      return (cell) => (Object.is(cell, -0) ? '-0.0' : String(cell))
    case 'int':
    case 'decimal': {
      const places = type.kind === 'int' ? 0 : type.kind === 'decimal' ? (type.scale ?? 0) : null
      return places === null || (as.kind === 'int' && type.kind !== 'text')
        ? String
        : (cell) => withPlaces(String(cell), places)
    }
    case 'time':
    case 'timestamp': {
      const most = type.kind === as.kind ? type.digits : null
      return (cell) => {
        const text = String(cell)
        const digits = /\.(\d+)/.exec(text)?.[1]?.length ?? 0
        if (most !== null && digits > most) return refuse(`the column stores ${most} decimal places of a second`, text)
        return most === null ? text : duckText(as, text)
      }
    }
    case 'date':
      return type.kind === 'text' ? String : (cell) => duckText(as, String(cell))
    case 'list':
      return withoutArrayBounds(as, type.kind === 'list' ? (cell) => flat(wellFormed(cell)) : wellFormed)
    default:
      return wellFormed
  }
}

/**
 * DuckDB puts BC after the date, in brackets, and ignores it elsewhere. A timestamp gets its zone: a text without a
 * zone goes through ICU, which overflows near the largest value.
 */
export function duckText(as: ColumnType, text: string): string {
  if (as.kind === 'timestamp' && as.zone && /\d/.test(text)) return `${datedText(as, text)}+00`
  return datedText(as, text)
}

function datedText(as: ColumnType, text: string): string {
  if (!text.endsWith(' BC')) return text
  if (as.kind === 'date') return `${text.slice(0, -3)} (BC)`
  return as.kind === 'timestamp' ? text.slice(0, -3).replace(' ', ' (BC) ') : text
}

function withPlaces(text: string, places: number): string {
  const point = text.indexOf('.')
  if (point === -1 || text.length - point - 1 <= places) return text
  return refuse(`the column stores ${places} decimal places`, text)
}

/** Refuses nested lists: in a list of texts, DuckDB would make a text of an inner list. @param json canonical */
function flat(json: string): string {
  const isFlat = !json.includes('[', 1) || !(JSON.parse(json) as readonly unknown[]).some(Array.isArray)
  return isFlat ? json : refuse('the column accepts only lists of one dimension', json)
}
