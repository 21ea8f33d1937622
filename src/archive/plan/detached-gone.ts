/** Reports detached tables that were dropped by hand. */
import type { ArchivedPartition } from '../ledger/record.ts'
import { restoreCommand } from '../steps/refusals.ts'
import type { CopyStore } from '../../model/copy/port.ts'

/** Message if the table of a detached partition is missing; null if it exists, or is not detached. */
export async function detachedGone(
  store: CopyStore,
  name: string,
  partition: ArchivedPartition,
  signal: AbortSignal,
): Promise<string | null> {
  const { native, state, away, leaving } = partition
  const { partitions } = store.offers
  const isOut = (away || state === 'DETACHED') && !leaving
  if (native === null || partitions === undefined || !isOut) return null
  if (!(await partitions.isGone(native.table, native.identity, signal))) return null
  // Until the detached table is proved, its rows are read from that table, and the files may lack some.
  return away
    ? `its detached table is gone, and the archive may lack some of its rows: restore the table from a backup; ${restoreCommand(name, partition, '--dry-run')} shows what the archive has of them`
    : `its detached table is gone: a change to its rows after the proof is lost; ${restoreCommand(name, partition)} brings back the archived ones`
}
