import type { Declaration } from '../../../run/operations/declaration.ts'
import { EXCLUDE, RECURSIVE } from '../../../run/operations/shared-options.ts'
import { PAGES } from '../../../run/operations/pages.ts'

export type DiscoverOperation = {
  readonly kind: 'discover'
  readonly path: string
  readonly recursive: boolean
  readonly exclude: readonly string[]
}

const EVENTS = ['table', 'source', 'log'] as const

export const discover: Declaration<DiscoverOperation, (typeof EVENTS)[number]> = {
  kind: 'discover',
  command: {
    ...PAGES.discover,
    takes: [
      {
        name: 'path',
        operand: true,
        type: 'text',
        completes: 'path',
        describe: 'folder to search, or URL of a bucket or a database',
      },
      RECURSIVE,
      EXCLUDE,
      {
        name: 'tables',
        type: 'list',
        commas: true,
        shown: 'all',
        completes: 'table',
        describe: "for a database: only tables with these names or patterns, such as 'public.*'; repeatable",
      },
    ],
  },
  display: 'listing',
  stores: [{ field: 'path', family: 'lake', access: 'read', end: 'source' }],
  about: 'path',
  events: EVENTS,
}
