/** `restore`: restores archived partitions into their table, compared with their recorded proof. */
import { previewRestore, type RestorePreview, type RestoreOptions } from '../../steps/preview-restore.ts'
import { computedNames } from '../../steps/computed.ts'
import { fitNow, type ArchiveContext } from '../../steps/context.ts'
import { otherTableCommand } from '../../steps/refusals.ts'
import { insertsRows, restorePartition } from '../../steps/restore.ts'
import { tablesInRange } from '../../steps/restore-into-partitions.ts'
import { readParts, type ArchivedPartition, type ArchiveRecord } from '../../ledger/record.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { chosenOf } from './chosen.ts'
import type { restore, RestoreOperation } from './declaration.ts'
import { hasOtherTarget, notCompared, restoreToOther } from './other-target.ts'
import { eachPartition, type AdvancePartition } from '../../work/advance-all.ts'
import { archivedTable, openArchiveSource, type OpenedArchive } from '../../work/each-table.ts'
import { endOfArchive } from '../../work/outcome.ts'
import { refuseFollowedTables, reportFollowedTables } from '../../plan/followed-table.ts'
import { keyDifferences, lateRows } from '../../plan/late-rows.ts'
import { openArchive, type OpenArchive } from '../../work/open.ts'
import { emitArchivePlan } from '../../plan/plan-event.ts'
import { periodRows, type PeriodState, type PeriodSource } from '../../plan/period-rows.ts'
import type { PlannedPartition } from '../../plan/planned-status.ts'
import { refuseTriggers } from '../../plan/row-triggers.ts'
import { requireOrigin } from '../../work/require-origin.ts'
import { readOnlyArchive } from '../../plan/table-changes.ts'
import { resumeState, reportResumeState } from '../../plan/resumable.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import { isByValue } from '../../ledger/by-value.ts'
import { countText } from '../../../shared/figures.ts'

type RestoreRun = RunOf<typeof restore>

/** @throws SluiceError NO_SUCH_TABLE, PARTITION_STATE, MISSING_CONFIRM */
export async function performRestore(operation: RestoreOperation, run: RestoreRun): Promise<Ending> {
  const { from, table: name, dryRun } = operation
  if (hasOtherTarget(operation)) return await restoreToOther(operation, run)
  await using source = await openArchiveSource(from, !dryRun)
  const { table, record: noted, opened } = await archivedTable(source, name, run.interrupt.abort)
  const { record, unsure } = await readOnlyArchive(opened.store, table, noted, run.interrupt.abort)
  refuseUnconfirmed(operation, table)
  if (dryRun) await reportFollowedTables(source, [table.table], { emit: run.emit, signal: run.interrupt.abort })
  else await refuseFollowedTables(source, [table.table], run.interrupt.abort)
  const chosen = chosenOf(operation, table, record)
  await using open = await openArchive(table, record, opened, run, {
    uncompared: new Set(operation.without),
    ...(dryRun ? { reads: true } : {}),
  })
  const options = {
    asChanged: operation.asChanged === true,
    without: new Set(operation.without),
    unsure,
    late: lateRows(open.context, record, ({ period }) => readParts(opened.database, record.table, period)),
  }
  if (await mayInsert(open.context, chosen))
    await refuseTriggers(table, opened.store, run, async () => await inserts(open.context, chosen, options))
  if (dryRun) return await reportPlan({ table, record, chosen, options }, { opened, open }, run)
  await requireOrigin(open.context)
  for (const message of expiredNeighbours(chosen, record))
    run.emit({ type: 'log', level: 'warn', table: open.context.name, message })
  const labels = chosen.map(({ label }) => label)
  const work: AdvancePartition = async (held, reload) => {
    const begun = run.clock.ticks()
    const before = await reload()
    const { rows } = await restorePartition(open.context, { held, partition: before }, reload, options)
    const after = await reload()
    if (before.state === 'RESTORED') return
    const came = await defaultPartitionWarning(open.context, after)
    if (came !== null) run.emit({ type: 'log', level: 'warn', table: open.context.name, ...came })
    run.emit({
      type: 'archive.state',
      table: open.context.name,
      partition: held.label,
      state: after.state,
      ...(rows === null ? {} : { rows: dec(rows) }),
      ms: Math.round(run.clock.ticks() - begun),
    })
  }
  const isDone = ({ state, retracted }: ArchivedPartition): boolean => state === 'RESTORED' && retracted
  const outcomes = await eachPartition(open.workerContexts, opened.database, labels, run, { work, isDone })
  return {
    ...endOfArchive(outcomes, run.interrupt.stop.aborted),
    ...notCompared(open.context.name, uncomparedOf(open.context, chosen)),
  }
}

/**
 * Warning if rows were restored into the default partition, because the table was archived without partitions and has
 * been partitioned since. The hint says how to archive them again. Null if the rows have their own partitions, or the
 * table is still without partitions.
 */
async function defaultPartitionWarning(
  { store, table, archived, interrupt }: Pick<ArchiveContext, 'store' | 'table' | 'archived' | 'interrupt'>,
  { label, native, from, to }: Pick<ArchivedPartition, 'label' | 'native' | 'from' | 'to'>,
): Promise<{ readonly message: string; readonly hint: string } | null> {
  const partitions = store.offers.partitions
  if (native !== null || partitions === undefined || isByValue(archived)) return null
  try {
    const found = await partitions.list(table, interrupt.abort)
    const rest = found?.partitions.find(({ isDefault }) => isDefault)
    if (rest === undefined || (await partitions.overlapping(table.table, { from, to }, interrupt.abort)).length > 0)
      return null
    return {
      message: `rows of ${label} were restored into the default partition ${tableText(rest.table.table)}, which runs do not archive`,
      hint: `a partition from ${from ?? 'MINVALUE'} to ${to ?? 'MAXVALUE'} lets runs archive them again: in one transaction, move these rows out of ${tableText(rest.table.table)}, create the partition by hand, and insert the rows again`,
    }
  } catch (error) {
    // The restore has succeeded, so errors of this check are ignored.
    if (error instanceof SluiceError && error.code !== 'STOPPED') return null
    throw error
  }
}

/** Generated columns of these partitions that the command excludes from the comparison. */
function uncomparedOf(context: ArchiveContext, chosen: readonly ArchivedPartition[]): readonly string[] {
  const { archived, uncompared } = context
  const had = new Set(chosen.flatMap((partition) => computedNames(fitNow({ archived }, partition).shared)))
  return [...had].filter((name) => uncompared?.has(name) === true)
}

/** True if rows may be inserted: into a plain table, or if another partition covers some of their range. */
async function mayInsert(context: ArchiveContext, chosen: readonly ArchivedPartition[]): Promise<boolean> {
  for (const partition of chosen) {
    if (partition.state === 'RESTORED') continue
    if (partition.native === null || (await tablesInRange(context, partition)).length > 0) return true
  }
  return false
}

/** True if rows are inserted: compares the rows of the table with the archived ones. */
async function inserts(
  context: ArchiveContext,
  chosen: readonly ArchivedPartition[],
  options: RestoreOptions,
): Promise<boolean> {
  for (const partition of chosen)
    if (insertsRows(partition, await previewRestore(context, partition, options))) return true
  return false
}

/** Warnings about expired parts of periods whose other parts are restored. */
function expiredNeighbours(chosen: readonly ArchivedPartition[], { partitions }: ArchiveRecord): readonly string[] {
  const periods = new Set(chosen.map(({ period }) => period))
  const neighbours = partitions.filter(
    (one) => one.state === 'EXPIRED' && periods.has(one.period) && !chosen.includes(one),
  )
  return neighbours.map(({ label, digest, sweptMs }) => {
    const rows = digest === null ? '' : `, ${countText(digest.rows, 'row')},`
    const way =
      sweptMs === null
        ? 'run the same restore again to restore it, as long as its files exist'
        : 'its files were destroyed'
    return `${label}${rows} has expired and is not restored with the others: ${way}`
  })
}

/** Requires the name of the table as confirmation if the restore discards the archived values of changed rows. */
function refuseUnconfirmed({ asChanged, dryRun, confirm, table: given }: RestoreOperation, { table }: TableSpec): void {
  const name = tableText(table)
  if (asChanged !== true || dryRun || confirm === given || confirm === name) return
  throw new SluiceError(
    'MISSING_CONFIRM',
    'this restore discards the archived values of changed rows: the name of the table is needed as confirmation',
    {
      where: name,
      hint: `add ${shellQuote(`--confirm=${name}`)}, or --dry-run to see which rows differ`,
    },
  )
}

/**
 * For `--dry-run`: text and refusal for late rows of a period in the default partition. A restore moves these rows into
 * the restored partition. It is refused if the archive has some of their keys, or if the table has no key.
 */
async function defaultPartitionRows(
  { context }: OpenArchive,
  record: ArchiveRecord,
  partition: ArchivedPartition,
  state: PeriodState | undefined,
  seen: RestorePreview,
): Promise<Pick<RestorePreview, 'text' | 'refusal'>> {
  if (seen.isAmongOthers === true || state === undefined || !('rows' in state) || state.place === undefined) return seen
  const { rows, place } = state
  if (rows === 0n) return seen
  const what = `${countText(rows, 'late row')} of ${partition.label} ${rows === 1n ? 'is' : 'are'} in the default partition ${tableText(place.table.table)}`
  const { store, table, reader, interrupt } = context
  const source = { store, table: { ...place.table, key: table.key }, signal: interrupt.abort }
  const options = { values: false, where: place.where }
  const found = table.key.length === 0 ? null : await keyDifferences(source, record, [partition], reader, options)
  if (found === null) {
    const refusal = new SluiceError('TABLE_REFUSED', what, {
      reason:
        'a partition cannot be attached while the table has rows of its period, and rows without a key cannot be compared',
      hint: 'run the same command without --dry-run: it changes nothing, and prints the statements that move these rows out and back',
    })
    return { text: what, refusal }
  }
  if (found.both.rows === 0n)
    return {
      text: `${seen.text}; ${what}: the restore moves ${rows === 1n ? 'it' : 'them'} into the partition`,
      refusal: null,
    }
  const taken = `${what}; ${found.both.rows} of them ${found.both.rows === 1n ? 'has a key' : 'have keys'} of archived rows: ${found.both.keys.join('; ')}`
  const refusal = new SluiceError('PARTITION_CHANGED', taken, {
    reason: 'a restore would fail because of duplicate keys, and change nothing',
    hint: `give these rows other keys, or remove them, then run the same command again; or restore the archived rows into another table: ${otherTableCommand(context.name, partition)}`,
  })
  return { text: taken, refusal }
}

type Asked = {
  readonly table: TableSpec
  readonly record: ArchiveRecord
  readonly chosen: readonly ArchivedPartition[]
  readonly options: RestoreOptions
}

/** Reports what a restore would find and do; changes nothing. */
async function reportPlan(
  { table, record, chosen, options: requests }: Asked,
  { opened, open }: { readonly opened: OpenedArchive; readonly open: OpenArchive },
  run: RestoreRun,
): Promise<Ending> {
  const standing = await resumeState(record, opened, run, table.table)
  for (const message of expiredNeighbours(chosen, record))
    run.emit({ type: 'log', level: 'warn', table: open.context.name, message })
  const partitions: PlannedPartition[] = []
  const refusals: SluiceError[] = []
  let comeByKey = false
  const computed = new Set<string>()
  const natives = chosen.filter(({ native }) => native !== null)
  const source = { store: opened.store, table, signal: run.interrupt.abort }
  const inspections = await periodRows(source, { ...record, partitions: natives }, 'any')
  for (const known of chosen) {
    const seen = await previewRestore(open.context, known, requests)
    const { text, refusal } =
      seen.refusal === null ? await defaultPartitionRows(open, record, known, inspections.get(known.label), seen) : seen
    if (refusal !== null) refusals.push(refusal)
    else if (seen.found?.kind === 'keyed' && seen.found.missing.rows > 0n) comeByKey = true
    const isWritten = seen.isMade === true || seen.isAmongOthers === true || (seen.place?.isOwn !== true && comeByKey)
    if (isWritten) for (const name of computedNames(fitNow(open.context, known).shared)) computed.add(name)
    const status = refusal !== null ? 'blocked' : known.state === 'RESTORED' && known.retracted ? 'done' : 'due'
    const reported = [text, ...(seen.columns === '' ? [] : [seen.columns])].join('; ')
    const note = refusal === null ? reported : `it would be refused: ${text}`
    partitions.push({ label: known.label, status, candidate: null, known, note })
  }
  emitArchivePlan({ table, archived: record, partitions }, run.emit, standing)
  reportResumeState(table.table, standing, run)
  const [error] = refusals
  const names = [...computed].join(', ')
  const untried = [
    ...(comeByKey ? [await uncheckedText(source)] : []),
    ...(names === ''
      ? []
      : [`whether the table still computes ${names} in the same way: if not, the restore changes nothing`]),
  ].join('; ')
  return {
    totals: { partitions: dec(chosen.length) },
    ...(untried === '' ? {} : { notChecked: untried }),
    ...(error === undefined ? {} : { error }),
  }
}

/** Text for `notChecked`: constraints that archived rows may violate. */
async function uncheckedText({ store, table, signal }: PeriodSource): Promise<string> {
  const unchecked = (await store.offers.unchecked?.list(table.table, signal)) ?? []
  const names = unchecked.map(({ constraint }) => constraint).join(', ')
  return `whether constraints other than the key accept the missing rows${names === '' ? '' : `, such as ${names}`}: if one refuses a row, the restore removes the rows that it wrote`
}
