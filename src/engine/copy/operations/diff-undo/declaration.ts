import type { Declaration } from '../../../run/operations/declaration.ts'

export type DiffUndoOperation = {
  readonly kind: 'diff-undo'
  /** Id of the run whose repairs are undone. */
  readonly runId: string
  readonly to: string
  /** Names of target tables; empty: all tables that the run repaired. */
  readonly tables: readonly string[]
}

const EVENTS = ['plan.ready', 'table.finished', 'log'] as const

export const diffUndo: Declaration<DiffUndoOperation, (typeof EVENTS)[number]> = {
  kind: 'diff-undo',
  command: 'diff',
  event: 'diff',
  display: 'lines',
  stores: [{ field: 'to', family: 'database', access: 'write', end: 'target' }],
  about: 'tables',
  events: EVENTS,
}
