/** Merges partitions with several rows in the catalog: older programs stored a row for each key order of a writer. */
import { throwIfAborted } from '../../shared/abort.ts'
import type { SqlTransaction } from '../../model/run/sql-port.ts'
import { writeUnderLease, type Lease } from '../lease.ts'
import { canonicalValues, valuesHash } from '../partition-values.ts'
import type { ImportOptions } from './options.ts'
import { setMany } from './set-many.ts'
import { inLists } from '../in-lists.ts'

type Place = Pick<ImportOptions, 'database' | 'tableId' | 'interrupt'>

const PAGE_ROWS = 5_000
const ROWS_A_STATEMENT = 500

/**
 * Sets the current hash of every row, and assigns the number of its first row to all files of a partition. Reads every
 * partition of the table, in pages. One transaction per partition: a reader in one transaction always sees the same
 * files.
 * @throws SluiceError LEASE_LOST; the signal's reason
 */
export async function mergePartitions(at: Place, lease: Lease): Promise<void> {
  await setHashes(at, lease)
  for await (const [keeper, numbers] of duplicatePartitions(at)) {
    await write(at, lease, async (transaction) => {
      for (const { some, marks } of inLists(numbers, ROWS_A_STATEMENT)) {
        await transaction.run(
          `UPDATE delta_files SET partition_no = ? WHERE table_id = ? AND partition_no IN (${marks})`,
          [keeper, at.tableId, ...some],
        )
        await transaction.run(`DELETE FROM delta_partitions WHERE table_id = ? AND partition_no IN (${marks})`, [
          at.tableId,
          ...some,
        ])
      }
    })
  }
}

/**
 * Sets the hash of each row. Rows of one partition then have the same hash, so the database finds them without a map of
 * all partitions in memory.
 */
async function setHashes(at: Place, lease: Lease): Promise<void> {
  const { database, tableId } = at
  const column = { relation: 'delta_partitions', key: 'partition_no', column: 'values_hash', tableId } as const
  const rows = database.pages(
    'SELECT partition_no, values_hash, partition_values FROM delta_partitions WHERE table_id = ?',
    [tableId],
    PAGE_ROWS,
  )
  for await (const page of rows) {
    const wrong = page.flatMap(([number, hash, text]) => {
      const right = valuesHash(canonicalValues(text as string))
      return hash === right ? [] : [[number as number, right] as const]
    })
    if (wrong.length > 0) await write(at, lease, async (transaction) => setMany(transaction, column, wrong))
  }
}

/** Partitions with several rows: for each, the number of its first row and the numbers of its other rows. */
async function* duplicatePartitions({
  database,
  tableId,
}: Place): AsyncGenerator<readonly [keeper: number, others: number[]]> {
  for (let after = -1; ;) {
    const hashes = await database.all(
      `SELECT values_hash FROM delta_partitions WHERE table_id = ? AND values_hash > ?
       GROUP BY values_hash HAVING count(*) > 1 ORDER BY values_hash LIMIT ?`,
      [tableId, after, ROWS_A_STATEMENT],
    )
    if (hashes.length === 0) return
    const rows = await database.all(
      `SELECT partition_no, partition_values FROM delta_partitions
       WHERE table_id = ? AND values_hash IN (${hashes.map(() => '?').join(',')}) ORDER BY partition_no`,
      [tableId, ...hashes.map(([hash]) => hash as number)],
    )
    const partitions = new Map<string, readonly [keeper: number, others: number[]]>()
    for (const row of rows) {
      const [number, text] = row as [number, string]
      const values = canonicalValues(text)
      const known = partitions.get(values)
      if (known === undefined) partitions.set(values, [number, []])
      else known[1].push(number)
    }
    // Different partitions may have the same hash by chance: skip partitions with only one row.
    for (const partition of partitions.values()) if (partition[1].length > 0) yield partition
    after = hashes.at(-1)?.[0] as number
  }
}

async function write(
  { database, interrupt }: Place,
  lease: Lease,
  change: (transaction: SqlTransaction) => Promise<void>,
): Promise<void> {
  throwIfAborted(interrupt.abort)
  await writeUnderLease(database, lease, change)
}
