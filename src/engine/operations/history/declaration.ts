import type { Declaration } from '../declaration.ts'
import { TABLE } from '../shared-options.ts'

export type HistoryOperation = {
  readonly kind: 'history'
  readonly table: string
  readonly catalog?: string
  readonly limit: number
}

export const history: Declaration<HistoryOperation> = {
  kind: 'history',
  command: {
    name: 'history',
    operands: '<table>',
    group: 'Lakes',
    summary: 'list the commits of a table, newest first',
    takes: [TABLE, { name: 'limit', type: 'number', default: 20, config: 'default', describe: 'commits to list' }],
  },
  shape: 'listing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: ['commit', 'log'],
}
