import type { AlertOptions } from '../../../model/run/alert.ts'
import type { CalendarSpec, Epoch } from '../../../model/calendar/calendar.ts'
import { FAILED } from '../../../engine/run/operations/alert-options.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import { ARCHIVE_OPTIONS } from './options.ts'
import { PAGES } from '../../../engine/run/operations/pages.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Plans (`dryRun`) or runs. Partitions that an earlier run did not finish are resumed. */
export type ArchiveOperation = {
  readonly kind: 'archive'
  /** URL of the store. */
  readonly from: string
  /** Names or patterns. */
  readonly tables: readonly string[]
  /** Folder or `s3://bucket/prefix`; each table has its own folder below it. Default: the ledger's. */
  readonly to?: string
  /** Time column of a plain table, which decides the partition of a row; a partitioned table defines it itself. */
  readonly by?: string
  /** Column of a plain table: each of its values is a partition, instead of periods. */
  readonly byValue?: string
  /** Unit of times that are stored as integers since 1970, if neither bounds nor ledger define it. */
  readonly epoch?: Epoch
  /** Calendar of the partitions; default: the ledger's, or calendar quarters for a new table. */
  readonly calendar?: CalendarSpec
  /** Age such as `8q`: the current quarter and the 8 quarters before it are kept. */
  readonly olderThan?: string
  /** Labels of the partitions to process; empty means all that are due. */
  readonly partitions: readonly string[]
  /** Columns that are stored as the text that the source prints. */
  readonly asText: readonly string[]
  /**
   * True: a column that gets a wider type keeps its archive column (Delta type widening); readers must support that.
   */
  readonly widen?: true
  /** True: the plan reads all values of columns whose values the archive may not be able to store. */
  readonly exact?: true
  /** `OLD=NEW`: renamed columns, if the source cannot identify them. */
  readonly renamed?: readonly string[]
  /** Columns that were dropped while others were added, if the source cannot identify them. */
  readonly dropped?: readonly string[]
  /** True: detach partitions from the source after they are published. */
  readonly detach: boolean
  /** True: drop detached partitions whose grace period is over. */
  readonly drop: boolean
  /** Name of the table, as confirmation, if the run needs one. */
  readonly confirm?: string
  /** How long a detached partition is kept, ms; default: the ledger's, otherwise 7 days. */
  readonly graceMs?: number
  /** Approximate size of a file, bytes. */
  readonly fileBytes?: number
  /** Memory of the engine that writes Parquet, bytes. */
  readonly memoryBytes?: number
  /** Partitions processed in parallel; default 1. They share the memory. */
  readonly workers?: number
  /** Maximum bytes per second that are read from the source or removed from it; default: no limit. */
  readonly rate?: number
  /** Longest time that other sessions wait because of one lock attempt, ms; default 100. */
  readonly patienceMs?: number
  /** How long the locks of one partition are retried, ms; default: a minute. */
  readonly budgetMs?: number
  readonly dryRun: boolean
  readonly alert?: AlertOptions
}

/** The part of an operation that decides the plan of a table. */
export type ArchivePlanOptions = Omit<ArchiveOperation, 'kind' | 'from' | 'tables' | 'detach' | 'dryRun'>

/** Flags of `plan` and `run`. */
const PLANNED = [
  'from',
  'table',
  'partition',
  'to',
  'by',
  'by-value',
  'epoch',
  'older-than',
  ...words.CALENDAR_FLAGS,
  'as-text',
  'renamed',
  'dropped',
  'widen',
  'detach',
  'drop',
  'grace',
  'file-size',
  'memory',
  'dry-run',
] as const

/** Lowest allowed rate, bytes per second. */
export const LEAST_RATE = 1000

const EVENTS = [
  'archive.columns',
  'archive.forecast',
  'archive.planned',
  'archive.progress',
  'archive.state',
  'log',
] as const

export const archiveRun: Declaration<ArchiveOperation, (typeof EVENTS)[number]> = {
  kind: 'archive',
  command: {
    ...PAGES.archive,
    takes: ARCHIVE_OPTIONS,
    first: ['from', 'table', 'to', 'older-than', 'partition', 'by', 'calendar', 'drop', 'deep', 'dry-run'],
    notes:
      'plan shows which partitions are due and how their columns are stored. run writes them to Parquet, reads ' +
      'the files back completely, compares them with the rows in the database, publishes them as one commit of ' +
      'a Delta table, and detaches them from the table; nothing is dropped before the grace period ends, and ' +
      'not without --drop --confirm=TABLE. list shows the archives of the ledger, verify checks archives again, ' +
      'sweep deletes files that no archive names, hold keeps partitions in their state, and release ends that. ' +
      'adopt compares an archive with this database and makes this database its owner, after a failover, a restore ' +
      'or a move; the previous database is refused from then on. With --to it rebuilds a lost ledger. ' +
      'erase writes files again without some rows, deletes these rows from the database, and destroys every ' +
      'older version of the archive. expire removes partitions from the archive for good; sweep destroys their ' +
      'files, and those of other older versions, after the retention period. If `lifecycle:` of ' +
      'the config file has an entry of exactly this table, its options apply unless the command line sets them; ' +
      '`archive` of the entry is --to.\n',
  },
  actions: {
    'archive plan': { byHand: [...PLANNED, 'exact'] },
    'archive run': {
      byHand: [...PLANNED, 'between', 'lock-timeout', 'retry-limit', 'workers', 'rate', ...words.ALERT_FLAGS],
    },
  },
  display: 'long',
  pauses: true,
  leastRate: LEAST_RATE,
  doing: 'archiving',
  stores: [
    { field: 'from', family: 'database', access: 'write', end: 'source' },
    { field: 'to', family: 'folder', access: 'write', end: 'target' },
  ],
  about: 'tables',
  destroys: [
    {
      what: 'archived partitions whose grace period has ended',
      when: 'drop',
      confirm: 'confirm',
      asked: 'to drop partitions whose grace period has ended',
      named: { field: 'tables' },
      against: '--table names',
      refused: (name) => `--drop removes rows of ${name} for good`,
    },
  ],
  plans: 'dryRun',
  distributes: { by: 'parts', field: 'tables' },
  alerts: { causes: FAILED },
  comesAgain: true,
  marks: ['archive.columns'],
  events: EVENTS,
}
