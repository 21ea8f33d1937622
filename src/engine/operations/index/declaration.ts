import type { Declaration } from '../declaration.ts'

export type IndexOperation = {
  readonly kind: 'index'
  readonly table: string
  /** As a condition names them. */
  readonly columns: readonly string[]
  readonly catalog: string
  /** Take their ranges away. */
  readonly drop: boolean
}

export const indexColumns: Declaration<IndexOperation> = {
  kind: 'index',
  command: 'index',
  shape: 'lines',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'table',
  events: ['log'],
}
