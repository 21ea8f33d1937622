import type { RowFormat } from '../../../model/run/row-format.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import { ROW_WORDS, ROW_OPTIONS } from '../../../engine/run/operations/shared-options.ts'
import { PAGES } from '../../../engine/run/operations/pages.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** One statement over a table of the source and its archive. */
export type QueryOperation = {
  readonly kind: 'query'
  readonly from: string
  readonly table: string
  readonly query: string
  readonly limit: number
  readonly format: RowFormat
  readonly timeoutMs?: number
  /** True: compare the sha256 of each file before reading it. */
  readonly verifyFiles?: boolean
}

const EVENTS = ['columns', 'row', 'query.sources', 'log'] as const

export const query: Declaration<QueryOperation, (typeof EVENTS)[number]> = {
  kind: 'query',
  command: {
    ...PAGES.query,
    takes: [
      {
        name: 'table',
        operand: true,
        type: 'text',
        completes: 'table',
        describe: 'table of the database; the query calls it by this name',
      },
      {
        name: 'query',
        operand: true,
        type: 'text',
        describe:
          'one query in the SQL of DuckDB, in quotes; conditions on the time column limit the partitions to read',
      },
      {
        name: 'from',
        type: 'text',
        completes: 'database',
        describe: 'URL of the database, whose ledger names the archive; else the config file or $DATABASE_URL',
      },
      {
        name: 'verify',
        type: 'flag',
        default: false,
        describe: 'compare the sha256 of each file before it is read; files in S3 are downloaded whole',
      },
      ...ROW_OPTIONS,
    ],
  },
  words: {
    from: words.end('from'),
    table: words.text('table'),
    query: words.text('query'),
    verifyFiles: words.set('verify'),
    ...ROW_WORDS,
  },
  display: 'listing',
  stores: [{ field: 'from', family: 'database', access: 'read', end: 'source' }],
  about: 'table',
  rows: 'format',
  events: EVENTS,
}
