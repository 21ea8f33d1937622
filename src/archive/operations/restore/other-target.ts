/** `restore --into`: copies archived rows into another table or another database. The archive does not change. */
import { cutCondition } from '../../steps/cut-condition.ts'
import { fileTest } from '../../erase/found.ts'
import { readPartition, type ArchivedPartition, type ArchiveRecord } from '../../ledger/record.ts'
import type { PartitionClaim } from '../../ledger/partition-facts.ts'
import type { ArchiveContext } from '../../steps/context.ts'
import { writeToOther } from '../../steps/elsewhere/write-rows.ts'
import { compareDestination } from '../../steps/elsewhere/destination.ts'
import { partDigest, type RestoredPart } from '../../steps/elsewhere/part.ts'
import { destroyedError } from '../../steps/refusals.ts'
import type { RowTest } from '../../../model/archive/row-test.ts'
import { isPublished } from '../../../model/archive/state.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { destinationOf, planOtherTable, refuseOtherMeaning, type PlannedRestore } from '../../elsewhere/plan.ts'
import {
  openRestoreTarget,
  refuseUnfitTarget,
  targetName,
  restoreTargetTable,
  type RestoreTarget,
} from '../../elsewhere/place.ts'
import { openArchiveSource, recordsOf, tableNow, type OpenedArchive, type OpenSource } from '../../work/each-table.ts'
import { predicateNames, readPredicate } from '../../erase/read-predicate.ts'
import { archivedColumns, rowTest } from '../../erase/row-test.ts'
import { doubtOf } from '../../steps/unsure-columns.ts'
import { withheldError, withheldEvent, withholding } from '../../erase/withheld.ts'
import { openArchive } from '../../work/open.ts'
import { keepLeases } from '../../work/owner.ts'
import { reportTriggers } from '../../plan/row-triggers.ts'
import { emitArchivePlan } from '../../plan/plan-event.ts'
import { refuseSwappedColumns } from '../../plan/swapped-columns.ts'
import { readOnlyArchive, type PresentArchive } from '../../plan/table-changes.ts'
import { targetTableNow } from '../../../engine/copy/plan/plan-copy.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import { chosenOf } from './chosen.ts'
import type { restore, RestoreOperation } from './declaration.ts'
import { countText } from '../../../shared/figures.ts'
import { totalOf } from '../../../shared/plus.ts'

type RestoreRun = RunOf<typeof restore>

/**
 * True if rows are restored into another table than the archived one.
 * @throws SluiceError BAD_FLAG for a flag that does not apply to this kind of restore
 */
export function hasOtherTarget({ into, intoUrl, where, asChanged, without }: RestoreOperation): boolean {
  if (into === undefined && intoUrl === undefined) {
    if (where === undefined) return false
    throw new SluiceError('BAD_FLAG', '--where requires --into or --into-url', {
      reason: 'the rest of the partition would be neither in the archive nor in the table',
      hint: 'add --into TABLE or --into-url URL, or remove --where to restore whole partitions',
    })
  }
  if (asChanged !== true && without === undefined) return true
  throw new SluiceError(
    'BAD_FLAG',
    `--into cannot be combined with ${asChanged === true ? '--as-changed' : '--without'}`,
    {
      reason: 'a restore into another table does not read the original one, and restores every archived column',
      hint: `remove ${asChanged === true ? '--as-changed' : '--without'}`,
    },
  )
}

/**
 * @throws SluiceError NO_SUCH_TABLE, PARTITION_STATE, BAD_FLAG, BAD_PREDICATE, TARGET_NOT_EMPTY, TABLE_FOLLOWED,
 * PROOF_FAILED …
 */
export async function restoreToOther(operation: RestoreOperation, run: RestoreRun): Promise<Ending> {
  const predicate = operation.where === undefined ? null : readPredicate(operation.where)
  await using source = await openArchiveSource(operation.from, !operation.dryRun)
  const { table, record, unsure, opened } = await archiveOf(source, operation.table, run)
  if (predicate === null) return await restoreInto(operation, { opened, table, record, test: null }, run)
  const doubt = doubtOf(table, unsure, predicateNames(predicate), record.partitions)
  if (doubt !== null) throw doubt
  const test = rowTest(predicate, { columns: archivedColumns(record) })
  const withhold = withholding(test)
  const quiet: RestoreRun = { ...run, emit: (event) => run.emit(withheldEvent(event, withhold)) }
  try {
    return await restoreInto(operation, { opened, table, record, test }, quiet)
  } catch (thrown) {
    throw withheldError(thrown, withhold)
  }
}

/** The archive of a table, also if the table no longer exists. */
async function archiveOf(
  source: OpenSource,
  name: string,
  { interrupt }: RestoreRun,
): Promise<{ readonly table: TableSpec; readonly opened: OpenedArchive } & Pick<PresentArchive, 'record' | 'unsure'>> {
  const [found, ...others] = await recordsOf(source, [name], interrupt.abort)
  if (others.length > 0) {
    throw new SluiceError('AMBIGUOUS_TABLE', `${name} matches more than one table`, { hint: 'name it with its schema' })
  }
  if (found === undefined)
    throw new SluiceError('NO_SUCH_TABLE', `there is no archive of ${name}`, {
      hint: 'sluice archive list shows the archived tables',
    })
  const { name: called, record: noted, opened } = found
  const table = await tableNow(opened, called, interrupt.abort)
  await refuseSwappedColumns(opened.store, table, noted, interrupt.abort)
  const { record, unsure } = await readOnlyArchive(opened.store, table, noted, interrupt.abort)
  return { table, opened, record, unsure }
}

type Asked = {
  readonly opened: OpenedArchive
  readonly table: TableSpec
  readonly record: ArchiveRecord
  readonly test: RowTest | null
}

async function restoreInto(operation: RestoreOperation, asked: Asked, run: RestoreRun): Promise<Ending> {
  const { opened, table, record } = asked
  const { dryRun } = operation
  const chosen = [...new Set(chosenOf(operation, table, record))]
  await using to = await openRestoreTarget(opened.store, operation)
  refuseUnfitTarget(to.store)
  await using open = await openArchive(table, record, opened, run, dryRun ? { reads: true } : {})
  const { context } = open
  if (dryRun) return await reportPlan(context, chosen, asked, { operation, to }, run)
  const held = new PartitionClaims(context, opened)
  try {
    return await writeRows(context, await held.take(chosen), asked, { operation, to }, run)
  } finally {
    await held.release()
  }
}

type RestoreInto = { readonly operation: RestoreOperation; readonly to: RestoreTarget }

async function writeRows(
  context: ArchiveContext,
  partitions: readonly ArchivedPartition[],
  asked: Asked,
  where: RestoreInto,
  run: RestoreRun,
): Promise<Ending> {
  const { store } = where.to
  const { planned, name, found } = await plannedOf(context, partitions, asked, where)
  if (found !== null) await reportTriggers(found, store, run)
  const parts = await partsOf(context, partitions, asked)
  if (planned.create) await store.target().create(planned.table, run.interrupt.abort)
  const table = await targetTableNow(name, store, run.interrupt.abort)
  if (table === null)
    throw new SluiceError('TABLE_REFUSED', `rows cannot be restored: ${tableText(name)} no longer exists`, {
      hint: 'run the same command again',
    })
  if (planned.create) await refuseOtherMeaning(store, table, partitions, planned, run.interrupt.abort)
  const { digest, hadRows } = await writeToOther(context, parts, destinationOf(store, table, planned))
  await store.target().finish(table, run.interrupt.abort)
  for (const part of parts) {
    const { rows } = part.expect
    const what = countText(rows, 'row')
    const message = `${part.partition.label}: ${what} ${hadRows ? 'already in' : 'now in'} ${tableText(table.table)}, equal by count and checksum to those of the archive${computedText(planned)}`
    run.emit({ type: 'log', level: 'note', table: context.name, message })
  }
  return {
    totals: {
      partitions: dec(parts.length),
      brought: dec(hadRows ? 0n : digest.rows),
      ...(hadRows ? { there: dec(digest.rows) } : {}),
    },
    proof: 'canonical',
    ...notCompared(tableText(table.table), planned.computed),
  }
}

function computedText({ computed }: PlannedRestore): string {
  return computed.length === 0 ? '' : ` in all columns but ${computed.join(', ')}`
}

/** Message about generated columns of the target: neither written nor compared. */
export function notCompared(table: string, computed: readonly string[]): { readonly notChecked?: string } {
  if (computed.length === 0) return {}
  const what = computed.join(', ')
  return {
    notChecked: `${table} computes ${what} itself: archived values of ${what} were neither written nor compared`,
  }
}

async function plannedOf(
  context: ArchiveContext,
  partitions: readonly ArchivedPartition[],
  { record }: Asked,
  { operation, to }: RestoreInto,
) {
  for (const partition of partitions) await refuseUnpublished(context, partition, operation)
  const name = targetName(context.store, to.store, context.table.table, operation.into)
  const found = await restoreTargetTable(context, record, to, name)
  const planned = await planOtherTable(context, record, partitions, to.store, name, found)
  if (found !== null) await refuseOtherMeaning(to.store, found, partitions, planned, context.interrupt.abort)
  return { planned, name: found?.table ?? name, found }
}

/** @throws SluiceError PARTITION_STATE if the rows of the partition cannot be read from the archive */
async function refuseUnpublished(
  context: ArchiveContext,
  partition: ArchivedPartition,
  asked: RestoreOperation,
): Promise<void> {
  const { name } = context
  const { label, state, away } = partition
  if (partition.sweptMs !== null) throw destroyedError(name, partition)
  // Rows of a detached table (`away`) can be read too: the log names its files until new files replace them.
  // `partDigest` compares log and ledger.
  if (isPublished(state) || away) return
  const named = (command: string): string =>
    `sluice ${command} --table ${shellQuote(name)} --partition ${shellQuote(label)}`
  throw new SluiceError(
    'PARTITION_STATE',
    `the rows of ${label} of ${name} cannot be read from the archive: the partition is in state ${state}`,
    {
      where: `${name}, ${label}`,
      hint:
        state === 'RESTORED'
          ? `the rows are in ${name}: to copy them from there, run ${await copyCommand(context, partition, asked)}`
          : state === 'EXPIRED'
            ? `to restore the partition into ${name} first, run ${named('restore')}; then copy its rows from there`
            : `to finish the interrupted step, run ${named('archive run')}; then run the same command again`,
    },
  )
}

/** Command that copies only the rows of a restored partition. */
async function copyCommand(
  { store, table, name, archived, interrupt }: ArchiveContext,
  partition: ArchivedPartition,
  { from, into, intoUrl = from }: RestoreOperation,
): Promise<string> {
  const natives = (await store.offers.partitions?.list(table, interrupt.abort)) ?? null
  // A restored partition is a new table with another identity: find it by its bounds.
  const own = natives?.partitions.find(({ from: first, to: end }) => first === partition.from && end === partition.to)
  const cut = natives === null ? archived : { ...archived, timeColumn: natives.by }
  const where = own === undefined ? cutCondition(store, table, cut, partition) : null
  const only = where === null ? '' : ` --where ${shellQuote(where)}`
  const target = into ?? (own === undefined ? null : table.table.name)
  const called = target === null ? '' : ` --to-table ${shellQuote(target)}`
  const of = own === undefined ? name : tableText(own.table.table)
  return `sluice copy --table ${shellQuote(of)} --to ${shellQuote(redactUrl(intoUrl))}${called}${only}`
}

async function partsOf(
  context: ArchiveContext,
  partitions: readonly ArchivedPartition[],
  { test }: Pick<Asked, 'test'>,
): Promise<readonly RestoredPart[]> {
  const parts: RestoredPart[] = []
  for (const partition of partitions) {
    const own = test === null ? null : fileTest(context, partition, test)
    parts.push(await partDigest(context, partition, own))
  }
  return parts
}

/** Reports which rows would be restored, and what prevents it; changes nothing. */
async function reportPlan(
  context: ArchiveContext,
  chosen: readonly ArchivedPartition[],
  asked: Asked,
  where: RestoreInto,
  run: RestoreRun,
): Promise<Ending> {
  const { planned, name, found } = await plannedOf(context, chosen, asked, where)
  if (found !== null) await reportTriggers(found, where.to.store, run)
  const parts = await partsOf(context, chosen, asked)
  let refusal: SluiceError | null = null
  let isThere = false
  if (found !== null) {
    try {
      const standing = await compareDestination(context, parts, destinationOf(where.to.store, found, planned))
      isThere = standing.kind === 'there'
    } catch (thrown) {
      if (!(thrown instanceof SluiceError) || thrown.code !== 'TARGET_NOT_EMPTY') throw thrown
      refusal = thrown
    }
  }
  const goes = planned.create ? `into ${tableText(name)}, which is created` : `into ${tableText(name)}`
  const partitions = parts.map(({ partition, expect, bytes }) => {
    const rows = `${countText(expect.rows, 'row')}, ${bytes} bytes of files`
    const what = isThere ? `${rows}: all of them are already in ${tableText(name)}` : `${rows}, go ${goes}`
    return {
      label: partition.label,
      status: refusal !== null ? ('blocked' as const) : isThere ? ('done' as const) : ('due' as const),
      candidate: null,
      known: partition,
      note: refusal === null ? what : `it would be refused: ${refusal.message}`,
    }
  })
  emitArchivePlan({ table: asked.table, archived: asked.record, partitions }, run.emit)
  return {
    totals: {
      partitions: dec(parts.length),
      rows: dec(totalOf(parts.map(({ expect }) => expect.rows))),
      bytes: dec(totalOf(parts.map(({ bytes }) => bytes))),
    },
    ...notCompared(tableText(name), planned.computed),
    ...(refusal === null ? {} : { error: refusal }),
  }
}

/** Claims partitions while their files are read, so that no other program changes them; does not change their state. */
class PartitionClaims {
  readonly #context: ArchiveContext
  readonly #opened: OpenedArchive
  readonly #held: PartitionClaim[] = []
  #timer: NodeJS.Timeout | null = null

  constructor(context: ArchiveContext, opened: OpenedArchive) {
    this.#context = context
    this.#opened = opened
  }

  /** @returns the partitions in their present state @throws SluiceError LEDGER_BUSY */
  async take(chosen: readonly ArchivedPartition[]): Promise<readonly ArchivedPartition[]> {
    const { ledger, archived, name } = this.#context
    this.#timer = keepLeases(ledger)
    const taken: ArchivedPartition[] = []
    for (const { label, holder } of chosen) {
      const held = await ledger.claim(label, holder)
      const partition = await readPartition(this.#opened.database, archived.table, label)
      if (held === null || partition === null) {
        throw new SluiceError('LEDGER_BUSY', `another program works on ${label} of ${name}`, {
          where: `${name}, ${label}`,
          hint: 'wait until it has ended; if it was killed, its lease expires half a minute later',
          retryable: true,
        })
      }
      this.#held.push(held)
      taken.push(partition)
    }
    return taken
  }

  async release(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    // If the database is unavailable, the leases expire.
    for (const held of this.#held) await this.#context.ledger.release(held).catch(() => undefined)
  }
}
