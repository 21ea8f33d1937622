/** Restores archived rows in batches: each transaction proves that its rows are in the table with their values. */
import type { RowTriggers } from '../../model/archive/port.ts'
import { digestOfRows } from '../../model/copy/row-hash.ts'
import { equalDigests, type Row } from '../../model/copy/rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { computedNames, computedRefusal, differentlyComputed, writtenOf } from './computed.ts'
import { progress, sharedColumns, type ArchiveContext, type ClaimedPartition } from './context.ts'
import { findEqualKeys, equalKeysText, writeKeyed, type KeyedTable } from './equal-keys.ts'
import {
  changedByTriggers,
  changedMeanwhile,
  rejectedRowsError,
  keysAlike,
  leaseLostError,
  queryCommand,
} from './refusals.ts'
import { keyPlaces, sharedAt, compareRowsNow, type ComparedTable, type RowsPlace } from './rows-now.ts'
import { storedRows } from './stored-rows.ts'
import { proofOf } from './detach-and-drop.ts'
import { NamedRowCounter, type NamedRows } from './named-rows.ts'
import { fileColumns } from '../types/fit.ts'

/** Rows per transaction. */
const ROWS = 5000

/**
 * Restores rows of a partition that is PUBLISHED, or DETACHED and restoring: inserts the rows whose key is free.
 * @param existing `none`: the table has none of the rows. `equal`: rows that it already has must be equal. `changed`:
 * rows that it already has may have other values, and keep them
 * @throws SluiceError PARTITION_CHANGED, UNSUPPORTED_KEY, LEASE_LOST; rows written until then stay, but queries still
 * read them from the archive
 */
export async function restoreRows(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  place: RowsPlace,
  existing: 'none' | 'equal' | 'changed',
): Promise<void> {
  const { table } = place
  const into: ComparedTable = { table, shared: sharedAt(context, partition, place) }
  const refusal = keyRefusal(context, into)
  if (refusal !== null) throw refusal
  const { store, interrupt } = context
  const report = progress(context, partition, 'restoring', proofOf(partition).rows)
  const writing = await writingOf(context, into)
  let seen = 0n
  for await (const rows of storedRows(context, partition, fileColumns(into.shared), ROWS)) {
    let wanted = rows
    if (existing !== 'none') {
      await using view = await store.source(interrupt.abort)
      const standing = await compareRowsNow(context, into, view, rows)
      // Write only missing rows: a row with its key in another spelling would be inserted a second time.
      wanted = standing
        .filter(({ how }) => how === 'missing' || (how === 'changed' && existing === 'equal'))
        .map(({ row }) => row)
    }
    if (wanted.length > 0 && !(await restoreSome(context, { partition, held }, into, writing, wanted)))
      throw await rejectedError(context, partition, into, wanted, writing)
    seen += BigInt(rows.length)
    report(seen, 0n)
  }
}

/** Error UNSUPPORTED_KEY if rows have no usable key; otherwise null. */
export function keyRefusal(context: ArchiveContext, { table, shared }: ComparedTable): SluiceError | null {
  const columns = shared.filter(({ now }) => now.column.generated !== true)
  const isWritten = table.key.every((name) => columns.some(({ now }) => now.name === name))
  if (keyPlaces(shared, table) !== null && isWritten) return null
  return new SluiceError(
    'UNSUPPORTED_KEY',
    `rows of ${context.name} cannot be distinguished, so they cannot be restored in parts`,
    { hint: `give the table a primary key; or read the archive: ${queryCommand(context.name)}` },
  )
}

/** Table and columns to write, without generated columns. */
async function writingOf(context: ArchiveContext, into: ComparedTable): Promise<KeyedTable> {
  const { table, shared } = writtenOf(into).into
  return {
    target: context.store.target(),
    table,
    columns: sharedColumns(shared),
    pastTriggers: (await rowTriggersOf(context, into))?.quiet === true,
    signal: context.interrupt.abort,
  }
}

/** Triggers of the target table; undefined if the system has none. */
async function rowTriggersOf(
  { store, interrupt }: ArchiveContext,
  { table }: ComparedTable,
): Promise<RowTriggers | undefined> {
  return await store.offers.rowTriggers?.list(table.table, interrupt.abort)
}

/**
 * Error if two rows of a partition have the same key in the table. Call it while none of them is in the table.
 * @returns null if this was not the cause, or is unknown
 */
export async function equalKeysRefusal(
  context: ArchiveContext,
  partition: ArchivedPartition,
  place: RowsPlace,
): Promise<SluiceError | null> {
  const into: ComparedTable = { table: place.table, shared: sharedAt(context, partition, place) }
  const { row: written } = writtenOf(into)
  const files = fileColumns(into.shared)
  async function* rows(): AsyncGenerator<readonly Row[]> {
    for await (const some of storedRows(context, partition, files, ROWS)) yield some.map(written)
  }
  const found = await findEqualKeys(rows(), await writingOf(context, into))
  return found === null ? null : keysAlike(context.name, partition, equalKeysText(found))
}

/** Error: the table lacks some of these rows, although their keys were free, or had rows with the archived values. */
async function rejectedError(
  context: ArchiveContext,
  partition: ArchivedPartition,
  into: ComparedTable,
  rows: readonly Row[],
  writing: KeyedTable,
): Promise<SluiceError> {
  await using view = await context.store.source(context.interrupt.abort)
  const standing = await compareRowsNow(context, into, view, rows)
  const missing = standing.flatMap(({ row, how }) => (how === 'missing' ? [row] : []))
  const kept = await findRejected(missing.map(writtenOf(into).row), writing)
  if (kept.rows > 0n) return rejectedRowsError(context.name, partition, kept)
  const names = await differentlyComputed(missing, into, writing)
  if (names.length > 0) return computedRefusal(context.name, partition, names)
  const { changing = [], firing = [], quiet = false } = (await rowTriggersOf(context, into)) ?? {}
  const fired = quiet ? [] : [...changing, ...firing]
  if (fired.length > 0) return changedByTriggers(context.name, partition, fired)
  return changedMeanwhile(context.name, partition, 'the source has other rows with the same keys')
}

/**
 * Archived rows that the table does not accept although their key is free. Writes each row alone, in a transaction that
 * is rolled back.
 * @param rows archived rows whose keys are free in the table
 * @throws SluiceError ROW_REFUSED, CONNECTION_LOST …
 */
async function findRejected(rows: readonly Row[], writing: KeyedTable): Promise<NamedRows> {
  const kept = new NamedRowCounter()
  await writeKeyed(writing, rows, async (writer, keys) => {
    for (const [at, row] of rows.entries()) if ((await writer.write([row])) === 0) kept.add(keys[at] ?? [])
  })
  return kept.named()
}

/** @returns true if all rows are in the table now; otherwise the transaction was rolled back */
async function restoreSome(
  { ledger, name }: ArchiveContext,
  { partition, held }: ClaimedPartition,
  into: ComparedTable,
  writing: KeyedTable,
  rows: readonly Row[],
): Promise<boolean> {
  const written = rows.map(writtenOf(into).row)
  // Compare generated columns too.
  const all = computedNames(into.shared).length === 0 ? {} : { columns: sharedColumns(into.shared) }
  return await writeKeyed(writing, written, async (writer) => {
    await writer.write(written)
    const there = await writer.digest({ scheme: 'canonical', ...all })
    if (!equalDigests(there, digestOfRows(rows))) return false
    const noted = partition.state === 'PUBLISHED' ? { error: null } : { restoring: true }
    const closing = ledger.closing(held, partition.state, partition.state, noted)
    if ((await writer.commit(closing)) === 'fenced') throw leaseLostError(name, partition)
    return true
  })
}
