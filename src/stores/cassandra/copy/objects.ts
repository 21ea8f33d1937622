/** Indexes and constraints, of which copies make none in Cassandra. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { SchemaObject } from '../../../model/copy/schema-object.ts'
import type { ObjectStore } from '../../copy-port.ts'
import { objectFailed } from '../../object-names.ts'

export class CassandraObjects implements ObjectStore {
  readonly words = 'cassandra'

  async list(table: TableSpec): Promise<readonly SchemaObject[]> {
    void table
    return []
  }

  scope(): 'schema' {
    return 'schema'
  }

  async taken(): Promise<ReadonlySet<string>> {
    return new Set()
  }

  fitted(object: SchemaObject): { readonly refused: string } {
    return { refused: `Cassandra has no ${object.kind} as other systems know it; make it by hand, in CQL` }
  }

  async build(object: SchemaObject, table: TableSpec): Promise<void> {
    throw objectFailed(object, `copies make none in Cassandra: ${tableText(table.table)}`)
  }
}
