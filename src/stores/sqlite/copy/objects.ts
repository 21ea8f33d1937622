import type Database from 'better-sqlite3'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { SchemaObject } from '../../../model/copy/schema-object.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import { objectFailed } from '../../common/object-names.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { Turn } from '../../../model/run/turn.ts'
import { beginWrite, rollBack } from './connection.ts'
import { sqliteCopyError, type SqliteCopySide } from './errors.ts'
import {
  createIndex,
  fittedObject,
  objectQueries,
  objectsIn,
  takenQuery,
  type SqliteListQuery,
} from '../../common/sqlite-dialect/object-list.ts'

export type ObjectParts = {
  readonly reader: () => Database.Database
  readonly writer: () => Database.Database
  readonly turn: Turn
  readonly label: string
  readonly side: SqliteCopySide
}

export class SqliteObjects implements ObjectStore {
  readonly words = 'sqlite'
  readonly #parts: ObjectParts

  constructor(parts: ObjectParts) {
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
    const { turn, writer, label } = this.#parts
    const sql = createIndex(object, table)
    await turn.take(async () => {
      throwIfAborted(signal)
      try {
        const connection = writer()
        await beginWrite(connection, signal)
        try {
          connection.exec(sql)
          connection.exec('COMMIT')
        } finally {
          rollBack(connection)
        }
      } catch (error) {
        const { code } = error as { readonly code?: unknown }
        if (typeof code === 'string' && /^SQLITE_(?:CONSTRAINT|ERROR)/.test(code)) {
          throw objectFailed(object, (error as Error).message, { where: `${label}, ${table.table.name}`, cause: error })
        }
        throw sqliteCopyError(error, label, 'target')
      }
    })
  }

  #ask({ sql, parameters }: SqliteListQuery): readonly SqlRow[] {
    const { reader, label, side } = this.#parts
    try {
      return reader()
        .prepare(sql)
        .raw(true)
        .all(...parameters) as readonly SqlRow[]
    } catch (error) {
      throw sqliteCopyError(error, label, side)
    }
  }
}
