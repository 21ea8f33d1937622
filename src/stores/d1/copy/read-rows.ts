/** Several queries of a D1 database in one request. */
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { ListRows } from '../../common/sqlite-dialect/object-list.ts'
import type { D1Client } from '../client.ts'
import { d1Error } from '../errors.ts'

/** Runs queries and returns the rows of each, in order. @throws SluiceError of the service */
export function d1ListRows(client: D1Client): ListRows {
  return async (queries, signal) => {
    try {
      const statements = queries.map(({ sql, parameters }) => ({ sql, params: parameters }))
      const results = await client.read(statements, { signal })
      return results.map(({ rows }) => rows as readonly SqlRow[])
    } catch (error) {
      throw d1Error(error, client.settings)
    }
  }
}
