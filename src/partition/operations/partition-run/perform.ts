/** `partition run`: a table that is in use is copied into a partitioned one beside it, period by period, and followed. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import type { PeriodWish } from '../../../model/copy/period-marks.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { RangedTable } from '../../../model/partition/maintenance-port.ts'
import { tableKeyOf } from '../../../engine/copy/ledger/owner.ts'
import { openCopyStore, openSourceStore } from '../../../engine/copy/open-stores.ts'
import { onSide } from '../../../engine/copy/sides.ts'
import { streamsInto } from '../../../engine/copy/ledger/streams-into.ts'
import type { CopyOperation } from '../../../engine/copy/operations/copy/declaration.ts'
import { chosenSlices, periodMarks, refuseUnknownFirst, type ChosenSlices } from '../../period-marks.ts'
import { partitionName } from '../../planned-periods.ts'
import type { PlanSource } from '../../planned-table.ts'
import { Pace } from '../../pace.ts'
import { indexStatement, planTwin, takenFindings, type TwinPlan } from '../../twin-plan.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import { copyAndFollow } from '../../../engine/follow/stream/companion.ts'
import type { partitionRun as declared, PartitionRunOperation } from './declaration.ts'
import { windowed } from './window.ts'

type Run = RunOf<typeof declared>

/** Longest that a look waits for a table that others keep to themselves. */
const LOOK_WAIT_MS = 10_000
/** Rows that may be set aside before the table is given up. */
const MOST_ASIDE = 1000

/** @throws SluiceError as `partition plan` and `copy --follow`; PARTITION_REFUSED, TABLE_REFUSED where the new table cannot be what it has to be */
export async function partitionRun(operation: PartitionRunOperation, run: Run): Promise<Ending> {
  const to = operation.to ?? operation.from
  const { about, periods } = await prepared(operation, to, run)
  const { planned, twin } = about
  if (twin === null) throw new Error('a table without a twin was not refused')
  const { numbers } = operation
  const chosen = numbers === undefined ? null : chosenSlices(periods, numbers)
  const wish = {
    ...copyOf(operation, to, about, twin.name, periods),
    ...(chosen === null ? {} : { span: chosen.span }),
  }
  const window = windowed(run, operation.windowMs)
  const pace = new Pace(tableText(planned.table.table), periods, twin.filled.periods, window.endsAt, run)
  let stream: string | null = null
  try {
    const ending = await copyAndFollow(wish, {
      ...run,
      interrupt: window.interrupt,
      emit: (event) => {
        if (event.type === 'follow.started') stream = event.stream
        // From here on there is nothing left to copy.
        if (event.type === 'follow.table' && event.state !== 'copying') window.over()
        pace.event(event)
        run.emit(event)
      },
    })
    const rests = ending.stopped === true && !run.interrupt.stop.aborted && (window.hasEnded || chosen !== null)
    if (rests && stream !== null) {
      pace.end()
      const error = await appliedMeanwhile(wish, stream, run)
      if (error !== null) return { ...ending, error }
    }
    const ended = rests && chosen === null && isWordless(ending) ? { ...ending, error: window.reason } : ending
    return withNext(chosen === null ? ended : ofSlices(ending, chosen, operation, stream, to), stream, to)
  } finally {
    window.over()
    pace.end()
  }
}

/** Whether nothing but the request to stop ended it. */
function isWordless({ error }: Ending): boolean {
  return error === undefined || error.code === 'STOPPED'
}

type Prepared = { readonly about: TwinPlan; readonly periods: PeriodWish }

/** Looks at both sides, makes the new table where it is not there, and says where its rows are parted. */
async function prepared(operation: PartitionRunOperation, to: string, run: Run): Promise<Prepared> {
  const { abort: signal } = run.interrupt
  await using from = await openSourceStore(operation.from, undefined, { lockWaitMs: LOOK_WAIT_MS })
  await using target = await onSide('target', () => openCopyStore(to, { mode: 'write' }))
  const plan = from.partitionPlan?.()
  const maker = target.partitionPlan?.()
  if (plan === undefined || maker === undefined) {
    const store = plan === undefined ? from : target
    throw new SluiceError(
      'UNSUPPORTED_URL',
      `${store.system} has no tables that sluice partitions while they are used`,
      {
        where: store.label,
        hint: 'partition run works on PostgreSQL, within one database or from one to another',
      },
    )
  }
  const source: PlanSource = { store: from, plan, signal }
  const wish = { ...operation, exact: false, nameOf: (table: TableName) => newName(table, from, target, signal) }
  const about = await planTwin(source, wish, new Date(run.clock.now()))
  const { planned, twin, spec } = about
  if (twin === null) throw refused(about, run)
  const name: TableName = { ...planned.table.table, name: twin.name }
  const marks = (twinThere: Pick<RangedTable, 'table' | 'partitions'>): PeriodWish =>
    periodMarks({
      twin: twinThere,
      kind: planned.kind,
      spec,
      slices: operation.slices ?? null,
      first: operation.first,
      now: run.clock.now(),
    })
  let there = await rangedAt(target, name, signal)
  if (there === null) {
    const taken = from.identity === target.identity ? await takenFindings(source, about) : []
    const all: TwinPlan = { ...about, findings: [...about.findings, ...taken] }
    if (all.findings.some(({ verdict }) => verdict === 'refused')) throw refused(all, run)
    await refuseUnindexed(source, about)
    await refuseUnfollowable(from, signal)
    refuseUnknownFirst(operation.first, twin.partitions)
    if (operation.numbers !== undefined)
      chosenSlices(marks({ table: name, partitions: comingOf(twin) }), operation.numbers)
    tellChanges(all, run)
    const { all: statements, late } = await plan.twin(planned, twin.name, twin.partitions, signal)
    await maker.make(
      statements.filter((one) => !late.includes(one)),
      signal,
    )
    const message = `${tableText(name)} is made, with ${twin.partitions.length} partitions and one for all other rows`
    run.emit({ type: 'log', level: 'note', message })
    if (late.length > 0) tellLate(name, late, run)
    there = await rangedAt(target, name, signal)
  } else {
    await refuseUnindexed(source, about)
    const message = `${tableText(name)} is there already: its own ${there.partitions.length} partitions count, whatever the calendar of this command`
    run.emit({ type: 'log', level: 'note', message })
  }
  if (there === null) throw notPartitioned(name, target)
  if (there.column.name !== planned.column.name) {
    throw new SluiceError('TABLE_REFUSED', `${tableText(name)} is partitioned by ${there.column.name}`, {
      where: target.label,
      hint: `name another table with --into, or give --by ${there.column.name}`,
    })
  }
  return { about, periods: marks(there) }
}

/**
 * Before the new table is made: what a refused run left would be in the way of `partition in-place`.
 * @throws SluiceError NOT_FOLLOWABLE for a server whose changes cannot be followed
 */
async function refuseUnfollowable(from: CopyStore, signal: AbortSignal): Promise<void> {
  const exam = await from.changeSource?.('slot')?.examine([], signal)
  const first = exam?.refusals.find(({ table }) => table === undefined)
  if (first === undefined) return
  throw new SluiceError('NOT_FOLLOWABLE', first.message, {
    where: from.label,
    hint: `${first.hint}; or sluice partition in-place, which follows nothing`,
  })
}

/** Beside the old table it has another name until the cutover; in another database it has the name of the old one, unless a stream fills one beside it there. */
async function newName(table: TableName, from: CopyStore, target: CopyStore, signal: AbortSignal): Promise<string> {
  const beside = { ...table, name: partitionName(table.name, 'partitioned') }
  if (from.identity === target.identity) return beside.name
  await using database = await onSide('target', () => target.ledger())
  const streams = await streamsInto(target, { database, signal }, [tableKeyOf(beside)])
  return streams.some(({ sourceIdentity }) => sourceIdentity === from.identity) ? beside.name : table.name
}

/** Partitions that are not made yet. */
function comingOf({ partitions }: NonNullable<TwinPlan['twin']>): RangedTable['partitions'] {
  return partitions.map(({ name, from, to }) => ({
    name: { name },
    identity: name,
    from,
    to,
    isDefault: false,
    rows: null,
    bytes: null,
  }))
}

/** @returns null where there is no table of that name. @throws SluiceError TABLE_REFUSED for one that is not partitioned */
async function rangedAt(store: CopyStore, name: TableName, signal: AbortSignal): Promise<RangedTable | null> {
  const maintenance = store.maintenance?.()
  if (maintenance === undefined) return null
  try {
    const found = await onSide('target', () => maintenance.look(name, false, signal))
    if (found === null) throw notPartitioned(name, store)
    return found
  } catch (thrown) {
    if (asSluiceError(thrown).code === 'NO_SUCH_TABLE') return null
    throw thrown
  }
}

function notPartitioned(name: TableName, store: CopyStore): SluiceError {
  return new SluiceError('TABLE_REFUSED', `${tableText(name)} is there already, and is not partitioned`, {
    where: store.label,
    hint: 'name another table with --into',
  })
}

/** @throws SluiceError PARTITION_REFUSED */
async function refuseUnindexed({ plan, signal }: PlanSource, { planned }: TwinPlan): Promise<void> {
  if (await plan.isIndexed(planned, signal)) return
  const { table } = planned.table
  throw new SluiceError('PARTITION_REFUSED', `no index of ${tableText(table)} begins with ${planned.column.name}`, {
    where: tableText(table),
    reason: 'each period is copied by itself, and without an index each would read the whole table',
    hint: `${indexStatement(planned)}, then run the same command again`,
  })
}

/** @param late statements that were left out */
function tellLate(name: TableName, late: readonly string[], run: Run): void {
  const message = `${tableText(name)} is made without what a row copied late may break: unique indexes and exclusions beside its primary key, and foreign keys. The cutover is refused until they are there`
  run.emit({ type: 'log', level: 'warn', message, hint: `once the table is live: ${late.join('; ')}` })
}

/** What somebody may want to know before the new table takes over; what is made as it was needs no line. */
function tellChanges({ findings, planned }: TwinPlan, run: Run): void {
  const table = tableText(planned.table.table)
  for (const { verdict, about, object, detail, hint } of findings) {
    if (verdict !== 'changes' && verdict !== 'not looked') continue
    const message = `${about}${object === undefined ? '' : ` ${object}`}: ${detail}`
    run.emit({ type: 'log', level: 'note', table, message, ...(hint === undefined ? {} : { hint }) })
  }
}

function refused({ findings, planned }: TwinPlan, run: Run): SluiceError {
  const table = tableText(planned.table.table)
  const found = findings.filter(({ verdict }) => verdict === 'refused')
  for (const { about, object, detail, hint } of found) {
    const message = `${about}${object === undefined ? '' : ` ${object}`}: ${detail}`
    run.emit({ type: 'log', level: 'error', table, message, ...(hint === undefined ? {} : { hint }) })
  }
  return new SluiceError(
    'PARTITION_REFUSED',
    `${table} cannot be partitioned as it is: ${found.length} ${found.length === 1 ? 'thing is' : 'things are'} in the way`,
    {
      where: table,
      reason: [...new Set(found.map(({ about }) => about))].join(', '),
      hint: 'sluice partition plan says what to do with each',
    },
  )
}

function copyOf(
  operation: PartitionRunOperation,
  to: string,
  { planned }: TwinPlan,
  into: string,
  periods: PeriodWish,
): CopyOperation {
  const { from, workers, chunkRows, rate, untilCaughtUp, untilEqual, proveEveryMs, alert, restart, quiesce } = operation
  const { table, column } = planned
  const until = untilEqual ? ('equal' as const) : untilCaughtUp ? ('caught-up' as const) : null
  return {
    kind: 'copy',
    from,
    to,
    tables: [tableText(table.table)],
    toTable: into,
    rename: {},
    key: [column.name, ...table.key.filter((name) => name !== column.name)],
    periods,
    onExisting: 'refuse',
    acceptLossy: [],
    verify: operation.proof ?? 'chunk',
    ...(chunkRows === undefined ? {} : { chunkRows }),
    ...(rate === undefined ? {} : { rate }),
    workers,
    maxAside: MOST_ASIDE,
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

/** The end of a run that has copied what it was to copy, and left the rest to a later one. */
function ofSlices(
  ending: Ending,
  { period, of }: ChosenSlices,
  { numbers: { from, through } = { from: 1, through: 1 } }: PartitionRunOperation,
  stream: string | null,
  to: string,
): Ending {
  // Stopped by its window or by somebody, it is not done: the same command goes on.
  if (ending.stopped !== true || ending.error?.code !== 'STOPPED' || stream === null) return ending
  const slices = from === through ? `slice ${from}` : `slices ${from} to ${through}`
  const next = through < of ? `, or --slices ${through + 1}-${of} the rest of ${period}` : ''
  return {
    ...ending,
    error: new SluiceError(
      'STOPPED',
      `${slices} of ${of} of ${period} are copied and proved; what is left was not begun`,
      {
        hint: `sluice follow ${stream} copies the rest, then follows${next}`,
      },
    ),
    next: `sluice follow ${stream} --to ${shellQuote(redactUrl(to))}`,
  }
}

/** The source need not keep what concerns the periods that are copied, nor what the copy of the others will see anyway. */
async function appliedMeanwhile(wish: CopyOperation, stream: string, run: Run): Promise<SluiceError | null> {
  const follow = { ...wish.follow, until: 'caught-up', changesOnly: true } as const
  const { error } = await copyAndFollow(
    { ...wish, follow },
    {
      ...run,
      emit: (event) => {
        if (!TOLD_BEFORE.has(event.type)) run.emit(event)
      },
    },
  )
  if (error !== undefined && error.code !== 'STOPPED') return error
  const to = shellQuote(redactUrl(wish.to))
  const message = `changes are applied to the periods that are copied, and the source may forget them; sluice follow ${stream} --changes-only --to ${to} goes on with that until the rest is copied`
  run.emit({ type: 'log', level: 'note', table: wish.tables[0] ?? '', message })
  return null
}

const TOLD_BEFORE: ReadonlySet<string> = new Set(['plan.ready', 'follow.started'])

/** What comes next, where the table is whole. */
function withNext(ending: Ending, stream: string | null, to: string): Ending {
  if (stream === null || ending.next !== undefined || ending.error !== undefined) return ending
  if (ending.totals['live'] !== '1') return ending
  const end = `--to ${shellQuote(redactUrl(to))}`
  return { ...ending, next: `sluice sign-off ${stream} ${end}` }
}
