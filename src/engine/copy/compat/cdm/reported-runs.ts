/** Events that report a copy as the Cassandra Data Migrator does, in addition to the events of every copy. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { dec } from '../../../../model/run/event.ts'
import type { CopyOperation } from '../../operations/copy/declaration.ts'
import type { CopyEvent } from '../../copy-run.ts'
import type { PlannedCopy } from '../../plan/plan-copy.ts'
import type { TableRun } from '../../table/table-run.ts'
import type { CopyTrack } from './copy-track.ts'
import { countersOf, sumCounts, type CdmCounts } from './run-info.ts'

type Tally = { readonly counts: CdmCounts[]; passed: number; failed: number }

export class ReportedRuns {
  readonly #operation: CopyOperation
  readonly #track: CopyTrack | null
  readonly #tallies = new Map<string, Tally>()

  constructor(operation: CopyOperation, track: CopyTrack | null) {
    this.#operation = operation
    this.#track = track
  }

  /** One event for each table with a token ring. */
  begin(planned: PlannedCopy, tables: readonly TableRun[]): readonly CopyEvent[] {
    if (this.#operation.cdmLines !== true && this.#track === null) return []
    const events: CopyEvent[] = []
    for (const { source, ring } of planned.tables) {
      const name = tableText(source.table)
      if (ring === null || tables.find((table) => table.name === name)?.context == null) continue
      this.#tallies.set(name, { counts: [], passed: 0, failed: 0 })
      const { min, max, coverage } = this.#operation.ring ?? {}
      const tracked = this.#track?.tables.get(name)
      const previous = this.#track?.previousOf(name) ?? null
      // If no range is left to copy, no run is recorded, so there is no run to name.
      const isDone = this.#track !== null && tracked === undefined
      events.push({
        type: 'run.tracked',
        table: name,
        job: 'MIGRATE',
        min: min ?? dec(ring.ring.low),
        max: max ?? dec(ring.ring.high),
        splits: dec(ring.splits),
        coverage: coverage ?? 100,
        ranges: dec(tracked?.size ?? (isDone ? 0 : ring.wanted.length)),
        ...(isDone ? { pending: '0' } : {}),
        ...(tracked === undefined ? {} : { cdmRun: dec(tracked.runId), previous: dec(tracked.previous) }),
        ...(previous === null ? {} : { previous: dec(previous.run.runId), pending: dec(previous.pending.length) }),
      })
    }
    return events
  }

  event(event: CopyEvent): void {
    if (event.type !== 'chunk.done' && event.type !== 'chunk.failed') return
    const tally = this.#tallies.get(event.table)
    if (tally === undefined) return
    if (event.type === 'chunk.failed') {
      tally.failed++
      return
    }
    const quarantined = BigInt(event.quarantined ?? 0)
    if (quarantined === 0n) tally.passed++
    else tally.failed++
    tally.counts.push({
      Read: BigInt(event.read ?? 0),
      Write: BigInt(event.written ?? 0),
      Skipped: BigInt(event.skipped ?? 0),
      Error: quarantined,
    })
  }

  end(): readonly CopyEvent[] {
    return [...this.#tallies].map(([table, own]) => {
      const tracked = this.#track?.tables.get(table)
      const { counts, passed, failed } = tracked?.totals() ?? { ...own, counts: sumCounts(own.counts) }
      const counters = countersOf('MIGRATE', counts, passed, failed)
      return {
        type: 'run.counted',
        table,
        ...(tracked === undefined ? {} : { cdmRun: dec(tracked.runId) }),
        counters: Object.fromEntries(counters.map(([name, count]) => [name, dec(count)])),
      }
    })
  }
}
