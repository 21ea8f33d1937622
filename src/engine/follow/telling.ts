/** Tells how far a stream is while it is followed: those who watch it, and whoever asked for alerts. */
import type { LogPosition } from '../../model/copy/change.ts'
import type { StreamBirth } from '../../stores/follow-port.ts'
import { BacklogRate } from './backlog-rate.ts'
import { SourceSilence } from './behind.ts'
import type { Lanes } from './lanes.ts'
import type { LoopParts } from './loop-parts.ts'
import type { PacedStream } from './paced-stream.ts'
import { Progress } from './progress.ts'
import { TableCounts } from './table-counts.ts'

/** How often it is told what was applied to each table. */
const COUNTED_MS = 2000

export class Telling {
  readonly #parts: Pick<LoopParts, 'changes' | 'states' | 'run' | 'tables' | 'clock' | 'alerts'>
  readonly #progress: Progress
  readonly #silence = new SourceSilence()
  readonly #counts = new TableCounts()
  readonly #backlog = new BacklogRate()
  #countedAt = -Infinity
  /** Position that was applied last, and since when, by the run's clock. */
  #still: { readonly position: LogPosition; readonly since: number } | null = null

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#progress = new Progress(parts.clock)
  }

  /** What stands now, and what was applied to each table. */
  async tell(lane: Lanes, source: PacedStream, birth: StreamBirth): Promise<void> {
    const { changes, states, run, tables, clock } = this.#parts
    const lag = await changes.lag(birth, run.interrupt.abort)
    const idleAt = lane.hasNothing && !source.isHolding ? lane.taken : null
    const behind = this.#silence.look({
      applied: lane.applied,
      idleAt,
      // What waits is younger than what was applied last, by hours where nobody wrote meanwhile.
      commitMs: lane.oldestMs ?? source.heldMs ?? lane.row.commitMs,
      durableMs: lane.row.commitMs,
      lag,
      emptyForMs: source.emptyForMs,
      clockMs: lag.clockMs ?? clock.now(),
    })
    // A source that has read its log answers at once.
    if (lag.readerWaits === false && idleAt !== null && idleAt < lag.now) source.ask()
    const event = this.#progress.event(lane.applied, lane.row, behind, lag, states.list, (one) => changes.text(one))
    run.emit(event)
    if (clock.ticks() - this.#countedAt >= COUNTED_MS) {
      this.#countedAt = clock.ticks()
      const names = tables.map(({ name }) => name)
      for (const one of this.#counts.changed(names, states.list, lane.row.counts)) run.emit(one)
    }
    const { alerts } = this.#parts
    if (alerts === null) return
    alerts.passed('error')
    const isBehind = event.lagMs > 0 && !behind.isEarly
    const rate = this.#backlog.look(behind, clock.ticks(), Number(event.changes))
    alerts.look({
      ...(behind.isEarly ? {} : { lagMs: event.lagMs, ...(behind.lagIs === undefined ? {} : { lagIs: behind.lagIs }) }),
      walBytes: Number(event.heldBytes),
      ...(rate === undefined ? {} : { rate }),
    })
    if (this.#still?.position !== lane.applied)
      this.#still = { position: lane.applied, since: this.#parts.clock.ticks() }
    // Whoever holds it back knows that it stands still.
    this.still(isBehind && !source.isHolding && !source.isShut)
  }

  /** @param isBehind whether something waits to be applied, as far as is known */
  still(isBehind: boolean): void {
    const { alerts, clock } = this.#parts
    this.#still ??= { position: -1n, since: clock.ticks() }
    // The time in which nobody wrote is none in which something stood still.
    if (!isBehind) this.#still = { ...this.#still, since: clock.ticks() }
    alerts?.look({ stalledMs: isBehind ? clock.ticks() - this.#still.since : 0 })
  }
}
