/**
 * Removes archived rows of a plain table by key, if late rows are among them: each row is deleted only while it has the
 * archived values. Late rows stay.
 */
import { addDigests, NO_ROWS, digestWithout, digestOfRows } from '../../model/copy/row-hash.ts'
import { equalDigests, type Digest, type Row } from '../../model/copy/rows.ts'
import { rowKeyOf } from '../../model/copy/row-key.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { writtenOf } from './computed.ts'
import {
  partitionCondition,
  fitNow,
  progress,
  sharedColumns,
  type ArchiveContext,
  type ClaimedPartition,
} from './context.ts'
import { NamedRowCounter } from './named-rows.ts'
import { freshValues, type FreshValues } from './other-columns.ts'
import { isAllRemoved } from '../ledger/record.ts'
import { proofOver } from './prove.ts'
import { asChangedCommand, changedAfter, changedMeanwhile } from './refusals.ts'
import { keyPlaces, rowsNowText, compareRowsNow, type ComparedTable } from './rows-now.ts'
import { digestDifference, requireDone } from './step-end.ts'
import { storedRows } from './stored-rows.ts'
import { fileColumns } from '../types/fit.ts'

/** Rows per transaction: so few that other sessions wait only briefly for its locks. */
const ROWS = 5000

/**
 * DETACHED → DROPPED. Before the first row is removed, all remaining archived rows must be in the table unchanged.
 * @param whole digest of the archived rows, in the columns that files and table share
 * @param found `rows`: number of rows in the range; `sum`: their digest together with the removed rows; `fresh`: their
 * values in columns that were added since the export
 * @throws SluiceError PARTITION_CHANGED, LEASE_LOST, STOPPED
 */
export async function removeArchived(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  whole: Digest,
  found: { readonly sum: Digest; readonly rows: bigint; readonly fresh: FreshValues },
): Promise<void> {
  const { ledger, interrupt, store, table, name } = context
  const { shared } = fitNow(context, partition)
  const into: ComparedTable = { table, shared }
  const places = keyPlaces(shared, table)
  if (places === null) throw changedAfter(name, partition, digestDifference(found.sum, whole))
  const there = await compareTable(context, partition, into)
  // If all rows were removed before, rows with archived values were inserted again since.
  const before = isAllRemoved(partition) ? digestWithout(whole, there.same) : partition.removed
  if (there.changed.rows > 0n || !equalDigests(addDigests(before, there.same), whole)) {
    const late = { rows: 0n, keys: [] }
    const rest = whole.rows - before.rows - there.same.rows - there.changed.rows
    const missing = rest > 0n ? rest : 0n
    const reported = { kind: 'keyed', now: null, rows: found.rows, same: there.same.rows, late } as const
    const kinds = { ...reported, missing: { rows: missing, keys: there.missing }, changed: there.changed }
    throw changedAfter(name, partition, rowsNowText(kinds, whole.rows))
  }
  const target = store.target()
  if (target.remove === undefined) throw new Error('the store cannot remove rows')
  const report = progress(context, partition, 'removing', whole.rows)
  const columns = [...sharedColumns(shared), ...found.fresh.columns]
  const where = partitionCondition(context, partition)
  const bytesOfRow = whole.rows === 0n ? 0 : Number(partition.sourceBytes ?? 0n) / Number(whole.rows)
  let removed = before
  for await (const rows of storedRows(context, partition, fileColumns(into.shared), ROWS)) {
    throwIfAborted(interrupt.stop)
    const some = await sameOf(context, into, rows)
    if (some.length === 0) continue
    const expect = withFresh(some, found.fresh)
    const keys = some.map((row) => rowKeyOf(row, places))
    const after = addDigests(removed, digestOfRows(some))
    const closing = ledger.closing(held, 'DETACHED', 'DETACHED', { removed: after, error: null })
    const range = { by: 'keys', keys } as const
    await context.pace.take(some.length * bytesOfRow, interrupt.stop)
    const end = await target.remove({ table, columns, range, where, expect, closing, signal: interrupt.abort })
    requireDone(end, context, partition, (how) => changedAfter(name, partition, how))
    removed = after
    report(removed.rows, 0n)
  }
  if (!equalDigests(removed, whole)) throw changedAfter(name, partition, digestDifference(removed, whole))
  await ledger.move(held, 'DETACHED', 'DROPPED', { error: null })
  const late = found.rows - there.same.rows
  if (late === 0n) return
  const message = `${partition.label}: ${late} ${late === 1n ? 'late row stays' : 'late rows stay'} in the table, and can be archived as a further part of ${partition.period}`
  context.emit({ type: 'log', level: 'note', table: name, message })
}

/** Digest of archived rows, with the values that they have in columns added since the export. */
function withFresh(rows: readonly Row[], { values }: FreshValues): Digest {
  return digestOfRows(rows.map((row) => [...row, ...values]))
}

type ComparedRows = {
  readonly same: Digest
  readonly missing: readonly string[]
  readonly changed: { readonly rows: bigint; readonly keys: readonly string[] }
}

/** Archived rows in the table. @param by columns that are compared; the digest covers the columns of `into` */
async function compareTable(
  context: ArchiveContext,
  partition: ClaimedPartition['partition'],
  into: ComparedTable,
  by: ReturnType<typeof writtenOf> = { into, row: (row) => row },
): Promise<ComparedRows> {
  let same = NO_ROWS
  const [missing, changed] = [new NamedRowCounter(), new NamedRowCounter()]
  for await (const rows of storedRows(context, partition, fileColumns(into.shared), ROWS)) {
    await using view = await context.store.source(context.interrupt.abort)
    const some: Row[] = []
    for (const [at, { key, how, there }] of (
      await compareRowsNow(context, by.into, view, rows.map(by.row))
    ).entries()) {
      if (how === 'same') some.push(rows[at] ?? [])
      // A row whose key has another spelling counts as missing: it may have been added after the removal.
      else (how === 'missing' || there !== undefined ? missing : changed).add(key)
    }
    same = addDigests(same, digestOfRows(some))
  }
  // Rows already removed are expected to be missing.
  const isBegun = partition.removed.rows > 0n
  return { same, missing: isBegun ? [] : missing.named().keys, changed: changed.named() }
}

/**
 * Undoes a restore; queries always read the archive. If all rows of a plain table's partition had been removed before,
 * the restored rows are deleted again, each only while it has the written values (generated values may differ). The
 * state is then DROPPED, or DETACHED if the table still has rows with keys of archived ones. In all other cases no row
 * is deleted, and the state stays DETACHED.
 * @throws SluiceError PARTITION_CHANGED, LEASE_LOST; the same restore can then be resumed
 */
export async function undoRestore(context: ArchiveContext, { partition, held }: ClaimedPartition): Promise<void> {
  const { ledger, interrupt, store, table, name } = context
  const { into } = writtenOf({ table, shared: fitNow(context, partition).shared })
  const places = keyPlaces(into.shared, table)
  // A native partition: its table did not change.
  if (partition.native !== null || places === null)
    return ledger.move(held, 'DETACHED', 'DETACHED', { restoring: false })
  if (!isAllRemoved(partition)) {
    // Queries do not read unchanged archived rows in the table, and the next drop removes them.
    const removed = await removedNow(context, partition)
    return ledger.move(held, 'DETACHED', 'DETACHED', { restoring: false, removed })
  }
  const target = store.target()
  if (target.remove === undefined) throw new Error('the store cannot remove rows')
  const where = partitionCondition(context, partition)
  let fresh: FreshValues | null = null
  for await (const rows of storedRows(context, partition, fileColumns(into.shared), ROWS)) {
    const some = await sameOf(context, into, rows)
    if (some.length === 0) continue
    const keys = some.map((row) => rowKeyOf(row, places))
    const closing = ledger.closing(held, 'DETACHED', 'DETACHED', { restoring: true })
    fresh ??= await freshNow(context, partition)
    const columns = [...sharedColumns(into.shared), ...fresh.columns]
    const expect = withFresh(some, fresh)
    const request = { table, columns, range: { by: 'keys', keys } as const, where, expect, closing }
    const end = await target.remove({ ...request, signal: interrupt.abort })
    requireDone(end, context, partition, (how) => changedMeanwhile(name, partition, how))
  }
  const { same, changed } = await compareTable(context, partition, into)
  if (same.rows > 0n) throw changedMeanwhile(name, partition, `${same.rows} of its rows are still in the table`)
  if (changed.rows === 0n) return ledger.move(held, 'DETACHED', 'DROPPED', { restoring: false })
  // It is unknown whether a row with other values was restored and changed, or inserted by another program. In state
  // DROPPED, queries would read this row and the archived one.
  await ledger.move(held, 'DETACHED', 'DETACHED', { restoring: false })
  const rows = changed.rows === 1n ? 'row' : 'rows'
  const message = `${partition.label}: the table has ${changed.rows} ${rows} with the keys of archived rows, but other values (${changed.keys.join('; ')}); queries use the archived values until ${asChangedCommand(name, partition)} accepts those in the table`
  context.emit({ type: 'log', level: 'warn', table: name, message })
}

async function freshNow(context: ArchiveContext, partition: ClaimedPartition['partition']): Promise<FreshValues> {
  await using view = await context.store.source(context.interrupt.abort)
  return await freshValues(context, partition, view)
}

/** Digest of the archived rows that are not in the plain table with the values that a restore writes. */
export async function removedNow(context: ArchiveContext, partition: ClaimedPartition['partition']): Promise<Digest> {
  const into: ComparedTable = { table: context.table, shared: fitNow(context, partition).shared }
  const { same } = await compareTable(context, partition, into, writtenOf(into))
  return digestWithout(await proofOver(context, partition, fileColumns(into.shared)), same)
}

async function sameOf(context: ArchiveContext, into: ComparedTable, rows: readonly Row[]): Promise<readonly Row[]> {
  await using view = await context.store.source(context.interrupt.abort)
  const found = await compareRowsNow(context, into, view, rows)
  return found.flatMap(({ row, how }) => (how === 'same' ? [row] : []))
}
