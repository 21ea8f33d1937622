import type { Declaration } from '../declaration.ts'

export type ImportOperation = {
  readonly kind: 'import'
  readonly table: string
  readonly catalog: string
  readonly tableId?: string
  readonly dryRun: boolean
  readonly resume: boolean
  readonly batchSize: number
  readonly verbose: boolean
  /** Import the actions of a table whose features we cannot read; it is marked as refused. */
  readonly allowRefused: boolean
  /** How long to wait for another import of the same table, ms. */
  readonly waitMs: number
}

export const importOne: Declaration<ImportOperation> = {
  kind: 'import',
  command: 'import',
  shape: 'long',
  doing: 'importing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'table',
  plans: 'dryRun',
  events: [
    'plan.ready',
    'table.started',
    'chunk.started',
    'chunk.progress',
    'chunk.done',
    'chunk.retried',
    'chunk.failed',
    'table.finished',
    'log',
  ],
}
