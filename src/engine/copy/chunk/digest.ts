/** Digest of a source range: the store computes it, or sluice row by row where only sluice can convert the values. */
import { isCut } from '../../../model/copy/column-type.ts'
import { RowChecksum } from '../../../model/copy/row-hash.ts'
import type { Digest } from '../../../model/copy/rows.ts'
import type { BatchSize, RowRequest, SourceView } from '../../../model/copy/source-port.ts'

const BATCH: BatchSize = { rows: 5000, bytes: 8 * 1024 * 1024 }

export async function viewDigest(view: SourceView, request: RowRequest, signal: AbortSignal): Promise<Digest> {
  if (!request.columns.some(({ as }) => isCut(as))) return view.digest(request, signal)
  const sum = new RowChecksum()
  for await (const { rows } of view.read(request, BATCH, signal)) for (const row of rows) sum.add(row)
  return sum.digest()
}
