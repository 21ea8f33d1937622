import type { Declaration } from '../declaration.ts'
import * as words from '../words.ts'

/** Keeps partitions where they are, or lets them go again. */
export type ArchiveHoldOperation = {
  readonly kind: 'archive-hold'
  readonly from: string
  readonly table: string
  readonly partitions: readonly string[]
  /** Why; null takes the hold away. */
  readonly reason: string | null
}

const HELD = {
  from: words.end('from'),
  table: words.oneTable,
  partitions: words.someOf('partition', 'sluice archive plan shows them'),
}

/** What was held is said by its number alone, at the end. */
const EVENTS = [] as const

export const archiveHold: Declaration<ArchiveHoldOperation, (typeof EVENTS)[number]> = {
  kind: 'archive-hold',
  command: 'archive',
  actions: {
    'archive hold': { ...HELD, reason: words.text('reason') },
    'archive release': { ...HELD, reason: words.constant(null) },
  },
  shape: 'answer',
  stores: [{ field: 'from', family: 'database', access: 'write', end: 'source' }],
  about: 'table',
  events: EVENTS,
}
