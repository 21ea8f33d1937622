/** Brings one partition as far as it may go. Every step is harmless when it is done again, and the state in the ledger says which one is next. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExaminedFile } from '../../model/archive/archived-file.ts'
import type { ArchiveState } from '../../model/archive/state.ts'
import { dec } from '../../model/run/event.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { isoTime } from '../../shared/clock.ts'
import { Attempts } from '../../shared/attempts.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import type { PartitionTable } from '../../model/archive/port.ts'
import { partitionFolder } from '../log/data-path.ts'
import type { Held } from '../ledger/partition-ledger.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { refuseDoubledFiles, refuseDoubledRows, refuseOpenBeside, type Beside } from './beside.ts'
import type { Advancing, ArchiveContext, Work } from './context.ts'
import { exportColumns, exportPartition } from './export.ts'
import { isSameShape } from '../types/fit.ts'
import { archivedFiles, proveFiles } from './prove.ts'
import { leaveParent, proveAway } from './leave.ts'
import { publishFiles } from './publish.ts'
import { hasFewer, lostRefusal } from './published.ts'
import { lost, mustStay } from './refusals.ts'
import { retract } from './restore.ts'
import { detachRows, dropPartition, proofOf } from './take-out.ts'

export type Wish = {
  /** Go on to DETACHED. */
  readonly detach: boolean
  /** Go on to DROPPED, as soon as the grace is over. */
  readonly drop: boolean
  /** Archive it again, though it was restored. */
  readonly again: boolean
}

export type Surroundings = {
  /** The partition as the ledger has it now. */
  readonly reload: () => Promise<ArchivedPartition>
  /** The table that it is now, where partitions are tables: in its parent, or where it has gone. */
  readonly native: () => Promise<PartitionTable | null>
  readonly beside: Beside
}

/** Exports that are tried before somebody has to look who writes into the partition. */
const MOST_EXPORTS = 3

/** @returns the state that it has come to. @throws SluiceError; the ledger has it too then */
export async function advance(
  context: ArchiveContext<Advancing>,
  first: Held,
  wish: Wish,
  surroundings: Surroundings,
): Promise<ArchiveState> {
  const { reload } = surroundings
  let held = first
  let exports = 0
  let attempts = attemptsOf(context)
  let examined: readonly ExaminedFile[] | null = null
  let since = context.clock.ticks()
  for (;;) {
    throwIfAborted(context.interrupt.stop)
    const partition = await reload()
    const work: Work = { partition, held }
    const lostRows = (): Promise<SluiceError | null> => lostNow(context, partition, surroundings, exports > 0)
    const next = nextStep(partition, wish)
    if (next === null) return partition.state
    if (OLD_SHAPE_HINDERS.has(next) && !isSameShape(partition.columns, exportColumns(context, partition))) {
      const why = `${partition.label}: the columns of the table are others by now`
      held = await toExportAgain(context, work, why, null, lostRows)
      examined = null
      continue
    }
    try {
      if (takesOut(next, partition) && partition.held !== null) throw mustStay(context, partition)
      // Hours may have passed since the partition was claimed.
      if (next === 'detach' || next === 'leave' || next === 'drop') await context.refuseFollowed()
      if (next === 'leave' && exports === 0 && (await hasFewer(context, partition))) await refuseLost(lostRows)
      if (next === 'export' && ++exports > MOST_EXPORTS) throw stillChanging(context, partition)
      examined = await step(context, work, next, examined, surroundings)
    } catch (thrown) {
      const error = asSluiceError(thrown)
      // What was exported is not what is there: once more, from the beginning.
      if (error.code === 'PARTITION_CHANGED' && error.retryable && exports < MOST_EXPORTS) {
        if (isOut(partition)) held = await toExportAgain(context, work, error.message, error, lostRows)
        else warn(context, `${error.message}; it is exported again`)
        continue
      }
      const waitMs = passes(error, next) ? attempts.failed() : null
      if (waitMs !== null) {
        warn(context, `${partition.label}: ${error.message}; trying again`)
        if (next === 'export') exports--
        await sleep(waitMs, undefined, { signal: context.interrupt.stop }).catch(() => undefined)
        continue
      }
      await note(context, work, error)
      throw error
    }
    // The log has its word for this fence: what is archived again is published under a newer one.
    if (next === 'retract') held = await heldAnew(context, held)
    const after = await reload()
    attempts = attemptsOf(context)
    if (after.state !== partition.state) tell(context, after, context.clock.ticks() - since)
    since = context.clock.ticks()
  }
}

/** Whether its files are published, and its rows count in the source. */
function isOut({ state }: ArchivedPartition): boolean {
  return state === 'PUBLISHED' || state === 'DETACHING'
}

/** Of what an earlier run published, rows that are gone count as lost; what this run exported a moment ago is exported as it is now, unless nothing is left of it. */
async function lostNow(
  context: ArchiveContext,
  partition: ArchivedPartition,
  { native, beside }: Surroundings,
  isOurs: boolean,
): Promise<SluiceError | null> {
  if (!isOut(partition)) return null
  return lostRefusal(
    context,
    partition,
    isOurs ? null : async () => beside.doubled(partition, [partition], await native()),
  )
}

async function refuseLost(lostRows: () => Promise<SluiceError | null>): Promise<void> {
  const refusal = await lostRows()
  if (refusal !== null) throw refusal
}

/**
 * What was exported is not what is there: once more, from the beginning.
 * @returns the lease to go on under
 * @throws SluiceError PARTITION_CHANGED where the source lacks published rows that only the archive may have; the ledger has it too then
 */
async function toExportAgain(
  context: ArchiveContext,
  work: Work,
  why: string,
  error: SluiceError | null,
  lostRows: () => Promise<SluiceError | null>,
): Promise<Held> {
  const { partition, held } = work
  const refusal = await lostRows()
  if (refusal !== null) {
    await note(context, work, refusal)
    throw refusal
  }
  warn(context, `${why}; it is exported again`)
  await context.ledger.move(held, partition.state, 'PLANNED', { error })
  // Under a new fence: files of the old one are published, and the log has its word.
  return isOut(partition) ? heldAnew(context, held) : held
}

function attemptsOf({ store, clock }: ArchiveContext): Attempts {
  return new Attempts(store.can.retryMs, clock)
}

/** Somebody holds a lock, a line broke, a server starts again. Whoever leaves has waited for locks as long as he may. */
function passes({ retryable, code }: SluiceError, next: Step): boolean {
  if (next === 'leave' && code === 'TARGET_BUSY') return false
  return retryable && code !== 'PARTITION_CHANGED' && code !== 'LEASE_LOST' && code !== 'LEDGER_BUSY'
}

function warn({ emit, name }: ArchiveContext, message: string): void {
  emit({ type: 'log', level: 'warn', table: name, message })
}

async function heldAnew({ ledger, name }: ArchiveContext, { label }: Held): Promise<Held> {
  const held = await ledger.claim(label, null)
  if (held !== null) return held
  throw lost(name, { label })
}

/** What is exported and has not left: the columns of the table count, and not those of the export. */
const OLD_SHAPE_HINDERS: ReadonlySet<Step> = new Set<Step>(['verify', 'publish', 'detach', 'leave'])

type Step = 'export' | 'verify' | 'publish' | 'detach' | 'leave' | 'prove' | 'drop' | 'retract'

/** Whether rows leave the table by a step, or cease to count there. What has left before goes on to DETACHED, though it is held by now. */
function takesOut(next: Step, { away, leaving }: ArchivedPartition): boolean {
  return next === 'detach' || next === 'drop' || (next === 'leave' && !away && !leaving)
}

/** What comes next for a partition; null where it is as far as it may go. */
export function nextStep(
  { state, restoring, retracted, graceOver, native }: ArchivedPartition,
  { detach, drop, again }: Wish,
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
  work: Work,
  next: Step,
  examined: readonly ExaminedFile[] | null,
  { native, beside }: Surroundings,
): Promise<readonly ExaminedFile[] | null> {
  const { ledger, archived, writer, spool } = context
  const { partition, held } = work
  const folder = writer.folder ?? spool
  switch (next) {
    case 'export': {
      const table = await native()
      await refuseOpenBeside(context, partition, beside)
      await refuseDoubledRows(context, partition, table, beside)
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
      const proved = await provedOrAgain(context, work, folder)
      if (proved !== null) await ledger.move(held, 'EXPORTED', 'VERIFIED', { files: archivedFiles(proved) })
      return proved
    }
    case 'publish': {
      // Statistics of the files are not kept in the ledger: a run that goes on reads them again, and proves them by that.
      const files = examined ?? (await provedOrAgain(context, work, folder))
      if (files === null) return null
      await refuseDoubledFiles(context, partition, files, folder, beside)
      const published = await publishFiles(context, work, files)
      await ledger.move(held, 'VERIFIED', 'PUBLISHED', { ...published, logged: files.map(({ name }) => name) })
      return files
    }
    case 'detach':
      await refuseOpenBeside(context, partition, beside)
      await detachRows(context, work, examined !== null)
      return null
    case 'leave':
      await leaveParent(context, work, examined !== null)
      return examined
    case 'prove':
      await proveAway(context, work, examined !== null)
      return null
    case 'drop':
      await dropPartition(context, work)
      return null
    case 'retract':
      await retract(context, work)
      return null
  }
}

/** Files of a run that was broken off may be gone with its spool folder, or cut: then the partition is exported again. */
async function provedOrAgain(
  context: ArchiveContext,
  { partition, held }: Work,
  folder: string,
): Promise<readonly ExaminedFile[] | null> {
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

/** Before it is published a partition has failed; afterwards it stays what it is, with the reason beside it. */
async function note({ ledger }: ArchiveContext, { partition, held }: Work, error: SluiceError): Promise<void> {
  if (error.kind === 'stopped' || error.code === 'LEASE_LOST') return
  const { state } = partition
  const unpublished = state === 'PLANNED' || state === 'EXPORTED' || state === 'VERIFIED' || state === 'FAILED'
  try {
    if (unpublished && !error.retryable) {
      // The step may have moved it on before it failed.
      await ledger
        .move(held, state, 'FAILED', { error })
        .catch(() => ledger.move(held, 'EXPORTING', 'FAILED', { error }))
    } else await ledger.move(held, state, state, { error })
  } catch {
    // The database is away, or somebody else has the partition: the error itself is told anyway.
  }
}

function tell({ emit, name }: ArchiveContext<Advancing>, partition: ArchivedPartition, ms: number): void {
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
  return new SluiceError('PARTITION_CHANGED', `${label} of ${name} is changed as fast as it is exported`, {
    where: `${name}, ${label}`,
    ...(error === null ? {} : { reason: error.message }),
    hint: 'stop whoever writes into it, and run the same command again',
  })
}
