import type { AsOf } from '../../as-of.ts'
import type { Declaration } from '../declaration.ts'

export type FilesOperation = {
  readonly kind: 'files'
  readonly table: string
  readonly catalog?: string
  readonly asOf: AsOf
  readonly where?: string
  readonly limit?: number
}

export const files: Declaration<FilesOperation> = {
  kind: 'files',
  command: 'files',
  shape: 'listing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: ['file', 'log'],
}
