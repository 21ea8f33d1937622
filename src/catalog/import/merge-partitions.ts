/** Partitions that have several rows in the catalog become one: an older program made a row for each order in which a writer put the keys. */
import { throwIfAborted } from '../../shared/abort.ts'
import { REPEATABLE, type SqlTransaction } from '../../stores/port.ts'
import { renewLease, type Lease } from '../lease.ts'
import { canonicalValues, valuesHash } from '../partition-values.ts'
import type { ImportOptions } from './options.ts'
import { setMany } from './set-many.ts'

const ROWS_A_STATEMENT = 500

/**
 * Gives the files of a partition the number of its first row, and every row the hash that it is found by. A transaction a partition: readers see the same files at each.
 * Reads every partition of the table.
 * @throws SluiceError LEASE_LOST; the signal's reason
 */
export async function mergePartitions(
  { database, tableId, interrupt }: Pick<ImportOptions, 'database' | 'tableId' | 'interrupt'>,
  lease: Lease,
): Promise<void> {
  const rows = await database.all(
    'SELECT partition_no, values_hash, partition_values FROM delta_partitions WHERE table_id = ? ORDER BY partition_no',
    [tableId],
  )
  const first = new Map<string, number>()
  const doubled = new Map<number, number[]>()
  const hashes: (readonly [number, number])[] = []
  for (const row of rows) {
    const [number, hash, text] = row as [number, number, string]
    const values = canonicalValues(text)
    const keeper = first.get(values)
    if (keeper !== undefined) doubled.set(keeper, [...(doubled.get(keeper) ?? []), number])
    else {
      first.set(values, number)
      if (hash !== valuesHash(values)) hashes.push([number, valuesHash(values)])
    }
  }
  const write = async (change: (transaction: SqlTransaction) => Promise<void>): Promise<void> => {
    throwIfAborted(interrupt.abort)
    const now = await database.now()
    await database.write(async (transaction) => {
      await renewLease(transaction, lease, now)
      await change(transaction)
    }, REPEATABLE)
  }
  if (hashes.length > 0) {
    const at = { relation: 'delta_partitions', key: 'partition_no', column: 'values_hash', tableId } as const
    await write(async (transaction) => setMany(transaction, at, hashes))
  }
  for (const [keeper, numbers] of doubled) {
    await write(async (transaction) => {
      for (let start = 0; start < numbers.length; start += ROWS_A_STATEMENT) {
        const some = numbers.slice(start, start + ROWS_A_STATEMENT)
        const marks = some.map(() => '?').join(',')
        await transaction.run(
          `UPDATE delta_files SET partition_no = ? WHERE table_id = ? AND partition_no IN (${marks})`,
          [keeper, tableId, ...some],
        )
        await transaction.run(`DELETE FROM delta_partitions WHERE table_id = ? AND partition_no IN (${marks})`, [
          tableId,
          ...some,
        ])
      }
    })
  }
}
