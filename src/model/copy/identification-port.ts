/** What distinguishes a database and its tables from others. */

/** Distinguishes a table from a replacement with the same name, alone or together with its rows. */
export type TableMark = {
  /** Differs for another table. */
  readonly text: string
  /** True if it stays as long as the table exists; otherwise it also changes when the table is altered. */
  readonly lasting: boolean
}

/**
 * Facts that distinguish a database from a copy of it, by names such as `system` and `timeline`. A fact that the server
 * does not report is absent.
 */
export type Origin = Readonly<Record<string, string>>
