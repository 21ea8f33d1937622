import type { RowFormat } from '../../../model/run/row-format.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import { ROW_WORDS, ROW_OPTIONS } from '../../../engine/run/operations/shared-options.ts'
import { PAGES } from '../../../engine/run/operations/pages.ts'
import * as words from '../../../engine/run/operations/words.ts'

export type SqlOperation = {
  readonly kind: 'sql'
  readonly query: string
  readonly catalog: string
  /** Maximum number of rows returned. */
  readonly limit: number
  /** Output format if the UI is not open. */
  readonly format: RowFormat
  readonly timeoutMs?: number
}

const EVENTS = ['columns', 'row', 'log'] as const

export const sql: Declaration<SqlOperation, (typeof EVENTS)[number]> = {
  kind: 'sql',
  command: {
    ...PAGES.sql,
    takes: [
      { name: 'query', operand: true, type: 'text', describe: 'one query in the SQL of the catalog, in quotes' },
      ...ROW_OPTIONS,
    ],
  },
  words: { query: words.text('query'), catalog: words.catalog, ...ROW_WORDS },
  display: 'listing',
  stores: [{ field: 'catalog', family: 'catalog', access: 'read', end: 'target' }],
  rows: 'format',
  events: EVENTS,
}
