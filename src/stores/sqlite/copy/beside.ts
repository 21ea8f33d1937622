/** Dependencies, sequences and generated columns of tables of a database file. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { LeftBehind } from '../../../model/copy/left-behind.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { DependencyStore, LeftScope } from '../../../model/copy/beside-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import {
  detailedTable,
  detailQueries,
  leftIn,
  leftQueries,
  positionQuery,
  sequenceIn,
} from '../../common/sqlite-dialect/beside-list.ts'
import { rowsOf } from '../reader.ts'
import type { SqliteParts } from './connection.ts'
import { sqliteCopyError } from './errors.ts'
import type { SqliteListQuery } from '../../common/sqlite-dialect/object-list.ts'

export class SqliteDependencies implements DependencyStore {
  readonly #parts: SqliteParts

  constructor(parts: SqliteParts) {
    this.#parts = parts
  }

  async left(scope: LeftScope, signal: AbortSignal): Promise<readonly LeftBehind[]> {
    throwIfAborted(signal)
    return leftIn(
      scope,
      leftQueries(scope).map((query) => this.#ask(query)),
    )
  }

  async sequences(table: TableSpec, signal: AbortSignal): Promise<readonly ColumnSequence[]> {
    throwIfAborted(signal)
    const [created = [], counters = []] = detailQueries(table).map((query) => this.#ask(query))
    const last = counters.length === 0 ? null : this.#ask(positionQuery(table))[0]?.[0]
    return sequenceIn(table, String(created[0]?.[0] ?? ''), last == null ? null : String(last))
  }

  async detailed(table: TableSpec, signal: AbortSignal): Promise<TableSpec> {
    throwIfAborted(signal)
    const [created = []] = detailQueries(table).map((query) => this.#ask(query))
    return detailedTable(table, String(created[0]?.[0] ?? ''))
  }

  #ask({ sql, parameters }: SqliteListQuery): readonly SqlRow[] {
    const { reader, label, side } = this.#parts
    try {
      return rowsOf(reader(), sql, parameters)
    } catch (error) {
      throw sqliteCopyError(error, label, side)
    }
  }
}
