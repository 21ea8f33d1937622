import type { AlertOptions } from '../../../../model/run/alert.ts'
import { alertOptions, FAILED } from '../../../run/operations/alert-options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { ALL_TABLES, TABLE, waitOption, REMOVAL_PREVIEW } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'

export type PruneOperation = {
  readonly kind: 'prune'
  /** Names of tables; empty: all tables of the catalog. */
  readonly tables: readonly string[]
  readonly catalog: string
  /** Versions to keep: the newest `versions`, or all versions that were the latest within the last `forMs` ms. */
  readonly keep: { readonly versions: number } | { readonly forMs: number }
  /** Name of the table, or `all` if several: typed again as confirmation. */
  readonly confirm?: string
  readonly dryRun: boolean
  /** Longest wait for another program, ms; absent in runs that an older version has queued. */
  readonly waitMs?: number
  readonly alert?: AlertOptions
}

const EVENTS = ['table.finished', 'log'] as const

export const prune: Declaration<PruneOperation, (typeof EVENTS)[number]> = {
  kind: 'prune',
  command: {
    ...PAGES.prune,
    takes: [
      TABLE,
      ALL_TABLES,
      { name: 'keep-versions', type: 'number', describe: 'keep this many versions of each table' },
      {
        name: 'older-than',
        type: 'text',
        unit: 'duration',
        describe: 'remove versions that were replaced longer ago than this, such as 30d or 12h',
      },
      REMOVAL_PREVIEW,
      waitOption('10s'),
      ...alertOptions(FAILED),
    ],
  },
  display: 'lines',
  stores: [{ field: 'catalog', family: 'catalog', access: 'write', end: 'target' }],
  about: 'tables',
  destroys: [
    {
      what: 'versions of tables in the catalog that are not kept',
      confirm: 'confirm',
      asked: 'to remove these versions',
      named: { field: 'tables', several: 'all' },
      against: 'the versions to remove are of',
      counted: true,
    },
  ],
  plans: 'dryRun',
  alerts: { causes: FAILED },
  events: EVENTS,
}
