/** What is wanted of a table, as the config file says it. */
import type { CalendarWish } from '../partitioning/standing.ts'

/** Words of a shell, so that a command runs as it is printed and holds no password. */
export type EntryWords = {
  /** `--config sluice.yaml`. */
  readonly config: string
  /** The database of the table, as `--from` and `--to` take it. */
  readonly from: string
  /** The database that the partitioned table goes into. */
  readonly to: string
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
  /** Whole periods after the current one that have to be there. */
  readonly ahead: number
  /** `8q`: what is older is due for the archive. */
  readonly olderThan?: string
  /** Folder or bucket of archives. */
  readonly archive?: string
  readonly words: EntryWords
}
