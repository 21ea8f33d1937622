/** Progress event of a stream: its lag, its rate, and how much log it retains at the source. */
import type { LogPosition } from '../../../model/copy/change.ts'
import { dec } from '../../../model/run/event.ts'
import type { FollowProgressEvent } from '../../../model/follow/events.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { SourceLag } from '../../../model/follow/port.ts'
import type { StreamLag } from './stream-lag.ts'
import { totalChanges, type ApplyWorkerRow, type StreamTableState } from '../../copy/ledger/stream-row.ts'

/** Time over which the rates are computed. */
const WINDOW_MS = 10_000
/** The remaining time is predicted only after STEPS increases of the change count, the last one at most STEP_MS ago. */
const STEPS = 3
const STEP_MS = 3500

type Sample = { readonly at: number; readonly changes: number; readonly applied: LogPosition }

export class Progress {
  readonly #clock: Clock
  readonly #samples: Sample[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @param applied durable position
   * @param text how the source writes positions
   * @param isHeld true if the stream is paused: without new changes, earlier samples do not show its rate
   */
  event(
    applied: LogPosition,
    { transactions, counts }: Pick<ApplyWorkerRow, 'transactions' | 'counts'>,
    { lagMs, lagIs, isCaughtUp }: StreamLag,
    { now, waiting, isNoted, heldBytes, safeBytes }: SourceLag,
    states: readonly StreamTableState[],
    text: (position: LogPosition) => string,
    isHeld = false,
  ): FollowProgressEvent {
    const changes = changesOf(counts)
    const lagBytes = waiting === undefined && now > applied ? now - applied : 0n
    if (isHeld && this.#samples.at(-1)?.changes === changes) this.#samples.length = 0
    const { rate, bytesPerMs, isSteady } = this.#pace({ at: this.#clock.ticks(), changes, applied })
    const count = (state: StreamTableState): string => dec(states.filter((one) => one === state).length)
    const remainingMs = waiting === undefined ? Number(lagBytes) / bytesPerMs : (Number(waiting) * 1000) / rate
    return {
      type: 'follow.progress',
      position: text(applied),
      end: text(now),
      lagBytes: dec(lagBytes),
      ...(waiting === undefined ? {} : { waiting: dec(waiting) }),
      lagMs,
      ...(lagIs === undefined ? {} : { lagIs }),
      transactions: dec(transactions),
      changes: dec(changes),
      rate: dec(rate),
      // With trigger records the number of waiting changes is known, regardless of their age.
      ...(isCaughtUp ||
      (lagIs !== undefined && isNoted === undefined) ||
      !isSteady ||
      !Number.isFinite(remainingMs) ||
      remainingMs < 0
        ? {}
        : { remainingMs: Math.round(remainingMs) }),
      heldBytes: dec(heldBytes),
      ...(safeBytes === null ? {} : { safeBytes: dec(safeBytes) }),
      tables: { copying: count('copying'), catchup: count('catchup'), live: count('live') },
    }
  }

  #pace(sample: Sample): { readonly rate: number; readonly bytesPerMs: number; readonly isSteady: boolean } {
    this.#samples.push(sample)
    while ((this.#samples[0]?.at ?? 0) < sample.at - WINDOW_MS && this.#samples.length > 2) this.#samples.shift()
    const [first = sample] = this.#samples
    const ms = sample.at - first.at
    if (ms <= 0) return { rate: 0, bytesPerMs: 0, isSteady: false }
    const steps = this.#samples.filter(({ changes }, at) => changes > (this.#samples[at - 1]?.changes ?? changes))
    return {
      rate: Math.max(0, Math.round(((sample.changes - first.changes) * 1000) / ms)),
      bytesPerMs: Number(sample.applied - first.applied) / ms,
      isSteady: steps.length >= STEPS && sample.at - (steps.at(-1)?.at ?? -Infinity) <= STEP_MS,
    }
  }
}

/** Changed rows of all tables; a TRUNCATE counts as one. */
export function changesOf(counts: ApplyWorkerRow['counts']): number {
  return Object.values(counts)
    .map(totalChanges)
    .reduce((sum, one) => sum + one.inserts + one.updates + one.deletes + one.truncates, 0)
}
