/** One table in the schema of a D1 database. */

/** An index of whole columns, over all rows. */
export type UniqueIndex = {
  readonly origin: string
  readonly names: readonly string[]
  readonly collations: readonly string[]
}

export type D1ColumnInfo = {
  readonly name: string
  readonly native: string
  readonly notNull: boolean
  readonly initial: string | null
  /** Position in the primary key, from 1; 0 outside of it. */
  readonly primary: number
  readonly hidden: number
}

export type D1Shape = {
  readonly name: string
  readonly sql: string
  /** Name by which the rowid can be read; null if the table has none, or if columns have taken all of its names. */
  readonly rowid: string | null
  /** The column that is the rowid; null if there is none. */
  readonly alias: string | null
  readonly columns: readonly D1ColumnInfo[]
  readonly indexes: readonly UniqueIndex[]
}
