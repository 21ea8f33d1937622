/** The name of a table, in any store. */
export type TableName = {
  /** Absent if the system has no schemas. */
  readonly schema?: string
  readonly name: string
}
