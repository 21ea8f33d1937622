/** What is wanted of a table, as the config file says it. */
import type { Epoch } from '../../model/calendar/calendar.ts'
import type { CalendarWish } from '../standing.ts'

/** Words of a shell, so that a command runs as it is printed and holds no password. */
export type EntryWords = {
  /** What a command about the table needs beside its name: `--config sluice.yaml`, or `--from` and a URL. */
  readonly table: string
  /** The same once the table has its public name in the second database. That of `table` when absent. */
  readonly moved?: string
  /** What a command needs that takes this database as the one that tables have moved to: `--to`. */
  readonly into: string
  /** What a command about a stream needs beside its number: `--from` and `--to`. */
  readonly stream: string
  /** The same of a stream that goes the other way, between two databases. Those of `stream` when absent. */
  readonly back?: string
  /** Databases of whatever is about the table, `--from` the one that it stands in now. Those of `stream` when absent. */
  readonly here?: string
}

export type LifecycleEntry = {
  /** As `--table` takes it. */
  readonly table: string
  /** Place among the databases of the operation: the one that the table stands in. */
  readonly from: number
  /** The same of the one that the partitioned table goes into, where it is another one. */
  readonly to?: number
  /** Column that says when a row belongs; nothing is to be partitioned where it is absent. */
  readonly by?: string
  readonly calendar: CalendarWish
  /** What whole numbers of `by` count since 1970, where bounds and ledger do not say it. */
  readonly epoch?: Epoch
  /** Whole periods after the current one that have to be there. */
  readonly ahead: number
  /** `8q`: what is older is due for the archive. */
  readonly olderThan?: string
  /** How long after a switch the old table is kept, ms. */
  readonly parkedGraceMs: number
  /** Folder or bucket of archives. */
  readonly archive?: string
  readonly words: EntryWords
}
