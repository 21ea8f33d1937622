import type { AlertOptions } from '../../../model/run/alert.ts'
import { FAILED } from '../../../engine/run/operations/alert-options.ts'
import { COPY_EVENTS } from '../../../engine/copy/operations/copy/declaration.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Retires the old table after a cutover: first all rights are revoked, and after the grace period it is dropped. */
export type PartitionDecommissionOperation = {
  readonly kind: 'partition-decommission'
  readonly from: string
  /** Name of the public or the old table. */
  readonly table: string
  /** Grace period after the cutover, ms. */
  readonly graceMs: number
  /** True to revoke rights only, and not to drop the table. */
  readonly inactive: boolean
  /** URL of a database for a last copy of the inactive table. */
  readonly archive?: string
  /** True to grant the revoked rights again. */
  readonly undo: boolean
  /** Lock timeout of one try, ms. */
  readonly patienceMs: number
  /** Total time for tries, ms. */
  readonly budgetMs: number
  /** Name of the old table as confirmation. */
  readonly confirm?: string
  readonly dryRun: boolean
  readonly alert?: AlertOptions
}

const EVENTS = [...COPY_EVENTS, 'decommission.finding', 'decommission.step'] as const

export const partitionDecommission: Declaration<PartitionDecommissionOperation, (typeof EVENTS)[number]> = {
  kind: 'partition-decommission',
  command: 'partition',
  actions: {
    'partition decommission': {
      from: words.end('from'),
      table: words.oneTable,
      graceMs: words.duration('grace'),
      inactive: words.flag('inactive'),
      archive: words.optionalText('archive'),
      undo: words.flag('undo'),
      patienceMs: words.duration('lock-timeout'),
      budgetMs: words.duration('retry-limit'),
      confirm: words.optionalText('confirm'),
      dryRun: words.flag('dry-run'),
      alert: words.alert,
    },
  },
  display: 'lines',
  doing: 'retiring a table',
  stores: [
    { field: 'from', family: 'database', access: 'write', end: 'source' },
    { field: 'archive', family: 'database', access: 'write', end: 'target' },
  ],
  about: 'table',
  destroys: [
    {
      what: 'the old table of a cutover',
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
