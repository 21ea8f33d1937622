/**
 * What differs between the databases a catalog can live in. Statements with `?` placeholders that all of them understand stand with
 * their callers; only what really differs is here, one object a dialect.
 */

export type Migration = {
  readonly version: number
  readonly name: string
  readonly sql: string
  readonly breaking: boolean
}
export type IndexDefinition = { readonly name: string; readonly sql: string }

export type CatalogDialect = {
  readonly migrations: readonly Migration[]
  /** Indexes of delta_files, which a first load builds last. */
  readonly fileIndexes: readonly IndexDefinition[]
  /** Names of the indexes and tables that exist, one column. */
  readonly objectNames: string
  /** Statements that refresh the planner's statistics after a bulk load. */
  readonly analyze: string
  /** Names of foreign objects (tables, views, triggers) that refer to the catalog's relations, one column. */
  readonly dependents: string
  /** SQL expression: the JSON token at `path` of the JSON text in `column`, as text; NULL where there is none. */
  jsonText(column: string, path: readonly string[]): string
}
