import type { Declaration } from '../declaration.ts'

export type DiscoverOperation = {
  readonly kind: 'discover'
  readonly path: string
  readonly recursive: boolean
  readonly exclude: readonly string[]
}

export const discover: Declaration<DiscoverOperation> = {
  kind: 'discover',
  command: 'discover',
  shape: 'listing',
  stores: [{ field: 'path', family: 'lake', access: 'read', end: 'source' }],
  about: 'path',
  events: ['table', 'source', 'log'],
}
