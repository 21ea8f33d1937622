/**
 * Rows of a plain table leave it beside rows that came late: each archived row is told by its key, and goes only while it has the values that were archived. The
 * late ones stay.
 */
import { added, NO_ROWS, subtracted, sumOfRows } from '../../model/copy/row-hash.ts'
import { equalDigests, type Digest, type Row } from '../../model/copy/rows.ts'
import { rowKeyOf } from '../../model/copy/row-key.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { writtenOf } from './computed.ts'
import { conditionOf, fitNow, progress, sharedColumns, type ArchiveContext, type Work } from './context.ts'
import { Naming } from './named-rows.ts'
import { isAllRemoved } from '../ledger/record.ts'
import { proofOver } from './prove.ts'
import { asChangedCommand, changedAfter, changedMeanwhile } from './refusals.ts'
import { keyPlaces, rowsText, standingOf, type Into } from './rows-now.ts'
import { difference, settled } from './step-end.ts'
import { storedRows } from './stored-rows.ts'

/** Rows of one transaction: short enough for those who wait for its locks. */
const ROWS = 5000

/**
 * DETACHED → DROPPED. Before the first row goes, all archived rows that have not gone yet stand in the table as they were archived.
 * @param whole what the archived rows come to, in the columns that files and table share
 * @param found rows between the bounds, and what they come to with those that have gone
 * @throws SluiceError PARTITION_CHANGED, LEASE_LOST, STOPPED
 */
export async function removeArchived(
  context: ArchiveContext,
  { partition, held }: Work,
  whole: Digest,
  found: { readonly sum: Digest; readonly rows: bigint },
): Promise<void> {
  const { ledger, interrupt, store, table, name } = context
  const { shared, fresh } = fitNow(context, partition)
  const into: Into = { table, shared }
  const places = keyPlaces(shared, table)
  if (places === null) throw changedAfter(name, partition, difference(found.sum, whole))
  const there = await standing(context, partition, into)
  // Values of columns that came later would go with their rows.
  if (there.same.rows > 0n && fresh.some(({ column }) => column.generated !== true)) {
    throw changedAfter(name, partition, difference(found.sum, whole))
  }
  // Where all had gone, rows that stand there with their archived values were put back since.
  const before = isAllRemoved(partition) ? subtracted(whole, there.same) : partition.removed
  if (there.changed.rows > 0n || !equalDigests(added(before, there.same), whole)) {
    const late = { rows: 0n, keys: [] }
    const rest = whole.rows - before.rows - there.same.rows - there.changed.rows
    const missing = rest > 0n ? rest : 0n
    const told = { kind: 'told', now: null, rows: found.rows, same: there.same.rows, late } as const
    const kinds = { ...told, missing: { rows: missing, keys: there.missing }, changed: there.changed }
    throw changedAfter(name, partition, rowsText(kinds, whole.rows))
  }
  const target = store.target()
  if (target.remove === undefined) throw new Error('the store removes no rows')
  const tell = progress(context, partition, 'removing', whole.rows)
  const [columns, where] = [sharedColumns(shared), conditionOf(context, partition)]
  const bytesOfRow = whole.rows === 0n ? 0 : Number(partition.sourceBytes ?? 0n) / Number(whole.rows)
  let removed = before
  for await (const rows of archivedRows(context, partition, into)) {
    throwIfAborted(interrupt.stop)
    const some = await sameOf(context, into, rows)
    if (some.length === 0) continue
    const digest = sumOfRows(some)
    const keys = some.map((row) => rowKeyOf(row, places))
    const after = added(removed, digest)
    const closing = ledger.closing(held, 'DETACHED', 'DETACHED', { removed: after, error: null })
    const range = { by: 'keys', keys } as const
    await context.pace?.(some.length * bytesOfRow, interrupt.stop)
    const end = await target.remove({ table, columns, range, where, expect: digest, closing, signal: interrupt.abort })
    settled(end, context, partition, (how) => changedAfter(name, partition, how))
    removed = after
    tell(removed.rows, 0n)
  }
  if (!equalDigests(removed, whole)) throw changedAfter(name, partition, difference(removed, whole))
  await ledger.move(held, 'DETACHED', 'DROPPED', { error: null })
  const late = found.rows - there.same.rows
  if (late === 0n) return
  const message = `${partition.label}: ${late} ${late === 1n ? 'row that came late stays' : 'rows that came late stay'} in the table, and can be archived as a further part of ${partition.period}`
  context.emit({ type: 'log', level: 'note', table: name, message })
}

type Standing = {
  readonly same: Digest
  readonly missing: readonly string[]
  readonly changed: { readonly rows: bigint; readonly keys: readonly string[] }
}

/** @param by the columns by which a row is the same one; the sum is over those of `into` */
async function standing(
  context: ArchiveContext,
  partition: Work['partition'],
  into: Into,
  by: ReturnType<typeof writtenOf> = { into, row: (row) => row },
): Promise<Standing> {
  let same = NO_ROWS
  const [missing, changed] = [new Naming(), new Naming()]
  for await (const rows of archivedRows(context, partition, into)) {
    await using view = await context.store.source(context.interrupt.abort)
    const some: Row[] = []
    for (const [at, { key, how, there }] of (await standingOf(context, by.into, view, rows.map(by.row))).entries()) {
      if (how === 'same') some.push(rows[at] ?? [])
      // A row under another spelling of the key may have come once the archived one had gone.
      else (how === 'missing' || there !== undefined ? missing : changed).add(key)
    }
    same = added(same, sumOfRows(some))
  }
  // What has gone already is missing, and should be.
  const isBegun = partition.removed.rows > 0n
  return { same, missing: isBegun ? [] : missing.named().keys, changed: changed.named() }
}

/**
 * DETACHED, restoring → the state before: DROPPED where all had gone, and DETACHED else, as long as rows stand in the table under keys of archived ones. The
 * archive answers all the time. What was brought goes out again, each row only while it has the values that were written; what the table computes may be
 * another value by now.
 * @throws SluiceError PARTITION_CHANGED, LEASE_LOST; the same restore goes on with it then
 */
export async function backOut(context: ArchiveContext, { partition, held }: Work): Promise<void> {
  const { ledger, interrupt, store, table, name } = context
  const { into } = writtenOf({ table, shared: fitNow(context, partition).shared })
  const places = keyPlaces(into.shared, table)
  // In a table of its own they stand where they stood before.
  if (partition.native !== null || places === null)
    return ledger.move(held, 'DETACHED', 'DETACHED', { restoring: false })
  if (!isAllRemoved(partition)) {
    // What stands there as it was archived does not count, and goes with the next drop.
    const removed = await removedNow(context, partition)
    return ledger.move(held, 'DETACHED', 'DETACHED', { restoring: false, removed })
  }
  const target = store.target()
  if (target.remove === undefined) throw new Error('the store removes no rows')
  const [columns, where] = [sharedColumns(into.shared), conditionOf(context, partition)]
  for await (const rows of archivedRows(context, partition, into)) {
    const some = await sameOf(context, into, rows)
    if (some.length === 0) continue
    const keys = some.map((row) => rowKeyOf(row, places))
    const closing = ledger.closing(held, 'DETACHED', 'DETACHED', { restoring: true })
    const request = { table, columns, range: { by: 'keys', keys } as const, where, expect: sumOfRows(some), closing }
    const end = await target.remove({ ...request, signal: interrupt.abort })
    settled(end, context, partition, (how) => changedMeanwhile(name, partition, how))
  }
  const { same, changed } = await standing(context, partition, into)
  if (same.rows > 0n) throw changedMeanwhile(name, partition, `${same.rows} of its rows still stand in the table`)
  if (changed.rows === 0n) return ledger.move(held, 'DETACHED', 'DROPPED', { restoring: false })
  // Whether such a row came back and was changed since, or was put there by others, cannot be told. DROPPED, both it and the archived one would count.
  await ledger.move(held, 'DETACHED', 'DETACHED', { restoring: false })
  const rows = changed.rows === 1n ? 'row stands' : 'rows stand'
  const message = `${partition.label}: ${changed.rows} ${rows} in the table with other values under keys of archived rows (${changed.keys.join('; ')}); queries count the archived ones and leave these out, until ${asChangedCommand(name, partition)} has these count`
  context.emit({ type: 'log', level: 'warn', table: name, message })
}

/** What the archived rows come to, in the columns that files and table share. */
function wholeNow(context: ArchiveContext, partition: Work['partition']): Promise<Digest> {
  return proofOver(
    context,
    partition,
    fitNow(context, partition).shared.map(({ file }) => file),
  )
}

/** The archived rows of a plain table that do not stand in it with the values that a restore writes. */
export async function removedNow(context: ArchiveContext, partition: Work['partition']): Promise<Digest> {
  const into: Into = { table: context.table, shared: fitNow(context, partition).shared }
  const { same } = await standing(context, partition, into, writtenOf(into))
  return subtracted(await wholeNow(context, partition), same)
}

async function sameOf(context: ArchiveContext, into: Into, rows: readonly Row[]): Promise<readonly Row[]> {
  await using view = await context.store.source(context.interrupt.abort)
  const found = await standingOf(context, into, view, rows)
  return found.flatMap(({ row, how }) => (how === 'same' ? [row] : []))
}

function archivedRows(
  context: ArchiveContext,
  partition: Work['partition'],
  { shared }: Into,
): AsyncIterable<readonly Row[]> {
  return storedRows(
    context,
    partition,
    shared.map(({ file }) => file),
    ROWS,
  )
}
