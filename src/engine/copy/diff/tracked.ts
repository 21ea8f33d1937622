/** Records a comparison in `cdm_run_info` and `cdm_run_details`, as the Cassandra Data Migrator's DiffData does. */
import { tableText } from '../../../model/copy/column-type.ts'
import { shuffled, type TokenRange } from '../../../model/copy/ring.ts'
import { dec, type EventBody } from '../../../model/run/event.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { DiffOperation } from '../operations/diff/declaration.ts'
import type { DiffRun } from './diff-run.ts'
import type { PlannedTable } from '../plan/plan-copy.ts'
import type { RingPlan } from '../plan/ring-plan.ts'
import { previousRun } from '../compat/cdm/previous-run.ts'
import { countersOf, sumCounts, type CdmCounts } from '../compat/cdm/run-info.ts'
import { TrackedTable } from '../compat/cdm/tracked-table.ts'
import type { RepairContext } from './process-differences.ts'
import { trackingTitles } from '../../run/systems.ts'

/** Event that reports a compared range. */
export type DiffRange = Extract<EventBody, { type: 'diff.range' }>

/** Records ranges in other tables, such as those of the Cassandra Data Migrator. */
export type DiffRecord = {
  readonly begun: (tokens: TokenRange) => Promise<void>
  readonly ended: (tokens: TokenRange, range: DiffRange) => Promise<void>
  readonly end: () => Promise<void>
}

/**
 * @returns the ranges to compare, shuffled, so that successive ranges are read from different servers
 * @throws SluiceError UNSUPPORTED_URL, NO_RING, BAD_FLAG if the run cannot be tracked
 */
export async function trackDiff(
  operation: DiffOperation,
  { source, targetName }: PlannedTable,
  ring: RingPlan,
  { to, database }: RepairContext,
  run: DiffRun,
): Promise<{ readonly record: DiffRecord | null; readonly ranges: readonly TokenRange[] }> {
  const name = tableText(source.table)
  const all = shuffled(ring.wanted, run.runId)
  const { track: options } = operation
  if (options === undefined || database === null) {
    if (operation.cdmLines !== true) return { record: null, ranges: all }
    reportRun(operation, name, ring, all.length, run, {})
    return { record: new RangeCounter(name, null, run), ranges: all }
  }
  if (to.offers.tracks === undefined) {
    throw new SluiceError('UNSUPPORTED_URL', `--track-run cannot record runs in ${to.system}`, {
      where: to.label,
      hint: `remove --track-run, or compare with ${trackingTitles()}`,
    })
  }
  if (source.ring?.partitioner === 'random')
    throw new SluiceError('NO_RING', `--track-run cannot record ${name}: its tokens do not fit a bigint`, {
      hint: 'remove --track-run',
    })
  const store = to.offers.tracks.open(targetName.schema ?? to.schema ?? '', database)
  await store.prepare()
  const { previous, lost } = await previousRun(store, targetName.name, 'VALIDATE', options)
  const say = (message: string, hint?: string): void =>
    run.emit({ type: 'log', level: 'warn', table: name, message, ...(hint === undefined ? {} : { hint }) })
  if (lost !== null) say(`Run NOT FOUND/NOT STARTED for Previous RunId: ${lost}, starting new run!`)
  const ranges =
    previous === null
      ? all
      : shuffled(
          previous.pending.map(({ low, high }) => ({ low, high })),
          run.runId,
        )
  const runId = BigInt(options.runId ?? run.runId)
  reportRun(operation, name, ring, ranges.length, run, {
    cdmRun: dec(runId),
    ...(previous === null ? {} : { previous: dec(previous.run.runId), pending: dec(ranges.length) }),
  })
  if (ranges.length === 0) return { record: null, ranges }
  let reported = false
  const table = new TrackedTable({
    store,
    table: targetName.name,
    runId,
    type: 'VALIDATE',
    previous: previous?.run.runId ?? 0n,
    now: () => run.clock.now(),
    onTrouble: (thrown) => {
      const { message, hint } = asSluiceError(thrown)
      if (!reported) say(`cdm_run_details is not up to date: ${message}`, hint)
      reported = true
    },
  })
  await table.begin(ranges)
  return { ranges, record: new RangeCounter(name, table, run) }
}

/** Counts ranges, and records them if the run is tracked. */
class RangeCounter implements DiffRecord {
  readonly #name: string
  readonly #table: TrackedTable | null
  readonly #run: DiffRun
  readonly #counts: CdmCounts[] = []
  #failed = 0

  constructor(name: string, table: TrackedTable | null, run: DiffRun) {
    this.#name = name
    this.#table = table
    this.#run = run
  }

  async begun(tokens: TokenRange): Promise<void> {
    this.#table?.started(tokens)
  }

  async ended(tokens: TokenRange, range: DiffRange): Promise<void> {
    const counts = countsOf(range)
    this.#counts.push(counts)
    if (range.status === 'FAIL') this.#failed++
    this.#table?.ended(tokens, range.status, counts)
  }

  async end(): Promise<void> {
    const passed = this.#counts.length - this.#failed
    const counters = countersOf('VALIDATE', sumCounts(this.#counts), passed, this.#failed)
    this.#run.emit({
      type: 'run.counted',
      table: this.#name,
      ...(this.#table === null ? {} : { cdmRun: dec(this.#table.runId) }),
      counters: Object.fromEntries(counters.map(([counter, count]) => [counter, dec(count)])),
    })
    await this.#table?.end()
  }
}

/** Emits `run.tracked`, as a copy does. */
function reportRun(
  { ring: options }: DiffOperation,
  table: string,
  { ring, splits }: RingPlan,
  ranges: number,
  run: DiffRun,
  tracked: { readonly cdmRun?: string; readonly previous?: string; readonly pending?: string },
): void {
  run.emit({
    type: 'run.tracked',
    table,
    job: 'VALIDATE',
    min: options?.min ?? dec(ring.low),
    max: options?.max ?? dec(ring.high),
    splits: dec(splits),
    coverage: options?.coverage ?? 100,
    ranges: dec(ranges),
    ...tracked,
  })
}

function countsOf(range: DiffRange): CdmCounts {
  return {
    Read: BigInt(range.rows),
    Mismatch: BigInt(range.different),
    'Corrected Mismatch': BigInt(range.fixedDifferent),
    Missing: BigInt(range.missing),
    'Corrected Missing': BigInt(range.fixedMissing),
    Valid: BigInt(range.valid),
    Error: BigInt(range.errors),
  }
}
