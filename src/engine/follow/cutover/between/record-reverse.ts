/**
 * Writes the reverse stream of a cutover to the ledger of that stream's target: its position must change in the same
 * transactions as its rows. The cutover's row contains the data of the stream, and is authoritative. If a program is
 * killed after it has opened the other database to writers, the next program writes the stream.
 */
import { hasSwitched } from '../cutover-row.ts'
import { documentOf } from './document.ts'
import type { CutoverDatabase } from './cutover-database.ts'

/** Writes reverse streams of cutovers that have happened. Idempotent. */
export async function recordReverseStreams(
  opened: Pick<CutoverDatabase, 'switches'>,
  closed: Pick<CutoverDatabase, 'database' | 'store' | 'streams' | 'switches'>,
): Promise<void> {
  for (const row of await opened.switches.all()) {
    if (!row.isBetween || !hasSwitched(row.status) || row.status === 'done') continue
    const { reverse, closes } = documentOf(await opened.switches.document(row.id))
    if (reverse === undefined || closes.identity !== closed.store.identity) continue
    await closed.streams.prepare()
    await closed.switches.noteReverse(row.reverse, reverse)
  }
}
