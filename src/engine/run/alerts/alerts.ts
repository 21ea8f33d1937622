/** Decides which alerts of a stream are raised. Reports each verdict when it is first known, and when it changes. */
import type { AlertCause, AlertCondition, AlertOptions, StreamCause, StreamVerdict } from '../../../model/run/alert.ts'
import { tookText, sizeText } from '../../../shared/figures.ts'

/** Measurements of a run at one time; absent if unknown. */
export type AlertMeasurements = {
  readonly lagMs?: number
  /** How `lagMs` is bounded; absent if it is exact. */
  readonly lagIs?: 'at most' | 'at least'
  readonly walBytes?: number
  /** Changes per second while the stream is behind; 'kept up' if it is not behind. */
  readonly rate?: number | 'kept up'
  /** Time in which no change was applied although changes wait, ms; 0 if no change waits. */
  readonly stalledMs?: number
  /** True until this run has applied a change: an earlier run may have been stalled, so `stalledMs` may be too low. */
  readonly isStalledLonger?: boolean
}

export class Alerts {
  readonly request: AlertOptions
  readonly report: (verdict: StreamVerdict) => void
  /** Last verdict of each cause. */
  readonly #verdicts = new Map<StreamCause, boolean>()

  constructor(options: AlertOptions, report: (verdict: StreamVerdict) => void) {
    this.request = options
    this.report = report
  }

  /** True if an alert has to end the run. */
  get mustEndRun(): boolean {
    return this.request.exit === true && this.raised.length > 0
  }

  /** Causes whose alerts are raised now. */
  get raised(): readonly StreamCause[] {
    return [...this.#verdicts].flatMap(([cause, holds]) => (holds ? [cause] : []))
  }

  /** Updates the verdicts from new measurements. */
  update(sample: AlertMeasurements): void {
    for (const condition of this.request.conditions) {
      if (!('limit' in condition) || condition.cause === 'stuck') continue
      const { cause, limit } = condition
      const value = valueOf(cause, sample)
      if (value === undefined) continue
      if (value === 'kept up') {
        this.#note(cause, false, 'caught up', wordsOf(cause, limit))
        continue
      }
      const holds = cause === 'rate' ? value < limit : value > limit
      // A lower bound below the limit does not show that the alert of an earlier run has ended.
      const isLeast = cause === 'lag' ? sample.lagIs === 'at least' : cause === 'stalled' && sample.isStalledLonger
      if (!holds && isLeast === true && !this.#verdicts.has(cause)) continue
      const about = cause === 'lag' && sample.lagIs !== undefined ? `${sample.lagIs} ` : ''
      this.#note(cause, holds, `${about}${wordsOf(cause, value)}`, wordsOf(cause, limit))
    }
  }

  /** Raises an alert for an error or a lost replication slot; `clear` ends it. */
  raise(cause: 'error' | 'slot-lost', what: string): void {
    if (this.request.conditions.some((condition) => condition.cause === cause)) this.#note(cause, true, what)
  }

  clear(cause: 'error' | 'slot-lost'): void {
    if (this.request.conditions.some((condition) => condition.cause === cause))
      this.#note(cause, false, 'the run continues')
  }

  #note(cause: StreamCause, holds: boolean, value: string, limit?: string): void {
    if (holds === this.#verdicts.get(cause)) return
    this.#verdicts.set(cause, holds)
    this.report({ cause, holds, value, ...(limit === undefined ? {} : { limit }) })
  }
}

function valueOf(
  cause: AlertCondition['cause'],
  { lagMs, walBytes, rate, stalledMs }: AlertMeasurements,
): AlertMeasurements['rate'] {
  switch (cause) {
    case 'lag':
      return lagMs
    case 'wal':
      return walBytes
    case 'rate':
      return rate
    case 'stalled':
      return stalledMs
    default:
      return undefined
  }
}

function wordsOf(cause: AlertCause, value: number): string {
  if (cause === 'wal') return sizeText(value)
  return cause === 'rate' ? `${Math.round(value)} changes/s` : tookText(value)
}
