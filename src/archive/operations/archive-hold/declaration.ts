import type { AlertOptions } from '../../../model/run/alert.ts'
import { FAILED } from '../../../engine/run/operations/alert-options.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

/** Sets or removes holds on partitions. */
export type ArchiveHoldOperation = {
  readonly kind: 'archive-hold'
  readonly from: string
  readonly table: string
  readonly partitions: readonly string[]
  /** Reason of the hold; null removes it. */
  readonly reason: string | null
  readonly alert?: AlertOptions
}

const HELD = {
  from: words.end('from'),
  table: words.oneTable,
  partitions: words.someOf('partition', 'sluice archive plan shows them'),
  alert: words.alert,
}

/** Only `log`: the result is a number in the final event. */
const EVENTS = ['log'] as const

export const archiveHold: Declaration<ArchiveHoldOperation, (typeof EVENTS)[number]> = {
  kind: 'archive-hold',
  command: 'archive',
  actions: {
    'archive hold': { ...HELD, reason: words.text('reason') },
    'archive release': { ...HELD, reason: words.constant(null) },
  },
  display: 'answer',
  stores: [{ field: 'from', family: 'database', access: 'write', end: 'source' }],
  about: 'table',
  alerts: { causes: FAILED, by: ['partitions', 'reason'] },
  events: EVENTS,
}
