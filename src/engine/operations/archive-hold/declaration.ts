import type { Declaration } from '../declaration.ts'

/** Keeps partitions where they are, or lets them go again. */
export type ArchiveHoldOperation = {
  readonly kind: 'archive-hold'
  readonly from: string
  readonly table: string
  readonly partitions: readonly string[]
  /** Why; null takes the hold away. */
  readonly reason: string | null
}

export const archiveHold: Declaration<ArchiveHoldOperation> = {
  kind: 'archive-hold',
  command: 'archive',
  shape: 'answer',
  stores: [{ field: 'from', family: 'database', access: 'write', end: 'source' }],
  about: 'table',
  events: ['archived', 'log'],
}
