/** Log lines of a worker's sweeps. */
import type { TaskKey, QueueSweep } from '../../model/share/queue-port.ts'
import { unconfirmedText } from './waiting.ts'

export class SweptLines {
  /** Runs already reported as unconfirmed in this database. */
  #reportedUnconfirmed: ReadonlySet<string> = new Set()

  /** Log lines for a sweep; an unconfirmed run is reported once. */
  of({ lost, unqueued, refused, carried, unconfirmed }: QueueSweep): readonly Line[] {
    const again = new Set(lost.map(keyOf))
    const others = unqueued.filter((key) => !again.has(keyOf(key)))
    const held = unconfirmed.filter((runId) => !this.#reportedUnconfirmed.has(runId))
    this.#reportedUnconfirmed = new Set(unconfirmed)
    const { schedules, runs, isSetBack } = carried
    return [
      ...(schedules + runs === 0
        ? []
        : [
            note(
              `the server of the queue was promoted, and ${schedules} schedules and ${runs} runs continue: this worker was connected before`,
            ),
          ]),
      ...(isSetBack === true
        ? [
            warn(
              'the queue has an earlier state: heartbeats of this worker are missing in it, so finished work would start again; only confirmed runs and schedules continue',
            ),
          ]
        : []),
      ...held.map((runId): Line => ({ level: 'warn', ...unconfirmedText(runId) })),
      ...(refused.length === 0
        ? []
        : [warn(`ended, because every worker that could take them refuses them: ${refused.join(', ')}`)]),
      ...(lost.length === 0
        ? []
        : [warn(`queued again, because their workers sent no heartbeat for 30 s: ${named(lost)}`)]),
      ...(others.length === 0
        ? []
        : [warn(`queued again, because their job was missing in the queue: ${named(others)}`)]),
    ]
  }
}

type Line = { readonly level: 'note' | 'warn'; readonly message: string; readonly hint?: string }

const note = (message: string): Line => ({ level: 'note', message })
const warn = (message: string): Line => ({ level: 'warn', message })
const keyOf = ({ runId, no }: TaskKey): string => `${runId}/${no}`
const named = (keys: readonly TaskKey[]): string => keys.map(keyOf).join(', ')
