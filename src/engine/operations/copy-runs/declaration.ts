import type { Declaration } from '../declaration.ts'

export type CopyRunsOperation = {
  readonly kind: 'copy-runs'
  readonly to: string
  readonly limit: number
  readonly runId?: string
}

export const copyRuns: Declaration<CopyRunsOperation> = {
  kind: 'copy-runs',
  command: 'runs',
  shape: 'listing',
  stores: [{ field: 'to', family: 'database', access: 'read', end: 'target' }],
  events: ['copy.run', 'copy.chunk', 'log'],
}
