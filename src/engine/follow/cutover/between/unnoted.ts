/**
 * The reverse stream of a switch belongs into the ledger of the database that was closed: its position moves with the rows there. It is noted once the other database
 * is open, out of the row of the switch, which is the one that counts: a program that was killed in between has left it to the next one.
 */
import { hasSwitched } from '../switch-row.ts'
import { documentOf } from './document.ts'
import type { End } from './end.ts'

/** Notes reverse streams of switches that have happened. Done twice it does no harm. */
export async function finishUnnoted(
  opened: Pick<End, 'switches'>,
  closed: Pick<End, 'database' | 'store' | 'streams' | 'switches'>,
): Promise<void> {
  for (const row of await opened.switches.all()) {
    if (!row.isBetween || !hasSwitched(row.status) || row.status === 'done') continue
    const { reverse, closes } = documentOf(await opened.switches.document(row.id))
    if (reverse === undefined || closes.identity !== closed.store.identity) continue
    await closed.streams.prepare()
    await closed.switches.noteReverse(row.reverse, reverse)
  }
}
