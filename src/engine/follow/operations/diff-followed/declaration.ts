import type { ScopeWish } from '../../by-hand/scope.ts'
import { COPY_EVENTS } from '../../../copy/operations/copy/declaration.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'

/** Rows of a followed table, named by hand: those that differ are mended by the lane of its stream. */
export type DiffFollowedOperation = {
  readonly kind: 'diff-followed'
  /** Id of the stream, or of the run that worked on it last. */
  readonly stream: string
  readonly to: string
  /** That of the ledger, which has no password, when absent. */
  readonly from?: string
  /** Name of the table in the source or the target; need not be said of a stream with one. */
  readonly table?: string
  readonly scope: ScopeWish
  /** Rows that are named of each kind; all are counted. */
  readonly limit: number
  /** Only says what differs. */
  readonly dryRun: boolean
}

const EVENTS = [...COPY_EVENTS, 'follow.row'] as const

export const diffFollowed: Declaration<DiffFollowedOperation, (typeof EVENTS)[number]> = {
  kind: 'diff-followed',
  command: 'diff',
  event: 'diff',
  shape: 'lines',
  doing: 'comparing',
  stores: [
    { field: 'from', family: 'database', access: 'read', end: 'source' },
    { field: 'to', family: 'database', access: 'write', end: 'target' },
  ],
  about: ['table', 'stream'],
  events: EVENTS,
}
