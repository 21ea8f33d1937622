import type { Declaration } from '../../../run/operations/declaration.ts'
import { TABLE } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

export type HistoryOperation = {
  readonly kind: 'history'
  readonly table: string
  readonly catalog?: string
  readonly limit: number
}

const EVENTS = ['commit', 'log'] as const

export const history: Declaration<HistoryOperation, (typeof EVENTS)[number]> = {
  kind: 'history',
  command: {
    ...PAGES.history,
    takes: [
      TABLE,
      { name: 'limit', type: 'number', least: 1, default: 20, config: 'default', describe: 'commits to list' },
    ],
  },
  words: { table: words.text('table'), catalog: words.optionalCatalog, limit: words.count('limit') },
  display: 'listing',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'read', end: 'target' },
  ],
  about: 'table',
  events: EVENTS,
}
