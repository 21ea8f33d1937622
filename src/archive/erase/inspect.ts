/** Finds what an erasure would do, before any change: rows in files and in the database, and reasons to refuse. */
import { columnsNow, placeDigest, foundRows, sourceTest, type ErasedRows, type SourcePlace } from './found.ts'
import { partitionsNow } from '../steps/detached-table.ts'
import { isAllRemoved, type ArchivedPartition, type ArchiveRecord } from '../ledger/record.ts'
import { NO_ROWS } from '../../model/copy/row-hash.ts'
import { partitionCondition, type ArchiveContext } from '../steps/context.ts'
import {
  asChangedCommand,
  dropCommand,
  restoreCommand,
  runCommand,
  partitionError,
  releaseHint,
} from '../steps/refusals.ts'
import type { RowTest } from '../../model/archive/row-test.ts'
import { isArchived } from '../../model/archive/state.ts'
import type { TableSpec } from '../../model/copy/column-type.ts'
import type { Digest } from '../../model/copy/rows.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'

/** A partition that an erasure changes: it has rows to erase, or its export or expiry has not ended. */
export type PartitionFacts = {
  readonly partition: ArchivedPartition
  readonly archivedRows: bigint
  readonly sourceRows: bigint
  /** Paths of its files that hold rows to erase: these files are rewritten without the rows. */
  readonly files: readonly string[]
}

export type EraseState = {
  readonly partitions: readonly PartitionFacts[]
  /** Rows of the table that are in no partition of the archive. */
  readonly otherRows: Digest
  readonly refusal: SluiceError | null
}

/** States in which files, if any, belong to no version: the partition is exported again. */
export const UNPUBLISHED_STATES: ReadonlySet<string> = new Set(['EXPORTING', 'EXPORTED', 'VERIFIED', 'FAILED'])

/** Tries of a read while other commands change the ledger. */
const TRIES = 5

/**
 * Calls `read`, and again with the reloaded ledger if `read` failed and the ledger has changed: another command may
 * have dropped a table during the read.
 * @param reload reads the ledger again
 * @throws SluiceError LEDGER_BUSY if the ledger changed in every try; the error of `read` if it did not change
 */
export async function retryIfChanged<T>(
  { name, interrupt }: Pick<ArchiveContext, 'name' | 'interrupt'>,
  record: ArchiveRecord,
  reload: () => Promise<ArchiveRecord>,
  read: (record: ArchiveRecord) => Promise<T>,
): Promise<T> {
  let seen = record
  for (let tried = 1; ; tried++) {
    try {
      return await read(seen)
    } catch (thrown) {
      throwIfAborted(interrupt.abort)
      const now = await reload()
      if (now.revision === seen.revision) throw thrown
      if (tried === TRIES)
        throw new SluiceError('LEDGER_BUSY', `another command changes partitions of ${name} in the ledger`, {
          where: name,
          hint: 'run the same command again',
          retryable: true,
          cause: thrown,
        })
      seen = now
    }
  }
}

/**
 * Returns what an erasure would do; changes nothing.
 * @throws SluiceError PARTITION_STATE if a partition is between two states; UNSUPPORTED_TYPE, PROOF_FAILED, SOURCE_IO
 */
export async function inspectErasure(
  context: ArchiveContext,
  record: ArchiveRecord,
  wanted: ErasedRows,
): Promise<EraseState> {
  const log = await context.log()
  const { abort } = context.interrupt
  const logged = (await log.state(abort))?.files
  const attached = await partitionsNow(context)
  const partitions: PartitionFacts[] = []
  for (const partition of record.partitions) {
    throwIfAborted(abort)
    const { label, state, filePrefix, retracted } = partition
    refuseUnfinished(context, partition, (logged?.get(label)?.length ?? 0) > 0)
    const isUnfinished = state === 'EXPIRED' ? !retracted : UNPUBLISHED_STATES.has(state) && filePrefix !== null
    const found =
      isArchived(state) || state === 'PUBLISHED' ? await foundRows(context, partition, wanted, attached) : null
    const archivedRows = (found?.files ?? []).reduce((sum, { digest }) => sum + digest.rows, 0n)
    const sourceRows = found?.source.rows ?? 0n
    if (archivedRows === 0n && sourceRows === 0n && !isUnfinished) continue
    partitions.push({
      partition,
      archivedRows,
      sourceRows,
      files: (found?.files ?? []).map(({ file }) => file.path),
    })
  }
  const otherRows = await otherRowsOfAll(context, record, wanted.test, attached)
  const refusal = heldError(context, partitions) ?? heldExpiredError(context, record)
  return { partitions, otherRows: otherRows.digest, refusal }
}

/** @param isLogged true if the log names files of it @throws SluiceError PARTITION_STATE if a step is unfinished */
export function refuseUnfinished(context: ArchiveContext, partition: ArchivedPartition, isLogged: boolean): void {
  const { state, restoring, retracted, removed, version, away, leaving } = partition
  const isBetween =
    away || leaving || restoring || removed.rows > 0n || (state === 'RESTORED' && !retracted && version !== null)
  // By its state the partition is not archived, but the log names its files. The source has their rows too.
  const isLoose = !isArchived(state) && state !== 'PUBLISHED' && state !== 'EXPIRED' && isLogged
  if ((isBetween && state !== 'DROPPED' && state !== 'EXPIRED') || isLoose) throw unfinishedError(context, partition)
}

/**
 * Rows of the table, without rows of partitions that are erased separately.
 * @param attached tables of attached partitions, by their identities
 */
export async function otherRowsOfAll(
  context: ArchiveContext,
  record: ArchiveRecord,
  test: RowTest,
  attached: ReadonlyMap<string, TableSpec>,
): Promise<{ readonly place: SourcePlace | null; readonly digest: Digest }> {
  const { store, table, interrupt } = context
  if (table.columns.length === 0) return { place: null, digest: NO_ROWS }
  const own = record.partitions.filter(
    ({ state, native }) => native === null && (state === 'PUBLISHED' || state === 'DETACHED'),
  )
  const without = own.map((partition) => `NOT coalesce((${partitionCondition(context, partition)}), false)`)
  const published = record.partitions.flatMap(({ state, native }) =>
    state === 'PUBLISHED' && native !== null ? [native] : [],
  )
  const columns = columnsNow(context, table)
  const place = { table, columns, where: [`(${sourceTest(context, table, test)})`, ...without].join(' AND ') }
  await using view = await store.source(interrupt.abort)
  const all = await placeDigest(context, view, place)
  // The rows of a published native partition that is still attached are counted with the table: subtract them.
  let rows = all.rows
  for (const { identity } of published) {
    const found = attached.get(identity)
    if (found === undefined) continue
    rows -= (
      await placeDigest(context, view, {
        table: found,
        columns: columnsNow(context, found),
        where: sourceTest(context, found, test),
      })
    ).rows
  }
  return { place, digest: { ...all, rows: rows < 0n ? 0n : rows } }
}

export function heldError(
  { name }: ArchiveContext,
  inspections: readonly Pick<PartitionFacts, 'partition'>[],
): SluiceError | null {
  const held = inspections.filter(({ partition }) => partition.held !== null)
  const [first] = held
  if (first === undefined) return null
  const named = held.map(({ partition }) => `${partition.label} (${partition.held ?? ''})`).join(', ')
  return new SluiceError('PARTITION_HELD', `rows of ${name} cannot be erased: they are in held partitions: ${named}`, {
    where: name,
    reason: 'rows of a held partition cannot be erased, and a partial erasure is not allowed: nothing was changed',
    hint: releaseHint(name, first.partition.label),
  })
}

/** Error if an expired partition with files is held: an erasure removes the files of all expired partitions. */
export function heldExpiredError({ name }: ArchiveContext, { partitions }: ArchiveRecord): SluiceError | null {
  const held = partitions.filter((one) => one.state === 'EXPIRED' && one.sweptMs === null && one.held !== null)
  const [first] = held
  if (first === undefined) return null
  const named = held.map((one) => `${one.label} (${one.held ?? ''})`).join(', ')
  return new SluiceError(
    'PARTITION_HELD',
    `rows of ${name} cannot be erased: files of expired partitions are held: ${named}`,
    {
      where: name,
      reason:
        'an erasure deletes files that only older versions of the archive use, and the held files are among them; nothing was changed',
      hint: releaseHint(name, first.label),
    },
  )
}

/** Error: a partition between two states cannot be erased reliably. */
export function unfinishedError({ name }: ArchiveContext, partition: ArchivedPartition): SluiceError {
  const { label, state, restoring, away, leaving } = partition
  const command =
    restoring || state === 'RESTORED'
      ? restoreCommand(name, partition)
      : state === 'DETACHED' && isAllRemoved(partition)
        ? `${dropCommand(name, partition)}; or, if the rows in the table are right and the archived rows with their keys are not: ${asChangedCommand(name, partition)}`
        : runCommand(name, partition)
  return partitionError('PARTITION_STATE', name, { label }, `is between two states (${state})`, {
    reason: leaving
      ? 'its detach has begun and has not ended'
      : away
        ? 'its table was detached, and its checksum was not computed yet'
        : 'its rows are partly in the table and partly in the archive',
    hint: `finish that step first, then run the erasure again: ${command}`,
  })
}
