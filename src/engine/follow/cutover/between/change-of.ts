/** Changes of a table that the stream does not report. A table that is closed to writers can still be altered. */
import type { TableName } from '../../../../model/copy/column-type.ts'
import type { SwitchMark } from '../../../../model/follow/switch-port.ts'
import type { SwitchSide } from '../../../../model/follow/switch-side-port.ts'

/** @returns the first change since the mark as text, and how many more there are; null if there is none */
export async function changeOf(
  side: SwitchSide,
  table: TableName,
  mark: SwitchMark,
  signal: AbortSignal,
): Promise<string | null> {
  const [change, ...more] = await side.changesSince(table, mark, signal)
  if (change === undefined) return null
  return more.length === 0 ? change : `${change}, and ${more.length} more`
}
