/** Lifecycle entry of a table in the config file. */
import type { Epoch } from '../../model/calendar/calendar.ts'
import type { CalendarOptions } from '../partition-coverage.ts'

/** Shell words for printed commands; without passwords. */
export type EntryWords = {
  /** Options of a command for the table besides its name: `--config sluice.yaml`, or `--from` and a URL. */
  readonly table: string
  /** As `table`, for a table that a cutover has moved to the second database. Default: `table`. */
  readonly moved?: string
  /** `--to` and the URL of the new database, for commands that need only that one. */
  readonly into: string
  /** Options of a command for a stream besides its id: `--from` and `--to`. */
  readonly stream: string
  /** As `stream`, for a reverse stream between two databases. Default: `stream`. */
  readonly back?: string
  /** `--from` and `--to` with all databases of the table; `--from` names the one that has it now. Default: `stream`. */
  readonly here?: string
}

export type LifecycleEntry = {
  /** Name of the table, as in `--table`. */
  readonly table: string
  /** Index of the table's database among the databases of the operation. */
  readonly from: number
  /** Index of the database of the partitioned table, if it is another one. */
  readonly to?: number
  /** Time column of the partitioning; if absent, the table is not to be partitioned. */
  readonly by?: string
  readonly calendar: CalendarOptions
  /** Unit of an integer time column `by`, counted from 1970; set if bounds and ledger do not determine it. */
  readonly epoch?: Epoch
  /** Required whole periods after the current one. */
  readonly ahead: number
  /** Age such as `8q`: periods older than this are due for the archive. */
  readonly olderThan?: string
  /** How long the old table is kept after a cutover, ms. */
  readonly oldTableGraceMs: number
  /** Folder or bucket of archives. */
  readonly archive?: string
  readonly words: EntryWords
}
