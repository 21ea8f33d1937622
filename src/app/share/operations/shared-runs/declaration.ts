import type { Declaration } from '../../../../engine/run/operations/declaration.ts'

/** Shared runs, or the tasks of one of them. */
export type SharedRunsOperation = {
  readonly kind: 'shared-runs'
  readonly connect: string
  readonly limit: number
  readonly runId?: string
}

const EVENTS = ['shared.run', 'shared.slot', 'shared.table', 'log'] as const

export const sharedRuns: Declaration<SharedRunsOperation, (typeof EVENTS)[number]> = {
  kind: 'shared-runs',
  command: 'runs',
  display: 'listing',
  stores: [{ field: 'connect', family: 'database', access: 'read', end: 'target' }],
  events: EVENTS,
}
