/** Generated columns: a restore never writes them, but compares the generated values with the archived ones. */
import { digestOfRows } from '../../model/copy/row-hash.ts'
import { equalDigests, type Row } from '../../model/copy/rows.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { SharedColumn } from '../types/fit.ts'
import { fitNow, sharedColumns, type ArchiveContext } from './context.ts'
import { writeKeyed, type KeyedTable } from './equal-keys.ts'
import { changedAfter, otherTableCommand, withoutHint, partitionError } from './refusals.ts'
import type { ComparedTable } from './rows-now.ts'

const isComputed = ({ now }: SharedColumn): boolean => now.column.generated === true

/** Names of generated columns among the compared columns. */
export function computedNames(shared: readonly SharedColumn[]): readonly string[] {
  return shared.filter(isComputed).map(({ now }) => now.name)
}

/** The columns that a restore writes. @property row converts a row of all columns to these */
export function writtenOf({ table, shared }: ComparedTable): {
  readonly into: ComparedTable
  readonly row: (row: Row) => Row
} {
  const written = shared.filter((one) => !isComputed(one))
  const places = written.map((one) => shared.indexOf(one))
  return {
    into: { table, shared: written },
    row: (row) => (places.length === shared.length ? row : places.map((at) => row[at] ?? null)),
  }
}

/**
 * Names of generated columns whose values differ from the archived ones, found in a transaction that is rolled back.
 * @param rows archived rows with all columns; their keys are free in the table
 * @throws SluiceError ROW_REFUSED, CONNECTION_LOST …
 */
export async function differentlyComputed(
  rows: readonly Row[],
  { table, shared }: ComparedTable,
  into: KeyedTable,
): Promise<readonly string[]> {
  const { row: written } = writtenOf({ table, shared })
  const wrote = rows.map(written)
  return await writeKeyed({ ...into, table }, wrote, async (writer) => {
    await writer.write(wrote)
    const names: string[] = []
    for (const [at, column] of sharedColumns(shared).entries()) {
      if (column.column.generated !== true) continue
      const there = await writer.digest({ scheme: 'canonical', columns: [column] })
      if (!equalDigests(there, digestOfRows(rows.map((row) => [row[at] ?? null])))) names.push(column.name)
    }
    return names
  })
}

/** Error: the table generates other values than the archived ones. A restore must not compare these columns. */
export function computedRefusal(name: string, partition: ArchivedPartition, names: readonly string[]): SluiceError {
  const what = names.join(', ')
  const same = `give ${what} the earlier expression again, then run the same command`
  return partitionError(
    'PARTITION_CHANGED',
    name,
    partition,
    `cannot be restored: the table computes ${what} differently, so its rows would not be the archived ones`,
    {
      reason: 'nothing was changed: queries still read these rows from the archive',
      hint: `${same}; or ${withoutHint(name, partition, names)}; or restore the archived rows into another table: ${otherTableCommand(name, partition)}`,
    },
  )
}

/** Error: rows written into their own table differ from the archive. @param how the difference as text */
export function otherRows(context: ArchiveContext, partition: ArchivedPartition, how: string): SluiceError {
  const names = computedNames(fitNow(context, partition).shared)
  return names.length === 0
    ? changedAfter(context.name, partition, how)
    : computedRefusal(context.name, partition, names)
}
