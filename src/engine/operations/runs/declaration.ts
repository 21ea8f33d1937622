import type { Declaration } from '../declaration.ts'

export type RunsOperation = { readonly kind: 'runs'; readonly catalog: string; readonly limit: number }

export const runs: Declaration<RunsOperation> = {
  kind: 'runs',
  command: 'runs',
  shape: 'listing',
  stores: [{ field: 'catalog', family: 'catalog', access: 'read', end: 'target' }],
  events: ['run', 'log'],
}
