/** What was applied to each table, told when it has changed: once for all when a run begins to follow. */
import { dec } from '../../../model/run/event.ts'
import type { FollowCountedEvent } from '../../../model/follow/events.ts'
import { countedInAll, type LaneRow, type TableState } from '../../copy/ledger/stream-row.ts'

/** Tables that are told of at once; others wait for the next time. */
const MOST = 200

export class TableCounts {
  readonly #told = new Map<string, string>()

  /** @param names and states of all tables, in the same order */
  changed(
    names: readonly string[],
    states: readonly TableState[],
    counts: LaneRow['counts'],
  ): readonly FollowCountedEvent[] {
    const found: FollowCountedEvent[] = []
    for (const [at, table] of names.entries()) {
      if (found.length >= MOST) break
      const known = states[at] ?? 'copying'
      const state = known === 'resync' ? 'copying' : known
      const { inserts, updates, deletes, truncates } = countedInAll(counts[table])
      const now = [state, inserts, updates, deletes, truncates].join(' ')
      if (this.#told.get(table) === now) continue
      this.#told.set(table, now)
      found.push({
        type: 'follow.counted',
        table,
        state,
        inserts: dec(inserts),
        updates: dec(updates),
        deletes: dec(deletes),
        truncates: dec(truncates),
      })
    }
    return found
  }
}
