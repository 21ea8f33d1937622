/** Several queries of a D1 database in one request. */
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { SqliteListQuery } from '../../common/sqlite-dialect/object-list.ts'
import type { D1Client } from '../client.ts'
import { d1Error } from '../errors.ts'

/** Rows of each query, in their order. @throws SluiceError of the service */
export async function d1QueryRows(
  client: D1Client,
  queries: readonly SqliteListQuery[],
  signal: AbortSignal,
): Promise<readonly (readonly SqlRow[])[]> {
  try {
    const results = await client.read(
      queries.map(({ sql, parameters }) => ({ sql, params: parameters })),
      { signal },
    )
    return results.map(({ rows }) => rows as readonly SqlRow[])
  } catch (error) {
    throw d1Error(error, client.settings)
  }
}
