/**
 * Enters the reverse stream of a cutover in the ledger of the database that was closed, because its position moves with
 * the rows there. This happens once the other database is open, from the cutover's row, which is authoritative: if a
 * program was killed in between, the next one does it.
 */
import { hasSwitched } from '../switch-row.ts'
import { documentOf } from './document.ts'
import type { CutoverEnd } from './end.ts'

/** Enters reverse streams of cutovers that have happened. Idempotent. */
export async function finishUnnoted(
  opened: Pick<CutoverEnd, 'switches'>,
  closed: Pick<CutoverEnd, 'database' | 'store' | 'streams' | 'switches'>,
): Promise<void> {
  for (const row of await opened.switches.all()) {
    if (!row.isBetween || !hasSwitched(row.status) || row.status === 'done') continue
    const { reverse, closes } = documentOf(await opened.switches.document(row.id))
    if (reverse === undefined || closes.identity !== closed.store.identity) continue
    await closed.streams.prepare()
    await closed.switches.noteReverse(row.reverse, reverse)
  }
}
