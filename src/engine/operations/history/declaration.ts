import type { Declaration } from '../declaration.ts'

export type HistoryOperation = {
  readonly kind: 'history'
  readonly table: string
  readonly catalog?: string
  readonly limit: number
}

export const history: Declaration<HistoryOperation> = {
  kind: 'history',
  command: 'history',
  shape: 'listing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: ['commit', 'log'],
}
