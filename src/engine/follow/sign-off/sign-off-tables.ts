/** Which tables of a stream a sign-off wants compared. */
import type { TableName, TableSpec } from '../../../model/copy/column-type.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import type { SignOffScope } from '../ledger/sign-offs.ts'

/** Numbers and tables of the stream; of one partition, the table that its rows stand in on each side. */
export function tablesWanted(
  { tables: names, partition }: SignOffScope,
  tables: readonly FollowTable[],
): readonly (readonly [at: number, table: FollowTable])[] {
  const wanted = [...tables.entries()].filter(([, { name }]) => names.length === 0 || names.includes(name))
  if (partition === undefined) return wanted
  const named = (spec: TableSpec, table: TableName): TableSpec => ({ ...spec, table })
  return wanted.map(([at, table]) => {
    const { source, target } = table.plan
    const { where } = partition
    if (where !== undefined) {
      const plan = { ...table.plan, ...(where.source === null ? {} : { where: where.source }) }
      return [at, { ...table, plan, ...(where.target === null ? {} : { targetWhere: where.target }) }] as const
    }
    const plan = {
      ...table.plan,
      source: named(source, partition.source),
      target: named(target, partition.target),
    }
    return [at, { ...table, plan }] as const
  })
}
