/** Finds rows whose foreign keys prevent the removal of partitions: one example row per foreign key. */
import { referringText } from '../../model/archive/referring-text.ts'
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import type { Referrer, ReferringRow } from '../../model/archive/constraints-port.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { ArchiveCandidate } from './candidate.ts'

/** Time limits of the search, ms: per foreign key and partition, and for all partitions of a table. */
const POLL_MS = 500
const SEARCH_LIMIT_MS = 5000

/** Rows that refer to one partition, as texts. */
export type ReferringRows = {
  /** An example row for each foreign key with referring rows. */
  readonly rows: readonly string[]
  /** Foreign keys whose rows were not searched. */
  readonly notSearched: readonly string[]
}

/** Searches referring rows for the partitions of one table, within the time limits. */
export class Referred {
  readonly referrers: readonly Referrer[]
  readonly #store: CopyStore
  #leftMs = SEARCH_LIMIT_MS

  private constructor(store: CopyStore, referrers: readonly Referrer[]) {
    this.#store = store
    this.referrers = referrers
  }

  /** @throws SluiceError CONNECTION_LOST … */
  static async of(store: CopyStore, table: TableName, signal: AbortSignal): Promise<Referred> {
    return new Referred(store, (await store.offers.referrers?.list(table, signal)) ?? [])
  }

  /**
   * @param table the partition, or the plain table of the period
   * @param condition rows of the period, in the SQL of the store; null for the whole table
   */
  async searchPartition(table: TableName, condition: string | null, signal: AbortSignal): Promise<ReferringRows> {
    const [rows, notInspected]: [string[], string[]] = [[], []]
    for (const referrer of this.referrers) {
      const found = await this.#row(table, referrer, condition, signal)
      if (found === null) continue
      if ('unknown' in found) notInspected.push(`${keyText(referrer)}: ${found.unknown}`)
      else rows.push(`${referringText(referrer, found.values)} refers to it (${keyText(referrer)})`)
    }
    return { rows, notSearched: notInspected }
  }

  async #row(
    table: TableName,
    referrer: Referrer,
    condition: string | null,
    signal: AbortSignal,
  ): Promise<ReferringRow> {
    if (this.#leftMs <= 0)
      return { unknown: `the search for such rows took ${SEARCH_LIMIT_MS / 1000} s for earlier partitions` }
    const since = performance.now()
    const store = this.#store.offers.referrers
    const timeLimitMs = Math.min(POLL_MS, this.#leftMs)
    const found = (await store?.referringRow(table, referrer, condition, timeLimitMs, signal)) ?? null
    this.#leftMs -= performance.now() - since
    return found
  }
}

/** Blocks partitions that rows of other tables refer to: the server does not detach them. */
export async function blockReferred(
  candidates: readonly ArchiveCandidate[],
  referred: Referred,
  signal: AbortSignal,
): Promise<readonly ArchiveCandidate[]> {
  const held: ArchiveCandidate[] = []
  for (const one of candidates) {
    const by =
      one.status === 'due' && one.native !== null
        ? await referred.searchPartition(one.native.table, null, signal)
        : null
    const text = by === null ? null : blockingText(by)
    const note = [text, one.note].filter((part) => part != null).join('; ')
    held.push(text === null ? one : { ...one, note, ...(by?.rows.length === 0 ? {} : { status: 'blocked' }) })
  }
  return held
}

/** A note about rows that prevent, or may prevent, the removal; null if there are none. */
export function blockingText({ rows, notSearched: notInspected }: ReferringRows): string | null {
  const parts = [...rows, ...notInspected.map((text) => `rows that refer to it were not searched: ${text}`)]
  return parts.length === 0 ? null : parts.join('; ')
}

/**
 * Note such as `foreign key photos_ride: public.photos (ride_id) refers to (id), ON DELETE CASCADE`.
 * @param native true if partitions are detached as tables, so that no row is deleted
 */
export function referrerText(referrer: Referrer, native: boolean): string {
  const { table, columns, to, onDelete, stopsRemoval } = referrer
  const stops = native
    ? ': a partition with referenced rows cannot be detached'
    : stopsRemoval
      ? ': rows are not removed while the foreign key exists'
      : ''
  return `${keyText(referrer)}: ${tableText(table)} (${columns.join(', ')}) refers to (${to.join(', ')}), ON DELETE ${onDelete}${stops}`
}

function keyText({ name, columns }: Referrer): string {
  return name === null ? `foreign key on ${columns.join(', ')}` : `foreign key ${name}`
}
