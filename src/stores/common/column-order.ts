/**
 * Checks that column names still mean the planned columns. RENAME changes a column's name, but not its position: if two
 * columns have exchanged names, the order of names has changed.
 */
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'

/** @property columns in the planned order */
type Planned = { readonly table: TableName; readonly columns: readonly { readonly name: string }[] }

/**
 * Checks a table before rows of a chunk are read or written.
 * @param now names in the table's order, read in the same snapshot or under the same lock as the rows
 * @param side the side that has the table @param label of its database
 * @throws SluiceError SOURCE_GONE, TABLE_REFUSED if planned columns have another order
 */
export function refuseReordered(
  planned: Planned,
  now: readonly string[],
  side: 'source' | 'target',
  label: string,
): void {
  const reason = reordered(planned, now)
  if (reason === null) return
  throw new SluiceError(
    side === 'source' ? 'SOURCE_GONE' : 'TABLE_REFUSED',
    `${tableText(planned.table)} was changed while it was copied`,
    {
      where: label,
      reason,
      hint: 'restore the names of the columns, then run the same command again; or begin again with --restart',
    },
  )
}

/**
 * Checks the target's table before a transaction that writes changes of a stream commits.
 * @throws SluiceError TABLE_REFUSED
 */
export function refuseReorderedTarget(planned: Planned, now: readonly string[], label: string): void {
  const reason = reordered(planned, now)
  if (reason === null) return
  throw new SluiceError(
    'TABLE_REFUSED',
    `changes cannot be written to ${tableText(planned.table)}: its columns have other names or positions`,
    {
      where: label,
      reason: `${reason}; no change was written to a wrong column`,
      hint: 'restore the names of the columns, then run the same command again; or copy the table again with --resync',
    },
  )
}

/** @returns the first difference in words; null if the remaining columns have the planned order */
function reordered({ columns }: Planned, now: readonly string[]): string | null {
  const there = new Set(now)
  const planned = columns.flatMap(({ name }) => (there.has(name) ? [name] : []))
  const known = new Set(planned)
  const found = now.filter((name) => known.has(name))
  const at = found.findIndex((name, i) => name !== planned[i])
  if (at === -1) return null
  return `its column ${found[at]} has the position that ${planned[at]} had when the copy was planned: columns have exchanged their names or positions`
}
