/**
 * Makes rows with derived columns from rows of the source table. A map, which is transferred as JSON, is split into
 * entries with cells for their columns.
 */
import { conversionOf, readType, type Conversion } from '../../../model/copy/codec.ts'
import type { ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import { converter } from '../../../model/copy/convert.ts'
import type { Cell, Row, WriteTimes } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import type { Derivation } from './derivation.ts'
import { bytesOfBlob } from '../../../model/copy/bytes-text.ts'
import { refusedValue } from '../../../model/copy/refused.ts'
import { printedJson, parseJson, type Json } from '../../../model/lake/json-tree.ts'

/** Origin of a column's cell. */
type Place =
  | { readonly at: number; readonly forth?: Conversion['forth'] }
  | { readonly cell: Cell }
  | { readonly entry: 'key' | 'value' }

export type RowPlan = {
  /** Columns to read from the source table. */
  readonly columns: readonly ReadColumn[]
  /**
   * Derives one row; with a map, one row per entry, and no row if the map is NULL. A refused entry is reported without
   * its value.
   */
  rowsOf(row: Row, refused: (row: Row, error: SluiceError) => void): readonly Row[]
  /** Write times and TTLs for each row of `rowsOf`. */
  stampOf(stamp: WriteTimes): WriteTimes
  /** Texts for the columns of the table, from the texts of a source row that could not be read. */
  textsOf(texts: readonly (string | null)[]): readonly (string | null)[]
}

const MAP: ColumnType = { kind: 'json' }

/**
 * @param found columns by which rows are found: the row key by default @throws SluiceError VALUE_REFUSED if a constant
 * does not fit its column
 */
export function rowPlan(
  wanted: readonly ReadColumn[],
  base: TableSpec,
  { explodeMap }: Derivation,
  spelled: boolean,
  found: readonly string[] = base.key,
): RowPlan {
  const own = wanted.filter(({ column }) => column.made === undefined)
  const columns = own.map(({ codec, ...rest }): ReadColumn =>
    codec === undefined ? rest : { ...rest, as: readType(codec, rest.column) },
  )
  const places = wanted.map(({ as, column, name, codec }): Place => {
    if (column.made === undefined) {
      const at = columns.findIndex((one) => one.name === name)
      return codec === undefined ? { at } : { at, forth: conversionOf(codec, as, found.includes(name)).forth }
    }
    if (column.made !== 'constant') return { entry: column.made }
    return { cell: converter(column.type, as)(column.always ?? '') }
  })
  const map = base.columns.find(({ name }) => name === explodeMap?.column)
  const entry = (made: 'key' | 'value'): ReadColumn | null => wanted.find(({ column }) => column.made === made) ?? null
  const split = entriesOf(entry('key'), entry('value'))
  const mapAt = columns.length
  const as: ColumnType = map !== undefined && spelled ? { kind: 'native', name: map.native } : MAP
  return {
    // The map is always read: it decides how many rows there are.
    columns: map === undefined ? columns : [...columns, { name: map.name, as, column: map }],
    rowsOf: (row, refused) => {
      const plain = (key: Cell, value: Cell): Row =>
        places.map((place) => {
          if ('at' in place) {
            const cell = row[place.at] ?? null
            return cell === null || place.forth === undefined ? cell : place.forth(cell)
          }
          if ('cell' in place) return place.cell
          return place.entry === 'key' ? key : value
        })
      if (map === undefined) return [plain(null, null)]
      const cell = row[mapAt] ?? null
      return cell === null
        ? []
        : split(String(cell), (key, error) => refused(plain(key, null), error)).map(({ key, value }) =>
            plain(key, value),
          )
    },
    stampOf: ({ times, lifetimes, ...read }) => ({
      ...read,
      times: places.map((place) => ('at' in place ? (times[place.at] ?? null) : null)),
      lifetimes: places.map((place) => ('at' in place ? (lifetimes[place.at] ?? null) : null)),
    }),
    textsOf: (texts) =>
      places.map((place, at) => {
        if ('at' in place) return texts[place.at] ?? null
        if ('cell' in place) return wanted[at]?.column.always ?? null
        // An unreadable row is not split into entries: the key is null, and the value is the whole map.
        return place.entry === 'key' ? null : (texts[mapAt] ?? null)
      }),
  }
}

type DerivedMember = { readonly key: Cell; readonly value: Cell }

/** Called for an entry that does not fit its columns' types, with its key if that could be read. */
type RefusedEntry = (key: Cell, error: SluiceError) => void

/**
 * Returns the function that splits a map.
 * @param key null if keys are not requested @param value null if values are not requested
 * @throws (the function) SluiceError VALUE_REFUSED if the value is not a map
 */
function entriesOf(
  key: ReadColumn | null,
  value: ReadColumn | null,
): (map: string, refused: RefusedEntry) => readonly DerivedMember[] {
  const ofKey = key === null ? () => null : cellOf(key)
  const ofValue = value === null ? () => null : cellOf(value)
  return (map, refused) => {
    const entries: DerivedMember[] = []
    for (const [one, other] of pairsOf(parseJson(map))) {
      let name: Cell = null
      try {
        name = ofKey(one)
        entries.push({ key: name, value: ofValue(other) })
      } catch (error) {
        if (!(error instanceof SluiceError) || error.code !== 'VALUE_REFUSED') throw error
        refused(name, error)
      }
    }
    return entries
  }
}

/** In JSON, a map whose keys are not single values is a list of pairs. */
function pairsOf(map: Json): readonly (readonly [Json, Json])[] {
  if (map instanceof Map) return [...(map as ReadonlyMap<string, Json>)]
  if (Array.isArray(map)) {
    return map.map((pair: Json) => {
      if (Array.isArray(pair) && pair.length === 2) return [pair[0] as Json, pair[1] as Json] as const
      throw noMap(map)
    })
  }
  throw noMap(map)
}

function noMap(value: Json): SluiceError {
  return refusedValue('a map', printedJson(value))
}

function cellOf({ as, column }: ReadColumn): (value: Json) => Cell {
  // Type native (both sides are Cassandra): the text is transferred unchanged.
  const convert = as.kind === 'native' ? null : converter(column.type, as)
  return (value) => {
    if (value === null) return null
    const raw = rawOf(value, column)
    return convert === null ? raw : convert(raw)
  }
}

/** Converts a value in JSON back to the original cell: member names, bytes and numbers may be texts in JSON. */
function rawOf(value: Json, { type }: ReadColumn['column']): Exclude<Cell, null> {
  if (type.kind === 'json') return printedJson(value)
  const text = typeof value === 'string' ? value : printedJson(value)
  switch (type.kind) {
    case 'bytes': {
      const bytes = bytesOfBlob(text)
      if (bytes === null) throw refusedValue('bytes', text)
      return bytes
    }
    case 'bool':
      return text === 'true' ? '1' : '0'
    case 'float':
      return type.bits === 32 ? Math.fround(Number(text)) : Number(text)
    default:
      return text
  }
}
