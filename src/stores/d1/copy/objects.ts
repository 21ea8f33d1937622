/** Indexes of a D1 database. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import { asObjectError } from '../../common/object-names.ts'
import { sqliteObjectStore } from '../../common/sqlite-dialect/object-list.ts'
import type { D1Client } from '../client.ts'
import { d1ListRows } from './read-rows.ts'
import { d1WriteError } from './statements.ts'

export function d1Objects(client: D1Client): ObjectStore {
  return sqliteObjectStore(d1ListRows(client), async (sql, object, table, signal) => {
    try {
      // Safe to send again after a lost answer: does nothing if the index exists.
      await client.read([{ sql, params: [] }], { signal })
    } catch (error) {
      throw asObjectError(error, object, (thrown) => d1WriteError(thrown, client, tableText(table.table)))
    }
  })
}
