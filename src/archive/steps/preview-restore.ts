/** Finds out what a restore of a partition would do, before anything is changed. */
import { SluiceError } from '../../shared/errors.ts'
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import type { Unsure } from '../types/index.ts'
import { hasLeft, type ArchivedPartition } from '../ledger/record.ts'
import { keyRefusal } from './restore-rows.ts'
import { computedNames } from './computed.ts'
import { partitionCondition, type ArchiveContext } from './context.ts'
import { attachedByHand, detachedMovedError, nativePartitions } from './detached-table.ts'
import { flushRefusal, losableRefusal } from './losable.ts'
import { columnRefusal, meaningRefusal, restoredColumns, valuelessRefusal } from './other-columns.ts'
import { discardedText, destroyedError, droppedByHand, otherColumns, otherValues } from './refusals.ts'
import { changedCollationText } from './equal-keys.ts'
import { requireProvedFiles } from './prove.ts'
import { onlyCopyError, publishedPlace } from './published.ts'
import { rowsNow, rowsNowText, sharedAt, type FindLate, type RowsPlace, type RowsNow } from './rows-now.ts'
import { amongOthersRefusal, tableNamesText, tablesInRange } from './restore-into-partitions.ts'
import { proofOf } from './detach-and-drop.ts'

export type RestoreOptions = {
  /** True to keep rows of the source even if their values differ from the archived ones. */
  readonly asChanged: boolean
  /** Columns that the table no longer has; their values stay in older versions of the archive. */
  readonly without?: ReadonlySet<string>
  /** Columns that may have been renamed instead of dropped; null if all columns are certain. */
  readonly unsure: Unsure | null
  readonly late: FindLate
}

export type RestorePreview = {
  /** The table that a restore fills, if its rows were compared with the archived ones; otherwise null. */
  readonly place: RowsPlace | null
  /** Result of the comparison with the source; null if nothing was compared. */
  readonly found: RowsNow | null
  /** Text for the user. */
  readonly text: string
  /** Text about changed columns; empty if there are none. */
  readonly columns: string
  /** True if the table is created again from the files. */
  readonly isMade?: true
  /** True if the rows go into another partition that covers their range. */
  readonly isAmongOthers?: true
  /** True if the table was attached again by hand: its rows are already in the parent. */
  readonly isAttached?: true
  /** Why the restore is refused; null if it can be done. */
  readonly refusal: SluiceError | null
}

/** @throws SluiceError as `rowsNow` */
export async function previewRestore(
  context: ArchiveContext,
  partition: ArchivedPartition,
  options: RestoreOptions,
): Promise<RestorePreview> {
  const seen = await previewRows(context, partition, options)
  if (seen.refusal !== null || (partition.state === 'RESTORED' && partition.retracted)) return seen
  const refusal =
    (await losableRefusal(context, partition)) ??
    (await flushRefusal(context)) ??
    (await returnRefusal(context, partition, seen))
  return refusal === null ? seen : { ...seen, text: refusal.message, refusal }
}

/** Error if the partition's table cannot be attached; null if it can, or if no table has to be attached. */
async function returnRefusal(
  context: ArchiveContext,
  { native, from, to }: ArchivedPartition,
  { isMade, isAmongOthers, place }: RestorePreview,
): Promise<SluiceError | null> {
  if (native === null || isAmongOthers === true || (isMade !== true && place?.isOwn !== true)) return null
  const request = { parent: context.table.table, partition: native.table, identity: native.identity, from, to }
  return await nativePartitions(context).attachRefusal(request, context.interrupt.abort)
}

async function previewRows(
  context: ArchiveContext,
  partition: ArchivedPartition,
  options: RestoreOptions,
): Promise<RestorePreview> {
  const { state, label, native } = partition
  const plain = (text: string, refusal: SluiceError | null = null): RestorePreview => ({
    place: null,
    found: null,
    text,
    columns: '',
    refusal,
  })
  if (partition.sweptMs !== null)
    return plain(destroyedError(context.name, partition).message, destroyedError(context.name, partition))
  const isDropped = await isDroppedByHand(context, partition)
  if (isDropped || partition.away || state === 'DETACHED' || state === 'DROPPED' || state === 'EXPIRED') {
    const other = columnRefusal(context, partition, options)
    if (other !== null) return plain(other.message, other)
  }
  const tables = isDropped || hasLeft(partition) ? await tablesInRange(context, partition) : []
  if (state === 'PUBLISHED' && !partition.away && (tables.length > 0 || !isDropped)) {
    const there = await published(context, partition, tables, options)
    if (there !== null) return there
  }
  if (tables.length > 0) return amongOthers(context, partition, tables)
  const again = await attachedByHand(context, partition)
  if (again !== null) return attachedAlready(context, partition, again, options)
  const made = async (text: string, refusal: SluiceError | null = null): Promise<RestorePreview> => {
    const damage = refusal ?? (await damageOf(context, partition))
    return {
      ...plain(damage === null ? text : damage.message, damage),
      columns: restoredColumns(context, partition),
      isMade: true,
    }
  }
  if (isDropped) {
    // A detached and proved table has only the rows of the files. Before its proof (`away`), it may have had more rows.
    return made(MADE_ANEW, partition.away && !options.asChanged ? droppedByHand(context.name, partition) : null)
  }
  if (partition.away) {
    const seen = await published(context, partition, [], options)
    if (seen !== null) return { ...seen, text: seen.refusal?.message ?? `${ATTACHED_AGAIN}; ${seen.text}` }
    const refusal = await detachedMovedError(context, partition)
    return plain(refusal.message, refusal)
  }
  switch (state) {
    case 'RESTORED':
      return plain(
        partition.retracted
          ? 'it was restored before: there was nothing to do, and nothing was compared'
          : 'it was restored before: only its files must be removed from the Delta table; nothing was compared',
      )
    case 'DETACHED':
      return compared(context, partition, await placeOf(context, partition), options)
    case 'EXPIRED':
    case 'DROPPED':
      if (native === null) return compared(context, partition, await placeOf(context, partition), options)
      return made('it is recreated, filled from its files, and compared before it is attached')
    default: {
      const what = `${label} of ${context.name} is not archived: its state is ${state}`
      return plain(
        what,
        new SluiceError('PARTITION_STATE', what, { hint: 'no restore is needed: its rows are in the source' }),
      )
    }
  }
}

/**
 * Result for a partition that queries still read from the table: missing rows are restored, changed rows are kept.
 * @param tables other partitions that cover its range, if its own table is missing
 * @returns null if all its rows must be restored
 */
async function published(
  context: ArchiveContext,
  partition: ArchivedPartition,
  tables: readonly TableName[],
  options: RestoreOptions,
): Promise<RestorePreview | null> {
  const { name } = context
  const { native } = partition
  let what: string
  let columns = ''
  try {
    const place = await publishedPlace(context, partition, tables)
    if (place === null) return null
    const seen = await compared(context, partition, place, { ...options, asChanged: true })
    const { found } = seen
    if (found === null || found.kind === 'equal' || (found.kind === 'keyed' && found.missing.rows === 0n)) {
      return { ...seen, refusal: null }
    }
    if (found.kind === 'keyed' && tables.length > 0) return null
    if (found.kind === 'keyed' && native === null) {
      const refusal = columnRefusal(context, partition, options) ?? seen.refusal
      return { ...seen, refusal }
    }
    what = rowsNowText(found, proofOf(partition).rows)
    columns = seen.columns
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown
    if (thrown.code === 'PARTITION_CHANGED')
      return { place: null, found: null, text: thrown.message, columns, refusal: thrown }
    // Unreadable files cannot show whether rows were changed.
    if (thrown.code !== 'ARCHIVE_CONFLICT' && thrown.code !== 'PROOF_FAILED') throw thrown
    what = thrown.message
  }
  const letGo = `${what}; the rows of the table are kept, and its files are removed from the Delta table`
  if (options.asChanged) return { place: null, found: null, text: letGo, columns, refusal: null }
  const refusal = onlyCopyError(name, partition, what)
  return { place: null, found: null, text: refusal.message, columns, refusal }
}

/** Result for a table that is already attached again: a restore only compares its rows with the archive. */
async function attachedAlready(
  context: ArchiveContext,
  partition: ArchivedPartition,
  again: TableName,
  options: RestoreOptions,
): Promise<RestorePreview> {
  const { name, store, interrupt } = context
  const what = `its table was attached again by hand, and remains ${tableText(again)}`
  // Queries do not read this partition from the archive yet.
  const counting = partition.away ? await published(context, partition, [], options) : null
  if (counting !== null) {
    return {
      ...counting,
      place: null,
      text: counting.refusal?.message ?? `${what}; ${counting.text}`,
      isAttached: true,
    }
  }
  const columns = restoredColumns(context, partition)
  const seen = { place: null, found: null, columns, isAttached: true } as const
  const [table] = await store.tables(tableText(again), interrupt.abort)
  if (table === undefined) {
    const refusal = await detachedMovedError(context, partition)
    return { ...seen, text: refusal.message, refusal }
  }
  const found = await rowsNow(context, partition, { table, where: null }, async () => null)
  const archived = proofOf(partition).rows
  const text = `${what}; compared now: ${rowsNowText(found, archived)}`
  if (found.kind === 'equal') return { ...seen, found, text, refusal: null }
  if (options.asChanged)
    return {
      ...seen,
      found,
      text: `${text}; the present values are kept, and ${discardedText(archived)}`,
      refusal: null,
    }
  return { ...seen, found, text, refusal: otherValues(name, partition, text, { rows: archived }) }
}

async function amongOthers(
  context: ArchiveContext,
  partition: ArchivedPartition,
  tables: readonly TableName[],
): Promise<RestorePreview> {
  const { state, label } = partition
  const isMade = state === 'DROPPED' || state === 'EXPIRED' || (await isDroppedByHand(context, partition))
  const damage = isMade ? await damageOf(context, partition) : null
  const refusal =
    damage ?? (await amongOthersRefusal(context, partition, tables)) ?? (isMade ? null : await changedThere())
  const columns = restoredColumns(context, partition)
  const text = refusal?.message ?? tableNamesText(tables)
  return { place: null, found: null, text, columns, isAmongOthers: true, ...(isMade ? { isMade } : {}), refusal }

  /** Error if the rows of the detached table differ from the archived ones. */
  async function changedThere(): Promise<SluiceError | null> {
    const place = await placeOf(context, partition)
    if (place === null) return await detachedMovedError(context, partition)
    const found = await rowsNow(context, partition, place, async () => null)
    if (found.kind === 'equal') return null
    const names = tables.map(tableText).join(', ')
    const what = rowsNowText(found, proofOf(partition).rows)
    return new SluiceError(
      'PARTITION_CHANGED',
      `the detached table of ${label} of ${context.name} was changed: ${what}`,
      {
        where: `${context.name}, ${label}`,
        reason: `the detached table cannot be attached again while ${names} ${tables.length === 1 ? 'is' : 'are'} within its bounds, and its changed rows are not restored into another partition; nothing was changed`,
        hint: `detach ${names}, then run the same command again: it attaches the detached table; to see which rows are kept, add --dry-run`,
      },
    )
  }
}

/**
 * Error if a file differs from its proof, or archived texts would become other values in the table; null if neither.
 */
async function damageOf(context: ArchiveContext, partition: ArchivedPartition): Promise<SluiceError | null> {
  const other = meaningRefusal(context, partition)
  if (other !== null) return other
  try {
    await requireProvedFiles(context, partition)
    return null
  } catch (thrown) {
    if (thrown instanceof SluiceError && thrown.code === 'ARCHIVE_CONFLICT') return thrown
    throw thrown
  }
}

const ATTACHED_AGAIN = 'its table was detached, and is attached again unchanged'

const MADE_ANEW =
  'its table was dropped by hand; it is recreated, filled from its files, and compared before it is attached'

/** True if the table of a published or detached partition is missing; its files are in the archive. */
async function isDroppedByHand(context: ArchiveContext, partition: ArchivedPartition): Promise<boolean> {
  const { state, native, away } = partition
  const isPublished = state === 'DETACHED' || state === 'PUBLISHED' || (away && state === 'DETACHING')
  if (native === null || !isPublished) return false
  return nativePartitions(context).isGone(native.table, native.identity, context.interrupt.abort)
}

async function placeOf(context: ArchiveContext, partition: ArchivedPartition): Promise<RowsPlace | null> {
  const { table, interrupt } = context
  const { native } = partition
  if (native === null) return { table, where: partitionCondition(context, partition) }
  const found = await nativePartitions(context).detachedTable(native.table, native.identity, interrupt.abort)
  return found === null ? null : { table: found, where: null, isOwn: true }
}

async function compared(
  context: ArchiveContext,
  partition: ArchivedPartition,
  place: RowsPlace | null,
  options: RestoreOptions,
): Promise<RestorePreview> {
  if (place === null) {
    const refusal = await detachedMovedError(context, partition)
    return { place, found: null, text: refusal.message, columns: '', refusal }
  }
  const found = await rowsNow(context, partition, place, options.late)
  const otherwise =
    found.kind === 'keyed' && found.missing.rows > 0n
      ? changedCollationText(place.table.key, sharedAt(context, partition, place))
      : ''
  const text = [plannedText(found, partition, options), ...(otherwise === '' ? [] : [otherwise])].join('; ')
  const columns = restoredColumns(context, partition)
  return { place, found, text, columns, refusal: refusalOf(context, partition, place, found, options) }
}

function refusalOf(
  context: ArchiveContext,
  partition: ArchivedPartition,
  place: RowsPlace,
  found: RowsNow,
  { asChanged }: RestoreOptions,
): SluiceError | null {
  const { name } = context
  const what = rowsNowText(found, proofOf(partition).rows)
  // A native table is restored with its columns unchanged.
  const computed = place.isOwn === true ? [] : computedNames(sharedAt(context, partition, place))
  if (found.kind === 'equal') return null
  if (found.kind === 'keyed') {
    if (found.changed.rows > 0n && !asChanged) return otherValues(name, partition, what, found.changed, computed)
    if (found.missing.rows === 0n) return null
    return rowsRefusal(context, partition, place)
  }
  if (partition.state === 'DETACHED' && !partition.restoring && partition.removed.rows === 0n) {
    return asChanged ? null : otherValues(name, partition, what, { rows: proofOf(partition).rows })
  }
  // Rows must be restored, but cannot be distinguished from those in the table.
  return rowsRefusal(context, partition, place) ?? otherColumns(name, partition, what)
}

/** Error if rows of the files cannot be written into the table. */
function rowsRefusal(context: ArchiveContext, partition: ArchivedPartition, place: RowsPlace): SluiceError | null {
  const into = { table: place.table, shared: sharedAt(context, partition, place) }
  return valuelessRefusal(context, partition) ?? meaningRefusal(context, partition) ?? keyRefusal(context, into)
}

/** True if all archived rows are in the source. With `asChanged`, their values may differ. */
export function isComplete(found: RowsNow, { asChanged }: RestoreOptions): boolean {
  if (found.kind === 'equal') return true
  return found.kind === 'keyed' && found.missing.rows === 0n && (found.changed.rows === 0n || asChanged)
}

function plannedText(found: RowsNow, partition: ArchivedPartition, { asChanged }: RestoreOptions): string {
  const archived = proofOf(partition).rows
  if (found.kind === 'equal') return `compared now: ${rowsNowText(found, archived)}`
  if (found.kind === 'counted') {
    return `compared now: ${rowsNowText(found, archived)}${asChanged ? `; the present values are kept, and ${discardedText(archived)}` : ''}`
  }
  // If no row is expected in the table, a full restore is the normal case.
  const isPlainReturn =
    found.rows === 0n &&
    found.changed.rows === 0n &&
    (partition.state === 'DROPPED' || partition.state === 'EXPIRED' || partition.restoring)
  if (isPlainReturn) {
    if (archived === 1n) return 'compared now: its row is not in the table; it is restored from the files'
    return `compared now: none of its ${archived} rows is in the table; they are restored from the files`
  }
  const then = [
    ...(found.missing.rows > 0n ? ['missing rows are restored from the files'] : []),
    ...(found.changed.rows > 0n && asChanged
      ? [`rows with other values keep their values in the database, and ${discardedText(found.changed.rows)}`]
      : []),
    ...(found.late.rows > 0n ? [found.late.back === undefined ? 'late rows stay' : 'they stay'] : []),
  ]
  return `compared now: ${[rowsNowText(found, archived), ...then].join('; ')}`
}
