/**
 * Lag of a stream in time. A source that decodes a large transaction sends nothing for minutes, like an idle source.
 * Only a reported position, or a log reader that waits for more, shows that the source is idle. Trigger records carry
 * no time: pending records are younger than the last time at which there were none.
 */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { SourceLag } from '../../../model/follow/port.ts'

/** Longest silence of an idle source: it reports its position every five seconds, and immediately when asked. */
export const SILENT_MS = 6000
/** Maximum number of samples that are kept; above it, every second sample is dropped. */
const MOST_SAMPLES = 4096

export type StreamLag = {
  /** Lag of the stream, ms; 0 if everything that the source has to send is applied. */
  readonly lagMs: number
  /** How `lagMs` bounds the lag if no position was reported, or if trigger records are pending; absent if exact. */
  readonly lagIs?: 'at most' | 'at least'
  readonly isCaughtUp: boolean
  /**
   * True in the first `SILENT_MS` of a run if the source has not reported yet. The source may be idle, so `lagMs` may
   * be wrong, and raises no alert.
   */
  readonly isEarly: boolean
}

export type LagInput = {
  /** Position up to which changes are durable in the target. */
  readonly applied: LogPosition
  /** End of the received log; null while a received change is not applied. */
  readonly idleAt: LogPosition | null
  /** Commit time of the first waiting transaction, or else of the last applied one, source clock, ms; null if none. */
  readonly commitMs: number | null
  /** Commit time of the last applied transaction, as in the ledger: trigger records up to this time are applied. */
  readonly durableMs?: number | null
  readonly lag: SourceLag
  /** Ms since trigger records were last found empty, see `ChangeStream`. */
  readonly emptyForMs?: number | null
  /** True if `lag` is an earlier answer: the source has not answered since. */
  readonly isOld?: boolean
  /** True if changes of the source are not read now, because a write or a query is in progress. */
  readonly isUnread?: boolean
  /** Now, ms by the source's clock. */
  readonly clockMs: number
}

const CAUGHT_UP: StreamLag = { lagMs: 0, isCaughtUp: true, isEarly: false }

export class LagMeter {
  /** Ends of the source's log that the stream has not reached, each with the time it was read, oldest first. */
  #samples: { readonly end: LogPosition; readonly clockMs: number }[] = []
  /** Everything committed before this time is received or applied; null if the source has reported nothing yet. */
  #coveredUntilMs: number | null = null
  /** Time of the first sample of this run. */
  #firstSampleMs: number | null = null

  /** Computes the lag from new measurements. */
  measure(input: LagInput): StreamLag {
    const { applied, idleAt, commitMs, lag, isOld = false, isUnread = false, clockMs } = input
    const { now } = lag
    this.#firstSampleMs ??= clockMs
    if (lag.isNoted !== undefined) return this.#triggerLag(input, lag.isNoted, this.#firstSampleMs)
    // A log reader that waits has sent everything, but changes may still be unread in the connection. An earlier answer
    // proves nothing either.
    const readerWaits = isOld || isUnread ? false : lag.readerWaits
    if (!isOld) this.#samples.push({ end: now, clockMs })
    this.#reach(idleAt ?? applied, idleAt !== null && readerWaits === true ? clockMs : null)
    if (!isOld && now <= applied) return CAUGHT_UP
    const since = (ms: number): number => Math.max(0, Math.round(clockMs - ms))
    if (idleAt === null) return { lagMs: commitMs === null ? 0 : since(commitMs), isCaughtUp: false, isEarly: false }
    const silentMs = clockMs - (this.#coveredUntilMs ?? this.#firstSampleMs)
    const isEarly = silentMs <= SILENT_MS
    if (this.#coveredUntilMs !== null && isEarly) return CAUGHT_UP
    const known = [commitMs, this.#coveredUntilMs].filter((ms) => ms !== null)
    if (known.length === 0) return { lagMs: since(this.#firstSampleMs), lagIs: 'at least', isCaughtUp: false, isEarly }
    return { lagMs: since(Math.max(...known)), lagIs: 'at most', isCaughtUp: false, isEarly }
  }

  /** Lag by trigger records: if nothing was applied, they have been pending since the first sample or longer. */
  #triggerLag(
    { durableMs = null, emptyForMs = null, isOld = false, clockMs }: LagInput,
    isNoted: boolean,
    sinceMs: number,
  ): StreamLag {
    const isEmpty = !isNoted && !isOld
    const emptyMs = isEmpty ? clockMs : emptyForMs === null ? null : clockMs - emptyForMs
    if (emptyMs !== null) this.#coveredUntilMs = Math.max(this.#coveredUntilMs ?? emptyMs, emptyMs)
    // A source that does not answer counts as idle until SILENT_MS after its trigger records were last empty.
    if (isEmpty || (!isNoted && this.#coveredUntilMs !== null && clockMs - this.#coveredUntilMs <= SILENT_MS))
      return CAUGHT_UP
    const known = [durableMs, this.#coveredUntilMs].filter((ms) => ms !== null)
    const lastMs = known.length === 0 ? sinceMs : Math.max(...known)
    return {
      lagMs: Math.max(0, Math.round(clockMs - lastMs)),
      lagIs: known.length === 0 ? 'at least' : 'at most',
      isCaughtUp: false,
      // Only a change of an earlier run is known. The source may have been idle since: then `lagMs` is too high.
      isEarly: lastMs < sinceMs && clockMs - sinceMs <= SILENT_MS,
    }
  }

  /** @param restMs time at which the log reader waited for more; null if it did not wait */
  #reach(position: LogPosition, restMs: number | null): void {
    const left = this.#samples.filter(({ end }) => end > position)
    const reached = this.#samples.findLast(({ end }) => end <= position)
    this.#samples = restMs !== null ? [] : left.length > MOST_SAMPLES ? left.filter((_, at) => at % 2 === 0) : left
    const heardMs = restMs ?? reached?.clockMs ?? null
    if (heardMs !== null) this.#coveredUntilMs = Math.max(this.#coveredUntilMs ?? heardMs, heardMs)
  }
}
