/** What keeps a table from being copied or followed by its keys: told before anything is made, and not when its turn comes. */
import type { FollowRefusal } from '../../stores/follow-port.ts'
import type { FollowTable } from './followed-table.ts'

export function keyRefusals({ name, plan, target }: FollowTable): readonly FollowRefusal[] {
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
  return refusals
}
