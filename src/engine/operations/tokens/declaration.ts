import type { Declaration } from '../declaration.ts'
import { PAGES } from '../pages.ts'

export type TokensOperation = {
  readonly kind: 'tokens'
  readonly from: string
  /** Names or patterns. */
  readonly tables: readonly string[]
  /** Equal parts of the ring that are told apart. */
  readonly splits: number
  /** Windows of it that are looked at. */
  readonly sample: number
  /** The same seed looks at the same windows. */
  readonly seed: string
}

export const tokens: Declaration<TokensOperation> = {
  kind: 'tokens',
  command: {
    ...PAGES.tokens,
    takes: [
      {
        name: 'table',
        operand: true,
        type: 'list',
        completes: 'table',
        describe: "a table or a pattern, such as 'shop.*'",
      },
      {
        name: 'from',
        type: 'text',
        completes: 'database',
        describe: 'URL of the database, such as cassandra://host/keyspace; else the config file',
      },
      { name: 'splits', type: 'number', default: 64, describe: 'equal parts of the ring that are told apart' },
      {
        name: 'sample',
        type: 'number',
        default: 256,
        describe: 'windows of some hundred rows that are read, at least one in each part',
      },
      {
        name: 'seed',
        type: 'text',
        default: 'sluice',
        describe: 'where the windows lie; the same seed reads the same ones',
      },
    ],
  },
  shape: 'listing',
  stores: [{ field: 'from', family: 'database', access: 'read', end: 'source' }],
  about: 'tables',
  events: ['ring', 'ring.part', 'ring.host', 'log'],
}
