import type { AlertOptions } from '../../../model/run/alert.ts'
import { FAILED } from '../../../engine/run/operations/alert-options.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Retires a database whose tables moved: first it refuses connections, and after the grace period it is dropped. */
export type PartitionDecommissionDatabaseOperation = {
  readonly kind: 'partition-decommission-database'
  /** The database to remove. */
  readonly from: string
  /** The database to which the tables of `from` moved; it contains the ledger. */
  readonly to: string
  /** Another database on the server of `from`, used to close and drop `from`. */
  readonly maintenance?: string | undefined
  /** Tables that are removed although they were not copied; `large objects` means all large objects. */
  readonly leave: readonly string[]
  /** Grace period after the database was made inactive, ms. */
  readonly graceMs: number
  /** Always refused: only a table can be archived before it is dropped. */
  readonly archive?: string | undefined
  /** True to refuse connections only, and not to drop the database. */
  readonly inactive: boolean
  /** True to accept connections again. */
  readonly undo: boolean
  /** Time for sessions to end, ms. */
  readonly budgetMs: number
  /** Name of the database as confirmation. */
  readonly confirm?: string | undefined
  readonly dryRun: boolean
  readonly alert?: AlertOptions | undefined
}

const EVENTS = ['decommission.finding', 'decommission.step', 'log'] as const

export const partitionDecommissionDatabase: Declaration<
  PartitionDecommissionDatabaseOperation,
  (typeof EVENTS)[number]
> = {
  kind: 'partition-decommission-database',
  command: 'partition',
  actions: {
    'partition decommission --database': {
      from: words.end('from'),
      to: words.end('to'),
      maintenance: words.optionalText('maintenance-db'),
      leave: words.list('leave'),
      graceMs: words.duration('grace'),
      archive: words.optionalText('archive'),
      inactive: words.flag('inactive'),
      undo: words.flag('undo'),
      budgetMs: words.duration('retry-limit'),
      confirm: words.optionalText('confirm'),
      dryRun: words.flag('dry-run'),
      alert: words.alert,
    },
  },
  display: 'lines',
  doing: 'retiring a database',
  stores: [
    { field: 'from', family: 'database', access: 'write', end: 'source' },
    { field: 'to', family: 'database', access: 'write', end: 'target' },
  ],
  destroys: [
    {
      what: 'the database that the tables have moved from',
      unless: ['undo', 'inactive'],
      confirm: 'confirm',
      asked: 'to drop it for good',
      named: { event: 'decommission.step', field: 'table', where: { step: 'dropped', status: 'planned' } },
    },
  ],
  plans: 'dryRun',
  alerts: { causes: FAILED, by: ['inactive', 'undo'] },
  events: EVENTS,
}
