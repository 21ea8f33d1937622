/** Operations on archives, as data; part of the union in operation.ts. */
import type { CalendarSpec } from './calendar/calendar.ts'
import type { RowFormat } from './row-format.ts'

/** Plans (`dryRun`) or runs. Partitions that an earlier run left on their way are gone on with. */
export type ArchiveOperation = {
  readonly kind: 'archive'
  /** URL of the store. */
  readonly from: string
  /** Names or patterns. */
  readonly tables: readonly string[]
  /** Folder or `s3://bucket/prefix`; below it each table has a folder of its own. What the ledger has when absent. */
  readonly to?: string
  /** Column of a plain table that says when a row belongs; a partitioned table says it itself. */
  readonly by?: string
  /** What the ledger has when absent, and calendar quarters in a table that it does not know. */
  readonly calendar?: CalendarSpec
  /** `8q`: what is older than so many whole periods before the one of today. */
  readonly olderThan?: string
  /** Only these, by label; all that are due when empty. */
  readonly partitions: readonly string[]
  /** Columns that are stored as the text that the source prints. */
  readonly asText: readonly string[]
  /** Take partitions out of the source at once, and drop them as soon as their grace is over. */
  readonly detach: boolean
  /** Drop what is detached and past its grace. */
  readonly drop: boolean
  /** Name of the table, where somebody has to say twice that he means it. */
  readonly confirm?: string
  /** How long a detached partition is kept, ms; what the ledger has when absent, and 7 days. */
  readonly graceMs?: number
  /** About so large a file becomes. */
  readonly fileBytes?: number
  /** Of the engine that writes Parquet. */
  readonly memoryBytes?: number
  readonly dryRun: boolean
}

export type ArchiveListOperation = {
  readonly kind: 'archive-list'
  readonly from: string
  readonly tables: readonly string[]
  /** Count the rows that tables still hold of archived periods, whatever it takes; else only where that takes about a second. */
  readonly count: boolean
}

export type ArchiveVerifyOperation = {
  readonly kind: 'archive-verify'
  readonly from: string
  readonly tables: readonly string[]
  readonly partitions: readonly string[]
  /** Compare with rows that are still in the source, too. */
  readonly deep: boolean
}

/** Removes files that no version of the archive names, and that nobody is writing. */
export type ArchiveSweepOperation = {
  readonly kind: 'archive-sweep'
  readonly from: string
  readonly tables: readonly string[]
  /** Only files that are older, ms. */
  readonly olderThanMs: number
  readonly dryRun: boolean
}

/** Keeps partitions where they are, or lets them go again. */
export type ArchiveHoldOperation = {
  readonly kind: 'archive-hold'
  readonly from: string
  readonly table: string
  readonly partitions: readonly string[]
  /** Why; null takes the hold away. */
  readonly reason: string | null
}

/** Goes on with the archive of a table under this database; every other database is refused from then on. */
export type ArchiveAdoptOperation = {
  readonly kind: 'archive-adopt'
  readonly from: string
  readonly table: string
  /** Name of the table, once more. */
  readonly confirm?: string
  /** Labels of partitions whose rows in the source may differ from the archived ones. */
  readonly accept: readonly string[]
  /** Compare only. */
  readonly dryRun: boolean
}

export type RestoreOperation = {
  readonly kind: 'restore'
  readonly from: string
  readonly table: string
  readonly partitions: readonly string[]
  /** Rows of the source that have other values than archived ones count as they are; without it they keep a partition from being restored. */
  readonly asChanged?: boolean
  /** Name of the table, where archived values cease to count. */
  readonly confirm?: string
  readonly dryRun: boolean
}

/** One statement over what is in the source and what is in its archives. */
export type QueryOperation = {
  readonly kind: 'query'
  readonly from: string
  readonly table: string
  readonly query: string
  readonly limit: number
  readonly format: RowFormat
  readonly timeoutMs?: number
}
