import type { AlertOptions } from '../../../model/run/alert.ts'
import type { Declaration } from '../../../engine/run/operations/declaration.ts'
import * as words from '../../../engine/run/operations/words.ts'

export type ArchiveVerifyOperation = {
  readonly kind: 'archive-verify'
  readonly from: string
  readonly tables: readonly string[]
  readonly partitions: readonly string[]
  /** True: also compare with rows that are still in the source. */
  readonly deep: boolean
  readonly alert?: AlertOptions
}

const EVENTS = ['archive.finding', 'archive.progress', 'log'] as const

export const archiveVerify: Declaration<ArchiveVerifyOperation, (typeof EVENTS)[number]> = {
  kind: 'archive-verify',
  command: 'archive',
  actions: {
    'archive verify': {
      from: words.end('from'),
      tables: words.anyTables,
      partitions: words.list('partition'),
      deep: words.flag('deep'),
      alert: words.alert,
    },
  },
  display: 'lines',
  stores: [{ field: 'from', family: 'database', access: 'read', end: 'source' }],
  about: 'tables',
  distributes: { by: 'parts' },
  alerts: { causes: ['verify', 'failed'], by: ['partitions', 'deep'] },
  comesAgain: true,
  events: EVENTS,
}
