/** What every step on the way of a partition needs. */
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
import type { CopyStore, ReadColumn, RowRequest } from '../../model/copy/port.ts'
import type { ArchiveLog } from './log.ts'
import type { HeadLedger } from '../ledger/head-ledger.ts'
import type { Held, PartitionLedger } from '../ledger/partition-ledger.ts'
import type { ArchivedPartition, ArchivedTable } from '../ledger/record.ts'
import { cutCondition } from './cut-condition.ts'
import { travelsAs } from '../types/index.ts'
import { fitOf, type Fit, type SharedColumn } from '../types/fit.ts'

/** What looking at an archive may tell. */
export type Looking = 'archive.progress' | 'log'
/** What may be told by what changes it, too. */
export type Advancing = Looking | 'archive.state'

/** @param bytes of text that came out, or about as many as are removed or added up @param signal ends the wait */
export type Pace = (bytes: number, signal: AbortSignal) => Promise<void>

/** Does one thing after the other. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>

export type ArchiveContext<E extends EventType = Looking> = {
  /** For messages and events. */
  readonly name: string
  readonly table: TableSpec
  readonly archived: ArchivedTable
  /** Columns that the table computes, and that are not compared with their archived values. */
  readonly uncompared?: ReadonlySet<string>
  /** Whether the ledger knows of anything that was published: then there has to be a log. */
  readonly published: boolean
  readonly store: CopyStore
  readonly ledger: PartitionLedger
  /**
   * Asked while the partition is held: a stream asks for leases once it has left its mark, so that one of the two sees the other.
   * @throws SluiceError TABLE_FOLLOWED where a stream reads from the table or writes into it
   */
  readonly refuseFollowed: () => Promise<void>
  readonly heads: HeadLedger
  readonly parquet: () => Promise<ParquetFiles>
  readonly log: () => Promise<ArchiveLog>
  readonly reader: LogStore
  readonly writer: LogWriter
  /** Private folder of this run, for files on their way to or from a bucket. */
  readonly spool: string
  readonly fileBytes: number
  /** Waits until so many bytes of the source may be read or removed; null where nobody has set a rate. */
  readonly pace: Pace | null
  /** Of partitions that leave their parent side by side, one wants its locks at a time: nobody else waits for two of them in a row. */
  readonly leaving: InTurn
  /** How locks are waited for where a partition leaves its parent. */
  readonly waits: { readonly patienceMs: number; readonly budgetMs: number }
  readonly emit: Emit<E>
  readonly clock: Clock
  readonly interrupt: Interrupt
  readonly tool: string
  readonly runId: string
}

/** A partition that this program holds. */
export type Work = { readonly partition: ArchivedPartition; readonly held: Held }

/** Which rows of the source a partition is, with the columns that its proof covers and that the table still has. */
export function requestOf(context: ArchiveContext, partition: ArchivedPartition, table: TableSpec): RowRequest {
  return {
    table,
    columns: sharedColumns(fitNow(context, partition).shared),
    range: wholeOf(table),
    where: partition.native === null ? conditionOf(context, partition) : null,
    ordered: false,
  }
}

/** The columns of a partition's files beside those of the table. A table that is gone has all of them; one that is not compared counts as one that came later. */
export function fitNow(
  { archived, uncompared }: Pick<ArchiveContext, 'archived' | 'uncompared'>,
  { columns }: Pick<ArchivedPartition, 'columns'>,
): Fit {
  const { shared, lost, fresh } = fitOf(columns, archived.stored.columns)
  const isLeft = ({ now }: SharedColumn): boolean => now.column.generated === true && uncompared?.has(now.name) === true
  return {
    shared: shared.filter((one) => !isLeft(one)),
    lost,
    fresh: [...fresh, ...shared.filter(isLeft).map(({ now }) => now)],
  }
}

/** Columns of the table as it is now, whose values travel and are summed as those of the files. */
export function sharedColumns(shared: readonly SharedColumn[]): readonly ReadColumn[] {
  return shared.map(({ file, now }) => ({ name: now.name, as: travelsAs(file), column: now.column, exact: true }))
}

export function readColumns(columns: readonly StoredColumn[]): readonly ReadColumn[] {
  return columns.map((one) => ({ name: one.name, as: travelsAs(one), column: one.column, exact: true }))
}

/** The condition of a partition of a plain table, in the words of the source. */
export function conditionOf({ store, table, archived }: ArchiveContext, partition: ArchivedPartition): string {
  const condition = cutCondition(store, table, archived, partition)
  if (condition !== null) return condition
  throw new Error(`the column ${archived.timeColumn} cuts the table no more`)
}

/** All rows of a table, those without a key among them. */
export function wholeOf(table: TableSpec): Range {
  return table.key.length > 0 && keyMayBeNull(table).length === 0 ? EVERY_KEY : { by: 'all' }
}

/** Tells how far a step is, a few times a second at most. */
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
