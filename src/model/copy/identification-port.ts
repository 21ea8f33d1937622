/** Facts that identify a database and its tables. */
import type { TableName } from './column-type.ts'

/** Distinguishes a table from a replacement with the same name. */
export type TableMark = {
  /** Differs from the text of every other table. */
  readonly text: string
  /** True if `text` stays the same as long as the table exists; otherwise it also changes when the table is altered. */
  readonly lasting: boolean
}

/**
 * Facts that distinguish a database from a copy of it, by names such as `system` and `timeline`. A fact that the server
 * does not report is absent.
 */
export type Origin = Readonly<Record<string, string>>

export interface Identification {
  /** Returns facts that distinguish this database from a copy. @throws SluiceError CONNECTION_LOST … */
  origin(signal: AbortSignal): Promise<Origin>
  /**
   * Start time of the server, which differs on a copy of the whole server. Equal texts mean the same start. The text is
   * `~` and seconds since the epoch if the server reports only an uptime.
   * @returns null if the system or the server does not report it
   */
  started(signal: AbortSignal): Promise<string | null>
  /** Identifies a table without reading its rows; null if the table does not exist. */
  mark(table: TableName, signal: AbortSignal): Promise<TableMark | null>
}
