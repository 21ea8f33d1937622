import type { AsOf } from '../../as-of.ts'
import type { Declaration } from '../declaration.ts'
import { AS_OF, TABLE } from '../shared-options.ts'
import { PAGES } from '../pages.ts'

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
  command: {
    ...PAGES.files,
    takes: [
      TABLE,
      ...AS_OF,
      { name: 'where', type: 'text', describe: `predicate, such as "region = 'eu' AND id > 100"` },
      { name: 'limit', type: 'number', describe: 'files to list; else all' },
    ],
  },
  shape: 'listing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: ['file', 'log'],
}
