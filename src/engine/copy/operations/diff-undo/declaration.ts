import type { Declaration } from '../../../run/operations/declaration.ts'

export type DiffUndoOperation = {
  readonly kind: 'diff-undo'
  /** Of the diff that mended. */
  readonly runId: string
  readonly to: string
  /** Names of tables of the target; none stands for all that it mended. */
  readonly tables: readonly string[]
}

const EVENTS = ['plan.ready', 'table.finished', 'log'] as const

export const diffUndo: Declaration<DiffUndoOperation, (typeof EVENTS)[number]> = {
  kind: 'diff-undo',
  command: 'diff',
  event: 'diff',
  shape: 'lines',
  stores: [{ field: 'to', family: 'database', access: 'write', end: 'target' }],
  about: 'tables',
  events: EVENTS,
}
