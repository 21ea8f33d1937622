import type { Declaration } from '../declaration.ts'
import { TABLE } from '../shared-options.ts'

export type ChangesOperation = {
  readonly kind: 'changes'
  readonly table: string
  readonly catalog?: string
  readonly fromVersion: number
  readonly toVersion: number
}

export const changes: Declaration<ChangesOperation> = {
  kind: 'changes',
  command: {
    name: 'changes',
    operands: '<table>',
    group: 'Lakes',
    summary: 'list what happened between two versions',
    takes: [
      TABLE,
      { name: 'from-version', type: 'number', required: true, describe: 'version before the first change' },
      { name: 'to-version', type: 'number', required: true, describe: 'version of the last change' },
    ],
  },
  shape: 'listing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: ['change', 'log'],
}
