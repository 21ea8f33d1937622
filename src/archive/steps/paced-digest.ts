/** Computes the digest of a partition in the source, within a rate limit. */
import type { Digest } from '../../model/copy/rows.ts'
import type { RowRequest, SourceView } from '../../model/copy/source-port.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { addDigests, NO_ROWS } from '../../model/copy/row-hash.ts'
import type { ArchiveContext } from './context.ts'

/** Rows per range: about a second at usual rates. */
const ROWS = 50_000

/**
 * Without a rate, one statement is run, possibly in parallel by the system. With a rate, a native partition is digested
 * by ranges of blocks; within one snapshot no row is in two ranges. A period of a plain table is always one statement:
 * ranges of a period would each scan the table.
 * @throws as `SourceView.digest`
 */
export async function pacedDigest(
  { pace }: Pick<ArchiveContext, 'pace'>,
  { native }: Pick<ArchivedPartition, 'native'>,
  view: SourceView,
  request: RowRequest,
  signal: AbortSignal,
): Promise<Digest> {
  if (!pace.isLimited || native === null) return view.digest(request, signal)
  const { table } = request
  const bytesOfRow = table.rows === 0n ? 0 : Number(table.bytes) / Number(table.rows)
  let sum = NO_ROWS
  for await (const range of view.cut(table, { by: 'block', from: 0n, to: null }, null, ROWS, signal)) {
    const part = await view.digest({ ...request, range }, signal)
    await pace.take(Number(part.rows) * bytesOfRow, signal)
    sum = addDigests(sum, part)
  }
  return sum
}
