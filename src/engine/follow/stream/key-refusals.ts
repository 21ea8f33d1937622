/** What keeps a table from being copied or followed by its keys: told before anything is made, and not when its turn comes. */
import type { ChangeTarget, FollowRefusal } from '../../../model/follow/port.ts'
import type { FollowTable } from './followed-table.ts'

/** @param to takes the changes */
export function keyRefusals(
  { name, plan, target }: FollowTable,
  to: Pick<ChangeTarget, 'folds'>,
): readonly FollowRefusal[] {
  const { table } = plan.source
  const refusals: FollowRefusal[] = []
  const float = plan.source.key.find((key) => plan.columns.find(({ from }) => from === key)?.as.kind === 'float')
  if (float !== undefined) {
    refusals.push({
      table,
      message: `${float} of ${name} is a floating point number, and no safe key`,
      hint: 'name another unique column with --key, or leave the table out',
    })
  }
  const isKey =
    target.identity.length === plan.target.key.length && target.identity.every((one) => plan.target.key.includes(one))
  if (plan.create && !isKey) {
    refusals.push({
      table,
      message: `the source names rows of ${name} by ${target.identity.join(', ')}, and a table that is made for it is unique by ${plan.target.key.join(', ')}`,
      hint: `create the table in the target first, with an index on (${target.identity.join(', ')}) and no other unique one; or use --key ${target.identity.join(',')}`,
    })
  }
  const folded = plan.columns.find(
    (one) => target.identity.includes(one.to) && to.folds?.(one.target.collation ?? '') === true,
  )
  if (plan.create && folded !== undefined) {
    refusals.push({
      table,
      message: `${folded.to} of ${name} would be made with ${folded.target.collation} in the target, to which two rows of the source can be one`,
      hint: 'create the table in the target first, with a column that is compared by its bytes',
    })
  }
  return refusals
}
