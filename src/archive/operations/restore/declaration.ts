import { DATABASE } from '../../../engine/run/operations/shared-options.ts'
import type { AlertOptions } from '../../../model/run/alert.ts'
import { alertOptions, FAILED } from '../../../engine/run/operations/alert-options.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import { PAGES } from '../../../engine/run/operations/pages.ts'
import * as words from '../../../engine/run/operations/words.ts'

export type RestoreOperation = {
  readonly kind: 'restore'
  readonly from: string
  readonly table: string
  readonly partitions: readonly string[]
  /**
   * True: keep rows of the source whose values differ from the archived ones; otherwise such rows prevent the restore.
   */
  readonly asChanged?: boolean
  /**
   * Columns that the table has lost, or that it now generates: their archived values are neither restored nor compared.
   */
  readonly without?: readonly string[]
  /** Other target table, `name` or `schema.name`; default with `intoUrl`: the name of the archived table. */
  readonly into?: string
  /** URL of another database as the target. */
  readonly intoUrl?: string
  /** Condition for the rows: `customer_id = 42`; only for another target. It may name a person, and is not stored. */
  readonly where?: string
  /** Name of the table; confirms that archived values of changed rows are discarded. */
  readonly confirm?: string
  readonly dryRun: boolean
  readonly alert?: AlertOptions
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
      { ...DATABASE, group: 'Options:' },
      {
        name: 'table',
        type: 'list',
        shown: 'none',
        group: 'Options:',
        completes: 'table',
        describe: 'table that the partitions were archived from',
      },
      {
        name: 'partition',
        type: 'list',
        shown: 'none',
        group: 'Options:',
        completes: 'partition',
        describe: 'partition to restore, by its label or name, such as Q2-FY21; repeatable',
      },
      {
        name: 'dry-run',
        alias: 'n',
        type: 'flag',
        default: false,
        describe: 'compare, show what would be restored, and change nothing',
      },
      {
        name: 'as-changed',
        type: 'flag',
        default: false,
        describe: 'accept the present values of rows that changed in the database after they were archived',
      },
      {
        name: 'without',
        type: 'list',
        shown: 'none',
        completes: 'column',
        describe: 'do not restore this column, which the table no longer has or now computes; repeatable',
      },
      {
        name: 'into',
        type: 'text',
        group: 'Into another table (the archive stays as it is):',
        completes: 'table',
        describe: 'target table, created if missing; with --into-url it defaults to the same name',
      },
      {
        name: 'into-url',
        type: 'text',
        group: 'Into another table (the archive stays as it is):',
        completes: 'database',
        describe: 'URL of another database as target; its file is created if missing',
      },
      {
        name: 'where',
        type: 'text',
        withheld: true,
        group: 'Into another table (the archive stays as it is):',
        describe: 'only rows that match this condition, such as "customer_id = 42"',
      },
      ...alertOptions(FAILED),
    ],
  },
  words: {
    from: words.end('from'),
    table: words.oneTable,
    partitions: words.someOf('partition', 'sluice archive list shows them'),
    asChanged: words.set('as-changed'),
    without: words.filledList('without'),
    into: words.optionalText('into'),
    intoUrl: words.database('into-url'),
    where: words.optionalText('where'),
    confirm: words.optionalText('confirm'),
    dryRun: words.flag('dry-run'),
    alert: words.alert,
  },
  display: 'long',
  doing: 'restoring',
  stores: [
    { field: 'from', family: 'database', access: 'write', end: 'source' },
    { field: 'intoUrl', family: 'database', access: 'write', end: 'target' },
  ],
  about: 'table',
  destroys: [{ what: 'archived values of rows that have changed since', when: 'asChanged', confirm: 'confirm' }],
  plans: 'dryRun',
  distributes: { by: 'parts' },
  alerts: { causes: FAILED },
  events: EVENTS,
}
