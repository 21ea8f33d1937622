import type { ScopeOptions } from '../../by-hand/scope.ts'
import { COPY_EVENTS } from '../../../copy/operations/copy/declaration.ts'
import type { Declaration } from '../../../run/operations/declaration.ts'
import type { FollowOperation } from '../follow/declaration.ts'

/** Compares named rows of a replicated table; the apply worker of its stream repairs those that differ. */
export type DiffFollowedOperation = Pick<FollowOperation, 'stream' | 'to' | 'from'> & {
  readonly kind: 'diff-followed'
  /** Name of the table in the source or the target; optional if the stream has one table. */
  readonly table?: string
  readonly scope: ScopeOptions
  /** Maximum number of differences, and of repairs, that are reported one by one; all are counted. */
  readonly limit: number
  /** True to report differences without repairing them. */
  readonly dryRun: boolean
}

const EVENTS = [...COPY_EVENTS, 'follow.row'] as const

export const diffFollowed: Declaration<DiffFollowedOperation, (typeof EVENTS)[number]> = {
  kind: 'diff-followed',
  command: 'diff',
  event: 'diff',
  display: 'lines',
  doing: 'comparing',
  stores: [
    { field: 'from', family: 'database', access: 'read', end: 'source' },
    { field: 'to', family: 'database', access: 'write', end: 'target' },
  ],
  about: ['table', 'stream'],
  events: EVENTS,
}
