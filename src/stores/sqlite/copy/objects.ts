import type Database from 'better-sqlite3'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { SchemaObject } from '../../../model/copy/schema-object.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import { objectFailed } from '../../common/object-names.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { sqliteCode } from '../errors.ts'
import { rowsOf } from '../reader.ts'
import { writtenInTurn, type SqliteParts } from './connection.ts'
import { sqliteCopyError } from './errors.ts'
import {
  createIndex,
  fittedObject,
  objectQueries,
  objectsIn,
  takenQuery,
  type SqliteListQuery,
} from '../../common/sqlite-dialect/object-list.ts'

export class SqliteObjects implements ObjectStore {
  readonly words = 'sqlite'
  readonly #parts: SqliteParts

  constructor(parts: SqliteParts) {
    this.#parts = parts
  }

  async list(table: TableSpec, signal: AbortSignal): Promise<readonly SchemaObject[]> {
    throwIfAborted(signal)
    return objectsIn(
      table,
      objectQueries(table).map((query) => this.#ask(query)),
    )
  }

  scope(): 'schema' {
    return 'schema'
  }

  async taken(table: TableSpec, names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    throwIfAborted(signal)
    return new Set(this.#ask(takenQuery(table, names)).map(([name]) => String(name)))
  }

  fitted(object: SchemaObject): SchemaObject | { readonly refused: string } {
    return fittedObject(object)
  }

  async build(object: SchemaObject, table: TableSpec, _inUse: boolean, signal: AbortSignal): Promise<void> {
    const sql = createIndex(object, table)
    const build = (connection: Database.Database): void => {
      try {
        connection.exec(sql)
      } catch (error) {
        if (!/^SQLITE_(?:CONSTRAINT|ERROR)/.test(sqliteCode(error))) throw error
        const where = `${this.#parts.label}, ${table.table.name}`
        throw objectFailed(object, (error as Error).message, { where, cause: error })
      }
    }
    await writtenInTurn(this.#parts, build, signal)
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
