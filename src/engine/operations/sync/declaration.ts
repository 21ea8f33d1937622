import type { Declaration } from '../declaration.ts'

export type SyncOperation = {
  readonly kind: 'sync'
  /** None stands for all tables of the catalog. */
  readonly tables: readonly string[]
  readonly catalog: string
  /** Go on until stopped. */
  readonly watch: boolean
  /** How often every log is looked at while watching, ms. */
  readonly intervalMs: number
  readonly batchSize: number
  readonly parallel: number
}

export const sync: Declaration<SyncOperation> = {
  kind: 'sync',
  command: 'sync',
  shape: 'lines',
  stores: [
    { field: 'tables', family: 'table', access: 'read' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'tables',
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
