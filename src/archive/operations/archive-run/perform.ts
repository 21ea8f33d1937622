/** `archive plan` and `archive run`: old partitions into a Delta table, proved, and then out of the source. */
import { isByValue } from '../../ledger/by-value.ts'
import { PartitionLedger } from '../../ledger/partition-ledger.ts'
import { isUnpublished, readArchive, type ArchivedTable } from '../../ledger/record.ts'
import type { Wish } from '../../steps/advance.ts'
import { tableText, type TableName, type TableSpec } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { isoTime } from '../../../shared/clock.ts'
import { asSluiceError, SluiceError, type ErrorCode } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { archiveRun as declared, ArchiveOperation } from './declaration.ts'
import { advanceAll, type Outcome } from '../../work/advance-all.ts'
import { endOfArchive } from '../../work/outcome.ts'
import { archiveOf, refusePerhapsRenamed } from '../../work/find-archive.ts'
import { openSource, tablesOf, type Opened } from '../../work/each-table.ts'
import { refuseFollowedTables, tellFollowedTables } from '../../plan/followed-table.ts'
import { tellDoubtful } from '../../plan/unfit-values.ts'
import { Looked } from '../../plan/counted.ts'
import { emitForecast } from '../../plan/forecast.ts'
import { openArchive } from '../../work/open.ts'
import { ownerOf } from '../../work/owner.ts'
import { whilePaused } from '../../../engine/run/pause.ts'
import { emitArchivePlan } from '../../plan/plan-event.ts'
import { refuseTwoArchives } from '../../plan/partition-archives.ts'
import { referrerText } from '../../plan/referring-rows.ts'
import { refuseTriggers, tellLosable } from '../../plan/row-triggers.ts'
import { requireOrigin } from '../../work/require-origin.ts'
import { standingOf, tellStanding } from '../../plan/resumable.ts'
import { changeTexts } from '../../plan/table-changes.ts'
import { tellArchive } from '../../work/note-in-archive.ts'
import { lookedThrough } from '../../plan/plan-counts.ts'
import { planArchive, type PlannedArchive } from '../../plan/plan.ts'
import type { PlannedPartition } from '../../plan/planned-standing.ts'
import { renewWitness } from '../../work/witness.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import { refuseHeirs } from '../../plan/plan-refusals.ts'

type ArchiveRunRun = RunOf<typeof declared>

/** @throws SluiceError whatever keeps it from starting; what hinders single partitions is told with them */
export async function archive(operation: ArchiveOperation, run: ArchiveRunRun): Promise<Ending> {
  refuseUnasked(operation)
  await whilePaused(run)
  await using source = await openSource(operation.from, !operation.dryRun)
  const tables = await tablesOf(source, operation.tables, run.interrupt.abort)
  const names = tables.map(({ table }) => table)
  if (operation.dryRun) await tellFollowedTables(source, names, { emit: run.emit, signal: run.interrupt.abort })
  // Every table is planned before the first partition is touched.
  const all: PlannedArchive[] = []
  const ledgers = new Map<TableSpec, Opened>()
  const openedOf = ({ table }: PlannedArchive): Opened => ledgers.get(table) ?? source
  const refused: SluiceError[] = []
  const keepApart = ({ table }: Pick<TableSpec, 'table'>, thrown: unknown): void => {
    refused.push(ofOneTable(table, thrown, tables.length, run))
  }
  for (const table of tables) {
    try {
      if (!operation.dryRun) await refuseFollowedTables(source, [table.table], run.interrupt.abort)
      await refuseHeirs(table, source.store, run)
      await tellLosable(table, source.store, run)
      const { opened, name, record } = await archiveOf(source, table, run.interrupt.abort)
      ledgers.set(table, opened)
      await refuseTwoArchives(source, table, record === null || isUnpublished(record), run)
      if (record === null) await refusePerhapsRenamed(source, table, run.interrupt.abort)
      const plan = await planArchive(table, operation, { ...aroundOf(opened, run), name })
      if (takesRows(plan)) await refuseTriggers(table, source.store, run)
      if (plan.unsure !== null && !operation.dryRun) throw plan.unsure
      all.push(plan)
    } catch (thrown) {
      keepApart(table, thrown)
    }
  }
  const [refusal] = refused
  if (all.length === 0 && refusal !== undefined) throw refusal
  const plans: readonly PlannedArchive[] = all
  tellTimeless(plans, run)
  if (operation.dryRun) {
    const looked = new Looked()
    for (const planned of plans) {
      const opened = openedOf(planned)
      const around = aroundOf(opened, run)
      const plan = await lookedThrough(planned, around)
      const standing = await standingOf(plan.archived, opened, run)
      emitArchivePlan(plan, run.emit, standing)
      await emitForecast(plan, { database: opened.database, workers: workersOf(plan, operation) }, run.emit)
      tellUnplaced(plan, run)
      tellValues(plan, run)
      tellReferrers(plan, run)
      tellChanges(plan, run)
      if (plan.unsure !== null) tellUnsure(plan, plan.unsure, run)
      if (operation.exact === true) await tellDoubtful(plan, { ...around, emit: run.emit })
      tellStanding(plan.archived, standing, run)
      for (const { look } of plan.partitions) if (look !== undefined) looked.look(look)
    }
    const error = refusal === undefined ? {} : { error: refusal }
    return { totals: plannedTotals(plans), ...looked.notChecked('sluice archive verify looks closer'), ...error }
  }
  for (const plan of plans) {
    emitArchivePlan(plan, run.emit)
    await emitForecast(plan, { database: openedOf(plan).database, workers: workersOf(plan, operation) }, run.emit)
    tellUnplaced(plan, run)
    tellChanges(plan, run)
    tellWorkers(plan, operation, run)
  }
  refuseAimless(plans, operation)
  const blocked = blockersOf(plans)
  if (blocked.length > 0 && plans.every(({ partitions }) => !partitions.some(moves))) throw allBlocked(blocked)
  for (const { table, text } of blocked) run.emit({ type: 'log', level: 'warn', table, message: `it stays: ${text}` })
  tellGrace(plans, operation, run)
  const outcomes: Outcome[] = []
  for (const plan of plans) {
    if (run.interrupt.stop.aborted) break
    if (plan.fresh && plan.timeless !== null) continue
    try {
      outcomes.push(...(await archiveTable(plan, operation, openedOf(plan), run)))
      await renewWitness(openedOf(plan), plan.table, plan.archived, run)
    } catch (thrown) {
      keepApart(plan.table, thrown)
    }
  }
  const { proof, ...ending } = endOfArchive(outcomes, run.interrupt.stop.aborted)
  const error = ending.error ?? refused[0]
  if (error !== undefined) return { ...ending, error }
  return { ...ending, ...(proof === undefined ? {} : { proof }) }
}

/** What is wrong with one table, and says nothing of the others. */
const OF_ONE_TABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ARCHIVE_CONFLICT',
  'ARCHIVE_FOREIGN',
  'BAD_FLAG',
  'PARTITION_STATE',
  'PLAN_CHANGED',
  'TABLE_FOLLOWED',
  'TABLE_REFUSED',
  'UNSUPPORTED_KEY',
  'UNSUPPORTED_TYPE',
])

/**
 * Names a table of several that is refused, so that the others go on.
 * @returns why it is refused
 * @throws SluiceError what keeps all of them, or the only one
 */
function ofOneTable(table: TableName, thrown: unknown, tables: number, { emit }: ArchiveRunRun): SluiceError {
  const error = asSluiceError(thrown)
  if (tables === 1 || !OF_ONE_TABLE.has(error.code)) throw error
  const { message, hint } = error
  const about = hint === undefined ? {} : { hint }
  emit({ type: 'log', level: 'error', table: tableText(table), message: `it is left out: ${message}`, ...about })
  return error
}

type Around = Opened & { readonly nowMs: number; readonly signal: AbortSignal }

function aroundOf(opened: Opened, { clock, interrupt }: ArchiveRunRun): Around {
  return { ...opened, nowMs: clock.now(), signal: interrupt.abort }
}

/**
 * Names tables that an age says nothing of: they are left alone.
 * @throws SluiceError UNSUPPORTED_TYPE where that is all of them
 */
function tellTimeless(plans: readonly PlannedArchive[], { emit }: ArchiveRunRun): void {
  const [first] = plans
  const refused = plans.filter(({ timeless, partitions }) => timeless !== null && !partitions.some(isNoted))
  if (first?.timeless != null && refused.length === plans.length) throw first.timeless
  for (const { table, timeless } of plans) {
    if (timeless === null) continue
    const { message, reason, hint } = timeless
    const text = `${tableText(table.table)} is left alone: ${message}${reason === undefined ? '' : `; ${reason}`}`
    emit({
      type: 'log',
      level: 'warn',
      table: tableText(table.table),
      message: text,
      ...(hint === undefined ? {} : { hint }),
    })
  }
}

/** Whether a run does something with it, or says why it does not. */
function isNoted({ status, known }: PlannedPartition): boolean {
  return known !== null && status !== 'done' && status !== 'later'
}

/** Nobody would look for them in an archive otherwise. */
function tellUnplaced({ table, unplaced }: PlannedArchive, { emit }: ArchiveRunRun): void {
  if (unplaced !== null) emit({ type: 'log', level: 'note', table: tableText(table.table), message: unplaced })
}

/** A value has no age by which it would be due. */
function tellValues({ table, archived, partitions }: PlannedArchive, { emit }: ArchiveRunRun): void {
  if (!isByValue(archived) || partitions.some(({ status }) => status !== 'later')) return
  const message = 'no value is due by itself: name those that are to be archived, with --partition'
  emit({ type: 'log', level: 'note', table: tableText(table.table), message })
}

/** Rows of other tables keep rows from leaving. */
function tellReferrers({ table, isNative, referred }: PlannedArchive, { emit }: ArchiveRunRun): void {
  for (const referrer of referred.referrers) {
    emit({
      type: 'log',
      level: 'note',
      table: tableText(table.table),
      message: referrerText(referrer, isNative),
    })
  }
}

/** What the next publication changes in the columns of the archive. */
function tellChanges({ table, changes }: PlannedArchive, { emit }: ArchiveRunRun): void {
  for (const message of changeTexts(changes)) {
    emit({ type: 'log', level: 'note', table: tableText(table.table), message })
  }
}

function tellUnsure({ table }: PlannedArchive, { message, hint }: SluiceError, { emit }: ArchiveRunRun): void {
  const about = hint === undefined ? {} : { hint }
  const text = `a run would be refused: ${message}`
  emit({ type: 'log', level: 'warn', table: tableText(table.table), message: text, ...about })
}

/** Reading a partition that is partitioned itself locks the table above it until the transaction ends: no other partition could leave meanwhile. */
function workersOf({ partitions }: PlannedArchive, { workers = 1 }: ArchiveOperation): number {
  return partitions.some((one) => moves(one) && one.candidate?.isDivided === true) ? 1 : workers
}

function tellWorkers(plan: PlannedArchive, operation: ArchiveOperation, { emit }: ArchiveRunRun): void {
  if ((operation.workers ?? 1) === workersOf(plan, operation)) return
  const message =
    'one worker does it all: while a partition that is partitioned itself is read, no other one can leave the table'
  emit({ type: 'log', level: 'note', table: tableText(plan.table.table), message })
}

/** Whether rows leave one by one: those of a table without partitions, or what had begun before it was partitioned. */
function takesRows({ isNative, partitions }: PlannedArchive): boolean {
  return !isNative || partitions.some((one) => moves(one) && one.known !== null && one.known.native === null)
}

/** Whether a run does something with it. */
function moves({ status }: PlannedPartition): boolean {
  return status === 'due' || status === 'resume' || status === 'drop'
}

type Blocked = { readonly table: string; readonly text: string }

/** Partitions that are due and hold rows, but cannot go, each with the reason. */
function blockersOf(plans: readonly PlannedArchive[]): readonly Blocked[] {
  return plans.flatMap(({ table, partitions }) =>
    partitions
      .filter(({ status, candidate }) => status === 'blocked' && candidate?.rows !== 0n)
      .map(({ label, note }) => ({
        table: tableText(table.table),
        text: `${label}${note === undefined ? '' : `: ${note}`}`,
      })),
  )
}

const NAMED_BLOCKERS = 5

function allBlocked(blocked: readonly Blocked[]): SluiceError {
  const named = blocked.slice(0, NAMED_BLOCKERS).map(({ table, text }) => `${table} ${text}`)
  const more = blocked.length > named.length ? `; and ${blocked.length - named.length} more` : ''
  const what =
    blocked.length === 1 ? 'the one partition that is due is' : `all ${blocked.length} partitions that are due are`
  return new SluiceError('PARTITIONS_BLOCKED', `${what} blocked, and nothing was archived`, {
    reason: `${named.join('; ')}${more}`,
    hint: 'remove what blocks them, then run the same command again; sluice archive plan lists all of it',
  })
}

function refuseUnasked({ drop, confirm, tables, dryRun }: ArchiveOperation): void {
  if (drop && !dryRun && (tables.length !== 1 || confirm !== tables[0])) {
    throw new SluiceError('MISSING_CONFIRM', 'what is dropped cannot be brought back but from its archive', {
      hint: `say it twice, for one table: --table ${shellQuote(tables[0] ?? '')} --drop --confirm=${shellQuote(tables[0] ?? '')}`,
    })
  }
}

/** A table that the ledger knows is gone on with; of a new one somebody has to say what is due. */
function refuseAimless(plans: readonly PlannedArchive[], { olderThan, partitions }: ArchiveOperation): void {
  if (olderThan !== undefined || partitions.length > 0 || plans.some(({ fresh }) => !fresh)) return
  throw new SluiceError('BAD_FLAG', 'nothing says which partitions are due', {
    hint: plans.every(({ archived }) => isByValue(archived))
      ? 'name some with --partition; sluice archive plan with the same options lists them'
      : 'give --older-than 8q, or name some with --partition',
  })
}

/** Why what was asked to be dropped stays, and that another grace says nothing of what is detached already. */
function tellGrace(
  plans: readonly PlannedArchive[],
  { drop, graceMs }: Pick<ArchiveOperation, 'drop' | 'graceMs'>,
  { emit }: ArchiveRunRun,
): void {
  for (const { table, partitions } of plans) {
    const waiting = partitions.flatMap(({ known }) =>
      known?.state === 'DETACHED' && !known.graceOver && known.dropAfterMs !== null ? [known.dropAfterMs] : [],
    )
    if (waiting.length === 0) continue
    if (!drop && graceMs === undefined) continue
    const first = isoTime(Math.min(...waiting))
    const what = waiting.length === 1 ? '1 detached partition is' : `${waiting.length} detached partitions are`
    const later = graceMs === undefined ? '' : '; --grace counts for what is detached from now on, and not for these'
    const message = `${what} within the grace, and not dropped yet; the first may be from ${first} on${later}`
    emit({ type: 'log', level: 'note', table: tableText(table.table), message })
  }
}

async function archiveTable(
  plan: PlannedArchive,
  operation: ArchiveOperation,
  opened: Opened,
  run: ArchiveRunRun,
): Promise<readonly Outcome[]> {
  const { table, archived } = plan
  const ledger = new PartitionLedger(opened.database, archived.table, ownerOf(run))
  if (plan.fresh) {
    await ledger.addTable(archived, run.tool)
    // Another run may have been first: then this is its archive, with its place and its types.
    if ((await readArchive(opened.database, archived.table))?.archiveId !== archived.archiveId) {
      const around = { ...aroundOf(opened, run), name: archived.table }
      return archiveTable(await planArchive(table, operation, around), operation, opened, run)
    }
  }
  const chosen = plan.partitions.filter(moves)
  if (chosen.length === 0) {
    const isOwn = await lookAtStanding(archived, opened, run)
    await noteColumns(plan, ledger)
    if (isOwn) await toldAtLast(archived, opened, run)
    return []
  }
  const workers = Math.min(workersOf(plan, operation), chosen.length)
  await using open = await openArchive(table, archived, opened, run, { ...operation, workers })
  await requireOrigin(open.context)
  await noteColumns(plan, ledger)
  for (const { candidate, known } of chosen) {
    if (candidate !== null) await ledger.addPartition(candidate, known?.holder ?? null)
  }
  const wish = (label: string): Wish => ({
    detach: operation.detach,
    drop: operation.drop,
    again: plan.asked.has(label),
  })
  const outcomes = await advanceAll(
    open.lanes,
    opened.database,
    chosen.map(({ label }) => label),
    wish,
    run,
  )
  // Most often its commits have said it: a hold whose command could not write the archive, or an archive of an older program, is told here.
  if (!run.interrupt.stop.aborted) await toldAtLast(archived, opened, run)
  return outcomes
}

/** The ledger knows the columns before the first file has them. */
async function noteColumns({ archived, before }: PlannedArchive, ledger: PartitionLedger): Promise<void> {
  if (before === null || JSON.stringify(before.stored) === JSON.stringify(archived.stored)) return
  await ledger.changeColumns(before.stored.columns, archived)
}

const LOST: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['ARCHIVE_FOREIGN', 'ARCHIVE_CONFLICT'])

/**
 * Whoever lets runs go by themselves learns of an archive that is not this database's, or has gone, at once, and not when something is due.
 * @returns whether the archive could be read, and is this database's
 * @throws SluiceError ARCHIVE_FOREIGN, ARCHIVE_CONFLICT
 */
async function lookAtStanding(archived: ArchivedTable, opened: Opened, run: ArchiveRunRun): Promise<boolean> {
  const standing = await standingOf(archived, opened, run)
  if (standing.kind === 'refused' && LOST.has(standing.error.code)) throw standing.error
  tellStanding(archived, standing, run)
  return standing.kind === 'own'
}

/** What was archived stands, whether or not the archive says all that the ledger says of it. */
async function toldAtLast(archived: ArchivedTable, opened: Opened, run: ArchiveRunRun): Promise<void> {
  try {
    await tellArchive(archived, opened, run)
  } catch (thrown) {
    throwIfAborted(run.interrupt.abort)
    const { message } = asSluiceError(thrown)
    run.emit({
      type: 'log',
      level: 'warn',
      table: tableText(archived.table),
      message: `the archive does not say yet what the ledger says of holds, calendar and columns: ${message}`,
      hint: 'the next run tells it; until then a ledger that is lost loses that, too',
    })
  }
}

function plannedTotals(plans: readonly PlannedArchive[]): Readonly<Record<string, string>> {
  const all = plans.flatMap(({ partitions }) => partitions)
  const due = all.filter(({ status }) => status === 'due' || status === 'resume')
  const rows = (some: readonly PlannedPartition[]): bigint =>
    some.reduce((sum, { known, candidate }) => sum + (known?.digest?.rows ?? candidate?.rows ?? 0n), 0n)
  return { tables: dec(plans.length), partitions: dec(all.length), due: dec(due.length), rows: dec(rows(due)) }
}
