/** Handles a ledger that is older than the archive: it needs files that a commit removed and a sweep destroyed. */
import { dec } from '../../model/run/event.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { whileClaimed, type Reload } from './claimed.ts'
import type { ArchiveContext } from './context.ts'
import { findDetachedTable } from './detached-table.ts'
import { attachAgain } from './restore.ts'

/** Rows that were only in the files. */
export type LostRows = {
  readonly rows: bigint
  /** True if the source has no row of the partition, so that all rows are lost. */
  readonly all: boolean
  /** True if an unknown number of the rows was already restored. */
  readonly atMost: boolean
}

/**
 * Rows lost with the files of a partition: all if it was dropped, or if its detached table is missing; for a plain
 * table the removed rows.
 * @throws SluiceError PARTITION_CHANGED if its detached table was renamed or moved
 */
export async function lostRows(context: ArchiveContext, partition: ArchivedPartition): Promise<LostRows> {
  const { state, native, digest, removed, restoring, away } = partition
  const hasLeft = native !== null && (state === 'DETACHED' || away)
  if (state === 'DROPPED' || (hasLeft && (await findDetachedTable(context, partition)) === null))
    return { rows: digest?.rows ?? 0n, all: true, atMost: false }
  return { rows: native === null && state === 'DETACHED' ? removed.rows : 0n, all: false, atMost: restoring }
}

/** Message about lost rows; empty if no row is lost. */
export function lostText({ rows, all, atMost }: LostRows): string {
  if (rows === 0n) return ''
  return `${all ? 'all of its' : atMost ? 'up to' : ''} ${dec(rows)} rows are neither in the table nor in the archive`.trim()
}

/**
 * Changes the state of a partition whose files are lost. If all rows are lost: → EXPIRED with destroyed files.
 * Otherwise → RESTORED: the rows in the source stay as they are, and a detached table is attached again.
 * @param by user who requested it
 * @throws SluiceError LEASE_LOST if another program works on it; PARTITION_CHANGED as `lostRows`; errors of restoring a
 * detached table
 */
export async function withoutFiles(context: ArchiveContext, label: string, reload: Reload, by: string): Promise<void> {
  const { ledger, store, name, emit, interrupt } = context
  await whileClaimed(context, label, reload, async ({ partition, held }) => {
    const { state, native } = partition
    const rows = await lostRows(context, partition)
    const back = { restoring: false, away: false, error: null }
    if (rows.all) {
      const expired = { retracted: true, logged: [], expired: { by }, unheld: true } as const
      await ledger.move(held, state, 'EXPIRED', { ...back, ...expired })
      await ledger.move(held, 'EXPIRED', 'EXPIRED', { swept: true })
    } else {
      const left =
        native === null
          ? null
          : await store.offers.partitions?.detachedTable(native.table, native.identity, interrupt.abort)
      if (left != null) await attachAgain(context, { partition, held }, null)
      else await ledger.move(held, state, 'RESTORED', { ...back, removed: { rows: 0n, sum: '0' } })
      await ledger.move(held, 'RESTORED', 'RESTORED', { retracted: true, logged: [] })
    }
    const said = lostText(rows)
    const now = rows.all ? 'EXPIRED' : 'RESTORED: the rows in the table are the valid ones'
    const message = `${label} was ${state} and no longer has files: it is ${now}${said === '' ? '' : `; ${said}`}`
    emit({ type: 'log', level: 'warn', table: name, message })
  })
}
