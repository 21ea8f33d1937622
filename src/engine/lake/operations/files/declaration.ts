import type { AsOf } from '../../../../model/lake/as-of.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import { AS_OF, TABLE } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

export type FilesOperation = {
  readonly kind: 'files'
  readonly table: string
  readonly catalog?: string
  readonly asOf: AsOf
  readonly where?: string
  readonly limit?: number
}

const EVENTS = ['file', 'log'] as const

export const files: Declaration<FilesOperation, (typeof EVENTS)[number]> = {
  kind: 'files',
  command: {
    ...PAGES.files,
    takes: [
      TABLE,
      ...AS_OF,
      { name: 'where', type: 'text', describe: `predicate, such as "region = 'eu' AND id > 100"` },
      { name: 'limit', type: 'number', least: 1, describe: 'files to list (default: all)' },
    ],
  },
  words: {
    table: words.text('table'),
    catalog: words.optionalCatalog,
    asOf: words.asOf,
    where: words.optionalText('where'),
    limit: words.optionalCount('limit'),
  },
  display: 'listing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: EVENTS,
}
