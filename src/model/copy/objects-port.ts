import type { TableSpec } from './column-type.ts'
import type { ForeignKey, SchemaObject } from './schema-object.ts'

/** Lists indexes, constraints and defaults of tables, and creates them. */
export interface ObjectStore {
  /** Dialect of definitions: equal for systems that accept each other's definitions. */
  readonly words: string
  /** All objects of each table, primary key included, in the order of `tables`; none of a table that does not exist. */
  list(tables: readonly TableSpec[], signal: AbortSignal): Promise<readonly (readonly SchemaObject[])[]>
  /** Scope within which the names of such objects must be unique. */
  scope(object: SchemaObject): 'table' | 'schema'
  /** Returns the names that already belong to objects outside of the table. */
  usedNames(table: TableSpec, names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>>
  /** The object as this store would list it after creation, or why it cannot create it, as text. */
  adapted(object: SchemaObject, table: TableSpec): SchemaObject | { readonly refused: string }
  /** SQL to create a foreign key after a stream has ended; only in systems where sessions of a stream may check it. */
  foreignKeySql?(object: ForeignKey, table: TableSpec): string
  /**
   * Creates an object unless an object with its name exists; rebuilds one that an interrupted build left. Idempotent.
   * @param inUse true if other sessions may write to the table: they are blocked as little as possible
   * @throws SluiceError OBJECTS_FAILED if rows or the definition prevent it
   */
  build(object: SchemaObject, table: TableSpec, inUse: boolean, signal: AbortSignal): Promise<void>
}
