import type { Declaration } from '../../../run/operations/declaration.ts'

/** Reports the ledger's history of a stream; read-only, also while a program runs the stream. */
export type FollowReportOperation = {
  readonly kind: 'follow-report'
  /** Id of the stream, or of the run that last worked on it. */
  readonly stream: string
  readonly to: string
  /** Output file: JSON if its name ends in .json, otherwise Markdown. Absent: the report is printed. */
  readonly report?: string
}

const EVENTS = ['follow.history', 'run.report', 'log'] as const

export const followReport: Declaration<FollowReportOperation, (typeof EVENTS)[number]> = {
  kind: 'follow-report',
  command: 'follow',
  display: 'listing',
  about: 'stream',
  stores: [{ field: 'to', family: 'database', access: 'read', end: 'target' }],
  events: EVENTS,
}
