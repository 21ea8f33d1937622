/** Decides which alerts are raised: one event when a condition begins to hold, and one when it ends. */
import type { AlertCause, AlertCondition, AlertEvent, AlertOptions } from '../../../model/run/alert.ts'
import { tookText, sizeText } from '../../../shared/figures.ts'

/** Measurements of a run at one time; absent if unknown. */
export type AlertMeasurements = {
  readonly lagMs?: number
  /** How `lagMs` is bounded; absent if it is exact. */
  readonly lagIs?: 'at most' | 'at least'
  readonly walBytes?: number
  /** Changes per second while it is behind. */
  readonly rate?: number | 'kept up'
  /** How long nothing was applied although something waits, ms; 0 if nothing waits or something was applied. */
  readonly stalledMs?: number
}

export class Alerts {
  readonly request: AlertOptions
  readonly report: (event: AlertEvent) => void
  readonly #raised = new Set<AlertCause>()

  /** @param report emits the event and passes it to the sinks */
  constructor(options: AlertOptions, report: (event: AlertEvent) => void) {
    this.request = options
    this.report = report
  }

  /** Whether an alert has to end the run. */
  get ends(): boolean {
    return this.request.exit === true && this.#raised.size > 0
  }

  /** Causes that hold now. */
  get raised(): readonly AlertCause[] {
    return [...this.#raised]
  }

  look(sample: AlertMeasurements): void {
    for (const condition of this.request.conditions) {
      if (!('limit' in condition)) continue
      const { cause, limit } = condition
      const value = valueOf(cause, sample)
      if (value === undefined) continue
      if (value === 'kept up') {
        this.#note(cause, false, 'caught up', wordsOf(cause, limit))
        continue
      }
      const holds = cause === 'rate' ? value < limit : value > limit
      const about = cause === 'lag' && sample.lagIs !== undefined ? `${sample.lagIs} ` : ''
      this.#note(cause, holds, `${about}${wordsOf(cause, value)}`, wordsOf(cause, limit))
    }
  }

  /** Raises an alert for an error or a lost replication slot; `passed` ends that of an error. */
  happened(cause: 'error' | 'slot-lost', what: string): void {
    if (this.request.conditions.some((condition) => condition.cause === cause)) this.#note(cause, true, what)
  }

  passed(cause: 'error'): void {
    if (this.#raised.has(cause)) this.#note(cause, false, 'the run continues')
  }

  #note(cause: AlertCause, holds: boolean, value: string, limit?: string): void {
    if (holds === this.#raised.has(cause)) return
    if (holds) this.#raised.add(cause)
    else this.#raised.delete(cause)
    const state = holds ? 'raised' : 'cleared'
    this.report({ type: 'alert', cause, state, value, ...(limit === undefined ? {} : { limit }) })
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
