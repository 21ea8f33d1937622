/** `archive list`: shows the archives in the ledger of a source. */
import { ErasureLedger } from '../../ledger/erasure-ledger.ts'
import { SweepLedger } from '../../ledger/sweep-ledger.ts'
import { readArchive, type ArchivedPartition, type ArchiveRecord } from '../../ledger/record.ts'
import type { ArchivedEvent } from '../../../model/archive/events.ts'
import { dec, type Dec } from '../../../model/run/event.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { isoTime } from '../../../shared/clock.ts'
import { redactUrl } from '../../../shared/redact.ts'
import type { archiveList, ArchiveListOperation } from './declaration.ts'
import {
  openArchiveSource,
  recordsOf,
  tableNow,
  reportUnreadLedgers,
  type OpenedArchive,
} from '../../work/each-table.ts'
import { boundFields } from '../../plan/bound-fields.ts'
import { resumeFields, resumeState, reportResumeState } from '../../plan/resumable.ts'
import { readOnlyArchive } from '../../plan/table-changes.ts'
import { reportDoubt } from '../../steps/unsure-columns.ts'
import { detachedGone } from '../../plan/detached-gone.ts'
import { missingError, missingPartitions } from '../../plan/missing-partitions.ts'
import { mistakenText } from '../../plan/wrongly-detached.ts'
import { PlanCounts } from '../../plan/counted.ts'
import { periodRows, type PeriodState } from '../../plan/period-rows.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'

type ArchiveListRun = RunOf<typeof archiveList>

/** @throws SluiceError NO_SUCH_TABLE, CONNECT_FAILED */
export async function performArchiveList(
  { from, tables, count }: ArchiveListOperation,
  run: ArchiveListRun,
): Promise<Ending> {
  await using source = await openArchiveSource(from, false)
  if (tables.length === 0) await reportUnreadLedgers(source, run)
  const records = await recordsOf(source, tables, run.interrupt.abort)
  const inspected = new PlanCounts()
  let partitions = 0
  let rows = 0n
  let stored = 0n
  for (const { name: called, record: noted, opened } of records) {
    const { abort: signal } = run.interrupt
    const table = await tableNow(opened, called, signal)
    const { record, unsure } = await readOnlyArchive(opened.store, table, noted, signal)
    const standing = await resumeState(record, opened, run, called)
    reportResumeState(called, standing, run)
    const name = tableText(called)
    const mistaken = await mistakenText(opened.store, table, record, signal)
    if (mistaken !== null) run.emit({ type: 'log', level: 'warn', table: name, ...mistaken })
    reportDoubt(table, unsure, record.partitions, run)
    const inspections = await periodRows({ store: opened.store, table, signal }, record, count ? 'any' : 'cheap')
    const troubles = await troublesNow(opened, table, record, signal)
    const going = await destroyedLabels(opened, record, run)
    if (going.size > 0) run.emit({ type: 'log', level: 'warn', table: name, ...destroyedText(going) })
    for (const one of record.partitions) {
      const period = inspections.get(one.label)
      if (period !== undefined) inspected.addPeriod(period)
      partitions++
      if (isInArchive(one)) rows += one.digest?.rows ?? 0n
      if (isInArchive(one)) stored += bytesOf(one)
      run.emit({
        type: 'archived',
        table: name,
        partition: one.label,
        state: one.state,
        archive: redactUrl(record.archive),
        ...boundFields(record, one),
        ...recordedFields(one),
        ...expiredFields(one, record.retentionMs, going.has(one.label)),
        ...(one.held === null ? {} : { held: one.held }),
        ...countFields(period),
        ...resumeFields(standing, period !== undefined && 'notInspected' in period ? [period.notInspected] : []),
        ...errorField(one, troubles.get(one.label)),
      })
    }
  }
  const notChecked = inspected.notChecked('sluice archive verify checks more')
  return {
    ...notChecked,
    totals: { tables: dec(records.length), partitions: dec(partitions), rows: dec(rows), bytes: dec(stored) },
  }
}

/** True if the log names the files of the partition. */
function isInArchive({ version, state }: ArchivedPartition): boolean {
  return version !== null && state !== 'RESTORED' && state !== 'EXPIRED'
}

function bytesOf({ files }: ArchivedPartition): bigint {
  return files.reduce((sum, file) => sum + file.bytes, 0n)
}

/** Figures and times that the ledger has of a partition. */
function recordedFields(
  one: ArchivedPartition,
): Pick<ArchivedEvent, 'rows' | 'files' | 'bytes' | 'sourceBytes' | 'version' | 'changedAt' | 'dropAfter'> {
  return {
    ...(one.digest === null ? {} : { rows: dec(one.digest.rows) }),
    ...(one.files.length === 0 ? {} : { files: dec(one.files.length), bytes: dec(bytesOf(one)) }),
    ...(one.sourceBytes === null ? {} : { sourceBytes: dec(one.sourceBytes) }),
    ...(one.version === null ? {} : { version: dec(one.version) }),
    ...(one.changedMs === null ? {} : { changedAt: isoTime(one.changedMs) }),
    ...(one.state === 'DETACHED' && one.dropAfterMs !== null ? { dropAfter: isoTime(one.dropAfterMs) } : {}),
  }
}

/** @param trouble message about the partition's table, which is more recent than the error in the ledger */
function errorField({ error }: ArchivedPartition, trouble: string | undefined): { readonly error?: string } {
  if (trouble !== undefined) return { error: trouble }
  return error === null ? {} : { error: `${error.code}: ${error.message}` }
}

/**
 * Messages about missing tables of partitions, by label; none if the ledger has changed since it was read: another
 * command may have detached or dropped these tables.
 */
async function troublesNow(
  { store, database }: OpenedArchive,
  table: TableSpec,
  record: ArchiveRecord,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const troubles = new Map<string, string>()
  for (const one of await missingPartitions(store, table, record, signal)) {
    const { code, message } = missingError(table, one)
    troubles.set(one.partition.label, `${code}: ${message}`)
  }
  for (const partition of record.partitions) {
    const gone = await detachedGone(store, tableText(table.table), partition, signal)
    if (gone !== null) troubles.set(partition.label, `PARTITION_CHANGED: ${gone}`)
  }
  if (troubles.size === 0) return troubles
  const isSame = (await readArchive(database, record.table))?.revision === record.revision
  return isSame ? troubles : new Map<string, string>()
}

/** Labels of expired partitions whose files are listed for destruction by a command that has not ended. */
async function destroyedLabels(
  { database }: OpenedArchive,
  { table, partitions }: ArchiveRecord,
  { owner }: ArchiveListRun,
): Promise<ReadonlySet<string>> {
  const swept = partitions.filter(({ state, sweptMs }) => state === 'EXPIRED' && sweptMs !== null)
  if (swept.length === 0) return new Set()
  const sweeps = await new SweepLedger(database, table, owner).unfinished()
  const erasure = await new ErasureLedger(database, table, owner).unfinished()
  const listed = new Set(
    [...sweeps.flatMap(({ files }) => files), ...(erasure?.destroyed ?? [])].map(({ path }) => path),
  )
  return new Set(swept.flatMap(({ label, files }) => (files.some(({ path }) => listed.has(path)) ? [label] : [])))
}

function destroyedText(labels: ReadonlySet<string>): { readonly message: string; readonly hint: string } {
  return {
    message: `files of ${[...labels].join(', ')} are being destroyed, and some may still exist: a sweep or an erasure has not ended`,
    hint: 'run the same sweep or erasure again to finish it',
  }
}

/** Event fields of an expired partition: times and user. @param isGoing true if some of its files may still exist */
function expiredFields(
  { state, expired, sweptMs, digest }: ArchivedPartition,
  retentionMs: number | null,
  isGoing: boolean,
): Pick<ArchivedEvent, 'expiredAt' | 'expiredBy' | 'until' | 'destroyedAt' | 'checksum'> {
  if (state !== 'EXPIRED' || expired === null) return {}
  return {
    expiredAt: isoTime(expired.ms),
    expiredBy: expired.by,
    ...(sweptMs === null ? { until: isoTime(expired.ms + (retentionMs ?? 0)) } : {}),
    ...(sweptMs === null || isGoing ? {} : { destroyedAt: isoTime(sweptMs) }),
    ...(digest === null ? {} : { checksum: digest.sum }),
  }
}

function countFields(period: PeriodState | undefined): { readonly counted?: Dec; readonly surplus?: Dec } {
  if (period === undefined || 'notInspected' in period) return {}
  return { counted: dec(period.rows), ...(period.surplus === 0n ? {} : { surplus: dec(period.surplus) }) }
}
