/** One table in the schema of a D1 database. */

import type { SqliteColumnInfo, UniqueIndex } from '../../common/sqlite-dialect/table-facts.ts'

export type D1Shape = {
  readonly name: string
  readonly sql: string
  /** True for a STRICT table, in which `ANY` keeps each value as it is. */
  readonly strict: boolean
  /** Name by which the rowid can be read; null if the table has none, or if columns have taken all of its names. */
  readonly rowid: string | null
  /** The column that is the rowid; null if there is none. */
  readonly alias: string | null
  readonly columns: readonly SqliteColumnInfo[]
  readonly indexes: readonly UniqueIndex[]
}
