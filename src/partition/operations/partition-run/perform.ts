/** `partition run`: copies a table in use into a partitioned new one, period by period, and replicates changes. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { PeriodOptions } from '../../../model/copy/period-marks.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyOperation } from '../../../engine/copy/operations/copy/declaration.ts'
import { chosenSlices, type ChosenSlices } from '../../period-marks.ts'
import { CopyPace } from '../../pace.ts'
import { copyKey } from '../../new-table-place.ts'
import type { NewTablePlan } from '../../new-table-plan.ts'
import type { Ending, Run } from '../../../engine/run/run-context.ts'
import { copyAndFollow } from '../../../engine/follow/stream/companion.ts'
import type { PartitionRunOperation } from './declaration.ts'
import { prepare, type PartitionRun } from './prepare.ts'
import type { Interrupt } from '../../../shared/abort.ts'

/** Limit of quarantined rows; with more, the table fails. */
const MOST_QUARANTINED = 1000

/**
 * @throws SluiceError as `partition plan` and `copy --follow`; PARTITION_REFUSED, TABLE_REFUSED if the new table is not
 * suitable
 */
export async function performPartitionRun(operation: PartitionRunOperation, run: PartitionRun): Promise<Ending> {
  const to = operation.to ?? operation.from
  const { about, periods } = await prepare(operation, to, run)
  const { planned, newTable } = about
  const { numbers } = operation
  const chosen = numbers === undefined ? null : chosenSlices(periods, numbers)
  const options = {
    ...copyOf(operation, to, about, newTable.name, periods),
    ...(chosen === null ? {} : { span: chosen.span }),
  }
  const window = copyWindow(run, operation.windowMs)
  const pace = new CopyPace(tableText(planned.table.table), periods, newTable.filled.periods, window.endsAt, run)
  let stream: string | null = null
  try {
    const ending = await copyAndFollow(options, {
      ...run,
      interrupt: window.interrupt,
      emit: (event) => {
        if (event.type === 'follow.started') stream = event.stream
        // When a table leaves the state `copying`, the copy is complete: cancel the window.
        if (event.type === 'follow.table' && event.state !== 'copying') window.cancel()
        pace.event(event)
        run.emit(event)
      },
    })
    const rests = ending.stopped === true && !run.interrupt.stop.aborted && (window.hasEnded || chosen !== null)
    if (rests && stream !== null) {
      pace.end()
      const error = await applyPendingChanges(options, stream, run)
      if (error !== null) return { ...ending, error }
    }
    const ended = rests && chosen === null && hasNoFailure(ending) ? { ...ending, error: window.reason } : ending
    return withNext(chosen === null ? ended : slicesEnding(ending, chosen, operation, stream), stream)
  } finally {
    window.cancel()
    pace.end()
  }
}

/** True if the run ended without an error, or because a stop was requested. */
function hasNoFailure({ error }: Ending): boolean {
  return error === undefined || error.code === 'STOPPED'
}

function copyOf(
  operation: PartitionRunOperation,
  to: string,
  { planned }: Pick<NewTablePlan, 'planned'>,
  into: string,
  periods: PeriodOptions,
): CopyOperation {
  const { from, workers, chunkRows, rate, untilCaughtUp, untilEqual, proveEveryMs, alert, restart, quiesce } = operation
  const { table } = planned
  const until = untilEqual ? ('equal' as const) : untilCaughtUp ? ('caught-up' as const) : null
  return {
    kind: 'copy',
    from,
    to,
    tables: [tableText(table.table)],
    toTable: into,
    rename: {},
    key: copyKey(planned),
    periods,
    onExisting: 'refuse',
    acceptLossy: [],
    verify: operation.proof ?? 'chunk',
    ...(chunkRows === undefined ? {} : { chunkRows }),
    ...(rate === undefined ? {} : { rate }),
    workers,
    maxAside: MOST_QUARANTINED,
    restart,
    dryRun: false,
    follow: {
      ...(until === null ? {} : { until }),
      ...(proveEveryMs === undefined ? {} : { proveEveryMs }),
      ...(quiesce ? { quiesce } : {}),
      ...(alert === undefined ? {} : { alert }),
    },
  }
}

/** Ending of a run that copied the chosen slices; a later run copies the other slices. */
function slicesEnding(
  ending: Ending,
  { period, of }: ChosenSlices,
  { numbers: { from, through } = { from: 1, through: 1 } }: PartitionRunOperation,
  stream: string | null,
): Ending {
  // If the window or the user stopped the run, the slices are not complete: the same command resumes.
  if (ending.stopped !== true || ending.error?.code !== 'STOPPED' || stream === null) return ending
  const slices = from === through ? `slice ${from}` : `slices ${from} to ${through}`
  const next = through < of ? `; or give --slices ${through + 1}-${of} to copy the rest of ${period}` : ''
  return {
    ...ending,
    error: new SluiceError(
      'STOPPED',
      `${period}: ${slices} of ${of} ${from === through ? 'is' : 'are'} copied and proved; this run began no other slice`,
      {
        hint: `run sluice follow ${stream} to copy the rest and then follow${next}`,
      },
    ),
    next: `sluice follow ${stream}`,
  }
}

/** Applies pending changes to the copied periods, so that the source need not retain their log. */
async function applyPendingChanges(
  options: CopyOperation,
  stream: string,
  run: PartitionRun,
): Promise<SluiceError | null> {
  const follow = { ...options.follow, until: 'caught-up', changesOnly: true } as const
  const { error } = await copyAndFollow(
    { ...options, follow },
    {
      ...run,
      emit: (event) => {
        if (!REPORTED_BEFORE.has(event.type)) run.emit(event)
      },
    },
  )
  if (error !== undefined && error.code !== 'STOPPED') return error
  const message = `changes of copied periods are applied, so the source may delete them from its log; until the rest is copied, run sluice follow ${stream} --changes-only to apply later changes`
  run.emit({ type: 'log', level: 'note', table: options.tables[0] ?? '', message })
  return null
}

const REPORTED_BEFORE: ReadonlySet<string> = new Set(['plan.ready', 'follow.started'])

/** Adds the next command once the table is complete. */
function withNext(ending: Ending, stream: string | null): Ending {
  if (stream === null || ending.next !== undefined || ending.error !== undefined) return ending
  if (ending.totals['live'] !== '1') return ending
  return { ...ending, next: `sluice sign-off ${stream}` }
}

type CopyWindow = {
  readonly interrupt: Interrupt
  /** Ms since the epoch; null without a window. */
  readonly endsAt: number | null
  /** True if the window has ended, which also ends the copy. */
  readonly hasEnded: boolean
  /** Error with which the end of the window ends the copy. */
  readonly reason: SluiceError
  /** Cancels the window, because the copy is complete. */
  cancel(): void
}

/** Largest delay of setTimeout, ms; a longer window counts as none. */
const LONGEST_MS = 2_147_483_647

/** @param windowMs length of the window from now on */
function copyWindow(run: Pick<Run, 'interrupt' | 'clock'>, windowMs: number | undefined): CopyWindow {
  const reason = new SluiceError('DEADLINE', 'the time of --window has ended', {
    hint: 'run the same command to resume',
  })
  if (windowMs === undefined || windowMs > LONGEST_MS)
    return { interrupt: run.interrupt, endsAt: null, hasEnded: false, reason, cancel: () => undefined }
  const end = new AbortController()
  const timer = setTimeout(() => end.abort(reason), windowMs)
  timer.unref()
  return {
    interrupt: { abort: run.interrupt.abort, stop: AbortSignal.any([run.interrupt.stop, end.signal]) },
    endsAt: run.clock.now() + windowMs,
    get hasEnded() {
      return end.signal.aborted
    },
    reason,
    cancel: () => clearTimeout(timer),
  }
}
