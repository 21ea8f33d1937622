import type { Declaration } from '../declaration.ts'

export type ChangesOperation = {
  readonly kind: 'changes'
  readonly table: string
  readonly catalog?: string
  readonly fromVersion: number
  readonly toVersion: number
}

export const changes: Declaration<ChangesOperation> = {
  kind: 'changes',
  command: 'changes',
  shape: 'listing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: ['change', 'log'],
}
