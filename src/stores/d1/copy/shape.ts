/** What the schema of a D1 database says of one table. */

/** An index of whole columns, over all rows. */
export type UniqueIndex = {
  readonly origin: string
  readonly names: readonly string[]
  readonly collations: readonly string[]
}

export type ColumnInfo = {
  readonly name: string
  readonly native: string
  readonly notNull: boolean
  readonly initial: string | null
  /** Place in the primary key, from 1; 0 outside of it. */
  readonly primary: number
  readonly hidden: number
}

export type Shape = {
  readonly name: string
  readonly sql: string
  /** By which name the number of a row can be read; null where a table has none, or columns took all of its names. */
  readonly rowid: string | null
  /** The column that is this number; null where no column is. */
  readonly alias: string | null
  readonly columns: readonly ColumnInfo[]
  readonly indexes: readonly UniqueIndex[]
}
