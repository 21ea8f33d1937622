/**
 * What differs between the databases a catalog can live in. Statements with `?` placeholders that all of them understand stand with
 * their callers; only what really differs is here, one object a dialect.
 */
import type { SqlDatabase, SqlReader } from '../model/run/sql-port.ts'
import type { Rights } from './access-level.ts'
import type { GrantPlan, GrantWish } from './grant-plan.ts'

export type Migration = {
  readonly version: number
  readonly name: string
  /** `${binary}` in it stands for the collation that compares bytes, where servers of one dialect call it differently. */
  readonly sql: string
  readonly breaking: boolean
  /** Query for the objects of others, one column, without which it can run; asked before it. */
  readonly blockers?: string
  /** Query that gives a row where its statements have run already, and cannot run again. */
  readonly done?: string
}
export type IndexDefinition = { readonly name: string; readonly sql: string; readonly drop: string }

/**
 * Where rows of delta_files go and when their indexes are built. `shared`: one table for all, whose indexes a first load into an empty
 * catalog builds last. `partitions`: a large table loads into a partition of its own, which is indexed afterwards.
 */
export type FileStorage =
  | { readonly kind: 'shared'; readonly indexes: readonly IndexDefinition[] }
  | {
      readonly kind: 'partitions'
      /** A table with fewer rows than this stays with the others: partitions cost every plan. */
      readonly fromRows: number
      /** Makes the partition of a table; its parameter is the table id. Does nothing where there is one. */
      readonly add: string
      /** Builds what indexes the partition of a table lacks; its parameter is the table id. */
      readonly index: string
      /** The same for every table that is not being imported. */
      readonly indexAll: string
    }

/** Relations of a catalog, as its migrations make them. */
export type RelationNames = {
  /** Tables whose rows an import writes. */
  readonly tables: readonly string[]
  readonly views: readonly string[]
}

export type CatalogDialect = {
  readonly migrations: readonly Migration[]
  /** False where DDL commits by itself: a migration is then written so that it can run again from its start. */
  readonly transactionalDdl: boolean
  /** Whether file and partition numbers are unique in the database or within their table. */
  readonly numbering: 'database' | 'table'
  readonly files: FileStorage
  /** Names of the indexes, tables and views that exist, one column. */
  readonly objectNames: string
  /** What follows CREATE TABLE, where a database would choose a character set that cannot hold every text; `${binary}` as in migrations. */
  readonly tableEnd?: string
  /** Statements that refresh the planner's statistics after a bulk load. */
  readonly analyze: string
  /** Names of foreign objects (tables, views, triggers) that refer to the catalog's relations, one column. */
  readonly dependents: string
  /** SQL expression: the JSON token at `path` of the JSON text in `column`, as text; NULL where there is none. */
  jsonText(column: string, path: readonly string[]): string
  /** A time, ms since the epoch, as columns of `migration_status` take it, where that is not ISO 8601 text. */
  timeText?(ms: number): string
  /** The least rights that a login needs, as statements; of systems with logins. @throws SluiceError BAD_FLAG, NOT_A_CATALOG */
  grants?(reader: SqlReader, wish: GrantWish, names: RelationNames): Promise<GrantPlan>
  /** What the login of a connection may do, asked of the server and never tried; of systems with logins. */
  rights?(reader: SqlReader, names: RelationNames): Promise<Rights>
  /** What `${binary}` stands for on this server. */
  binaryCollation?(database: SqlDatabase): string
}
