/** The sum that the source makes of a partition, no faster than a rate allows. */
import type { Digest } from '../../model/copy/rows.ts'
import type { RowRequest, SourceView } from '../../model/copy/port.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { added, NO_ROWS } from '../../model/copy/row-hash.ts'
import type { ArchiveContext } from './context.ts'

/** Rows that are added up at once: about a second of a rate that anybody sets. */
const ROWS = 50_000

/**
 * Without a rate it is one statement, which the system may work on with several processes. With one, a partition that is a table is added up by ranges of its
 * blocks, which no row of one view is in two of. A part of a plain table is one statement all the same: nothing cuts it without reading the rest again and again.
 * @throws as `SourceView.digest`
 */
export async function pacedDigest(
  { pace }: Pick<ArchiveContext, 'pace'>,
  { native }: Pick<ArchivedPartition, 'native'>,
  view: SourceView,
  request: RowRequest,
  signal: AbortSignal,
): Promise<Digest> {
  if (pace === null || native === null) return view.digest(request, signal)
  const { table } = request
  const bytesOfRow = table.rows === 0n ? 0 : Number(table.bytes) / Number(table.rows)
  let sum = NO_ROWS
  for await (const range of view.cut(table, { by: 'block', from: 0n, to: null }, null, ROWS, signal)) {
    const part = await view.digest({ ...request, range }, signal)
    await pace(Number(part.rows) * bytesOfRow, signal)
    sum = added(sum, part)
  }
  return sum
}
