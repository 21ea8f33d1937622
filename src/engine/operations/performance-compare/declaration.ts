import type { Declaration } from '../declaration.ts'

export type CompareOperation = {
  readonly kind: 'performance-compare'
  readonly table: string
  readonly catalog: string
  readonly runs: number
  readonly report?: string
  readonly questions?: readonly string[]
  readonly cold: boolean
  /** Simulated latency of every request to the lake and of every round trip to a database on a network, ms. */
  readonly latencyMs?: number
}

export const performanceCompare: Declaration<CompareOperation> = {
  kind: 'performance-compare',
  command: 'performance-compare',
  shape: 'long',
  doing: 'comparing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: ['plan.ready', 'chunk.started', 'chunk.done', 'question', 'log'],
}
