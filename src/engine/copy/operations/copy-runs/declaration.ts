import type { Declaration } from '../../../run/operations/declaration.ts'

export type CopyRunsOperation = {
  readonly kind: 'copy-runs'
  readonly to: string
  readonly limit: number
  readonly runId?: string
}

const EVENTS = ['copy.run', 'copy.chunk', 'log'] as const

export const copyRuns: Declaration<CopyRunsOperation, (typeof EVENTS)[number]> = {
  kind: 'copy-runs',
  command: 'runs',
  display: 'listing',
  stores: [{ field: 'to', family: 'database', access: 'read', end: 'target' }],
  events: EVENTS,
}
