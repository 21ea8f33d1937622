import type { AsOf } from '../../as-of.ts'
import type { Declaration } from '../declaration.ts'

export type FsckOperation = {
  readonly kind: 'fsck'
  readonly table: string
  /** Active files come from its rows where it holds the table. */
  readonly catalog?: string
  readonly asOf: AsOf
  /** Read all rows back too. */
  readonly deep: boolean
  /** Files to open, drawn by the seed; all when absent. */
  readonly sample?: number
  readonly seed: string
  /** Only files that a later version added. */
  readonly since?: number
  /** Look at files outside the table root too, as shallow clones have them. */
  readonly outside: boolean
}

export const fsck: Declaration<FsckOperation> = {
  kind: 'fsck',
  command: 'fsck',
  shape: 'lines',
  doing: 'checking files',
  stores: [
    { field: 'table', family: 'table', access: 'read', end: 'source' },
    { field: 'catalog', family: 'catalog', access: 'write', end: 'target' },
  ],
  about: 'table',
  events: [
    'plan.ready',
    'chunk.started',
    'chunk.progress',
    'chunk.done',
    'fsck.finding',
    'fsck.checked',
    'fsck.progress',
    'log',
  ],
}
