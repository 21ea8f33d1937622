import type { Declaration } from '../../../run/operations/declaration.ts'
import { PAGES } from '../../../run/operations/pages.ts'
import * as words from '../../../run/operations/words.ts'

export type TokensOperation = {
  readonly kind: 'tokens'
  readonly from: string
  /** Names or patterns. */
  readonly tables: readonly string[]
  /** Number of equal parts of the ring to report. */
  readonly splits: number
  /** Number of windows to read; a window is a few hundred rows. */
  readonly sample: number
  /** The same seed reads the same windows. */
  readonly seed: string
}

/** Limit of parts, so that the report stays readable. */
const MOST_PARTS = 10_000
const MOST_WINDOWS = 1_000_000

const EVENTS = ['ring', 'ring.part', 'ring.host', 'log'] as const

export const tokens: Declaration<TokensOperation, (typeof EVENTS)[number]> = {
  kind: 'tokens',
  command: {
    ...PAGES.tokens,
    takes: [
      {
        name: 'table',
        operand: true,
        type: 'list',
        commas: true,
        completes: 'table',
        describe: "a table or a pattern, such as 'shop.*'",
      },
      {
        name: 'from',
        type: 'text',
        completes: 'database',
        describe: 'URL of the database, such as cassandra://host/keyspace; by default from the config file',
      },
      {
        name: 'splits',
        type: 'number',
        default: 64,
        least: 1,
        most: MOST_PARTS,
        describe: 'number of equal parts of the ring',
      },
      {
        name: 'sample',
        type: 'number',
        default: 256,
        least: 1,
        most: MOST_WINDOWS,
        describe: 'number of windows of a few hundred rows to read, at least one in each part',
      },
      {
        name: 'seed',
        type: 'text',
        default: 'sluice',
        describe: 'seed of the random choice of windows; the same text gives the same windows',
      },
    ],
  },
  words: {
    from: words.end('from'),
    tables: words.names('table'),
    splits: words.count('splits'),
    sample: words.count('sample'),
    seed: words.text('seed'),
  },
  display: 'listing',
  stores: [{ field: 'from', family: 'database', access: 'read', end: 'source' }],
  about: 'tables',
  events: EVENTS,
}
