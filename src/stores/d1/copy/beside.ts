/** Dependencies of D1 tables besides rows, keys and indexes. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { LeftBehind } from '../../../model/copy/left-behind.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import type { DependencyStore, LeftScope } from '../../../model/copy/beside-port.ts'
import {
  detailedTable,
  detailQueries,
  leftIn,
  leftQueries,
  positionQuery,
  sequenceIn,
} from '../../common/sqlite-dialect/beside-list.ts'
import type { D1Client } from '../client.ts'
import { d1QueryRows } from './read-rows.ts'

export class D1Dependencies implements DependencyStore {
  readonly #client: D1Client

  constructor(client: D1Client) {
    this.#client = client
  }

  async left(scope: LeftScope, signal: AbortSignal): Promise<readonly LeftBehind[]> {
    if (scope.tables.length === 0 && !scope.all) return []
    return leftIn(scope, await d1QueryRows(this.#client, leftQueries(scope), signal))
  }

  async sequences(table: TableSpec, signal: AbortSignal): Promise<readonly ColumnSequence[]> {
    const [created = [], counters = []] = await d1QueryRows(this.#client, detailQueries(table), signal)
    const sql = String(created[0]?.[0] ?? '')
    if (counters.length === 0) return sequenceIn(table, sql, null)
    const [[[last] = []] = []] = await d1QueryRows(this.#client, [positionQuery(table)], signal)
    return sequenceIn(table, sql, last == null ? null : String(last))
  }

  async detailed(table: TableSpec, signal: AbortSignal): Promise<TableSpec> {
    const [created = []] = await d1QueryRows(this.#client, detailQueries(table), signal)
    return detailedTable(table, String(created[0]?.[0] ?? ''))
  }
}
