/** Matches the columns of archived files with the table's columns, by physical names, which do not change. */
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { restoreType } from './same-type.ts'

/**
 * `file`: the column in the files; its `as` is the type in which values reach the table. `now`: the column in the
 * table.
 */
export type SharedColumn = { readonly file: StoredColumn; readonly now: StoredColumn }

export type ColumnsFit = {
  readonly shared: readonly SharedColumn[]
  /** Columns of the files whose values the table cannot hold: they were dropped, or have another type. */
  readonly lost: readonly StoredColumn[]
  /** Columns of the table that the files lack. */
  readonly fresh: readonly StoredColumn[]
}

/** @param files columns of the files @param table columns of the present table */
export function columnsFit(files: readonly StoredColumn[], table: readonly StoredColumn[]): ColumnsFit {
  const now = new Map(table.map((column) => [column.physical, column]))
  const shared: SharedColumn[] = []
  const lost: StoredColumn[] = []
  for (const file of files) {
    const same = now.get(file.physical)
    const found = same === undefined ? retyped(file, table) : { file, now: same }
    if (found === null) lost.push(file)
    else shared.push(found)
  }
  return { shared, lost, fresh: table.filter((column) => !shared.some((one) => one.now === column)) }
}

/** Shared columns as the files have them. */
export function fileColumns(shared: readonly SharedColumn[]): readonly StoredColumn[] {
  return shared.map(({ file }) => file)
}

/**
 * The table's column for an archived column whose type has changed, in the table or in the archive. Null if the column
 * was dropped, or if its values do not fit.
 */
function retyped(file: StoredColumn, table: readonly StoredColumn[]): SharedColumn | null {
  const now = table.find(({ was }) => was?.includes(file.physical) === true)
  if (now === undefined) return null
  if (file.column.native === now.column.native) return { file, now }
  const as = restoreType(file, now)
  return as === null ? null : { file: as === file.as ? file : { ...file, as }, now }
}

/** True if an export of the table would now write files with these columns. */
export function isSameShape(files: readonly StoredColumn[], table: readonly StoredColumn[]): boolean {
  return (
    files.length === table.length &&
    files.every(({ name, physical, stored, as }, i) => {
      const other = table[i]
      return (
        name === other?.name &&
        physical === other.physical &&
        stored === other.stored &&
        JSON.stringify(as) === JSON.stringify(other.as)
      )
    })
  )
}
