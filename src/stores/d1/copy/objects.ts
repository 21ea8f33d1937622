/** Indexes of a D1 database. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { SchemaObject } from '../../../model/copy/schema-object.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import { asObjectError } from '../../common/object-names.ts'
import {
  createIndex,
  fittedObject,
  objectQueries,
  objectsIn,
  takenQuery,
} from '../../common/sqlite-dialect/object-list.ts'
import type { D1Client } from '../client.ts'
import { d1QueryRows } from './read-rows.ts'
import { d1WriteError } from './statements.ts'

export class D1Objects implements ObjectStore {
  readonly words = 'sqlite'
  readonly #client: D1Client

  constructor(client: D1Client) {
    this.#client = client
  }

  async list(table: TableSpec, signal: AbortSignal): Promise<readonly SchemaObject[]> {
    return objectsIn(table, await d1QueryRows(this.#client, objectQueries(table), signal))
  }

  scope(): 'schema' {
    return 'schema'
  }

  async taken(table: TableSpec, names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    const [rows = []] = await d1QueryRows(this.#client, [takenQuery(table, names)], signal)
    return new Set(rows.map(([name]) => String(name)))
  }

  fitted(object: SchemaObject): SchemaObject | { readonly refused: string } {
    return fittedObject(object)
  }

  /** Safe to send again after a lost answer: does nothing if the index exists. */
  async build(object: SchemaObject, table: TableSpec, _inUse: boolean, signal: AbortSignal): Promise<void> {
    try {
      await this.#client.read([{ sql: createIndex(object, table), params: [] }], { signal })
    } catch (error) {
      throw asObjectError(error, object, (thrown) => d1WriteError(thrown, this.#client, tableText(table.table)))
    }
  }
}
