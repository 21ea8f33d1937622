import type { AlertOptions } from '../../../../model/run/alert.ts'
import { alertOptions } from '../../../run/operations/alert-options.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import {
  ALL_TABLES,
  BATCH_SIZE,
  IMPORT_EVENTS,
  parallelOption,
  waitOption,
} from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

export type SyncOperation = {
  readonly kind: 'sync'
  /** Names of tables; empty: all tables of the catalog. */
  readonly tables: readonly string[]
  readonly catalog: string
  /** True to run until stopped. */
  readonly watch: boolean
  /** Interval at which a watch inspects every log, ms. */
  readonly intervalMs: number
  readonly batchSize: number
  readonly parallel: number
  /** Longest wait for another program, ms; absent in runs that an older version has queued. */
  readonly waitMs?: number
  readonly alert?: AlertOptions
}

const CAUSES = ['drift', 'stuck', 'failed'] as const

export const sync: Declaration<SyncOperation, (typeof IMPORT_EVENTS)[number]> = {
  kind: 'sync',
  command: {
    ...PAGES.sync,
    takes: [
      {
        name: 'table',
        operand: true,
        type: 'list',
        completes: 'delta table',
        describe: 'paths with a _delta_log below them, or table ids of the catalog',
      },
      ALL_TABLES,
      { name: 'watch', type: 'flag', default: false, describe: 'run until stopped, and import commits as they arrive' },
      {
        name: 'interval',
        type: 'text',
        unit: 'duration',
        default: '30s',
        least: 1000,
        describe: 'with --watch: interval at which all logs are read; local changes are usually noticed at once',
      },
      parallelOption('tables synced in parallel'),
      BATCH_SIZE,
      waitOption('10s'),
      ...alertOptions(CAUSES),
    ],
  },
  words: {
    tables: words.tablesOrAll('table'),
    catalog: words.catalog,
    watch: words.flag('watch'),
    intervalMs: words.duration('interval'),
    batchSize: words.count('batch-size'),
    parallel: words.count('parallel'),
    waitMs: words.duration('wait'),
    alert: words.alert,
  },
  display: 'lines',
  pauses: true,
  stores: [
    { field: 'tables', family: 'table', access: 'read' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'tables',
  distributes: { by: 'parts', field: 'tables' },
  alerts: { causes: CAUSES },
  comesAgain: true,
  endless: ['watch'],
  events: IMPORT_EVENTS,
}
