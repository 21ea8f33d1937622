/** `archive erase`: erases rows about a person from a table and its archive; no older archive version keeps them. */
import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'
import { ErasureLedger, type Erasure } from '../../ledger/erasure-ledger.ts'
import { readArchive, type ArchiveRecord } from '../../ledger/record.ts'
import type { ArchiveContext } from '../../steps/context.ts'
import { testedRowColumns, type RowTest } from '../../../model/archive/row-test.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { archivedTable, openArchiveSource, type OpenedArchive, type OpenSource } from '../../work/each-table.ts'
import { inspectErasure, retryIfChanged, type EraseState } from '../../erase/inspect.ts'
import { doubtOf } from '../../steps/unsure-columns.ts'
import { readOnlyArchive } from '../../plan/table-changes.ts'
import type { Predicate } from '../../../model/lake/predicate.ts'
import { predicateNames, readPredicate } from '../../erase/read-predicate.ts'
import { archivedColumns, rowTest } from '../../erase/row-test.ts'
import { partitionTables, type ErasedRows } from '../../erase/found.ts'
import { withheldError, withheldEvent, withholding } from '../../erase/withheld.ts'
import {
  endHistory,
  eraseOtherRows,
  erasePartitions,
  erasableFiles,
  refuseStrangeFiles,
  requireGone,
  type EraseRun,
  type Erasing,
  type LoggedFiles,
} from '../../erase/run-erase.ts'
import { refuseFollowedTables, reportFollowedTables } from '../../plan/followed-table.ts'
import { openArchive } from '../../work/open.ts'
import { notErased } from '../../plan/partition-archives.ts'
import { keptError, OtherLedgers, unreadLedgersError } from '../../work/other-ledgers.ts'
import { resumeState, reportResumeState } from '../../plan/resumable.ts'
import { reportErased } from '../../plan/row-triggers.ts'
import { requireOrigin } from '../../work/require-origin.ts'
import { renewWitness } from '../../work/witness.ts'
import type { Ending } from '../../../engine/run/run-context.ts'
import type { ArchiveEraseOperation } from './declaration.ts'
import { totalOf } from '../../../shared/plus.ts'

const NOT_SEARCHED =
  'not inspected: backups, replicas and logs of the database, versions that a bucket keeps of its objects, catalogs and copies of this archive, quarantines and before-images of copies, log files of runs, run histories of other machines and users'

const SALT_BYTES = 32

/**
 * @throws SluiceError NO_SUCH_TABLE, PARTITION_STATE, PARTITION_HELD, MISSING_CONFIRM, BAD_PREDICATE, TABLE_FOLLOWED,
 * TABLE_REFUSED, ARCHIVE_FOREIGN, PROOF_FAILED
 */
export async function performArchiveErase(operation: ArchiveEraseOperation, run: EraseRun): Promise<Ending> {
  const { from, table: named, where, dryRun } = operation
  refuseUnconfirmed(operation)
  const predicate = readPredicate(where)
  await using source = await openArchiveSource(from, !dryRun)
  const found = await archivedTable(source, named, run.interrupt.abort)
  const begun = await new ErasureLedger(found.opened.database, found.record.table, run.owner).unfinished()
  // An erasure that is already destroying older versions reads no rows.
  if (begun?.state !== 'destroying') await refuseOtherNames(predicate, found, begun !== null, run.interrupt.abort)
  const test = rowTest(
    predicate,
    { columns: archivedColumns(found.record) },
    { columns: found.table.columns, run: `sluice archive run --table ${shellQuote(named)}` },
  )
  const withhold = withholding(test)
  const quiet: EraseRun = { ...run, emit: (event) => run.emit(withheldEvent(event, withhold)) }
  try {
    const ending = await erase(operation, { ...found, source, test }, quiet)
    // The erased rows may include rows of the table's witness: record a new witness.
    if (!dryRun) await renewWitness(found.opened, found.table, found.record, quiet)
    return ending
  } catch (thrown) {
    throw withheldError(thrown, withhold)
  }
}

/**
 * The condition is compared with files by the column names in the ledger, and with rows of the table by the present
 * names.
 * @param isBegun true if the erasure has begun: its condition uses the names of that time
 * @throws SluiceError PLAN_CHANGED if it uses a column that has, or may have, another name in the table
 */
async function refuseOtherNames(
  predicate: Predicate,
  { table, record, opened }: Pick<Asked, 'table' | 'record' | 'opened'>,
  isBegun: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { changes, unsure } = await readOnlyArchive(opened.store, table, record, signal)
  const names = predicateNames(predicate)
  const doubt = doubtOf(table, unsure, names, record.partitions)
  const back = 'give the column its earlier name until the erasure has ended, then run the same command again'
  if (doubt !== null)
    throw isBegun ? new SluiceError(doubt.code, doubt.message, { ...doubt.info(), hint: back }) : doubt
  for (const change of changes) {
    if (change.kind !== 'renamed' || !(names.has(change.from) || names.has(change.column.name))) continue
    const name = tableText(table.table)
    throw new SluiceError(
      'PLAN_CHANGED',
      `the condition cannot be used: column ${change.from} of ${name} is now called ${change.column.name}`,
      {
        where: name,
        reason: 'the archive keeps the earlier name until a run records the new one; nothing was changed',
        hint: isBegun
          ? back
          : `run sluice archive run --table ${shellQuote(name)} to record the new name, even if no partition is due; then use the new name in --where`,
      },
    )
  }
}

type Asked = {
  readonly source: OpenSource
  readonly opened: OpenedArchive
  readonly table: TableSpec
  readonly record: ArchiveRecord
  readonly test: RowTest
}

async function erase(
  operation: ArchiveEraseOperation,
  { source, opened, table, record, test }: Asked,
  run: EraseRun,
): Promise<Ending> {
  const { reason, dryRun } = operation
  if (dryRun) await reportFollowedTables(source, [table.table], { emit: run.emit, signal: run.interrupt.abort })
  else await refuseFollowedTables(source, [table.table], run.interrupt.abort)
  const below = await partitionTables({ store: source.store, table, interrupt: run.interrupt }, record.partitions)
  const fired = await reportErased([table, ...below], source.store, run)
  const apart = await notErased(source, table, run.interrupt.abort)
  if (apart !== null)
    run.emit({ type: 'log', level: 'warn', table: tableText(table.table), message: `not inspected: ${apart}` })
  const notChecked = [NOT_SEARCHED, fired, apart].filter((one) => one !== null).join(', ')
  await using open = await openArchive(table, record, opened, run, dryRun ? { reads: true } : {})
  const { context } = open
  if (dryRun) reportResumeState(table.table, await resumeState(record, opened, run, table.table), run)
  else await requireOrigin(context)
  const erasures = new ErasureLedger(opened.database, record.table, run.owner)
  const before = await erasures.unfinished()
  if (before !== null) refuseOther(before, reason, test, context.name)
  await using others = await OtherLedgers.ask(context, source, operation.ledgers ?? [], run)
  const unasked = unreadLedgersError(context.name, others.unreadLedgers)
  if (unasked !== null && !dryRun) throw unasked
  const counting = { database: opened.database, others }
  const wanted: ErasedRows = { test, read: new Map() }
  reportTexts(record, wanted, run)
  if (before?.state === 'destroying' && !dryRun) {
    return await erasures.underLease(before, async () => {
      const erasing: Erasing = { context, ...counting, erasures, erasure: before, wanted, run }
      return await ended(erasing, await endHistory(erasing), notChecked)
    })
  }
  const found = await inspectNow({ context, wanted }, opened, record)
  if (isNothing(found) && before === null)
    refuseStrangeFiles(context.name, await logged(context), await recordNow(opened, record))
  if (dryRun || found.refusal !== null) report(tableText(table.table), found, run)
  const history = await historyPaths(context, counting)
  // Refuse now: a file that another ledger needs would stop the erasure at its end, after rows were erased.
  const refusal =
    found.refusal ??
    unasked ??
    (await deletionRefusal(context, record, found)) ??
    otherLedgerError(others, context.name, [...history, ...rewrittenFiles(found)])
  if (dryRun) {
    const totals = { ...foundTotals(found), files: dec(history.length) }
    return { totals, ...(refusal === null ? {} : { error: refusal }) }
  }
  if (refusal !== null) throw refusal
  // Older versions may hold rows that the newest one and the table no longer have.
  if (before === null && isNothing(found) && history.length === 0) {
    return { totals: { rows: '0', sourceRows: '0' }, notChecked }
  }
  const erasure = before ?? (await begin(erasures, operation, wanted, run))
  return await erasures.underLease(erasure, async () => {
    const erasing: Erasing = { context, ...counting, erasures, erasure, wanted, run }
    if (!(await eraseAll(erasing, opened, record, found))) return { totals: {}, stopped: true }
    return await ended(erasing, await endHistory(erasing), notChecked)
  })
}

/**
 * Two passes: an export that began before the rows left the table may hold them; the second pass finds that export.
 * @returns false if it was stopped
 */
async function eraseAll(
  erasing: Erasing,
  opened: OpenedArchive,
  record: ArchiveRecord,
  first: EraseState,
): Promise<boolean> {
  const { context, run } = erasing
  for (const turn of [0, 1]) {
    const found = turn === 0 ? first : await inspectNow(erasing, opened, await recordNow(opened, record))
    if (found.refusal !== null) throw found.refusal
    if (!(await erasePartitions(erasing, found.partitions))) return false
    await eraseOtherRows(erasing, () => recordNow(opened, record), turn)
  }
  const reload = (): Promise<ArchiveRecord> => recordNow(opened, record)
  await retryIfChanged(context, await reload(), reload, (now) => requireGone(erasing, now))
  return !run.interrupt.stop.aborted
}

/** `inspectErasure`, repeated if it fails because another command has changed the ledger. */
function inspectNow(
  { context, wanted }: Pick<Erasing, 'context' | 'wanted'>,
  opened: OpenedArchive,
  record: ArchiveRecord,
): Promise<EraseState> {
  return retryIfChanged(
    context,
    record,
    () => recordNow(opened, record),
    (now) => inspectErasure(context, now, wanted),
  )
}

/**
 * @throws SluiceError LEDGER_BUSY if another erasure of the table has not ended, PLAN_CHANGED if this erasure began
 * with another condition
 */
function refuseOther({ reason, condition, state }: Erasure, asked: string, test: RowTest, name: string): void {
  if (reason !== asked) {
    throw new SluiceError('LEDGER_BUSY', `the erasure ${reason} of ${name} has not ended`, {
      where: name,
      reason: `it is ${state}; a table can have one erasure at a time`,
      hint: `finish it first: run the same command with --reason ${shellQuote(reason)}`,
    })
  }
  if (condition === null || isCondition(test, condition)) return
  throw new SluiceError('PLAN_CHANGED', `the erasure ${reason} of ${name} began with another condition`, {
    where: name,
    reason: 'it has not ended, and its certificate is for the rows of that condition',
    hint: `run the command with the first condition to finish it; for the other condition, give another --reason, such as ${shellQuote(`${reason}/2`)}`,
  })
}

/**
 * Slow salted hash of a condition, as for passwords: `salt:hash`, hexadecimal. A resumed erasure must have the same
 * condition, which is not stored.
 */
export function conditionHash(test: RowTest, salt = randomBytes(SALT_BYTES)): string {
  return `${salt.toString('hex')}:${scryptSync(JSON.stringify(test), salt, SALT_BYTES).toString('hex')}`
}

/** True if `conditionHash` computed this hash from this condition. */
export function isCondition(test: RowTest, hash: string): boolean {
  const [salt = ''] = hash.split(':')
  return timingSafeEqual(Buffer.from(conditionHash(test, Buffer.from(salt, 'hex'))), Buffer.from(hash))
}

/** Paths of files that only older versions need. */
async function historyPaths(
  context: ArchiveContext,
  counting: Pick<Erasing, 'database' | 'others'>,
): Promise<readonly string[]> {
  const state = await (await context.log()).state(context.interrupt.abort)
  if (state === null) return []
  return (await erasableFiles(context, counting, state.version, Date.now())).map(({ path }) => path)
}

/** Files of the newest version, by partition. */
async function logged(context: ArchiveContext): Promise<LoggedFiles> {
  return (await (await context.log()).state(context.interrupt.abort))?.files ?? new Map()
}

function rewrittenFiles({ partitions }: EraseState): readonly string[] {
  return partitions.flatMap(({ files }) => files)
}

/** Error if the system refuses to delete rows of a plain table. Checked first, before any file is rewritten. */
async function deletionRefusal(
  { store, table, interrupt }: ArchiveContext,
  record: ArchiveRecord,
  { partitions, otherRows }: EraseState,
): Promise<SluiceError | null> {
  const isPlain = record.partitions.every(({ native }) => native === null)
  if (!isPlain || (otherRows.rows === 0n && partitions.every(({ sourceRows }) => sourceRows === 0n))) return null
  return (await store.offers.removals?.refusal(table.table, interrupt.abort)) ?? null
}

/** Error if another ledger needs one of these files; otherwise null. */
function otherLedgerError(others: OtherLedgers, name: string, paths: readonly string[]): SluiceError | null {
  for (const path of paths) {
    const kept = others.reason(path)
    if (kept !== null) return keptError(name, path, kept)
  }
  return null
}

function begin(
  erasures: ErasureLedger,
  { reason }: ArchiveEraseOperation,
  { test }: ErasedRows,
  run: EraseRun,
): Promise<Erasure> {
  const condition = conditionHash(test)
  return erasures.begin(
    { id: BigInt(run.runId), reason, tested: testedRowColumns(test), signedBy: run.actor, condition },
    run.tool,
  )
}

async function ended({ erasures }: Erasing, { id, version, destroyed }: Erasure, notChecked: string): Promise<Ending> {
  const erased = await erasures.erased(id)
  const sum = (values: readonly bigint[]): string => dec(totalOf(values))
  return {
    totals: {
      rows: sum(erased.map(({ archivedRows }) => archivedRows)),
      sourceRows: sum(erased.map(({ sourceRows }) => sourceRows)),
      partitions: dec(erased.filter(({ archivedRows }) => archivedRows > 0n).length),
      files: dec(destroyed.length),
      bytes: sum(destroyed.map(({ bytes }) => BigInt(bytes))),
      erasure: dec(id),
      ...(version === null ? {} : { version: dec(version) }),
    },
    proof: 'canonical',
    notChecked,
  }
}

function refuseUnconfirmed({ table, confirm, dryRun }: ArchiveEraseOperation): void {
  if (dryRun || confirm === table) return
  throw new SluiceError(
    'MISSING_CONFIRM',
    'the erasure permanently removes rows and all older versions of the archive: the name of the table is needed as confirmation',
    {
      where: table,
      hint: `confirm with the table name: --table ${shellQuote(table)} --confirm=${shellQuote(table)}; --dry-run counts the rows first`,
    },
  )
}

/** Warns that free texts may name the same person in rows that the condition does not match. */
function reportTexts({ stored }: ArchiveRecord, { test }: ErasedRows, run: EraseRun): void {
  const tested = new Set(testedRowColumns(test))
  const free = stored.columns.filter(
    ({ name, stored: type, column }) =>
      type === 'string' && !tested.has(name) && (column.type.kind === 'text' || column.type.kind === 'json'),
  )
  if (free.length === 0) return
  const names = free.map(({ name }) => name).join(', ')
  const message = `rows are identified by ${[...tested].join(', ')} alone: ${names} may also identify other people in other rows`
  run.emit({ type: 'log', level: 'warn', message })
}

function report(table: string, { partitions, otherRows }: EraseState, { emit }: EraseRun): void {
  for (const { partition, archivedRows, sourceRows, files } of partitions) {
    emit({
      type: 'archive.erasure',
      table,
      partition: partition.label,
      state: partition.state,
      step: 'found',
      archived: dec(archivedRows),
      source: dec(sourceRows),
      files: dec(files.length),
      ...(partition.held === null ? {} : { held: partition.held }),
    })
  }
  if (otherRows.rows === 0n) return
  emit({ type: 'archive.erasure', table, step: 'found', archived: '0', source: dec(otherRows.rows), files: '0' })
}

function foundTotals({ partitions, otherRows }: EraseState): Readonly<Record<string, string>> {
  return {
    rows: dec(partitions.reduce((sum, { archivedRows }) => sum + archivedRows, 0n)),
    sourceRows: dec(partitions.reduce((sum, { sourceRows }) => sum + sourceRows, otherRows.rows)),
    partitions: dec(partitions.filter(({ archivedRows }) => archivedRows > 0n).length),
  }
}

function isNothing({ partitions, otherRows }: EraseState): boolean {
  return otherRows.rows === 0n && partitions.length === 0
}

async function recordNow({ database }: OpenedArchive, { table }: ArchiveRecord): Promise<ArchiveRecord> {
  const record = await readArchive(database, table)
  if (record !== null) return record
  throw new SluiceError('LEDGER_DAMAGED', `table ${tableText(table)} is no longer in the ledger`)
}
