import type { Declaration } from '../../../run/operations/declaration.ts'

/** What the ledger knows of a stream: only read, whoever follows it. */
export type FollowReportOperation = {
  readonly kind: 'follow-report'
  /** Id of the stream, or of the run that worked on it last. */
  readonly stream: string
  readonly to: string
  /** A file: JSON where its name ends so, else Markdown. It is printed when absent. */
  readonly report?: string
}

const EVENTS = ['follow.history', 'log'] as const

export const followReport: Declaration<FollowReportOperation, (typeof EVENTS)[number]> = {
  kind: 'follow-report',
  command: 'follow',
  shape: 'listing',
  about: 'stream',
  stores: [{ field: 'to', family: 'database', access: 'read', end: 'target' }],
  events: EVENTS,
}
