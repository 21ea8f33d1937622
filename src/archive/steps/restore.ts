/** Restores archived rows into the source, and proves them. Then a commit removes their files from the Delta table. */
import type { Digest } from '../../model/copy/rows.ts'
import { asSluiceError, SluiceError, type ErrorCode } from '../../shared/errors.ts'
import type { OwnProperties, PartitionRequest, ColumnChanges } from '../../model/archive/port.ts'
import { tableText } from '../../model/copy/column-type.ts'
import type { Closing } from '../../model/run/ledger-port.ts'
import { isAllRemoved, type ArchivedPartition } from '../ledger/record.ts'
import { restoreRows, equalKeysRefusal } from './restore-rows.ts'
import { unexpire } from './expire.ts'
import { fitNow, progress, sharedColumns, type ArchiveContext, type ClaimedPartition } from './context.ts'
import { nativePartitions } from './detached-table.ts'
import { previewRestore, isComplete, type RestorePreview, type RestoreOptions } from './preview-restore.ts'
import { finishDetach } from './detach-table.ts'
import { losableRefusal } from './losable.ts'
import { localFiles } from './local-files.ts'
import { inOwnTable } from './refused-row.ts'
import { proofOver, proveLogged } from './prove.ts'
import { retractFiles } from './publish.ts'
import { otherRows } from './computed.ts'
import { changedAfter, changedMeanwhile } from './refusals.ts'
import { undoRestore, removedNow } from './remove-archived.ts'
import { restoreAmongOthers } from './restore-into-partitions.ts'
import { rowsNow, rowsNowText, type RowsPlace, type RowsNow } from './rows-now.ts'
import { partitionRequest, proofOf, settledStep } from './detach-and-drop.ts'
import { fileColumns } from '../types/fit.ts'

const RESTORED_FACTS = { restoring: false, retracted: false, error: null } as const

/** Number of rows that this run restored, or compared with their proof; null if it compared none. */
export type Restored = { readonly rows: bigint | null }

/**
 * PUBLISHED, DETACHING, DETACHED, DROPPED, or EXPIRED with existing files → RESTORED. Continues an earlier attempt.
 * All refusals come before the first change.
 * @param reload the partition from the current ledger
 * @throws SluiceError PARTITION_STATE, PARTITION_CHANGED, ARCHIVE_CONFLICT, PROOF_FAILED
 */
export async function restorePartition(
  context: ArchiveContext,
  work: ClaimedPartition,
  reload: () => Promise<ArchivedPartition>,
  options: RestoreOptions,
): Promise<Restored> {
  // End a detach that has begun: after that, the partition can be restored.
  if (work.partition.leaving && work.partition.state === 'PUBLISHED') {
    await finishDetach(context, work)
    work = { held: work.held, partition: await reload() }
  }
  const seen = await previewRestore(context, work.partition, options)
  if (seen.refusal !== null) throw await undoneError(context, work, seen.refusal, reload)
  const { partition, held } = work.partition.state === 'EXPIRED' ? await unexpire(context, work, reload) : work
  const isMade = seen.isMade === true
  const isPlain = isMade && seen.isAmongOthers !== true && partition.state === 'DROPPED'
  for (const text of [isPlain ? '' : seen.text, seen.columns]) {
    if (text === '') continue
    context.emit({ type: 'log', level: 'note', table: context.name, message: `${partition.label}: ${text}` })
  }
  if (seen.isAmongOthers === true) {
    await inOwnTable(context, partition, restoreAmongOthers(context, { partition, held }, isMade))
  } else if (isMade) {
    await inOwnTable(context, partition, recreate(context, { partition, held }))
  } else if (seen.isAttached === true) {
    await context.ledger.move(held, partition.state, 'RESTORED', { ...RESTORED_FACTS, away: false })
  } else if (partition.away) {
    await attachAgain(context, { partition, held }, seen.found?.now ?? null)
  } else if (partition.state === 'PUBLISHED') {
    if (!hasAllRows(seen)) await restoreMissing(context, { partition, held }, seen, options)
    await context.ledger.move(held, 'PUBLISHED', 'RESTORED', { retracted: false, error: null })
  } else if (partition.state !== 'RESTORED') {
    if (hasAllRows(seen)) await finishRestore(context, { partition, held }, seen)
    else await restoreRemoved(context, { partition, held }, seen, reload, options)
  }
  await retract(context, { held, partition: await reload() })
  const isInspected = isMade || seen.isAmongOthers === true || (seen.found !== null && seen.found.kind !== 'counted')
  // Do not count rows whose values in the table differ from the archived ones.
  const changed = seen.found?.kind === 'keyed' ? seen.found.changed.rows : 0n
  return { rows: isInspected ? proofOf(partition).rows - changed : null }
}

/**
 * Last step of a restore: removes the files from the Delta table.
 * @throws SluiceError TABLE_REFUSED if a server crash could lose the rows: then the files stay in the log
 */
export async function retract(context: ArchiveContext, work: ClaimedPartition): Promise<void> {
  if (work.partition.retracted) return
  const refusal = await losableRefusal(context, work.partition)
  if (refusal !== null) throw refusal
  await retractRestored(context, work)
}

/** Removes the files of a RESTORED partition from the log. Call only if a server crash cannot lose the rows. */
export async function retractRestored(context: ArchiveContext, work: ClaimedPartition): Promise<void> {
  await retractFiles(context, work, 'restore')
  await context.ledger.move(work.held, 'RESTORED', 'RESTORED', { retracted: true, logged: [] })
}

/** Attaches a detached table again. @param expect digest of its rows, compared under the lock; null: any rows */
export async function attachAgain(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  expect: Digest | null,
): Promise<void> {
  const closing = context.ledger.closing(held, partition.state, 'RESTORED', { ...RESTORED_FACTS, away: false })
  const end = await nativePartitions(context).attach({
    ...returnRequest(context, partition, closing),
    reshape: reshapeOf(context, partition),
    expect,
  })
  settledStep(end, context, partition, (how) => changedMeanwhile(context.name, partition, how))
}

/** True unless a comparison by key found missing rows. */
function hasAllRows({ found }: RestorePreview): boolean {
  return found === null || found.kind !== 'keyed' || found.missing.rows === 0n
}

/** True if the restore inserts rows into the table of the user, so that its triggers fire. */
export function insertsRows({ native }: Pick<ArchivedPartition, 'native'>, seen: RestorePreview): boolean {
  if (seen.refusal !== null) return false
  return seen.isAmongOthers === true || (native === null && !hasAllRows(seen))
}

/** Errors that the same restore would have again, until rows, constraints or rights of the table change. */
const PERMANENT_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'PARTITION_CHANGED',
  'ROW_REFUSED',
  'TABLE_REFUSED',
  'TARGET_DENIED',
  'VALUE_REFUSED',
])

/**
 * Deletes restored rows again if the table does not accept all rows: otherwise the partition would stay between
 * two states, and hints of restore and drop would refer to each other.
 * @returns the error, with the state of the rows
 */
async function undoneError(
  context: ArchiveContext,
  { held }: ClaimedPartition,
  error: SluiceError,
  reload: () => Promise<ArchivedPartition>,
): Promise<SluiceError> {
  const partition = await reload()
  if (!PERMANENT_CODES.has(error.code) || !partition.restoring || context.store.can.atomic === 'row') return error
  const out = await undoRestore(context, { held, partition }).then(
    async () => undoneText(await reload()),
    // Report the first error: after its cause is corrected, the same restore continues with these rows.
    (thrown: unknown) =>
      `restored rows could not be removed again, and queries leave them out: ${asSluiceError(thrown).message}`,
  )
  // The reason of PARTITION_CHANGED says that restored rows stay: replace it.
  const isReplaced = error.code === 'PARTITION_CHANGED' || error.reason === undefined
  return new SluiceError(error.code, error.message, {
    kind: error.kind,
    where: error.where,
    reason: isReplaced ? out : `${error.reason}; ${out}`,
    hint: error.hint,
    cause: error,
  })
}

function undoneText(partition: ArchivedPartition): string {
  const { state } = partition
  const rows =
    state === 'DROPPED'
      ? 'restored rows were removed again, and the partition is DROPPED as before'
      : isAllRemoved(partition)
        ? 'restored rows were removed again, except rows whose values have changed: the partition is DETACHED, and queries leave these rows out'
        : `the partition is ${state}, and the next drop removes its unchanged rows from the table`
  return `queries still read these rows from the archive: ${rows}`
}

/** → RESTORED: from now on queries read the rows from the source again. */
async function finishRestore(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  { found }: RestorePreview,
): Promise<void> {
  if (partition.native !== null) {
    // Under the lock, the digest of the rows must be unchanged since the comparison.
    return attachAgain(context, { partition, held }, found?.now ?? proofOf(partition))
  }
  const state = partition.state === 'DROPPED' ? 'DROPPED' : 'DETACHED'
  return context.ledger.move(held, state, 'RESTORED', { ...RESTORED_FACTS, removed: { rows: 0n, sum: '0' } })
}

/** Restores rows that were removed from a plain table by hand; queries read the other rows from the table. */
async function restoreMissing(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  { place }: RestorePreview,
  options: RestoreOptions,
): Promise<void> {
  if (place === null) throw new Error(`${partition.label} cannot be restored: it has no place`)
  await inOwnTable(context, partition, restoreRows(context, { partition, held }, place, 'changed'))
  const found = await rowsNow(context, partition, place, options.late)
  if (!isComplete(found, { ...options, asChanged: true }))
    throw changedAfter(context.name, partition, rowsNowText(found, proofOf(partition).rows))
  await warnOfDangling(context, partition, place)
}

/**
 * Warns about restored rows whose foreign keys refer to missing rows. The rows stay as archived. Only systems that do
 * not enforce foreign keys accept such rows.
 */
async function warnOfDangling(
  { store, name, emit, interrupt }: ArchiveContext,
  { label }: ArchivedPartition,
  { table, where }: RowsPlace,
): Promise<void> {
  const found = (await store.offers.referrers?.dangling?.(table.table, where, interrupt.abort)) ?? []
  for (const { columns, to, rows } of found) {
    emit({
      type: 'log',
      level: 'warn',
      table: name,
      message: `${label}: ${rows} ${rows === 1n ? 'row refers' : 'rows refer'} by (${columns.join(', ')}) to rows of ${tableText(to)} that are gone`,
      hint: `restore those rows of ${tableText(to)} too: ${store.system} does not require them here`,
    })
  }
}

/** Restores missing rows while queries still read the archive; then compares all rows again. */
async function restoreRemoved(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  { place, found: before }: RestorePreview,
  reload: () => Promise<ArchivedPartition>,
  options: RestoreOptions,
): Promise<void> {
  if (place === null) throw new Error(`${partition.label} cannot be restored: it has no place`)
  const { ledger, name } = context
  const from = partition.state === 'DROPPED' ? 'DROPPED' : 'DETACHED'
  const isPartly = before?.kind === 'keyed' && (before.same > 0n || before.changed.rows > 0n)
  // From now on, queries do not read these rows in the source until all are restored.
  if (!partition.restoring) {
    // Rows that other programs inserted again must not be deleted if this restore is undone.
    const removed = isPartly ? await removedNow(context, partition) : proofOf(partition)
    const some = removed.rows < proofOf(partition).rows ? { removed } : {}
    await ledger.move(held, from, 'DETACHED', { restoring: true, error: null, ...some })
  }
  const work = { held, partition: await reload() }
  let found: RowsNow
  try {
    const existing = !isPartly ? 'none' : options.asChanged ? 'changed' : 'equal'
    await inOwnTable(context, partition, restoreRows(context, work, place, existing))
    found = await rowsNow(context, work.partition, place, options.late)
    if (!isComplete(found, options))
      throw changedMeanwhile(name, partition, rowsNowText(found, proofOf(partition).rows))
  } catch (thrown) {
    const error = await undoneError(context, work, asSluiceError(thrown), reload)
    const isOut = PERMANENT_CODES.has(error.code) && !(await reload()).restoring
    throw (isOut ? await equalKeysRefusal(context, partition, place) : null) ?? error
  }
  await warnOfDangling(context, partition, place)
  await finishRestore(context, work, { place, found, text: '', columns: '', refusal: null })
}

async function recreate(context: ArchiveContext, { partition, held }: ClaimedPartition): Promise<void> {
  const { ledger, interrupt } = context
  const { shared } = fitNow(context, partition)
  const columns = fileColumns(shared)
  // Do not read the files first: the transaction that restores the rows computes their digest.
  await proveLogged(context, partition)
  const closing = ledger.closing(held, partition.state, 'RESTORED', { ...RESTORED_FACTS, away: false })
  await using local = await localFiles(context, partition.files)
  const parquet = await context.parquet()
  const csv = parquet.csv({ columns, all: partition.columns, files: local.paths, signal: interrupt.abort })
  const reported = withProgress(context, partition, csv)
  const request = {
    ...returnRequest(context, partition, closing),
    columns: sharedColumns(shared),
    expect: await proofOver(context, partition, columns),
  }
  const end = await nativePartitions(context).recreate(request, reported)
  settledStep(end, context, partition, (how) => otherRows(context, partition, how))
}

/** Changes that a detached table needs before it can be attached again. */
function reshapeOf(context: ArchiveContext, partition: ArchivedPartition): ColumnChanges {
  const { shared, lost } = fitNow({ archived: context.archived }, partition)
  return {
    dropped: lost.map(({ name }) => name),
    renamed: shared.flatMap(({ file, now }) => (file.name === now.name ? [] : [{ from: file.name, to: now.name }])),
  }
}

function returnRequest(
  context: ArchiveContext,
  partition: ArchivedPartition,
  closing: Closing,
): PartitionRequest & OwnProperties & Pick<ArchivedPartition, 'from' | 'to'> {
  const { emit, name } = context
  const { from, to, own, label } = partition
  return {
    ...partitionRequest(context, partition, closing),
    from,
    to,
    ...(own === null ? {} : { own }),
    notGiven: (what, why) => {
      emit({ type: 'log', level: 'warn', table: name, message: `${label}: not restored: ${what}: ${why}` })
    },
  }
}

async function* withProgress(
  context: ArchiveContext,
  partition: ArchivedPartition,
  csv: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const { rows } = proofOf(partition)
  const report = progress(context, partition, 'restoring', rows)
  const all = Number(partition.sourceBytes ?? 0n)
  let bytes = 0
  for await (const piece of csv) {
    bytes += piece.length
    const share = all === 0 ? 0 : Math.min(1, bytes / all)
    report(BigInt(Math.round(Number(rows) * share)), BigInt(bytes))
    yield piece
  }
  report(rows, BigInt(bytes), true)
}
