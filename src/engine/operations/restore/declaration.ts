import type { Declaration } from '../declaration.ts'

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

export const restore: Declaration<RestoreOperation> = {
  kind: 'restore',
  command: 'restore',
  shape: 'long',
  doing: 'restoring',
  stores: [{ field: 'from', family: 'database', access: 'write', end: 'source' }],
  about: 'table',
  destroys: [{ what: 'archived values of rows that have changed since', when: 'asChanged', confirm: 'confirm' }],
  plans: 'dryRun',
  events: [
    'plan.ready',
    'archive.columns',
    'archive.planned',
    'archive.progress',
    'archive.state',
    'archive.finding',
    'log',
  ],
}
