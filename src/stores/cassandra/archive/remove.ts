/**
 * Removes archived rows from a table, if they are exactly the expected ones. There is no transaction: the rows are
 * read, their digest is compared, and the proof is recorded in the ledger. Then the rows are read again batch by batch,
 * and each unchanged batch is removed row by row.
 *
 * A row is removed with the latest write time of its values, so that later writes stay. If a part of a row stays, or a
 * batch has changed, the result is 'differs': the rows removed so far are in the archive, the others in the table.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import { RowSum } from '../../../model/copy/row-hash.ts'
import { rowKeyOf } from '../../../model/copy/row-key.ts'
import { equalDigests, type Cell, type Digest, type Row, type Stamp } from '../../../model/copy/rows.ts'
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
import { refuseChanged } from '../copy/schema-look.ts'
import { cassandraTableShape, type CassandraShape } from '../copy/shape.ts'
import { latestOf, QUIET_US, refuseAhead, serverTime, TimedRemoval } from '../copy/timed-removal.ts'
import { ProvedRows } from './proved.ts'

/** Rows kept in memory until they are known to be the proved ones. */
const BATCH = { rows: 2000, bytes: 4 * 1024 * 1024 }
export type Removing = { readonly link: CassandraLink; readonly flow: RequestFlow; readonly ledger: LedgerDatabase }

/**
 * @throws SluiceError UNSUPPORTED_TYPE for counters and static columns; VALUE_REFUSED for rows that cannot be proved,
 * or have a write time in the future; errors of the driver
 */
export async function removeCassandraRows(removing: Removing, request: RemoveRequest): Promise<StepEnd> {
  const { link, ledger } = removing
  const { table, columns, expect, closing } = request
  if (!(await isSame(link, request))) return 'gone'
  const shape = await cassandraTableShape(link, table.table)
  refuseUnfit(shape)
  // Unproved columns would be lost.
  if ([...shape.columns.keys()].some((name) => !columns.some((column) => column.name === name))) return 'differs'
  if ((await ledger.all(closing.guard.sql, closing.guard.parameters)).length === 0) return 'fenced'
  const proved = new ProvedRows(ledger, request)
  const began = await serverTime(link)
  const places = [...shape.partition, ...shape.clustering].map((name) =>
    request.columns.findIndex((column) => column.name === name),
  )
  const hint = 'hold this period until that time has passed; then run the same command again'
  const { digest, batches } = await summed(link, request, (row, stamp) =>
    refuseAhead(
      { key: rowKeyOf(row, places), latest: latestOf(stamp), now: began },
      'VALUE_REFUSED',
      tableText(request.table.table),
      hint,
    ),
  )
  const isWhole = equalDigests(digest, expect)
  const since = isWhole ? began : await proved.before()
  if (since === null) return 'differs'
  if (isWhole && !(await proved.note(since, closing))) return 'fenced'
  const quiet = since - QUIET_US
  const left = await removeBatches(removing, request, shape, quiet, isWhole ? batches : null)
  if (!left) return 'differs'
  return (await closeCassandraChunk(ledger, proved.closing(closing))) === 'committed' ? 'done' : 'fenced'
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

/**
 * @param sums digests of the batches as they were proved; null if an earlier attempt proved them and has removed some
 * rows since: then a row is removed only if all its values are older than that proof, by `QUIET_US`
 * @returns whether all of the rows are gone
 */
async function removeBatches(
  { link, flow }: Removing,
  request: RemoveRequest,
  shape: CassandraShape,
  quiet: bigint,
  sums: readonly string[] | null,
): Promise<boolean> {
  const { columns, signal } = request
  const removal = TimedRemoval.ofRows(link, shape, signal)
  const keyOf = keyEncoder(shape, columns)
  let number = 0
  let left = 0
  for await (const { rows, stamps } of rowsOf(link, request)) {
    if (sums !== null && sumOf(rows).sum !== sums[number++]) return false
    await flow.each(rows, signal, async (row, at) => {
      const latest = latestOf(stamps?.[at])
      const isOld = sums !== null || latest === null || latest <= quiet
      if (!isOld || !(await removal.remove(keyOf(row), latest, quiet))) left++
    })
  }
  return left === 0 && (sums === null || number === sums.length)
}

/**
 * Digest of all rows, and of each batch: the same batches each time, as long as no row changes.
 * @param refuse called with each row; it throws if the row must not be removed
 */
async function summed(
  link: CassandraLink,
  request: RemoveRequest,
  refuse: (row: Row, stamp: Stamp | undefined) => void,
): Promise<{ readonly digest: Digest; readonly batches: readonly string[] }> {
  const all = new RowSum()
  const batches: string[] = []
  for await (const { rows, stamps } of rowsOf(link, request)) {
    for (const [at, row] of rows.entries()) {
      refuse(row, stamps?.[at])
      all.add(row)
    }
    batches.push(sumOf(rows).sum)
  }
  return { digest: all.digest(), batches }
}

function rowsOf(
  link: CassandraLink,
  { table, columns, range, where, signal }: RemoveRequest,
): AsyncGenerator<RowBatch> {
  return cassandraScan(link, { table, columns, range, where, ordered: false, stamps: true }, BATCH, undefined, signal)
}

function sumOf(rows: readonly Row[]): Digest {
  const sum = new RowSum()
  for (const row of rows) sum.add(row)
  return sum.digest()
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

function refuseUnfit({ table, columns, counters }: CassandraShape): void {
  const where = tableText(table)
  if (counters) {
    throw new SluiceError('UNSUPPORTED_TYPE', `${where} has counters, which cannot be restored after their removal`, {
      where,
      reason: 'Cassandra ignores updates of a deleted counter, so a restored row would stay empty',
      hint: 'keep its rows, or copy them into a table of bigint columns and archive that one',
    })
  }
  const shared = [...columns.values()].filter(({ part }) => part === 'static').map(({ name }) => name)
  if (shared.length === 0) return
  throw new SluiceError(
    'UNSUPPORTED_TYPE',
    `rows of ${where} cannot be removed: it has static columns (${shared.join(', ')})`,
    {
      where,
      reason:
        'all rows of a partition share the static values: if only some rows were removed, the values could stay without a row, or the other rows could lose them',
      hint: 'archive the table without removing rows, or copy it into a table without static columns',
    },
  )
}
