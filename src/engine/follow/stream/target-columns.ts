/** The order of the target's columns, as a stream noted it: two that exchange their names while no program follows would get the values of each other. */
import { refuseReorderedTarget } from '../../../stores/common/column-order.ts'
import type { StreamBirth } from '../../../model/follow/port.ts'
import type { FollowTable } from './followed-table.ts'

type Planned = readonly Pick<FollowTable, 'name' | 'plan'>[]

/**
 * @param tables as they are planned now
 * @param anew names of tables that are copied again: their order before does not matter, and that of now only once they are emptied
 * @param label of the target
 * @returns the birth with the order of now; the same object where nothing of it is new
 * @throws SluiceError TABLE_REFUSED where columns that were noted come in another order
 */
export function withTargetColumns(
  birth: StreamBirth,
  tables: Planned,
  anew: ReadonlySet<string>,
  label: string,
): StreamBirth {
  const { targetColumns: noted = {} } = birth
  const now: Record<string, readonly string[]> = {}
  for (const { name, plan } of tables) {
    if (anew.has(name)) continue
    const { table, columns } = plan.target
    const [before, names] = [noted[name], columns.map((column) => column.name)]
    if (before !== undefined && !plan.create)
      refuseReorderedTarget({ table, columns: before.map((column) => ({ name: column })) }, names, label)
    now[name] = names
  }
  return JSON.stringify(now) === JSON.stringify(noted) ? birth : { ...birth, targetColumns: now }
}
