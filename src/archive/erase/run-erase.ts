/** Erases rows from files, database and history, in this order; the ledger records each step's end. */
import { removeFrom, erasePartition } from './erase-partition.ts'
import { foundRows, type ErasedRows } from './found.ts'
import type { DestroyedFile, Erasure, ErasureLedger } from '../ledger/erasure-ledger.ts'
import { filePrefixes, readArchive, type ArchivedPartition, type ArchiveRecord } from '../ledger/record.ts'
import type { ArchiveContext } from '../steps/context.ts'
import { Destroyer } from '../steps/destroy-files.ts'
import { partitionsNow } from '../steps/detached-table.ts'
import { endExpiry } from '../steps/expire.ts'
import { removeLeftovers } from '../steps/export.ts'
import { leaseLostError } from '../steps/refusals.ts'
import { sha256InPlace } from '../steps/local-files.ts'
import { outlivedFiles, type OutlivedFile } from '../log/find-outlived.ts'
import { FilePaths } from '../log/same-file.ts'
import { isArchived } from '../../model/archive/state.ts'
import { dec } from '../../model/run/event.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { parquetRows } from '../../engine/run/registry.ts'
import type { RunOf } from '../../engine/run/run-context.ts'
import type { archiveErase } from '../operations/archive-erase/declaration.ts'
import { eachPartition, type AdvancePartition } from '../work/advance-all.ts'
import { endOfArchive } from '../work/outcome.ts'
import { keptError, type OtherLedgers } from '../work/other-ledgers.ts'
import {
  otherRowsOfAll,
  unfinishedError,
  heldError,
  heldExpiredError,
  refuseUnfinished,
  UNPUBLISHED_STATES,
  retryIfChanged,
  type PartitionFacts,
} from './inspect.ts'

export type EraseRun = RunOf<typeof archiveErase>

/** States in which files are in the folder but in no version yet. */
const WRITING: ReadonlySet<string> = new Set(['EXPORTING', 'EXPORTED', 'VERIFIED'])

export type Erasing = {
  readonly context: ArchiveContext<'archive.state' | 'archive.progress' | 'log'>
  readonly database: LedgerDatabase
  readonly others: OtherLedgers
  readonly erasures: ErasureLedger
  readonly erasure: Erasure
  readonly wanted: ErasedRows
  readonly run: EraseRun
}

/**
 * Erases partitions one after the other, each under its own claim.
 * @returns false if it was stopped before all were done
 * @throws SluiceError the error of the failed partition, or TABLES_FAILED
 */
export async function erasePartitions(
  { context, database, erasures, erasure, wanted, run }: Erasing,
  inspections: readonly PartitionFacts[],
): Promise<boolean> {
  const log = await context.log()
  const work: AdvancePartition = async (held, reload) => {
    const partition = await reload()
    const { state } = partition
    const logged = (await log.own(context.interrupt.abort))?.files.get(partition.label) ?? []
    // The partition may have been held or moved to another state since it was inspected.
    refuseUnfinished(context, partition, logged.length > 0)
    if (state === 'EXPIRED') return await endExpiry(context, { partition, held })
    if (UNPUBLISHED_STATES.has(state)) {
      await removeLeftovers(context, { partition, held })
      await context.ledger.move(held, state, 'PLANNED', { error: null, files: [] })
      return
    }
    if (partition.held !== null) throw heldError(context, [{ partition }]) ?? new Error('a hold that holds nothing')
    if (!isArchived(state) && state !== 'PUBLISHED') return
    const done = await erasePartition(
      context,
      { partition, held },
      {
        wanted,
        reason: erasure.reason,
        recordStatements: (place, now, guard) => erasures.recordStatements(erasure.id, place, now, guard),
        recordedQuery: (place, fence) => erasures.recordedQuery(erasure.id, place, fence),
      },
    )
    if (done === null) return
    run.emit({
      type: 'archive.erasure',
      table: context.name,
      partition: partition.label,
      state,
      step: 'erased',
      archived: dec(done.archivedRows),
      source: dec(done.sourceRows),
      files: dec(done.files),
    })
  }
  const labels = inspections.map(({ partition }) => partition.label)
  const outcomes = await eachPartition([context], database, labels, run, { work, isDone: () => false })
  const { error, stopped } = endOfArchive(outcomes, run.interrupt.stop.aborted)
  if (error !== undefined) throw error
  return stopped !== true
}

/**
 * Erases rows of the table that are in no partition of the archive.
 * @param reload reads the ledger again
 * @throws SluiceError PARTITION_CHANGED if another program keeps writing such rows
 */
export async function eraseOtherRows(
  { context, erasures, erasure, wanted, run }: Erasing,
  reload: () => Promise<ArchiveRecord>,
  turn: number,
): Promise<void> {
  const { place, digest } = await retryIfChanged(context, await reload(), reload, async (record) =>
    otherRowsOfAll(context, record, wanted.test, await partitionsNow(context)),
  )
  if (place === null || digest.rows === 0n) return
  await context.refuseFollowed()
  const id = BigInt(run.runId) + BigInt(turn)
  const rows = await removeFrom(
    context,
    place,
    digest,
    (count) => erasures.closing(erasure.id, `table/${run.runId}`, id, count),
    (end) => {
      if (end === 'done') return
      if (end === 'fenced') throw leaseLostError(context.name, { label: 'the erasure' })
      const how = end === 'gone' ? 'are in a table that another table has replaced' : 'change continuously'
      throw new SluiceError('PARTITION_CHANGED', `rows to erase from ${context.name} ${how}`, {
        where: context.name,
        hint: 'stop the program that writes them, then run the same command again',
      })
    },
  )
  run.emit({
    type: 'archive.erasure',
    table: context.name,
    step: 'erased',
    archived: '0',
    source: dec(rows),
    files: '0',
  })
}

/**
 * Searches the newest version, the detached tables and the table for rows to erase.
 * @throws SluiceError PROOF_FAILED if such a row still exists; ARCHIVE_CONFLICT if the log names files that the ledger
 * does not name
 */
export async function requireGone({ context, wanted }: Erasing, record: ArchiveRecord): Promise<void> {
  const { abort } = context.interrupt
  const away = record.partitions.find((partition) => partition.away || partition.leaving)
  // Another run has detached this partition meanwhile.
  if (away !== undefined) throw unfinishedError(context, away)
  const log = await (await context.log()).own(abort)
  const attached = await partitionsNow(context)
  let left = 0n
  for (const partition of refuseStrangeFiles(context.name, log?.files ?? new Map(), record)) {
    throwIfAborted(abort)
    const { files, source } = await foundRows(context, partition, wanted, attached)
    left = files.reduce((sum, { digest }) => sum + digest.rows, left + source.rows)
  }
  const { digest } = await otherRowsOfAll(context, record, wanted.test, attached)
  if (left === 0n && digest.rows === 0n) return
  throw new SluiceError(
    'PROOF_FAILED',
    `${left} rows to erase are still in partitions of ${context.name}, and ${digest.rows} in the table`,
    {
      where: context.name,
      reason: 'another program wrote them during the erasure',
      hint: 'run the same command again',
    },
  )
}

export type LoggedFiles = ReadonlyMap<string, readonly { readonly path: string }[]>

/**
 * @returns partitions that have files in the log
 * @throws SluiceError ARCHIVE_CONFLICT if the log names files that the ledger does not name
 */
export function refuseStrangeFiles(
  name: string,
  logged: LoggedFiles,
  { partitions }: ArchiveRecord,
): readonly ArchivedPartition[] {
  return [...logged].map(([label, files]) => {
    const partition = partitions.find((one) => one.label === label)
    const strange = files.find(({ path }) => partition?.files.every((file) => file.path !== path) ?? true)
    if (partition === undefined || strange !== undefined) throw notInspected(name, strange?.path ?? label)
    return partition
  })
}

function notInspected(name: string, path: string): SluiceError {
  return new SluiceError('ARCHIVE_CONFLICT', `${path} is in the log of ${name}, but not in the ledger`, {
    where: name,
    reason: 'the rows to erase were not searched in that file, so no erasure is reported',
    hint: 'find the program that added it, then run the same command again; sluice archive verify lists other faults',
  })
}

/**
 * Writes a version at which the log may begin, records the files that only older versions need, and destroys them.
 * @returns the finished erasure
 */
export async function endHistory({ context, database, others, erasures, erasure, run }: Erasing): Promise<Erasure> {
  const log = await context.log()
  const { abort } = context.interrupt
  let { version, destroyed } = erasure
  if (erasure.state === 'erasing' || version === null) {
    const { archiveId } = context.archived
    const info = { table: context.name, run: run.runId, reason: erasure.reason }
    version = (await log.commitWithCheckpoint({ tableId: archiveId, info }, abort)).version
    const listed = await erasableFiles(context, { database, others }, version, erasure.begunMs)
    for (const { path } of listed) {
      const kept = others.reason(path)
      if (kept !== null) throw keptError(context.name, path, kept)
    }
    const files: DestroyedFile[] = []
    for (const { path, bytes } of listed) {
      files.push({ path, bytes: bytes.toString(), sha256: await sha256InPlace(context, path) })
    }
    destroyed = files
    const record = await readArchive(database, context.archived.table)
    const held = record === null ? null : heldExpiredError(context, record)
    if (held !== null) throw held
    const paths = new FilePaths(
      context.writer.folder,
      files.map(({ path }) => path),
    )
    const labels: string[] = []
    for (const { state, label, files: own } of record?.partitions ?? []) {
      if (state !== 'EXPIRED') continue
      const found = await Promise.all(own.map(({ path }) => paths.find(path)))
      if (found.some((same) => same !== null && !same.isMissing)) labels.push(label)
    }
    if (labels.length > 0) {
      const message = `expired, and can no longer be restored: ${labels.join(', ')}`
      run.emit({ type: 'log', level: 'warn', table: context.name, message })
    }
    await erasures.destroying(erasure.id, version, files, labels)
  }
  const destroyer = new Destroyer(context, database, others)
  for (const { path, bytes, sha256 } of destroyed) {
    await destroyer.remove(path)
    run.emit({ type: 'archive.destroyed', table: context.name, path, bytes, sha256 })
  }
  await erasures.forgetChecksums()
  await erasures.end(erasure.id)
  return { ...erasure, state: 'done', version, destroyed }
}

/**
 * Returns the files that no reader of `version` needs.
 * @param olderThanMs ms since the epoch: older temporary files belong to no running program
 */
export async function erasableFiles(
  context: ArchiveContext,
  { database, others }: Pick<Erasing, 'database' | 'others'>,
  version: number,
  olderThanMs: number,
): Promise<readonly OutlivedFile[]> {
  return outlivedFiles(
    {
      store: context.reader,
      writer: context.writer,
      parquet: parquetRows,
      version,
      olderThanMs,
      note: (message) => context.emit({ type: 'log', level: 'warn', table: context.name, message }),
      awaited: async () => {
        const own = (await readArchive(database, context.archived.table))?.partitions ?? []
        const partitions = [...own, ...(await others.partitions())]
        return filePrefixes(partitions.filter(({ state }) => WRITING.has(state)))
      },
    },
    context.interrupt.abort,
  )
}
