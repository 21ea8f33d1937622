/** Conditions for the rows of one partition of a replicated table: one of the sides may be a plain table. */
import { isCalled, type Column } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { NativePartition, NativePartitions } from '../../../model/archive/port.ts'
import type { CopyStore } from '../../../model/copy/port.ts'

/** Conditions in the SQL of each side; null for none. */
export type SidesWhere = { readonly source: string | null; readonly target: string | null }

type Pair = { readonly from: CopyStore; readonly to: CopyStore; readonly signal: AbortSignal }

/**
 * Uses the partitions of the source, or those of the target if the source has none.
 * @param name of the partition, with or without schema
 * @throws SluiceError BAD_FLAG if neither side has the partition, or if no condition selects its rows on both sides
 */
export async function partitionWhere(
  name: string,
  { plan, name: table }: { readonly plan: TablePlan; readonly name: string },
  { from, to, signal }: Pair,
): Promise<SidesWhere> {
  const listed =
    (await partitionsOf(from, plan.source, table, signal)) ?? (await partitionsOf(to, plan.target, table, signal))
  if (listed === null) throw notByPartition(table, 'it is not partitioned')
  const wanted = listed.partitions.find(({ table: one }) => isCalled(one.table, name))
  if (wanted === undefined) {
    const names = listed.partitions.map((one) => one.table.table.name)
    throw new SluiceError('BAD_FLAG', `${table} has no partition ${name}`, {
      hint: `its partitions are ${names.slice(0, 20).join(', ')}${names.length > 20 ? ` and ${names.length - 20} more` : ''}`,
    })
  }
  const column = plan.columns.find((one) => (listed.of === plan.source ? one.from : one.to) === listed.by)
  if (column === undefined) throw notByPartition(table, `its column ${listed.by} is not copied`)
  const others = listed.partitions.filter(({ isDefault }) => !isDefault)
  const condition = (store: CopyStore, of: Column): string => {
    const between = ({ from: low, to: high }: Pick<NativePartition, 'from' | 'to'>): string => {
      const sql = store.offers.times?.condition(of, low, high) ?? null
      if (sql === null) {
        throw notByPartition(table, `${of.name} is neither a time nor a whole number in ${store.label}`)
      }
      return `(${sql})`
    }
    if (!wanted.isDefault) return between(wanted)
    if (others.length === 0) return '1 = 1'
    // The default partition has the rows without a value, too: for NULL, every comparison with a bound is unknown.
    return `NOT (${between({ from: null, to: null })} AND (${others.map(between).join(' OR ')}))`
  }
  return {
    source: condition(from, { ...column.source, name: column.from }),
    target: condition(to, { ...column.target, name: column.to }),
  }
}

type Listed = NativePartitions & { readonly of: TablePlan['source'] }

async function partitionsOf(
  store: CopyStore,
  of: TablePlan['source'],
  table: string,
  signal: AbortSignal,
): Promise<Listed | null> {
  try {
    const listed = await store.offers.partitions?.list(of, signal)
    return listed == null ? null : { ...listed, of }
  } catch (thrown) {
    const error = asSluiceError(thrown)
    throw error.code === 'UNSUPPORTED_TYPE' ? notByPartition(table, error.message) : thrown
  }
}

function notByPartition(table: string, reason: string): SluiceError {
  return new SluiceError('BAD_FLAG', `rows of ${table} cannot be selected by a partition`, {
    reason,
    hint: 'to repair single rows, run sluice diff --fix --run STREAM --key KEY; to sign off the whole table, select no partition',
  })
}
