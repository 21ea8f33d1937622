/** What the program of a slot is told of what people wish: only what is new since it was last told. Numbers of the whole run are shared out among its slots. */
import type { RunWishes } from '../../model/share/distributed.ts'
import { isSame, type TableHold, type TableRetry } from '../../model/run/table-wish.ts'
import type { Wish } from '../../engine/run/operation.ts'

/** @property among slots that numbers are shared out to */
export type Told = { readonly wishes: RunWishes; readonly among: number }

/** Before anything was told. */
export const NOTHING_TOLD: Told = { wishes: {}, among: 0 }

/**
 * @param before what it was told last; `NOTHING_TOLD` of one that has not begun
 * @param onCall it copies for the slot that has the stream, and has no lanes
 */
export function wishesSince(before: Told, now: Told, onCall: boolean): readonly Wish[] {
  const share = (number: number): number => Math.max(1, Math.floor(number / Math.max(1, now.among)))
  const isOther = now.among !== before.among
  const { held = false, rate, workers, lanes } = now.wishes
  const wishes: Wish[] = []
  if (held !== (before.wishes.held ?? false)) wishes.push({ act: 'hold', held })
  if (rate !== undefined && (rate !== before.wishes.rate || isOther))
    wishes.push({ act: 'rate', rate: rate === null ? null : share(rate) })
  if (workers !== undefined && (workers !== before.wishes.workers || isOther))
    wishes.push({ act: 'workers', workers: share(workers) })
  if (lanes !== undefined && lanes !== before.wishes.lanes && !onCall) wishes.push({ act: 'lanes', lanes })
  return [...wishes, ...tableWishesSince(before, now)]
}

function tableWishesSince(before: Told, { wishes: { tables = [], retries = [] } }: Told): readonly Wish[] {
  const known = before.wishes.tables ?? []
  // A program that begins tries again by itself what failed before.
  const again = before === NOTHING_TOLD ? [] : retries.filter((one) => !before.wishes.retries?.some(isRetry(one)))
  const gone = known.filter((one) => !tables.some(isHold(one)))
  // A wish for all of a table lets go of its chunks, too: what of it still stands is said again behind it.
  const anew = new Set([...gone, ...again].map(({ table }) => table))
  const added = tables.filter((one) => anew.has(one.table) || !known.some(isHold(one)))
  return [
    ...gone.map((one) => asked('resume', one)),
    ...again.map((one) => asked('retry', one)),
    ...added.map((one) => asked(one.held === 'paused' ? 'pause' : 'skip', one)),
  ]
}

function asked(
  act: 'pause' | 'resume' | 'skip' | 'retry',
  { table, chunk }: { readonly table: string; readonly chunk?: string },
): Wish {
  return { act, table, ...(chunk === undefined ? {} : { chunk }), shared: true }
}

const isHold =
  (one: TableHold) =>
  (other: TableHold): boolean =>
    isSame(one, other) && one.held === other.held
const isRetry =
  (one: TableRetry) =>
  (other: TableRetry): boolean =>
    isSame(one, other) && one.at === other.at
