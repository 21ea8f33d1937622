/** Finds archived columns whose name another column may have now, in systems whose columns have no ids. */
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import type { Column } from '../../model/copy/column-type.ts'

/** A present column, the archived column of its name, and whether both are certainly the same. */
export type NamedColumn = { readonly column: Column; readonly old: StoredColumn; readonly isSure: boolean }

/** An archived column, and other archived columns that may have been renamed to its name in the source. */
export type TakenName = { readonly column: StoredColumn; readonly of: readonly StoredColumn[] }

/**
 * Finds archived columns whose names other columns may have now. A rename keeps position and type. So the present
 * columns are matched, in their order, with archived columns of the same type. A present column may be any archived
 * column with which such a match pairs it. If no match exists, it may be any column of `gone` that has its type.
 * @param named present columns, in the order of the table @param stored archived columns, in their former order
 * @param gone archived columns whose names no present column has
 */
export function doubtfulNames(
  named: readonly NamedColumn[],
  stored: readonly StoredColumn[],
  gone: readonly StoredColumn[],
): readonly TakenName[] {
  if (gone.length === 0) return []
  const fits = ({ column, old, isSure }: NamedColumn, then: StoredColumn): boolean =>
    then === old || (!isSure && then.column.native === column.native && then.column.generated === column.generated)
  const first = firstPlaces(named, stored, fits)
  const last = firstPlaces(named.toReversed(), stored.toReversed(), fits)
    ?.map((place) => stored.length - 1 - place)
    .toReversed()
  return named.flatMap((one, i) => {
    if (one.isSure) return []
    const [least, most] = [first?.[i], last?.[i]]
    const may = least === undefined || most === undefined ? gone : stored.slice(least, most + 1)
    const of = may.filter((then) => then !== one.old && fits(one, then))
    return of.length === 0 ? [] : [{ column: one.old, of }]
  })
}

/** Index of the archived column that fits each present column, in ascending order; null if a column finds none. */
function firstPlaces(
  named: readonly NamedColumn[],
  stored: readonly StoredColumn[],
  fits: (one: NamedColumn, then: StoredColumn) => boolean,
): readonly number[] | null {
  const places: number[] = []
  let from = 0
  for (const one of named) {
    const place = stored.findIndex((then, at) => at >= from && fits(one, then))
    if (place === -1) return null
    places.push(place)
    from = place + 1
  }
  return places
}
