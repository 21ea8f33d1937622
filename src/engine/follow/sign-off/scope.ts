/** Tables that a sign-off covers. */
import { isCalled, tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { PlannedCopy, PlannedTable } from '../../copy/plan/plan-copy.ts'
import { partitionWhere } from '../stream/partition-where.ts'
import type { SignOffScope } from '../ledger/sign-offs.ts'
import type { SignOffOperation } from '../operations/sign-off/declaration.ts'

export type ScopedTables = { readonly scope: SignOffScope; readonly tables: readonly PlannedTable[] }

/** @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, BAD_FLAG for an unknown partition, or one without a condition */
export async function signOffScope(
  { tables: names, partition }: Pick<SignOffOperation, 'tables' | 'partition'>,
  planned: PlannedCopy,
  signal: AbortSignal,
): Promise<ScopedTables> {
  const tables = names.length === 0 ? planned.tables : [...new Set(names.map((name) => namedTables(name, planned)))]
  const scope = { tables: tables.map(({ source }) => tableText(source.table)) }
  if (partition === undefined) return { scope, tables }
  for (const one of tables) {
    const { from, to } = planned
    const source = await from.offers.operational?.partition(one.source.table, partition, signal)
    const target = await to.offers.operational?.partition(one.targetName, partition, signal)
    if (source == null && target == null) continue
    if (source != null && target != null)
      return { scope: { tables: [tableText(one.source.table)], partition: { source, target } }, tables: [one] }
    if (one.plan === null) throw one.error
    // One side is a plain table: conditions select the rows there.
    const where = await partitionWhere(
      partition,
      { plan: one.plan, name: tableText(one.source.table) },
      { from, to, signal },
    )
    const whole = { source: one.source.table, target: one.targetName }
    const rows = { ...whole, name: tableText(source ?? target ?? one.source.table), where }
    return { scope: { tables: [tableText(one.source.table)], partition: rows }, tables: [one] }
  }
  throw new SluiceError('BAD_FLAG', `no table of the stream has a partition ${partition}`, {
    hint: `name a partition of ${scope.tables.join(', ')} that is not partitioned itself`,
  })
}

function namedTables(name: string, { tables }: PlannedCopy): PlannedTable {
  const found = tables.filter(({ source }) => isCalled(source.table, name))
  const [one] = found
  if (one !== undefined && found.length === 1) return one
  const known = tables.map(({ source }) => tableText(source.table)).join(', ')
  throw new SluiceError(
    one === undefined ? 'NO_SUCH_TABLE' : 'AMBIGUOUS_TABLE',
    one === undefined ? `the stream has no table ${name}` : `several tables of the stream are called ${name}`,
    { hint: `its tables are ${known}` },
  )
}
