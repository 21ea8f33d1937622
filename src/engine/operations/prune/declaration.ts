import type { Declaration } from '../declaration.ts'

export type PruneOperation = {
  readonly kind: 'prune'
  /** None stands for all tables of the catalog. */
  readonly tables: readonly string[]
  readonly catalog: string
  /** So many versions, or all that were the latest within so many ms. */
  readonly keep: { readonly versions: number } | { readonly forMs: number }
  readonly dryRun: boolean
}

export const prune: Declaration<PruneOperation> = {
  kind: 'prune',
  command: 'prune',
  shape: 'lines',
  stores: [{ field: 'catalog', family: 'catalog', access: 'write', end: 'target' }],
  about: 'tables',
  destroys: [{ what: 'versions of tables in the catalog that are not kept' }],
  plans: 'dryRun',
  events: ['table.finished', 'log'],
}
