/**
 * Differences between the databases that can hold a catalog. Statements with `?` placeholders that all databases accept
 * are in the code that runs them. A dialect contains only the differences.
 */
import type { SqlDatabase, SqlReader } from '../model/run/sql-port.ts'
import type { CatalogRights } from './access-level.ts'
import type { GrantPlan, GrantOptions } from './grant-plan.ts'

export type Migration = {
  readonly version: number
  readonly name: string
  /** `${binary}` in the SQL is replaced by the binary collation, whose name differs between servers of one dialect. */
  readonly sql: string
  readonly breaking: boolean
  /** Query for foreign objects that prevent the migration, one column; run before it. */
  readonly blockers?: string
  /** Query that returns a row if the statements have already run and cannot run again. */
  readonly done?: string
}
export type IndexDefinition = { readonly name: string; readonly sql: string; readonly drop: string }

/**
 * Storage of delta_files rows, and when their indexes are built. `shared`: one table for all, whose indexes are built
 * after the first load into an empty catalog. `partitions`: a large table is loaded into its own partition, which is
 * indexed after the load.
 */
export type FileStorage =
  | { readonly kind: 'shared'; readonly indexes: readonly IndexDefinition[] }
  | {
      readonly kind: 'partitions'
      /** Tables with fewer rows share one partition, because partitions slow down all plans. */
      readonly fromRows: number
      /** Creates the partition of a table, unless it exists; its parameter is the table id. */
      readonly add: string
      /** Builds the missing indexes of a table's partition; its parameter is the table id. */
      readonly index: string
      /** Builds the missing indexes of every table that is not being imported. */
      readonly indexAll: string
    }

/** Relations of a catalog, as created by its migrations. */
export type RelationNames = {
  /** Tables that an import writes. */
  readonly tables: readonly string[]
  readonly views: readonly string[]
}

export type CatalogDialect = {
  readonly migrations: readonly Migration[]
  /** False if DDL commits implicitly: migrations must then be repeatable from their start. */
  readonly transactionalDdl: boolean
  /** File and partition numbers are unique in the database, or within their table. */
  readonly numbering: 'database' | 'table'
  readonly files: FileStorage
  /** Query for the names of existing indexes, tables and views, one column. */
  readonly objectNames: string
  /** Suffix of CREATE TABLE if the default character set cannot hold every text; `${binary}` as in migrations. */
  readonly tableEnd?: string
  /** Statements that refresh the planner's statistics after a bulk load. */
  readonly analyze: string
  /** Query for names of foreign objects (tables, views, triggers) that refer to the catalog's relations, one column. */
  readonly dependents: string
  /** SQL expression: the JSON token at `path` of the JSON text in `column`, as text; NULL if absent. */
  jsonText(column: string, path: readonly string[]): string
  /** Text of a time (ms since the epoch) for columns of `migration_status`; absent if they accept ISO 8601. */
  timeText?(ms: number): string
  /**
   * Statements that grant only the required rights; only for systems with logins.
   * @throws SluiceError BAD_FLAG, NOT_A_CATALOG
   */
  grants?(reader: SqlReader, options: GrantOptions, names: RelationNames): Promise<GrantPlan>
  /** Rights of the connection's login, read from the server without test writes; only for systems with logins. */
  rights?(reader: SqlReader, names: RelationNames): Promise<CatalogRights>
  /** Replacement of `${binary}` on this server. */
  binaryCollation?(database: SqlDatabase): string
}
