/** `archive expire`: removes partitions that only the archive has; restorable until their files are destroyed. */
import { isByValue } from '../../ledger/by-value.ts'
import { ErasureLedger } from '../../ledger/erasure-ledger.ts'
import type { ArchivedPartition, ArchiveRecord } from '../../ledger/record.ts'
import type { ArchiveContext } from '../../steps/context.ts'
import { expirePartition } from '../../steps/expire.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { ArchiveExpiryEvent } from '../../../model/archive/events.ts'
import { dec } from '../../../model/run/event.ts'
import { isoTime } from '../../../shared/clock.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { eachPartition, type AdvancePartition } from '../../work/advance-all.ts'
import { archivedTable, openArchiveSource, type OpenedArchive } from '../../work/each-table.ts'
import { endOfArchive } from '../../work/outcome.ts'
import { nativeKind, timeKind, timelessError } from '../../plan/time-kind.ts'
import { columnNamed } from '../../../engine/copy/plan/column-named.ts'
import type { ValueKind } from '../../../model/calendar/value-text.ts'
import { planExpiry, expiryStatus, type PlannedExpiry } from '../../expire/plan.ts'
import { keepRetention, wantedRetention } from '../../expire/retention.ts'
import { refuseFollowedTables, reportFollowedTables } from '../../plan/followed-table.ts'
import { openArchive } from '../../work/open.ts'
import { requireOrigin } from '../../work/require-origin.ts'
import { resumeState, reportResumeState } from '../../plan/resumable.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import type { archiveExpire, ArchiveExpireOperation } from './declaration.ts'
import { partitionError, holdError } from '../../steps/refusals.ts'
import { knownBounds } from '../../plan/bound-fields.ts'

type ArchiveExpireRun = RunOf<typeof archiveExpire>

/**
 * @throws SluiceError NO_SUCH_TABLE, MISSING_CONFIRM, BAD_FLAG, PLAN_CHANGED, PARTITION_STATE, PARTITION_HELD,
 * PARTITIONS_BLOCKED, TABLE_FOLLOWED, ARCHIVE_FOREIGN, ARCHIVE_CONFLICT, LEDGER_BUSY
 */
export async function performArchiveExpire(operation: ArchiveExpireOperation, run: ArchiveExpireRun): Promise<Ending> {
  const { from, table: named, dryRun } = operation
  refuseUnconfirmed(operation)
  await using source = await openArchiveSource(from, !dryRun)
  const { abort } = run.interrupt
  const { table, record, opened } = await archivedTable(source, named, abort)
  refuseAgeless(record)
  const retentionMs = wantedRetention(record, operation.retentionMs)
  if (dryRun) await reportFollowedTables(source, [table.table], { emit: run.emit, signal: abort })
  else await refuseFollowedTables(source, [table.table], abort)
  await using open = await openArchive(table, record, opened, run, dryRun ? { reads: true } : {})
  const { context } = open
  const erasures = new ErasureLedger(opened.database, record.table, run.owner)
  if (dryRun) {
    reportResumeState(table.table, await resumeState(record, opened, run, table.table), run)
    const refusal = await erasureError(erasures, context.name)
    if (refusal !== null)
      run.emit({ type: 'log', level: 'warn', message: `a run would be refused: ${refusal.message}` })
  } else {
    await requireOrigin(context)
    const refusal = await erasureError(erasures, context.name)
    if (refusal !== null) throw refusal
  }
  const nowMs = await context.ledger.now()
  const kind = await kindOf(opened, table, record, operation, abort)
  const plan = planExpiry(record, { ...operation, named: operation.partitions, nowMs, kind })
  report(context, plan, nowMs + retentionMs, run)
  refuseNamed(operation, context.name, plan)
  const due = plan.filter(({ status }) => status === 'due' || status === 'resume')
  const totals = totalsOf(due.map(({ partition }) => partition))
  const blocked = plan.filter(({ status }) => status === 'blocked')
  if (dryRun) return { totals }
  if (due.length === 0 && blocked.length > 0) throw allBlocked(context.name, blocked)
  if (due.length === 0) return { totals }
  await keepRetention(context, record, retentionMs)
  const work: AdvancePartition = async (held, reload) => {
    const partition = await reload()
    // The partition may have been held or restored, or an erasure may have begun, since the plan was made.
    await refuseNow(context, partition, erasures)
    try {
      await expirePartition(context, { partition, held }, run.actor)
    } catch (thrown) {
      const now = asSluiceError(thrown).code === 'LEASE_LOST' ? await reload() : partition
      throw now.held !== null && now.state === 'DROPPED' ? holdError(context, now) : thrown
    }
    const after = await reload()
    const until = isoTime((after.expired?.ms ?? nowMs) + retentionMs)
    run.emit({ ...expiryOf(context.name, after), step: 'expired', until })
  }
  const isDone = ({ state, retracted }: ArchivedPartition): boolean => state === 'EXPIRED' && retracted
  const labels = due.map(({ partition }) => partition.label)
  const outcomes = await eachPartition([context], opened.database, labels, run, { work, isDone })
  const { error, stopped } = endOfArchive(outcomes, run.interrupt.stop.aborted)
  const done = outcomes.filter(({ partition, error: failed }) => failed === null && partition.state === 'EXPIRED')
  return {
    totals: totalsOf(done.map(({ partition }) => partition)),
    notChecked: NOT_CHECKED,
    ...(error === undefined ? {} : { error }),
    ...(stopped === true ? { stopped } : {}),
  }
}

const NOT_CHECKED = 'files were not read: only the log was checked; copies of the archive and backups still have them'

/** @throws SluiceError BAD_FLAG if partitions are by value */
function refuseAgeless(record: ArchiveRecord): void {
  if (!isByValue(record)) return
  const name = tableText(record.table)
  const column = record.timeColumn ?? ''
  throw new SluiceError(
    'BAD_FLAG',
    `partitions of ${name} cannot expire by age: they are archived by values of ${column}, not by time`,
    {
      where: name,
      hint: `sluice archive erase --table ${shellQuote(name)} --where "$WHERE" --reason TICKET removes rows for good, with a condition on ${column}`,
    },
  )
}

/** Type of the partition bounds, by the current table. */
async function kindOf(
  { store }: OpenedArchive,
  table: TableSpec,
  record: ArchiveRecord,
  { epoch }: ArchiveExpireOperation,
  signal: AbortSignal,
): Promise<ValueKind> {
  const { timeColumn, partitions } = record
  const natives = timeColumn === null ? await store.offers.partitions?.list(table, signal) : null
  const by = timeColumn ?? natives?.by
  if (by !== undefined) {
    const kind =
      natives == null
        ? timeKind(table, columnNamed(table, by), { epoch, bounds: [], record })
        : nativeKind(table, natives, record, epoch)
    if (kind === null) throw timelessError(table, by)
    return kind
  }
  throw new SluiceError(
    'PARTITION_STATE',
    `partitions of ${tableText(table.table)} cannot expire: the table is no longer partitioned by a column`,
    {
      reason: `the age of its ${partitions.length} archived partitions is unknown without the partition column`,
      hint: 'partition it by the same column again',
    },
  )
}

async function erasureError(erasures: ErasureLedger, name: string): Promise<SluiceError | null> {
  const erasure = await erasures.unfinished()
  if (erasure === null) return null
  return new SluiceError('LEDGER_BUSY', `the erasure ${erasure.reason} of ${name} has not ended`, {
    where: name,
    reason: 'partitions cannot expire during an erasure: it deletes all older versions of the archive itself',
    hint: `finish it first: run the same command with --reason ${shellQuote(erasure.reason)}`,
  })
}

async function refuseNow(
  context: ArchiveContext,
  partition: ArchivedPartition,
  erasures: ErasureLedger,
): Promise<void> {
  const { name, archived, ledger } = context
  const { status, note } = expiryStatus(partition, archived.graceMs, await ledger.now())
  if (status === 'held') throw holdError(context, partition)
  if (status === 'blocked') throw refusalError(name, { partition, status, ...(note === undefined ? {} : { note }) })
  const refusal = status === 'due' ? await erasureError(erasures, name) : null
  if (refusal !== null) throw refusal
}

/** Refuses the command, before anything is changed, if a named partition cannot expire. */
function refuseNamed({ partitions }: ArchiveExpireOperation, name: string, plan: readonly PlannedExpiry[]): void {
  if (partitions.length === 0) return
  const [first] = plan.filter(({ status }) => status === 'held' || status === 'blocked' || status === 'later')
  if (first === undefined) return
  throw first.status === 'held' ? holdError({ name }, first.partition) : refusalError(name, first)
}

function refusalError(name: string, { partition: { label }, note = '' }: PlannedExpiry): SluiceError {
  return partitionError('PARTITION_STATE', name, { label }, `does not expire: ${note}`, {
    hint: 'a partition can expire only if the archive alone has its rows, and its grace period has ended; nothing was changed',
  })
}

function allBlocked(name: string, blocked: readonly PlannedExpiry[]): SluiceError {
  const named = blocked.slice(0, 5).map(({ partition, note }) => `${partition.label}: ${note ?? ''}`)
  return new SluiceError(
    'PARTITIONS_BLOCKED',
    `no partition of ${name} can expire: each that is old enough is held or blocked`,
    {
      where: name,
      reason: `${named.join('; ')}${blocked.length > named.length ? `; and ${blocked.length - named.length} more` : ''}`,
      hint: `nothing was changed${followUpHint(new Set(blocked.map(({ partition }) => partition.state)))}`,
    },
  )
}

/** Hint: the command after which partitions in these states can expire. */
function followUpHint(states: ReadonlySet<ArchivedPartition['state']>): string {
  if (states.has('DETACHED')) return '; sluice archive run --drop removes detached partitions from the database first'
  if (states.has('RESTORED')) return '; sluice archive run --partition PARTITION archives a restored partition again'
  return ''
}

function refuseUnconfirmed({ table, confirm, dryRun }: ArchiveExpireOperation): void {
  if (dryRun || confirm === table) return
  throw new SluiceError(
    'MISSING_CONFIRM',
    'this permanently removes expired rows, which exist only in the archive: the name of the table is needed as confirmation',
    {
      where: table,
      hint: `confirm with the table name: --table ${shellQuote(table)} --confirm=${shellQuote(table)}; --dry-run shows what would expire, and until when it can be restored`,
    },
  )
}

function report(
  { name }: ArchiveContext,
  plan: readonly PlannedExpiry[],
  untilMs: number,
  { emit }: ArchiveExpireRun,
): void {
  for (const one of plan) {
    const { partition, status, note } = one
    if (status === 'later' || status === 'done') continue
    const goes = status === 'due' || status === 'resume'
    emit({
      ...expiryOf(name, partition),
      step: goes ? 'due' : status,
      ...(goes ? { until: isoTime(untilMs) } : {}),
      ...(note === undefined || status === 'held' ? {} : { note }),
    })
  }
}

function expiryOf(table: string, partition: ArchivedPartition): Omit<ArchiveExpiryEvent, 'step' | 'until' | 'note'> {
  const { label, state, digest, files, held } = partition
  return {
    type: 'archive.expiry',
    table,
    partition: label,
    state,
    ...knownBounds(partition),
    ...(digest === null ? {} : { rows: dec(digest.rows), checksum: digest.sum }),
    files: dec(files.length),
    bytes: dec(files.reduce((sum, { bytes }) => sum + bytes, 0n)),
    ...(held === null ? {} : { held }),
  }
}

function totalsOf(partitions: readonly ArchivedPartition[]): Readonly<Record<string, string>> {
  const files = partitions.flatMap((one) => one.files)
  return {
    partitions: dec(partitions.length),
    rows: dec(partitions.reduce((sum, { digest }) => sum + (digest?.rows ?? 0n), 0n)),
    files: dec(files.length),
    bytes: dec(files.reduce((sum, { bytes }) => sum + bytes, 0n)),
  }
}
