/** Which tables a sign-off is about. */
import { isCalled, tableText } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { PlannedCopy, PlannedTable } from '../copy/plan/plan-copy.ts'
import type { SignOffScope } from '../follow/ledger/sign-offs.ts'
import type { SignOffOperation } from '../operations/sign-off/declaration.ts'

export type Scoped = { readonly scope: SignOffScope; readonly tables: readonly PlannedTable[] }

/** @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, BAD_FLAG for a partition that is not there on both sides */
export async function scopeOf(
  { tables: names, partition }: Pick<SignOffOperation, 'tables' | 'partition'>,
  planned: PlannedCopy,
  signal: AbortSignal,
): Promise<Scoped> {
  const tables = names.length === 0 ? planned.tables : [...new Set(names.map((name) => named(name, planned)))]
  const scope = { tables: tables.map(({ source }) => tableText(source.table)) }
  if (partition === undefined) return { scope, tables }
  for (const one of tables) {
    const { from, to } = planned
    const source = await from.operational?.().partition(one.source.table, partition, signal)
    if (source == null) continue
    const target = await to.operational?.().partition(one.targetName, partition, signal)
    if (target != null)
      return { scope: { tables: [tableText(one.source.table)], partition: { source, target } }, tables: [one] }
    throw new SluiceError('BAD_FLAG', `${tableText(one.targetName)} has no partition ${partition} in the target`, {
      reason: `${tableText(source)} is one of the source, and its rows cannot be told from others in the target`,
      hint: `sign off the whole table: --table ${tableText(one.source.table)}`,
    })
  }
  throw new SluiceError('BAD_FLAG', `no table of the stream has a partition ${partition}`, {
    hint: `they are looked for in ${scope.tables.join(', ')}; partitions that are divided themselves are none`,
  })
}

function named(name: string, { tables }: PlannedCopy): PlannedTable {
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
