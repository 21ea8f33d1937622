/** What the target computes in a table without a key, compared as a whole: its chunks are no ranges of the target. */
import { equalDigests, type Digest } from '../../../model/copy/rows.ts'
import { refuseOtherValues } from '../chunk/computed.ts'
import { comparedColumns, lookAt, readColumns, writeColumns, type TableContext } from './context.ts'

/**
 * @param copied rows and sum of all chunks, without what the target computes
 * @returns a note where the source does not hold the rows any more that were copied
 * @throws SluiceError PROOF_FAILED
 */
export async function proveComputed(context: TableContext, copied: Digest): Promise<readonly string[]> {
  const { plan } = context
  const read = await rowsWithComputed(context, copied)
  if (read === null) {
    const names = (plan.checked ?? []).map(({ to }) => to).join(', ')
    return [
      `generated columns (${names}) were not compared: earlier runs copied rows that the source has changed since; --restart copies and compares all of it`,
    ]
  }
  const columns = writeColumns({ columns: comparedColumns(plan) })
  const request = { scheme: 'canonical', columns } as const
  refuseOtherValues(plan, read, await lookAt(context, { by: 'all' }, (writer) => writer.digest(request)))
  return []
}

/** Of chunks of other runs only the rows that were written have a sum: the source is read once more. Null where it holds other rows by now. */
async function rowsWithComputed(
  { plan, views, computedRows, signal }: TableContext,
  copied: Digest,
): Promise<Digest | null> {
  const own = computedRows.digest()
  if (own.rows === copied.rows) return own
  const { source: table, where = null } = plan
  const request = { table, range: { by: 'all' }, where, ordered: false } as const
  return await views.ask(async (view) => {
    const now = await view.digest({ ...request, columns: readColumns(plan) }, signal)
    if (!equalDigests(now, copied)) return null
    return await view.digest({ ...request, columns: readColumns({ columns: comparedColumns(plan) }) }, signal)
  })
}
