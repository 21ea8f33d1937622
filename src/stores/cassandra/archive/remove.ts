/**
 * Removes archived rows from a table, if they are exactly the expected ones. There is no transaction: the rows are
 * read, their digest is compared, and the proof is recorded in the ledger. Then the rows are read again batch by batch,
 * and each unchanged batch is removed row by row.
 *
 * If an earlier attempt proved the rows and has removed some of them, no digest covers the others: each is compared
 * with the archive. The write time of a row does not show that it is archived: `USING TIMESTAMP` and copies set old
 * times.
 *
 * A row is removed with the latest write time of its values, so that later writes stay. If a part of a row stays, or a
 * batch has changed, the result is 'differs': the rows removed so far are in the archive, the others in the table.
 */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { RowChecksum, rowHash, digestOfRows } from '../../../model/copy/row-hash.ts'
import { rowKeyOf } from '../../../model/copy/row-key.ts'
import { equalDigests, type Cell, type Digest, type Row, type WriteTimes } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { RemoveRequest, StepEnd } from '../../../model/archive/port.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { RowBatch } from '../../../model/copy/source-port.ts'
import type { CassandraLink } from '../connect.ts'
import { closeCassandraChunk } from '../copy/closing.ts'
import { cassandraEncoder } from '../copy/encode.ts'
import type { RequestFlow } from '../copy/flow.ts'
import { cassandraScan } from '../copy/scan.ts'
import { refuseChanged } from '../copy/schema-tables.ts'
import { cassandraTableShape, type CassandraShape } from '../copy/shape.ts'
import { latestOf, QUIET_US, refuseFutureTimes, serverTime, TimedRemoval } from '../copy/timed-removal.ts'
import { ProvedRows } from './proved.ts'

/** Limits of a batch: its rows are kept in memory until its digest is compared with the proved one. */
const BATCH = { rows: 2000, bytes: 4 * 1024 * 1024 }
export type RemovalContext = {
  readonly link: CassandraLink
  readonly flow: RequestFlow
  readonly ledger: LedgerDatabase
}

/**
 * @throws SluiceError UNSUPPORTED_TYPE for counters and static columns; VALUE_REFUSED for rows that cannot be proved,
 * or have a write time in the future; errors of the driver
 */
export async function removeCassandraRows(removing: RemovalContext, request: RemoveRequest): Promise<StepEnd> {
  const { link, ledger } = removing
  const { table, expect, closing } = request
  if (!(await isSame(link, request))) return 'gone'
  const shape = await cassandraTableShape(link, table.table)
  const refusal = unfitError(shape)
  if (refusal !== null) throw refusal
  const reading = readingOf(request)
  if ([...shape.columns.keys()].some((name) => !reading.columns.some((column) => column.name === name)))
    return 'differs'
  if ((await ledger.all(closing.guard.sql, closing.guard.parameters)).length === 0) return 'fenced'
  const proved = new ProvedRows(ledger, request)
  const began = await serverTime(link)
  const places = keyPlaces(shape, reading.columns)
  const hint = 'hold this period until that time has passed; then run the same command again'
  const { digest, batches } = await digestBatches(link, reading, (row, stamp) =>
    refuseFutureTimes(
      { key: rowKeyOf(row, places), latest: latestOf(stamp), now: began },
      'VALUE_REFUSED',
      tableText(table.table),
      hint,
    ),
  )
  const remove = rowRemoval(removing, reading, shape, began - QUIET_US)
  if (equalDigests(digest, expect)) {
    if (!(await proved.note(began, closing))) return 'fenced'
    if (!(await removeBatches(link, reading, remove, batches))) return 'differs'
  } else {
    if (!(await proved.isNoted())) return 'differs'
    if (!(await removeRemaining(link, reading, remove, places))) return 'differs'
  }
  return (await closeCassandraChunk(ledger, proved.closing(closing))) === 'committed' ? 'done' : 'fenced'
}

/** A request that reads all columns. @property archivedColumns number of archived columns, which precede the others */
type Reading = RemoveRequest & { readonly archivedColumns: number }

function readingOf(request: RemoveRequest): Reading {
  const { table, columns } = request
  const others = table.columns.filter(({ name }) => !columns.some((column) => column.name === name))
  const all = [...columns, ...others.map((column) => ({ name: column.name, as: column.type, column }))]
  return { ...request, columns: all, archivedColumns: columns.length }
}

/** Indexes of the key columns in a row. */
function keyPlaces({ partition, clustering }: CassandraShape, columns: readonly ReadColumn[]): readonly number[] {
  return [...partition, ...clustering].map((name) => columns.findIndex((column) => column.name === name))
}

/** @param columns of the rows, including the whole key */
function keyEncoder(shape: CassandraShape, columns: readonly ReadColumn[]): (row: Row) => readonly (Buffer | null)[] {
  const key = [...shape.partition, ...shape.clustering].map((name) => {
    const at = columns.findIndex((column) => column.name === name)
    const column = columns[at]
    const type = shape.columns.get(name)?.type
    if (column === undefined || type === undefined) throw new Error(`rows without ${name} cannot be identified`)
    const encode: (cell: Cell) => Buffer | null = cassandraEncoder(type, column.as)
    return { at, encode }
  })
  return (row) => key.map(({ at, encode }) => encode(row[at] ?? null))
}

/** Removes those rows of a batch that are `wanted`. Resolves to false if a part of one of them is left. */
type RemoveRows = (batch: RowBatch, wanted?: (row: Row) => boolean) => Promise<boolean>

function rowRemoval(
  { link, flow }: RemovalContext,
  { columns, signal }: Reading,
  shape: CassandraShape,
  quiet: bigint,
): RemoveRows {
  const removal = TimedRemoval.ofRows(link, shape, signal)
  const keyOf = keyEncoder(shape, columns)
  return async ({ rows, stamps }, wanted = () => true) => {
    let left = 0
    await flow.each(rows, signal, async (row, at) => {
      if (wanted(row) && !(await removal.remove(keyOf(row), latestOf(stamps?.[at]), quiet))) left++
    })
    return left === 0
  }
}

/**
 * @param sums digests of the batches as they were proved
 * @returns true if all of the rows are gone
 */
async function removeBatches(
  link: CassandraLink,
  reading: Reading,
  remove: RemoveRows,
  sums: readonly string[],
): Promise<boolean> {
  let number = 0
  let isGone = true
  for await (const batch of rowsOf(link, reading)) {
    if (digestOfRows(batch.rows).sum !== sums[number++]) return false
    if (!(await remove(batch))) isGone = false
  }
  return isGone && number === sums.length
}

/**
 * Removes the rows that an earlier attempt has left, each only if the archive has the same row.
 * @returns true if all of the rows are gone
 */
async function removeRemaining(
  link: CassandraLink,
  reading: Reading,
  remove: RemoveRows,
  places: readonly number[],
): Promise<boolean> {
  for await (const archived of reading.archived?.() ?? []) {
    const hashes = new Set(archived.map(rowHash))
    const range = { by: 'keys', keys: archived.map((row) => rowKeyOf(row, places)) } as const
    for await (const batch of rowsOf(link, { ...reading, range })) {
      await remove(batch, (row) => hashes.has(rowHash(row)))
    }
  }
  for await (const _ of rowsOf(link, reading)) return false
  return true
}

/**
 * Digest of all rows, and of each batch. Every scan returns the same batches as long as no row changes.
 * @param refuse called with each row; it throws if the row must not be removed
 */
async function digestBatches(
  link: CassandraLink,
  reading: Reading,
  refuse: (row: Row, stamp: WriteTimes | undefined) => void,
): Promise<{ readonly digest: Digest; readonly batches: readonly string[] }> {
  const all = new RowChecksum()
  const batches: string[] = []
  for await (const { rows, stamps } of rowsOf(link, reading)) {
    for (const [at, row] of rows.entries()) {
      refuse(row, stamps?.[at])
      all.add(row)
    }
    batches.push(digestOfRows(rows).sum)
  }
  return { digest: all.digest(), batches }
}

/** Rows in the form of the archive. A row with a value that the archive lacks is whole: it equals no archived row. */
async function* rowsOf(
  link: CassandraLink,
  { table, columns, range, where, signal, archivedColumns }: Reading,
): AsyncGenerator<RowBatch> {
  const scan = { table, columns, range, where, ordered: false, stamps: true } as const
  for await (const batch of cassandraScan(link, scan, BATCH, undefined, signal)) {
    const isArchived = (row: Row): boolean => row.every((cell, at) => at < archivedColumns || cell === null)
    yield { ...batch, rows: batch.rows.map((row) => (isArchived(row) ? row.slice(0, archivedColumns) : row)) }
  }
}

async function isSame(link: CassandraLink, { table }: RemoveRequest): Promise<boolean> {
  try {
    await refuseChanged(link, table)
    return true
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'SOURCE_GONE') return false
    throw error
  }
}

/** Error with which every removal of rows from a table with counters or static columns fails; null for others. */
export async function cassandraRemovalRefusal(link: CassandraLink, table: TableName): Promise<SluiceError | null> {
  return unfitError(await cassandraTableShape(link, table))
}

function unfitError({ table, columns, counters }: CassandraShape): SluiceError | null {
  const where = tableText(table)
  if (counters) {
    return new SluiceError('UNSUPPORTED_TYPE', `${where} has counters, which cannot be restored after their removal`, {
      where,
      reason: 'Cassandra ignores updates of a deleted counter, so a restored row would stay empty',
      hint: 'archive it with --no-detach, which keeps its rows in use; or copy it into a table of bigint columns, and archive that one',
    })
  }
  const shared = [...columns.values()].filter(({ part }) => part === 'static').map(({ name }) => name)
  if (shared.length === 0) return null
  return new SluiceError(
    'UNSUPPORTED_TYPE',
    `rows of ${where} cannot be removed: the table has static columns (${shared.join(', ')})`,
    {
      where,
      reason:
        'all rows of a partition share the static values: if only some rows were removed, the values could stay without a row, or the other rows could lose them',
      hint: 'archive it with --no-detach, which keeps its rows in use; or copy it into a table without static columns',
    },
  )
}
