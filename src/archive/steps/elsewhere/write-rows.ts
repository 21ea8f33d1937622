/** Copies archived rows into another table and proves them in the same transaction; the archive does not change. */
import { tableText } from '../../../model/copy/column-type.ts'
import { addDigests, NO_ROWS, RowChecksum } from '../../../model/copy/row-hash.ts'
import type { Range } from '../../../model/copy/range.ts'
import { equalDigests, type Digest, type Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChunkWriter } from '../../../model/copy/target-port.ts'
import type { Closing } from '../../../model/run/ledger-port.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import { withWriter } from '../../../stores/common/with-writer.ts'
import { progress, type ArchiveContext } from '../context.ts'
import { inOtherTable } from '../refused-row.ts'
import { findEqualKeys, equalKeysText } from '../equal-keys.ts'
import { RESTORE_ROWS, compareDestination, type Destination, type DestinationState } from './destination.ts'
import { partRows, type RestoredPart } from './part.ts'

/**
 * Writes no ledger. If the reply to a commit is lost, the rows are read to find out whether the transaction was
 * committed.
 */
const NOTHING: Closing = {
  statements: [],
  guard: { sql: 'SELECT 1', parameters: [] },
  landed: { sql: 'SELECT 1 WHERE 1 = 0', parameters: [] },
}

/** Digest of the rows of all parts in the target table. `hadRows`: true if the table had the rows before. */
export type RestoredDigest = { readonly digest: Digest; readonly hadRows: boolean }

/**
 * Writes all rows of all parts, or none.
 * @param into an existing table
 * @throws SluiceError TARGET_NOT_EMPTY, PROOF_FAILED, ROW_REFUSED, VALUE_REFUSED; as `compareDestination`: then nothing
 * is changed
 */
export async function writeToOther(
  context: ArchiveContext,
  parts: readonly RestoredPart[],
  into: Destination,
): Promise<RestoredDigest> {
  const before = await compareDestination(context, parts, into)
  if (before.kind === 'there') return { digest: before.digest, hadRows: true }
  try {
    return { digest: await inOtherTable(written(context, parts, into, before)), hadRows: false }
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown
    if (!LOST.has(thrown.code)) throw (await keysAlike(context, parts, into, thrown)) ?? thrown
    const now = await compareDestination(context, parts, into)
    if (now.kind !== 'there') throw thrown
    return { digest: now.digest, hadRows: false }
  }
}

/** Error if the target refused rows because its key treats two of them as equal; null for another or unknown cause. */
async function keysAlike(
  context: ArchiveContext,
  parts: readonly RestoredPart[],
  { store, table, columns, rowOf }: Destination,
  cause: SluiceError,
): Promise<SluiceError | null> {
  if (cause.code !== 'ROW_REFUSED' && cause.code !== 'TARGET_NOT_EMPTY') return null
  async function* rows(): AsyncGenerator<readonly Row[]> {
    for (const part of parts) {
      const row = rowOf(part.partition)
      for await (const some of partRows(context, part, RESTORE_ROWS)) yield some.map(row)
    }
  }
  const found = await findEqualKeys(rows(), { target: store.target(), table, columns, signal: context.interrupt.abort })
  if (found === null) return null
  return new SluiceError(
    'ROW_REFUSED',
    `${tableText(table.table)} cannot store all of these rows: ${equalKeysText(found)}`,
    {
      where: store.label,
      reason: 'both rows had different keys when they were archived; nothing was changed',
      hint: 'create a table whose key distinguishes these texts by another collation, and name it with --into',
      cause,
    },
  )
}

/** Errors after which it is unknown whether the transaction was committed. */
const LOST: ReadonlySet<string> = new Set(['CONNECTION_LOST', 'COMMIT_UNKNOWN'])

async function written(
  context: ArchiveContext,
  parts: readonly RestoredPart[],
  into: Destination,
  before: Exclude<DestinationState, { kind: 'there' }>,
): Promise<Digest> {
  const { table, columns, store } = into
  const kept: readonly WriteColumn[] = columns
  // A small number of rows is selected by keys; otherwise the digest of the whole table is computed before and after.
  const keys = before.kind === 'free' ? before.keys : null
  const range: Range = keys === null ? { by: 'all' } : { by: 'keys', keys }
  const isEmpty = before.kind === 'empty'
  return await withWriter(
    store.target(),
    {
      table,
      columns: kept,
      range,
      onExisting: isEmpty ? 'refuse' : 'append',
      careful: false,
      cursor: null,
      signal: context.interrupt.abort,
    },
    async (writer) => {
      if (isEmpty && (await writer.hasRows())) throw changedError(into)
      const first = isEmpty ? NO_ROWS : await writer.digest({ scheme: 'canonical' })
      const sum = await write(context, parts, into, writer)
      const last = await writer.digest({ scheme: 'canonical' })
      if (!equalDigests(last, addDigests(first, sum))) throw otherRows(into, sum.rows, last.rows - first.rows)
      if ((await writer.commit(NOTHING)) === 'fenced') throw changedError(into)
      return sum
    },
  )
}

async function write(
  context: ArchiveContext,
  parts: readonly RestoredPart[],
  into: Destination,
  writer: ChunkWriter,
): Promise<Digest> {
  const sum = new RowChecksum()
  for (const part of parts) {
    const row = into.rowOf(part.partition)
    const report = progress(context, part.partition, 'restoring', part.expect.rows)
    let seen = 0n
    for await (const some of partRows(context, part, RESTORE_ROWS)) {
      const rows = some.map(row)
      for (const one of rows) sum.add(one)
      const wrote = await writer.write(rows)
      if (wrote !== rows.length) throw missingRowsError(into, rows.length, wrote)
      seen += BigInt(rows.length)
      report(seen, 0n)
    }
    report(seen, 0n, true)
  }
  return sum.digest()
}

function changedError({ store, table }: Destination): SluiceError {
  return new SluiceError('TARGET_NOT_EMPTY', `another program wrote to ${tableText(table.table)} during the restore`, {
    where: store.label,
    reason: 'the table now has rows with the same keys, or is no longer empty; nothing was changed',
    hint: 'run the same command to check again',
    retryable: true,
  })
}

function missingRowsError({ store, table }: Destination, given: number, wrote: number): SluiceError {
  return new SluiceError('TARGET_NOT_EMPTY', `${tableText(table.table)} accepted ${wrote} of ${given} rows`, {
    where: store.label,
    reason:
      'a trigger or rule of the table drops rows, or another program wrote rows with the same keys; nothing was changed',
    hint: 'run the same command to check again; or name a new table with --into, and it is created',
    retryable: true,
  })
}

function otherRows({ store, table }: Destination, wanted: bigint, found: bigint): SluiceError {
  return new SluiceError(
    'PROOF_FAILED',
    wanted === found
      ? `the ${wanted} rows in ${tableText(table.table)} do not have the checksum of the written rows`
      : `${tableText(table.table)} has ${found} more rows than before, but ${wanted} were written`,
    {
      where: store.label,
      reason:
        'a trigger or rule of the table changes rows, its columns store values differently, or another program wrote meanwhile; nothing was changed',
      hint: 'name a new table with --into, and it is created',
    },
  )
}
