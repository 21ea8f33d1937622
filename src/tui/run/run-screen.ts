/** Which screen shows the run of each operation. The compiler requires an entry for every operation. */
import type { Operation, OperationKind } from '../../app/operations/list.ts'

/** `tables` is the general screen: head, workers and the result of each table. */
export type RunScreen = 'tables' | 'copy' | 'archiving' | 'differences' | 'findings' | 'compare'

const SCREENS = {
  discover: 'tables',
  'discover-database': 'tables',
  import: 'tables',
  'batch-import': 'tables',
  sync: 'tables',
  validate: 'tables',
  fsck: 'findings',
  'performance-compare': 'compare',
  history: 'tables',
  files: 'tables',
  changes: 'tables',
  'verify-rollback': 'tables',
  rollback: 'tables',
  'export-log': 'tables',
  prune: 'tables',
  index: 'tables',
  copy: 'copy',
  follow: 'copy',
  'follow-report': 'tables',
  'sign-off': 'tables',
  cutover: 'copy',
  diff: 'differences',
  'diff-undo': 'tables',
  'diff-followed': 'tables',
  'retry-quarantine': 'tables',
  slots: 'tables',
  tokens: 'tables',
  'partition-plan': 'tables',
  'partition-run': 'copy',
  'partition-in-place': 'tables',
  'partition-list': 'tables',
  'partition-ensure': 'tables',
  'partition-decommission': 'tables',
  'partition-decommission-database': 'tables',
  'lifecycle-status': 'tables',
  'lifecycle-init': 'tables',
  archive: 'archiving',
  'archive-list': 'tables',
  'archive-verify': 'tables',
  'archive-sweep': 'tables',
  'archive-hold': 'tables',
  'archive-adopt': 'tables',
  'archive-erase': 'tables',
  'archive-expire': 'tables',
  restore: 'archiving',
  query: 'tables',
  sql: 'tables',
  'migration-status': 'tables',
  runs: 'tables',
  'copy-runs': 'tables',
  report: 'tables',
  'shared-runs': 'tables',
  'schedule-add': 'tables',
  'schedule-list': 'tables',
  'schedule-next': 'tables',
  'schedule-history': 'tables',
  'schedule-change': 'tables',
  'schedule-print': 'tables',
  worker: 'tables',
  workers: 'tables',
  'workers-watch': 'tables',
  'quarantine-list': 'tables',
  grants: 'tables',
  'queue-grants': 'tables',
  doctor: 'tables',
} as const satisfies Readonly<Record<OperationKind, RunScreen>>

type KindShownAs<S extends RunScreen> = {
  [K in OperationKind]: (typeof SCREENS)[K] extends S ? K : never
}[OperationKind]

/** True if the run of an operation is shown on this screen. */
export function isRunShownOn<S extends RunScreen>(
  operation: Operation,
  screen: S,
): operation is Extract<Operation, { kind: KindShownAs<S> }> {
  return SCREENS[operation.kind] === screen
}
