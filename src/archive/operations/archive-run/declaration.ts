import type { AlertOptions } from '../../../model/run/alert.ts'
import { CALENDAR_UNITS, EPOCHS, type CalendarSpec, type Epoch } from '../../../model/calendar/calendar.ts'
import { alertOptions, FAILED } from '../../../engine/run/operations/alert-options.ts'
import { SWEEP_OPTIONS } from '../archive-sweep/declaration.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import { BETWEEN_OPTION } from '../../../engine/run/operations/shared-options.ts'
import { PAGES } from '../../../engine/run/operations/pages.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Plans (`dryRun`) or runs. Partitions that an earlier run did not finish are resumed. */
export type ArchiveOperation = {
  readonly kind: 'archive'
  /** URL of the store. */
  readonly from: string
  /** Names or patterns. */
  readonly tables: readonly string[]
  /** Folder or `s3://bucket/prefix`; each table has its own folder below it. Default: that of the ledger. */
  readonly to?: string
  /** Time column of a plain table, which decides the partition of a row; a partitioned table defines it itself. */
  readonly by?: string
  /** Column of a plain table: each of its values is a partition, instead of periods. */
  readonly byValue?: string
  /** Unit of whole numbers that count since 1970, if neither bounds nor ledger define it. */
  readonly epoch?: Epoch
  /** Default: that of the ledger, and calendar quarters for a new table. */
  readonly calendar?: CalendarSpec
  /** Such as `8q`: older than this many whole periods before today's. */
  readonly olderThan?: string
  /** Only these, by label; empty means all that are due. */
  readonly partitions: readonly string[]
  /** Columns that are stored as the text that the source prints. */
  readonly asText: readonly string[]
  /** A column with a wider type stays one column of the archive; older readers then refuse to read it. */
  readonly widen?: true
  /** The plan reads all values that an archive may not be able to hold. */
  readonly exact?: true
  /** `OLD=NEW`: renamed columns, if the source cannot identify them. */
  readonly renamed?: readonly string[]
  /** Columns that were dropped while others were added, if the source cannot identify them. */
  readonly dropped?: readonly string[]
  /** Detach partitions from the source after they are published. */
  readonly detach: boolean
  /** Drop detached partitions whose grace period is over. */
  readonly drop: boolean
  /** Name of the table, where the user must confirm. */
  readonly confirm?: string
  /** How long a detached partition is kept, ms; default: that of the ledger, otherwise 7 days. */
  readonly graceMs?: number
  /** Approximate size of a file, bytes. */
  readonly fileBytes?: number
  /** Memory of the engine that writes Parquet, bytes. */
  readonly memoryBytes?: number
  /** Partitions processed in parallel; default 1. They share the memory. */
  readonly workers?: number
  /** Most bytes per second read from the source or removed from it; default: no limit. */
  readonly rate?: number
  /** Longest time that other sessions wait because of one lock attempt, ms; default 100. */
  readonly patienceMs?: number
  /** How long the locks of one partition are retried, ms; default: a minute. */
  readonly budgetMs?: number
  readonly dryRun: boolean
  readonly alert?: AlertOptions
}

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
  'calendar',
  'first-month',
  'year-offset',
  'first-weekday',
  'zone',
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
    takes: [
      {
        name: 'action',
        operand: true,
        type: 'text',
        describe: 'plan, run, list, verify, sweep, hold, release, adopt, erase, expire',
      },
      {
        name: 'from',
        type: 'text',
        group: 'all actions:',
        completes: 'database',
        describe: 'URL of the database, such as postgresql://user@host/database; else the config file or $DATABASE_URL',
      },
      {
        name: 'table',
        type: 'list',
        shown: 'none',
        group: 'all actions:',
        completes: 'table',
        describe: 'a table or a pattern; repeatable. list, verify and sweep take all archives without one',
      },
      {
        name: 'partition',
        type: 'list',
        shown: 'none',
        group: 'plan, run, verify, hold, release and expire:',
        completes: 'partition',
        describe: 'only this partition, by its label or name, such as Q2-FY21; repeatable',
      },
      {
        name: 'to',
        type: 'text',
        group: 'plan, run and adopt:',
        completes: 'folder or bucket',
        describe:
          'folder or s3://bucket/prefix of archives; a table has a folder of its own below it, and stays there. adopt: where the archive is whose ledger was lost',
      },
      {
        name: 'older-than',
        type: 'text',
        group: 'plan, run and expire:',
        describe:
          'what is older than so many whole periods: 8q, 24m, 52w, 365d, 7y; expire has it from the command line alone',
      },
      {
        name: 'by',
        type: 'text',
        group: 'plan, run and adopt:',
        completes: 'column',
        describe: 'the column that says when a row belongs, of a table without partitions',
      },
      {
        name: 'by-value',
        type: 'text',
        group: 'plan and run:',
        completes: 'column',
        describe: 'a column each of whose values is a partition, instead of periods of time; --partition says which',
      },
      {
        name: 'epoch',
        type: 'choice',
        choices: EPOCHS,
        shown: 'what bounds and ledger say',
        group: 'plan, run and expire:',
        describe: 'whole numbers of a column are times: seconds (s) or milliseconds (ms) since 1970',
      },
      {
        name: 'calendar',
        type: 'choice',
        choices: CALENDAR_UNITS,
        shown: 'that of the ledger, or quarter',
        config: 'shown',
        group: 'plan, run and adopt:',
        describe: 'periods that the table is cut by',
      },
      {
        name: 'first-month',
        type: 'text',
        shown: 'january',
        group: 'plan, run and adopt:',
        describe: 'first month of a year, and so of its first quarter: 1 to 12, or its name',
      },
      {
        name: 'year-offset',
        type: 'number',
        fallback: 0,
        group: 'plan, run and adopt:',
        describe: 'added to the year in which a fiscal year begins: 1 makes April 2024 Q2-FY25',
      },
      {
        name: 'first-weekday',
        type: 'text',
        shown: 'monday',
        group: 'plan, run and adopt:',
        describe: 'first day of a week: 1 (Monday) to 7, or its name',
      },
      {
        name: 'zone',
        type: 'text',
        shown: 'UTC',
        group: 'plan, run and adopt:',
        describe: 'where days begin at midnight, such as Europe/Berlin',
      },
      {
        name: 'as-text',
        type: 'list',
        shown: 'none',
        group: 'plan and run:',
        completes: 'column',
        describe: 'a column that is stored as the text that the source prints; repeatable',
      },
      {
        name: 'renamed',
        type: 'list',
        shown: 'none',
        group: 'plan and run:',
        completes: 'column',
        describe: 'OLD=NEW: a renamed column, if the database cannot tell; repeatable',
      },
      {
        name: 'dropped',
        type: 'list',
        shown: 'none',
        group: 'plan and run:',
        completes: 'column',
        describe: 'a column that was dropped, if the database cannot tell; repeatable',
      },
      {
        name: 'widen',
        type: 'flag',
        fallback: false,
        group: 'plan and run:',
        describe: 'a column with a wider type stays one column of the archive; readers without type widening refuse it',
      },
      {
        name: 'detach',
        type: 'flag',
        fallback: true,
        group: 'plan and run:',
        describe: 'take partitions out of the table when they are published; --no-detach leaves them there',
      },
      {
        name: 'drop',
        type: 'flag',
        fallback: false,
        group: 'plan and run:',
        describe: 'remove what is detached and past its grace, after one more full check; wants --confirm=TABLE',
      },
      {
        name: 'grace',
        type: 'text',
        unit: 'duration',
        shown: 'that of the ledger, or 7d',
        group: 'plan, run and adopt:',
        describe: 'how long a detached partition is kept in the database',
      },
      {
        name: 'file-size',
        type: 'text',
        unit: 'bytes',
        shown: '256mb',
        group: 'plan and run:',
        describe: 'about how large a Parquet file becomes',
      },
      {
        name: 'memory',
        type: 'text',
        unit: 'bytes',
        shown: '1gb',
        group: 'plan and run:',
        describe: 'what writing Parquet may take',
      },
      {
        name: 'workers',
        type: 'number',
        fallback: 1,
        least: 1,
        most: 16,
        group: 'run:',
        describe: 'partitions that are worked on side by side; they share --memory and --rate',
      },
      {
        name: 'rate',
        type: 'text',
        unit: 'bytes',
        shown: 'no limit',
        group: 'run:',
        describe: 'bytes a second, at most, that are read out of the database or removed from it: 20mb',
      },
      {
        name: 'lock-timeout',
        type: 'text',
        unit: 'duration',
        fallback: '100ms',
        least: 1,
        group: 'run:',
        describe: 'most that others wait for a lock because of us',
      },
      {
        name: 'retry-limit',
        type: 'text',
        unit: 'duration',
        fallback: '60s',
        least: 1,
        group: 'run:',
        describe: 'how long locks of one partition are tried for before it stays; the same command goes on',
      },
      {
        name: 'exact',
        type: 'flag',
        fallback: false,
        group: 'plan:',
        describe: 'read the rows that are due, and name columns with values that the archive cannot hold',
      },
      { ...BETWEEN_OPTION, group: 'run:' },
      {
        name: 'dry-run',
        alias: 'n',
        type: 'flag',
        fallback: false,
        group: 'run, sweep, adopt, erase and expire:',
        describe: 'show what would be done and change nothing',
      },
      {
        name: 'deep',
        type: 'flag',
        fallback: false,
        group: 'verify:',
        describe: 'compare with rows that are still in the database, too',
      },
      {
        name: 'count',
        type: 'flag',
        fallback: false,
        group: 'list:',
        describe: 'count the rows that tables still hold of archived periods, also where that reads a whole table',
      },
      ...SWEEP_OPTIONS,
      {
        name: 'where',
        type: 'text',
        withheld: true,
        group: 'erase:',
        describe:
          'which rows go, of the table and of its archive: customer_id = 42; it is kept nowhere, and shown by no command that is printed',
      },
      {
        name: 'reason',
        type: 'text',
        group: 'hold and erase:',
        describe: 'why these partitions have to stay (archive list shows it), or the ticket that asks for an erasure',
      },
      {
        name: 'accept-difference',
        type: 'list',
        shown: 'none',
        group: 'adopt:',
        completes: 'partition',
        describe: 'a partition whose rows in the database may differ from those in the archive; repeatable',
      },
      ...alertOptions('failed; of verify also verify', 'all but plan and list:'),
    ],
    first: ['from', 'table', 'to', 'older-than', 'partition', 'by', 'calendar', 'drop', 'deep', 'dry-run'],
    notes:
      'plan shows which partitions are due and how their columns are stored. run writes them to Parquet, reads that back ' +
      'whole, compares it with what the database says of its own rows, publishes it as one commit of a Delta table, and takes' +
      ' it out of the table; nothing is dropped before its grace is over, and not without --drop --confirm=TABLE. list shows ' +
      'what the ledger knows, verify reads archives again, sweep removes files that no archive names, hold keeps partitions ' +
      'where they are, and release ends that. adopt compares an archive with this database and takes it over, after a ' +
      'failover, a restore or a move; the database that wrote into it before is refused from then on. With --to it rebuilds a lost ledger. erase writes files once more without ' +
      'some rows, removes these from the database, and destroys every older version of the archive. expire lets partitions leave the archive for good; ' +
      'sweep destroys their files, and those of other older versions, once the retention is over. Of one table that ' +
      '`lifecycle:` of the config file names by this very name, options count that its entry has and the line does not; `archive` of it is --to.\n',
  },
  actions: {
    'archive plan': { byHand: [...PLANNED, 'exact'] },
    'archive run': {
      byHand: [...PLANNED, 'between', 'lock-timeout', 'retry-limit', 'workers', 'rate', ...words.ALERT_FLAGS],
    },
  },
  shape: 'long',
  pauses: true,
  doing: 'archiving',
  stores: [
    { field: 'from', family: 'database', access: 'write', end: 'source' },
    { field: 'to', family: 'folder', access: 'write', end: 'target' },
  ],
  about: 'tables',
  destroys: [
    {
      what: 'partitions that are archived and past their grace',
      when: 'drop',
      confirm: 'confirm',
      asked: 'to drop what is past its grace',
      named: { field: 'tables' },
      against: '--table',
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
