/** Advances one partition as far as allowed. Steps can be repeated; the state in the ledger determines the next one. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { InspectedFile } from '../../model/archive/archived-file.ts'
import type { ArchiveState } from '../../model/archive/state.ts'
import { dec } from '../../model/run/event.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { isoTime } from '../../shared/clock.ts'
import { Attempts } from '../../shared/attempts.ts'
import { asSluiceError, type SluiceError } from '../../shared/errors.ts'
import type { PartitionTable } from '../../model/archive/port.ts'
import { partitionFolder } from '../log/data-path.ts'
import type { PartitionClaim } from '../ledger/partition-facts.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { refuseDoubledFiles, refuseDoubledRows, refuseOtherOpen, type NeighbourParts } from './doubled-rows.ts'
import type { AdvanceEvent, ArchiveContext, ClaimedPartition } from './context.ts'
import { exportColumns, exportPartition } from './export.ts'
import { isSameShape } from '../types/fit.ts'
import { archivedFiles, proveFiles } from './prove.ts'
import { detachTable, proveDetached } from './detach-table.ts'
import { publishFiles } from './publish.ts'
import { lostRefusal, refuseChangedTable } from './published.ts'
import { leaseLostError, holdError, partitionError } from './refusals.ts'
import { retract } from './restore.ts'
import { detachRows, dropPartition, proofOf } from './detach-and-drop.ts'

export type AdvanceOptions = {
  /** True: continue to DETACHED. */
  readonly detach: boolean
  /** True: continue to DROPPED once the grace period is over. */
  readonly drop: boolean
  /** True: archive a restored partition again. */
  readonly again: boolean
}

export type AdvanceContext = {
  /** The partition from the current ledger. */
  readonly reload: () => Promise<ArchivedPartition>
  /** The table of a native partition, attached or detached; null for a plain table. */
  readonly native: () => Promise<PartitionTable | null>
  readonly periodParts: NeighbourParts
}

/** Maximum number of exports of a partition that changes again and again; then the run fails. */
const MOST_EXPORTS = 3

/** @returns the state that was reached @throws SluiceError, which is also recorded in the ledger */
export async function advancePartition(
  context: ArchiveContext<AdvanceEvent>,
  first: PartitionClaim,
  options: AdvanceOptions,
  given: AdvanceContext,
): Promise<ArchiveState> {
  const { reload } = given
  let held = first
  let exports = 0
  let attempts = attemptsOf(context)
  let inspected: readonly InspectedFile[] | null = null
  let since = context.clock.ticks()
  for (;;) {
    throwIfAborted(context.interrupt.stop)
    const partition = await reload()
    const work: ClaimedPartition = { partition, held }
    const lostRows = (): Promise<SluiceError | null> => lostRowsError(context, partition, given, exports > 0)
    const next = nextStep(partition, options)
    if (next === null) return partition.state
    if (NEEDS_PRESENT_COLUMNS.has(next) && !isSameShape(partition.columns, exportColumns(context, partition))) {
      const why = `${partition.label}: the columns of the table have changed`
      held = await exportAgain(context, work, why, null, lostRows)
      inspected = null
      continue
    }
    try {
      if (removesRows(next, partition) && partition.held !== null) throw holdError(context, partition)
      // Hours may have passed since the partition was claimed.
      if (next === 'detach' || next === 'leave' || next === 'drop') await context.refuseFollowed()
      if (next === 'leave' && exports === 0) await refuseChangedTable(context, partition)
      if (next === 'export' && ++exports > MOST_EXPORTS) throw stillChanging(context, partition)
      inspected = await step(context, work, next, inspected, given)
    } catch (thrown) {
      const error = asSluiceError(thrown)
      // The export does not match the rows: export again.
      if (error.code === 'PARTITION_CHANGED' && error.retryable && exports < MOST_EXPORTS) {
        if (hasPublishedFiles(partition)) held = await exportAgain(context, work, error.message, error, lostRows)
        else warn(context, `${error.message}; it is exported again`)
        continue
      }
      const waitMs = isTransient(error, next) ? attempts.failed() : null
      if (waitMs !== null) {
        warn(context, `${partition.label}: ${error.message}; trying again`)
        if (next === 'export') exports--
        await sleep(waitMs, undefined, { signal: context.interrupt.stop }).catch(() => undefined)
        continue
      }
      await note(context, work, error)
      throw error
    }
    // The log has a transaction with this fence: a partition archived again needs a newer one.
    if (next === 'retract') held = await heldAgain(context, held)
    const after = await reload()
    attempts = attemptsOf(context)
    if (after.state !== partition.state) report(context, after, context.clock.ticks() - since)
    since = context.clock.ticks()
  }
}

/** True if the partition's files are published, but queries still read its rows from the source. */
function hasPublishedFiles({ state }: ArchivedPartition): boolean {
  return state === 'PUBLISHED' || state === 'DETACHING'
}

/**
 * Error if published rows are missing in the source, because the archive may have their only copy; null otherwise. If
 * this run exported them (`isOurs`), it exports the present rows again, so only an empty partition is an error.
 */
async function lostRowsError(
  context: ArchiveContext,
  partition: ArchivedPartition,
  { native, periodParts }: AdvanceContext,
  isOurs: boolean,
): Promise<SluiceError | null> {
  if (!hasPublishedFiles(partition)) return null
  return lostRefusal(
    context,
    partition,
    isOurs ? null : async () => periodParts.doubled(partition, [partition], await native()),
  )
}

/**
 * Moves the partition back to PLANNED, because the export does not match the rows.
 * @returns the claim to continue with
 * @throws SluiceError PARTITION_CHANGED if published rows are missing in the source: the archive may have the only
 * copy; also recorded in the ledger
 */
async function exportAgain(
  context: ArchiveContext,
  work: ClaimedPartition,
  why: string,
  error: SluiceError | null,
  lostRows: () => Promise<SluiceError | null>,
): Promise<PartitionClaim> {
  const { partition, held } = work
  const refusal = await lostRows()
  if (refusal !== null) {
    await note(context, work, refusal)
    throw refusal
  }
  warn(context, `${why}; it is exported again`)
  await context.ledger.move(held, partition.state, 'PLANNED', { error })
  // The claim needs a new fence: files with the old one are published, and the log has a transaction with it.
  return hasPublishedFiles(partition) ? heldAgain(context, held) : held
}

function attemptsOf({ store, clock }: ArchiveContext): Attempts {
  return new Attempts(store.can.retryMs, clock)
}

/** True for a temporary error: a lock, a broken connection, a server restart. `leave` retries its locks itself. */
function isTransient({ retryable, code }: SluiceError, next: Step): boolean {
  if (next === 'leave' && code === 'TARGET_BUSY') return false
  return retryable && code !== 'PARTITION_CHANGED' && code !== 'LEASE_LOST' && code !== 'LEDGER_BUSY'
}

function warn({ emit, name }: ArchiveContext, message: string): void {
  emit({ type: 'log', level: 'warn', table: name, message })
}

async function heldAgain({ ledger, name }: ArchiveContext, { label }: PartitionClaim): Promise<PartitionClaim> {
  const held = await ledger.claim(label, null)
  if (held !== null) return held
  throw leaseLostError(name, { label })
}

/** Steps that need the present columns of the table in the files: after a change, the partition is exported again. */
const NEEDS_PRESENT_COLUMNS: ReadonlySet<Step> = new Set<Step>(['verify', 'publish', 'detach', 'leave'])

type Step = 'export' | 'verify' | 'publish' | 'detach' | 'leave' | 'prove' | 'drop' | 'retract'

/** True if a step removes rows from the table: a hold forbids it. A `leave` that has begun continues. */
function removesRows(next: Step, { away, leaving }: ArchivedPartition): boolean {
  return next === 'detach' || next === 'drop' || (next === 'leave' && !away && !leaving)
}

/** The next step of a partition; null if no step is left that the options allow. */
export function nextStep(
  { state, restoring, retracted, graceOver, native }: ArchivedPartition,
  { detach, drop, again }: AdvanceOptions,
): Step | null {
  switch (state) {
    case 'PLANNED':
    case 'EXPORTING':
    case 'FAILED':
      return 'export'
    case 'EXPORTED':
      return 'verify'
    case 'VERIFIED':
      return 'publish'
    case 'PUBLISHED':
      if (!detach) return null
      return native === null ? 'detach' : 'leave'
    case 'DETACHING':
      return detach ? 'prove' : null
    case 'DETACHED':
      return drop && graceOver && !restoring ? 'drop' : null
    case 'DROPPED':
    case 'EXPIRED':
      return null
    case 'RESTORED':
      if (!retracted) return 'retract'
      return again ? 'export' : null
  }
}

async function step(
  context: ArchiveContext,
  work: ClaimedPartition,
  next: Step,
  inspected: readonly InspectedFile[] | null,
  { native, periodParts }: AdvanceContext,
): Promise<readonly InspectedFile[] | null> {
  const { ledger, archived, writer, spool } = context
  const { partition, held } = work
  const folder = writer.folder ?? spool
  switch (next) {
    case 'export': {
      const table = await native()
      await refuseOtherOpen(context, partition, periodParts)
      await refuseDoubledRows(context, partition, table, periodParts)
      const { files, prefix, digest, bytes, point, ms } = await exportPartition(context, work, table)
      const places = files.map(({ name, ...file }) => ({
        ...file,
        path: `${partitionFolder(archived.stored.partitionColumn, partition.label)}/${name}`,
        sha256: '',
        sum: '',
      }))
      const columns = exportColumns(context, partition)
      const noted = { digest, files: places, columns, filePrefix: prefix, sourceBytes: bytes, point, exportMs: ms }
      await ledger.move(held, 'EXPORTING', 'EXPORTED', noted)
      return null
    }
    case 'verify': {
      const proved = await provedFiles(context, work, folder)
      if (proved !== null) await ledger.move(held, 'EXPORTED', 'VERIFIED', { files: archivedFiles(proved) })
      return proved
    }
    case 'publish': {
      // Statistics of files are not in the ledger: a resumed run reads the files again, which also proves them.
      const files = inspected ?? (await provedFiles(context, work, folder))
      if (files === null) return null
      await refuseDoubledFiles(context, partition, files, folder, periodParts)
      const published = await publishFiles(context, work, files)
      await ledger.move(held, 'VERIFIED', 'PUBLISHED', { ...published, logged: files.map(({ name }) => name) })
      return files
    }
    case 'detach':
      await refuseOtherOpen(context, partition, periodParts)
      await detachRows(context, work, inspected !== null)
      return null
    case 'leave':
      await detachTable(context, work, inspected !== null)
      return inspected
    case 'prove':
      await proveDetached(context, work, inspected !== null)
      return null
    case 'drop':
      await dropPartition(context, work)
      return null
    case 'retract':
      await retract(context, work)
      return null
  }
}

/**
 * The proved files; null if the partition must be exported again: files of an interrupted run may be missing or
 * truncated.
 */
async function provedFiles(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  folder: string,
): Promise<readonly InspectedFile[] | null> {
  const paths = partition.files.map(({ path }) => path)
  try {
    return await proveFiles(context, partition, proofOf(partition), paths, folder)
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.code !== 'PROOF_FAILED' && error.code !== 'SOURCE_IO' && error.code !== 'SOURCE_GONE') throw error
    warn(context, `${partition.label}: ${error.message}; it is exported again`)
    await context.ledger.move(held, partition.state, 'PLANNED', { error })
    return null
  }
}

const UNPUBLISHED: ReadonlySet<ArchiveState> = new Set<ArchiveState>([
  'PLANNED',
  'EXPORTING',
  'EXPORTED',
  'VERIFIED',
  'FAILED',
])

/** Records an error. An unpublished partition becomes FAILED; a published one keeps its state. */
async function note(
  { ledger }: ArchiveContext,
  { partition, held }: ClaimedPartition,
  error: SluiceError,
): Promise<void> {
  if (error.kind === 'stopped' || error.code === 'LEASE_LOST') return
  const noted = (state: ArchiveState): Promise<void> =>
    ledger.move(held, state, UNPUBLISHED.has(state) && !error.retryable ? 'FAILED' : state, { error })
  try {
    // An export may have changed the state before it failed.
    await noted(partition.state).catch(() => noted('EXPORTING'))
  } catch {
    // The database is unavailable, or another program holds the partition: the error itself is reported anyway.
  }
}

function report({ emit, name }: ArchiveContext<AdvanceEvent>, partition: ArchivedPartition, ms: number): void {
  const { label, state, digest, files, sourceBytes, version, dropAfterMs, exportMs } = partition
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0n)
  emit({
    type: 'archive.state',
    table: name,
    partition: label,
    state,
    ...(digest === null ? {} : { rows: dec(digest.rows) }),
    ...(sourceBytes === null ? {} : { sourceBytes: dec(sourceBytes) }),
    ...(files.length === 0 ? {} : { bytes: dec(bytes), files: dec(files.length) }),
    ...(version === null ? {} : { version: dec(version) }),
    ...(state === 'EXPORTED' && exportMs !== null ? { writeMs: exportMs } : {}),
    ...(state === 'DETACHED' && dropAfterMs !== null ? { dropAfter: isoTime(dropAfterMs) } : {}),
    ms: Math.round(ms),
  })
}

function stillChanging({ name }: ArchiveContext, { label, error }: ArchivedPartition): SluiceError {
  return partitionError('PARTITION_CHANGED', name, { label }, `was changed during each try to export it`, {
    ...(error === null ? {} : { reason: error.message }),
    hint: 'stop the program that writes to it, then run the same command again',
  })
}
