/** Numbers of partitions in a database that was loaded from a dump: tables have their names and bounds there, and other numbers. */
import { isElsewhere } from '../ledger/elsewhere.ts'
import { hasLeft, type ArchivedPartition, type ArchiveRecord } from '../ledger/record.ts'
import type { ArchiveContext } from '../steps/context.ts'
import type { LedgerDatabase } from '../../model/copy/port.ts'
import { originNow } from '../work/require-origin.ts'

/** No table has this number: what the ledger notes of one that is not found. */
const NONE = '0'

/** The record with the numbers that tables have in this database; the same one where the ledger's numbers are those of this database. */
export async function renumbered(context: ArchiveContext, record: ArchiveRecord): Promise<ArchiveRecord> {
  if (!isElsewhere(record.origin, await originNow(context))) return record
  const { store, table, interrupt } = context
  const partitions = store.partitions?.()
  if (partitions === undefined) return record
  const natives = (await partitions.list(table, interrupt.abort))?.partitions ?? []
  const numberOf = async (one: ArchivedPartition): Promise<string | null> => {
    if (one.native === null || one.state === 'DROPPED' || one.state === 'EXPIRED') return null
    const { table: noted, identity } = one.native
    const out = hasLeft(one)
    const same = natives.find(({ isDefault, from, to }) => !isDefault && from === one.from && to === one.to)
    if (!out && same !== undefined) return same.identity
    // That it leaves is noted before it begins to.
    const left = out || one.leaving ? await partitions.detachedNumber(noted, identity, interrupt.abort) : null
    return left ?? NONE
  }
  const all: ArchivedPartition[] = []
  for (const one of record.partitions) {
    const identity = await numberOf(one)
    all.push(identity === null || one.native === null ? one : { ...one, native: { ...one.native, identity } })
  }
  return { ...record, partitions: all }
}

/** Notes the numbers of partitions, in one transaction. */
export async function noteNumbers(database: LedgerDatabase, { table, partitions }: ArchiveRecord): Promise<void> {
  await database.batch(
    partitions.flatMap(({ label, native }) =>
      native === null
        ? []
        : [
            {
              sql: 'UPDATE migration_archive_partitions SET native_identity = ? WHERE schema_name = ? AND table_name = ? AND partition_name = ?',
              parameters: [native.identity, table.schema ?? '', table.name, label],
            },
          ],
    ),
  )
}
