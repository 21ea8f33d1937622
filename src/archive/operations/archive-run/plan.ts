/** Stage of an archive run that plans all tables before the first partition is changed. */
import { isUnpublished } from '../../ledger/record.ts'
import { isNamedBy, type TableSpec } from '../../../model/copy/column-type.ts'
import { asSluiceError, SluiceError, type ErrorCode } from '../../../shared/errors.ts'
import { archiveOf, refuseMaybeRenamed } from '../../work/find-archive.ts'
import { sourceTables, type OpenedArchive, type OpenSource } from '../../work/each-table.ts'
import { refuseFollowedTables, reportFollowedTables } from '../../plan/followed-table.ts'
import { refuseTwoArchives } from '../../plan/partition-archives.ts'
import { refuseRemoval, refuseTriggers, reportLosable } from '../../plan/row-triggers.ts'
import { planArchive, type PlannedArchive } from '../../plan/plan.ts'
import { refuseChildTables } from '../../plan/plan-refusals.ts'
import type { PlannedPartition } from '../../plan/planned-status.ts'
import type { RunOf } from '../../../engine/run/run-context.ts'
import type { archiveRun, ArchiveOperation } from './declaration.ts'
import { reportTable, reportTimeless } from './messages.ts'

export type ArchiveRun = RunOf<typeof archiveRun>

type Begun = { readonly operation: ArchiveOperation; readonly run: ArchiveRun; readonly source: OpenSource }

/** A planned table, and the database with its ledger. */
export type ArchiveTablePlan = PlannedArchive & { readonly opened: OpenedArchive }

/** An archive run with planned tables; at least one is not refused. */
export type PlannedArchiveRun = Begun & { readonly plans: readonly ArchiveTablePlan[]; readonly refused: RefusedTables }

/** @throws SluiceError the first refusal if every table is refused; any error that affects more than one table */
export async function planArchiveRun(begun: Begun): Promise<PlannedArchiveRun> {
  const { operation, run, source } = begun
  const signal = run.interrupt.abort
  const tables = await sourceTables(source, operation.tables, signal)
  if (operation.drop) refuseManyToDrop(operation.tables, tables)
  const names = tables.map(({ table }) => table)
  if (operation.dryRun) await reportFollowedTables(source, names, { emit: run.emit, signal })
  const plans: ArchiveTablePlan[] = []
  const refused = new RefusedTables(tables.length, run)
  for (const table of tables) {
    try {
      plans.push(await planTable(table, begun))
    } catch (thrown) {
      refused.add(table, thrown)
    }
  }
  if (plans.length === 0 && refused.first !== undefined) throw refused.first
  reportTimeless(plans, run)
  return { ...begun, plans, refused }
}

/** `--drop` needs the table name for confirmation, so it allows only one table. @throws SluiceError BAD_FLAG */
function refuseManyToDrop([named = '', ...more]: readonly string[], found: readonly TableSpec[]): void {
  if (more.length === 0 && found.every(({ table }) => isNamedBy(table, named))) return
  throw new SluiceError('BAD_FLAG', '--drop requires one table, by its name', {
    hint: 'archive the tables together without --drop, then run the command with --drop for each table',
  })
}

async function planTable(table: TableSpec, { operation, run, source }: Begun): Promise<ArchiveTablePlan> {
  const signal = run.interrupt.abort
  if (!operation.dryRun) await refuseFollowedTables(source, [table.table], signal)
  await refuseChildTables(table, source.store, run)
  await reportLosable(table, source.store, run)
  const { opened, name, record } = await archiveOf(source, table, signal)
  await refuseTwoArchives(source, table, record === null || isUnpublished(record), run)
  if (record === null) await refuseMaybeRenamed(source, table, signal)
  const planned = await planArchive(table, operation, { ...planContext(opened, run), name })
  if (deletesRows(planned)) {
    await refuseTriggers(table, source.store, run)
    await refuseRemoval(table, source.store, operation.drop, run)
  }
  if (
    operation.detach &&
    planned.isNative &&
    planned.partitions.some((one) => isProcessed(one) && one.status !== 'drop')
  )
    await source.store.offers.partitions?.requireRights(table.table, signal)
  if (planned.unsure !== null && !operation.dryRun) throw planned.unsure
  return { ...planned, opened }
}

/** Errors of one table that do not affect the others. */
const OF_ONE_TABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ARCHIVE_CONFLICT',
  'ARCHIVE_FOREIGN',
  'BAD_FLAG',
  'PARTITION_STATE',
  'PLAN_CHANGED',
  'TABLE_FOLLOWED',
  'TABLE_REFUSED',
  'TARGET_DENIED',
  'UNSUPPORTED_KEY',
  'UNSUPPORTED_TYPE',
])

/** Collects refused tables, so that a run of several tables continues with the others. */
export class RefusedTables {
  readonly #tables: number
  readonly #run: ArchiveRun
  first: SluiceError | undefined

  /** @param tables number of tables in the run */
  constructor(tables: number, run: ArchiveRun) {
    this.#tables = tables
    this.#run = run
  }

  /** @throws SluiceError an error that affects all tables, or the error of the only table */
  add(table: Pick<TableSpec, 'table'>, thrown: unknown): void {
    const error = asSluiceError(thrown)
    if (this.#tables === 1 || !OF_ONE_TABLE.has(error.code)) throw error
    this.first ??= error
    reportTable(this.#run, 'error', table, `it is skipped: ${error.message}`, error.hint)
  }
}

/** Store and ledger of a table, with the time and the abort signal that planning needs. */
export function planContext(
  opened: OpenedArchive,
  { clock, interrupt }: ArchiveRun,
): OpenedArchive & { readonly nowMs: number; readonly signal: AbortSignal } {
  return { ...opened, nowMs: clock.now(), signal: interrupt.abort }
}

/** True if a run processes the partition. */
export function isProcessed({ status }: PlannedPartition): boolean {
  return status === 'due' || status === 'resume' || status === 'drop'
}

/** True if rows are removed by DELETE: the table has no partitions, or the ledger has a partition without a table. */
function deletesRows({ isNative, partitions }: PlannedArchive): boolean {
  return !isNative || partitions.some((one) => isProcessed(one) && one.known !== null && one.known.native === null)
}

/**
 * One worker if a partition is itself partitioned: reading it locks the parent table until the transaction ends, so
 * that no other partition could be detached.
 */
export function workersOf({ partitions }: PlannedArchive, { workers = 1 }: ArchiveOperation): number {
  return partitions.some((one) => isProcessed(one) && one.candidate?.isDivided === true) ? 1 : workers
}
