/** What tables of a D1 database have beside rows, keys and indexes. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { LeftBehind } from '../../../model/copy/left-behind.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import type { BesideStore, LeftScope } from '../../beside-port.ts'
import type { SqlRow } from '../../port.ts'
import {
  detailedTable,
  detailQueries,
  leftIn,
  leftQueries,
  positionQuery,
  sequenceIn,
} from '../../sqlite/copy/beside-list.ts'
import type { Query } from '../../sqlite/copy/object-list.ts'
import type { D1Client } from '../client.ts'
import { d1Error } from '../errors.ts'

export class D1Beside implements BesideStore {
  readonly #client: D1Client

  constructor(client: D1Client) {
    this.#client = client
  }

  async left(scope: LeftScope, signal: AbortSignal): Promise<readonly LeftBehind[]> {
    if (scope.tables.length === 0 && !scope.all) return []
    return leftIn(scope, await this.#ask(leftQueries(scope), signal))
  }

  async sequences(table: TableSpec, signal: AbortSignal): Promise<readonly ColumnSequence[]> {
    const [created = [], counters = []] = await this.#ask(detailQueries(table), signal)
    const sql = String(created[0]?.[0] ?? '')
    if (counters.length === 0) return sequenceIn(table, sql, null)
    const [[[last] = []] = []] = await this.#ask([positionQuery(table)], signal)
    return sequenceIn(table, sql, last == null ? null : String(last))
  }

  async detailed(table: TableSpec, signal: AbortSignal): Promise<TableSpec> {
    const [created = []] = await this.#ask(detailQueries(table), signal)
    return detailedTable(table, String(created[0]?.[0] ?? ''))
  }

  async #ask(queries: readonly Query[], signal: AbortSignal): Promise<readonly (readonly SqlRow[])[]> {
    try {
      const results = await this.#client.read(
        queries.map(({ sql, parameters }) => ({ sql, params: parameters })),
        { signal },
      )
      return results.map(({ rows }) => rows as readonly SqlRow[])
    } catch (error) {
      throw d1Error(error, this.#client.settings)
    }
  }
}
