/**
 * How far a stream is behind in time. A source that decodes a large transaction sends nothing for minutes, as a source at rest does: only a position that it
 * told, or a reader of its log that waits for more, tells one from the other. Notes of triggers do not say when they were made: those that wait are younger than the
 * last moment at which none did.
 */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { SourceLag } from '../../../model/follow/port.ts'

/** How long a source at rest may be silent: it tells its position every five seconds, and at once when it is asked. */
export const SILENT_MS = 6000
/** Looks that are kept; every second one is dropped then. */
const MOST_LOOKS = 4096

export type Behind = {
  /** 0 where everything that the source has to tell is applied. */
  readonly lagMs: number
  /** What `lagMs` is where the source has not told how far it is, or notes wait; absent where it is exact. */
  readonly lagIs?: 'at most' | 'at least'
  readonly isCaughtUp: boolean
  /** Whether the source has been silent for no longer than one at rest may be, and `lagMs` may still be a guess: nobody is alarmed by it. */
  readonly isEarly: boolean
}

export type Look = {
  /** Durable in the target. */
  readonly applied: LogPosition
  /** Behind everything that has come; null while something that has come is not applied. */
  readonly idleAt: LogPosition | null
  /** When what waits first was committed, or what was applied last, ms by the clock of the source; null where nothing was applied yet. */
  readonly commitMs: number | null
  /** When the transaction was committed that was applied last, as the ledger has it: what was noted until then is applied. */
  readonly durableMs?: number | null
  readonly lag: SourceLag
  /** Ms since the stream has found no notes, see `ChangeStream`. */
  readonly emptyForMs?: number | null
  /** `lag` was looked at before: the source has not answered since. */
  readonly isOld?: boolean
  /** Nobody reads now what the source sends, because a write or a question is waited for. */
  readonly isUnread?: boolean
  /** Now, ms by the clock of the source. */
  readonly clockMs: number
}

const CAUGHT_UP: Behind = { lagMs: 0, isCaughtUp: true, isEarly: false }

export class SourceSilence {
  /** Ends of the log that were not reached when they were seen, the oldest first. */
  #looks: { readonly end: LogPosition; readonly clockMs: number }[] = []
  /** Everything that was committed before is applied, or has come; null where the source has told nothing yet. */
  #heardMs: number | null = null
  /** When this run looked first. */
  #sinceMs: number | null = null

  look(look: Look): Behind {
    const { applied, idleAt, commitMs, lag, isOld = false, isUnread = false, clockMs } = look
    const { now } = lag
    this.#sinceMs ??= clockMs
    if (lag.isNoted !== undefined) return this.#noted(look, lag.isNoted, this.#sinceMs)
    // A source that has sent everything says nothing of what lies unread on the way here, nor does one that said so long ago.
    const readerWaits = isOld || isUnread ? false : lag.readerWaits
    if (!isOld) this.#looks.push({ end: now, clockMs })
    this.#reach(idleAt ?? applied, idleAt !== null && readerWaits === true ? clockMs : null)
    if (!isOld && now <= applied) return CAUGHT_UP
    const since = (ms: number): number => Math.max(0, Math.round(clockMs - ms))
    if (idleAt === null) return { lagMs: commitMs === null ? 0 : since(commitMs), isCaughtUp: false, isEarly: false }
    const silentMs = clockMs - (this.#heardMs ?? this.#sinceMs)
    const isEarly = silentMs <= SILENT_MS
    if (this.#heardMs !== null && isEarly) return CAUGHT_UP
    const known = [commitMs, this.#heardMs].filter((ms) => ms !== null)
    if (known.length === 0) return { lagMs: since(this.#sinceMs), lagIs: 'at least', isCaughtUp: false, isEarly }
    return { lagMs: since(Math.max(...known)), lagIs: 'at most', isCaughtUp: false, isEarly }
  }

  /** Where nothing was applied yet, notes have waited since they were seen first: nobody has taken any of them out. */
  #noted(
    { durableMs = null, emptyForMs = null, isOld = false, clockMs }: Look,
    isNoted: boolean,
    sinceMs: number,
  ): Behind {
    const isEmpty = !isNoted && !isOld
    const emptyMs = isEmpty ? clockMs : emptyForMs === null ? null : clockMs - emptyForMs
    if (emptyMs !== null) this.#heardMs = Math.max(this.#heardMs ?? emptyMs, emptyMs)
    // A source that does not answer may have nothing to tell, for as long as one at rest is silent.
    if (isEmpty || (!isNoted && this.#heardMs !== null && clockMs - this.#heardMs <= SILENT_MS)) return CAUGHT_UP
    const known = [durableMs, this.#heardMs].filter((ms) => ms !== null)
    const lastMs = known.length === 0 ? sinceMs : Math.max(...known)
    return {
      lagMs: Math.max(0, Math.round(clockMs - lastMs)),
      lagIs: known.length === 0 ? 'at least' : 'at most',
      isCaughtUp: false,
      // What an earlier run has applied last says little of a source that was at rest since.
      isEarly: lastMs < sinceMs && clockMs - sinceMs <= SILENT_MS,
    }
  }

  /** @param restMs when the reader of the log was seen to wait for more; null where it was not */
  #reach(position: LogPosition, restMs: number | null): void {
    const left = this.#looks.filter(({ end }) => end > position)
    const reached = this.#looks.findLast(({ end }) => end <= position)
    this.#looks = restMs !== null ? [] : left.length > MOST_LOOKS ? left.filter((_, at) => at % 2 === 0) : left
    const heardMs = restMs ?? reached?.clockMs ?? null
    if (heardMs !== null) this.#heardMs = Math.max(this.#heardMs ?? heardMs, heardMs)
  }
}
