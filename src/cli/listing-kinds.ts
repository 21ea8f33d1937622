/** Commands whose whole purpose is what they print. */
import type { OperationKind } from '../engine/operation.ts'

/** They change nothing, so that they may end as soon as nobody reads them any more. */
export const LISTING_KINDS: ReadonlySet<OperationKind> = new Set<OperationKind>([
  'discover',
  'history',
  'files',
  'changes',
  'migration-status',
  'runs',
  'copy-runs',
  'sql',
  'doctor',
  'discover-database',
  'tokens',
  'archive-list',
  'query',
])

/** They say only how they end, by the names that events have. Some print too, and may change something. */
export const LISTING_COMMANDS: ReadonlySet<string> = new Set([...LISTING_KINDS, 'grants', 'ctl', 'archive-hold'])
