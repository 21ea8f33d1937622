/** How the columns of archived files stand beside those of the table as it is now. A column keeps its physical name whatever it is called. */
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { returnsAs } from './same-type.ts'

/** `file`: as the files have it, and as which its values travel into the table; `now`: as the table has it. */
export type SharedColumn = { readonly file: StoredColumn; readonly now: StoredColumn }

export type Fit = {
  readonly shared: readonly SharedColumn[]
  /** Columns of the files whose values the table cannot hold: it has dropped them, or has them in another type. */
  readonly lost: readonly StoredColumn[]
  /** Columns of the table that the files lack. */
  readonly fresh: readonly StoredColumn[]
}

/** @param files columns of the files @param table columns of the table now */
export function fitOf(files: readonly StoredColumn[], table: readonly StoredColumn[]): Fit {
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

/** A column under an earlier type, whose values are values of the type that it has now; or that only the archive stores in another way. */
function retyped(file: StoredColumn, table: readonly StoredColumn[]): SharedColumn | null {
  const now = table.find(({ was }) => was?.includes(file.physical) === true)
  if (now === undefined) return null
  if (file.column.native === now.column.native) return { file, now }
  const as = returnsAs(file, now)
  return as === null ? null : { file: as === file.as ? file : { ...file, as }, now }
}

/** Whether files of these columns are what an export of the table would write now. */
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
