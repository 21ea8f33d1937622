import type { Declaration } from '../declaration.ts'
import { PAGES } from '../pages.ts'
import * as words from '../words.ts'

export type RestoreOperation = {
  readonly kind: 'restore'
  readonly from: string
  readonly table: string
  readonly partitions: readonly string[]
  /** Rows of the source that have other values than archived ones count as they are; without it they keep a partition from being restored. */
  readonly asChanged?: boolean
  /** Columns that the table has no more: their archived values do not come back. */
  readonly without?: readonly string[]
  /** Name of the table, where archived values cease to count. */
  readonly confirm?: string
  readonly dryRun: boolean
}

const EVENTS = [
  'plan.ready',
  'archive.columns',
  'archive.planned',
  'archive.progress',
  'archive.state',
  'archive.finding',
  'log',
] as const

export const restore: Declaration<RestoreOperation, (typeof EVENTS)[number]> = {
  kind: 'restore',
  command: {
    ...PAGES.restore,
    takes: [
      {
        name: 'from',
        type: 'text',
        group: 'Options:',
        completes: 'database',
        describe: 'URL of the database, such as postgresql://user@host/database; else the config file or $DATABASE_URL',
      },
      {
        name: 'table',
        type: 'list',
        shown: 'none',
        group: 'Options:',
        completes: 'table',
        describe: 'the table that partitions were taken from',
      },
      {
        name: 'partition',
        type: 'list',
        shown: 'none',
        group: 'Options:',
        completes: 'partition',
        describe: 'the partition to bring back, by its label or name, such as Q2-FY21; repeatable',
      },
      {
        name: 'dry-run',
        alias: 'n',
        type: 'flag',
        default: false,
        describe: 'compare, show what would come back, and change nothing',
      },
      {
        name: 'as-changed',
        type: 'flag',
        default: false,
        describe: 'rows that have changed in the database since they were archived count as they are now',
      },
      {
        name: 'without',
        type: 'list',
        shown: 'none',
        completes: 'column',
        describe: 'bring rows back without the values of this column, which the table no longer has; repeatable',
      },
    ],
  },
  words: {
    from: words.end('from'),
    table: words.oneTable,
    partitions: words.someOf('partition', 'sluice archive list shows them'),
    asChanged: words.set('as-changed'),
    without: words.filledList('without'),
    confirm: words.optionalText('confirm'),
    dryRun: words.flag('dry-run'),
  },
  shape: 'long',
  doing: 'restoring',
  stores: [{ field: 'from', family: 'database', access: 'write', end: 'source' }],
  about: 'table',
  destroys: [{ what: 'archived values of rows that have changed since', when: 'asChanged', confirm: 'confirm' }],
  plans: 'dryRun',
  events: EVENTS,
}
