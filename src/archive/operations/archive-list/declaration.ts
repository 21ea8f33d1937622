import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

export type ArchiveListOperation = {
  readonly kind: 'archive-list'
  readonly from: string
  readonly tables: readonly string[]
  /** True: count rows of archived periods that are still in tables. False: count only if that takes about a second. */
  readonly count: boolean
}

const EVENTS = ['archived', 'log'] as const

export const archiveList: Declaration<ArchiveListOperation, (typeof EVENTS)[number]> = {
  kind: 'archive-list',
  command: 'archive',
  actions: {
    'archive list': { from: words.end('from'), tables: words.anyTables, count: words.flag('count') },
  },
  display: 'listing',
  stores: [{ field: 'from', family: 'database', access: 'read', end: 'source' }],
  about: 'tables',
  events: EVENTS,
}
