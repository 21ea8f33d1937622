/** Makes rows with derived columns from rows of the source table. */
import { conversionOf, readType, type Conversion } from '../../../model/copy/codec.ts'
import type { ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import { converter } from '../../../model/copy/convert.ts'
import type { Cell, Row, Stamp } from '../../../model/copy/rows.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import { entriesOf } from './entries.ts'
import type { Derivation } from './derivation.ts'

/** Origin of a column's cell. */
type Place =
  | { readonly at: number; readonly forth?: Conversion['forth'] }
  | { readonly cell: Cell }
  | { readonly entry: 'key' | 'value' }

export type RowPlan = {
  /** Columns to read from the source table. */
  readonly columns: readonly ReadColumn[]
  /** One row; with a map, one row per entry, and none if it is null. A refused entry is reported without its value. */
  rowsOf(row: Row, refused: (row: Row, error: SluiceError) => void): readonly Row[]
  /** The stamp for each row of `rowsOf`. */
  stampOf(stamp: Stamp): Stamp
  /** A row that could not be read, as texts. */
  textsOf(texts: readonly (string | null)[]): readonly (string | null)[]
}

const MAP: ColumnType = { kind: 'json' }

/** @param found columns that identify rows @throws SluiceError VALUE_REFUSED if a constant does not fit its column */
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
