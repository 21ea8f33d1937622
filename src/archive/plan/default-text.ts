/** What the default partition of a table holds: no run archives that. */
import { tableText } from '../../model/copy/column-type.ts'
import type { NativePartitions } from '../../model/archive/port.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import { COUNTED_AT_ONCE } from './period-rows.ts'

/** @returns null where there is no default partition, or nothing in it */
export async function defaultText(
  { by, partitions }: NativePartitions,
  { store, signal }: { readonly store: CopyStore; readonly signal: AbortSignal },
): Promise<string | null> {
  const rest = partitions.find(({ isDefault }) => isDefault)
  if (rest === undefined) return null
  const name = tableText(rest.table.table)
  // What the planner expects follows the pages of a table that nobody has analyzed yet.
  const about = (await store.periods?.().effort(rest.table, ['true'], signal))?.rows ?? rest.rows
  if (about > COUNTED_AT_ONCE) {
    return `the default partition ${name} holds about ${about} rows, which no run archives; they were not looked at`
  }
  await using view = await store.source(signal)
  const { rows } = await view.extent(rest.table, null, true)
  if (rows === 0n) return null
  const column = rest.table.columns.find((one) => one.name === by)
  const nulls = column === undefined ? 0n : ((await store.timeExtent?.(rest.table, column, signal))?.nulls ?? 0n)
  const without = nulls === 0n ? '' : ` (${nulls} of them without a value in ${by})`
  return `the default partition ${name} holds ${rows} ${rows === 1n ? 'row' : 'rows'}${without}, which no run archives`
}
