/** Context of all archive steps. */
import type { ParquetFiles } from '../../model/archive/parquet-port.ts'
import type { StoredColumn } from '../../model/archive/stored-column.ts'
import { keyMayBeNull, type TableSpec } from '../../model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../model/copy/range.ts'
import { dec, type Emit, type EventType } from '../../model/run/event.ts'
import type { ArchiveStep } from '../../model/archive/events.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import type { LogWriter } from '../../model/lake/log-writer.ts'
import type { Interrupt } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { ReadColumn } from '../../model/copy/read-column.ts'
import type { RowRequest } from '../../model/copy/source-port.ts'
import type { ArchiveLog } from './log.ts'
import type { TokenLedger } from '../ledger/token-ledger.ts'
import type { PartitionLedger } from '../ledger/partition-ledger.ts'
import type { PartitionClaim } from '../ledger/partition-facts.ts'
import type { ArchivedPartition, ArchivedTable } from '../ledger/record.ts'
import { cutCondition } from './cut-condition.ts'
import { travelsAs } from '../types/index.ts'
import { columnsFit, type ColumnsFit, type SharedColumn } from '../types/fit.ts'

/** Events of read-only steps. */
export type ReadOnlyStepEvent = 'archive.progress' | 'log'
/** Events of steps that change the archive. */
export type AdvanceEvent = ReadOnlyStepEvent | 'archive.state'

/** The rate limit of a run, which may change while it works. */
export type Pace = {
  /** True if there is a limit now. */
  readonly isLimited: boolean
  /**
   * Waits until the limit allows these bytes.
   * @param bytes number of bytes of text that were read, or an estimate for rows that are removed or digested
   * @param signal ends the wait
   */
  take(bytes: number, signal: AbortSignal): Promise<void>
}

/** Serialises calls. */
export type Serialised = <T>(work: () => Promise<T>) => Promise<T>

export type ArchiveContext<E extends EventType = ReadOnlyStepEvent> = {
  /** Name of the table in messages and events. */
  readonly name: string
  readonly table: TableSpec
  readonly archived: ArchivedTable
  /** Generated columns that are not compared with their archived values. */
  readonly uncompared?: ReadonlySet<string>
  /** True if the ledger has published files: then a log must exist. */
  readonly published: boolean
  readonly store: CopyStore
  readonly ledger: PartitionLedger
  /**
   * Call while the partition is claimed. A stream first records itself, then checks leases: so at least one of run and
   * stream detects the other.
   * @throws SluiceError TABLE_FOLLOWED if a stream reads from the table or writes into it
   */
  readonly refuseFollowed: () => Promise<void>
  readonly heads: TokenLedger
  readonly parquet: () => Promise<ParquetFiles>
  readonly log: () => Promise<ArchiveLog>
  readonly reader: LogStore
  readonly writer: LogWriter
  /** Private folder of this run, for files that are uploaded to or downloaded from a bucket. */
  readonly spool: string
  readonly fileBytes: number
  /** Limit of the bytes that are read from the source or removed from it. */
  readonly pace: Pace
  /** Serialises detaches of parallel workers: other sessions then wait for one lock at a time. */
  readonly leaving: Serialised
  /** Lock timeout and retry limit for a detach. */
  readonly waits: { readonly lockTimeoutMs: number; readonly retryLimitMs: number }
  readonly emit: Emit<E>
  readonly clock: Clock
  readonly interrupt: Interrupt
  readonly tool: string
  readonly runId: string
}

/** A partition claimed by this program. */
export type ClaimedPartition = { readonly partition: ArchivedPartition; readonly held: PartitionClaim }

/** The rows of a partition in the source, with the columns that its proof covers and the table still has. */
export function partitionRowRequest(
  context: ArchiveContext,
  partition: ArchivedPartition,
  table: TableSpec,
): RowRequest {
  const where = partition.native === null ? partitionCondition(context, partition) : null
  return wholeRequest(table, sharedColumns(fitNow(context, partition).shared), where)
}

/**
 * Matches the columns of a partition's files with the table's columns. If the table is missing, all match. A column
 * that is not compared is treated as if it had been added later.
 */
export function fitNow(
  { archived, uncompared }: Pick<ArchiveContext, 'archived' | 'uncompared'>,
  { columns }: Pick<ArchivedPartition, 'columns'>,
): ColumnsFit {
  const { shared, lost, fresh } = columnsFit(columns, archived.stored.columns)
  const isLeft = ({ now }: SharedColumn): boolean => now.column.generated === true && uncompared?.has(now.name) === true
  return {
    shared: shared.filter((one) => !isLeft(one)),
    lost,
    fresh: [...fresh, ...shared.filter(isLeft).map(({ now }) => now)],
  }
}

/** Columns of the present table, read and digested in the types of the files. */
export function sharedColumns(shared: readonly SharedColumn[]): readonly ReadColumn[] {
  return shared.map(({ file, now }) => ({ name: now.name, as: travelsAs(file), column: now.column, exact: true }))
}

export function archivedReadColumns(columns: readonly StoredColumn[]): readonly ReadColumn[] {
  return columns.map((one) => ({ name: one.name, as: travelsAs(one), column: one.column, exact: true }))
}

/** As `archivedReadColumns`, for rows that are about to be archived: also their keys must come back as they are. */
export function exportedReadColumns(columns: readonly StoredColumn[]): readonly ReadColumn[] {
  return archivedReadColumns(columns).map((one) => ({ ...one, spelled: true }))
}

/** The condition of a plain table's partition in the SQL of the source. */
export function partitionCondition({ store, table, archived }: ArchiveContext, partition: ArchivedPartition): string {
  const condition = cutCondition(store, table, archived, partition)
  if (condition !== null) return condition
  throw new Error(`the column ${archived.timeColumn} no longer partitions the table`)
}

/** Range of all rows of a table, including rows whose key has a NULL. */
export function wholeOf(table: TableSpec): Range {
  return table.key.length > 0 && keyMayBeNull(table).length === 0 ? EVERY_KEY : { by: 'all' }
}

/** Request for all rows of a table that satisfy `where`, in any order. */
export function wholeRequest(
  table: TableSpec,
  columns: readonly ReadColumn[],
  where: string | null = null,
): RowRequest {
  return { table, columns, range: wholeOf(table), where, ordered: false }
}

/** Reports the progress of a step, at most five times a second. */
export function progress(
  { emit, name, clock }: ArchiveContext,
  { label }: Pick<ArchivedPartition, 'label'>,
  step: ArchiveStep,
  total: bigint,
): (rows: bigint, bytes: bigint, last?: boolean) => void {
  let next = 0
  return (rows, bytes, last = false) => {
    const now = clock.ticks()
    if (!last && now < next) return
    next = now + 200
    emit({
      type: 'archive.progress',
      table: name,
      partition: label,
      step,
      rows: dec(rows),
      total: dec(total),
      bytes: dec(bytes),
    })
  }
}
