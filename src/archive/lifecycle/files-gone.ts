/** A ledger that is older than the archive: it counts on files that the log let go of and a sweep has destroyed. */
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext } from './context.ts'
import { lost } from './refusals.ts'
import { attachAgain } from './restore.ts'

/**
 * DROPPED → EXPIRED, whose files are destroyed: the rows are nowhere. PUBLISHED, DETACHING, DETACHED → RESTORED: the rows that the source has count, whatever they are; a table that has left is attached again.
 * @param by who says so
 * @throws SluiceError LEASE_LOST where another program works on it; as a restore of a table that has left
 */
export async function withoutFiles(
  context: ArchiveContext,
  label: string,
  reload: () => Promise<ArchivedPartition>,
  by: string,
): Promise<void> {
  const { ledger, store, name, emit, interrupt } = context
  const held = await ledger.claim(label, (await reload()).holder)
  if (held === null) throw lost(name, { label })
  try {
    const partition = await reload()
    const { state, native } = partition
    if (state === 'DROPPED') {
      await ledger.move(held, state, 'EXPIRED', { retracted: true, logged: [], expired: { by }, error: null })
      await ledger.move(held, 'EXPIRED', 'EXPIRED', { swept: true })
    } else {
      const left =
        native === null ? null : await store.partitions?.().detached(native.table, native.identity, interrupt.abort)
      if (left != null) await attachAgain(context, { partition, held })
      else await ledger.move(held, state, 'RESTORED', { restoring: false, error: null })
      await ledger.move(held, 'RESTORED', 'RESTORED', { retracted: true, logged: [] })
    }
    const now =
      state === 'DROPPED'
        ? 'EXPIRED: its rows are neither in the table nor in the archive'
        : 'RESTORED: its rows are those that the table has'
    emit({
      type: 'log',
      level: 'warn',
      table: name,
      message: `${label} was ${state} and has no files any more: it is ${now}`,
    })
  } finally {
    await ledger.release(held).catch(() => undefined)
  }
}
