import type { RowFormat } from '../../row-format.ts'
import type { Declaration } from '../declaration.ts'

/** One statement over what is in the source and what is in its archives. */
export type QueryOperation = {
  readonly kind: 'query'
  readonly from: string
  readonly table: string
  readonly query: string
  readonly limit: number
  readonly format: RowFormat
  readonly timeoutMs?: number
}

export const query: Declaration<QueryOperation> = {
  kind: 'query',
  command: 'query',
  shape: 'listing',
  stores: [{ field: 'from', family: 'database', access: 'read', end: 'source' }],
  about: 'table',
  rows: 'format',
  events: ['columns', 'row', 'query.sources', 'log'],
}
