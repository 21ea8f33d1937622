/** Events of a comparison of two databases. */
import type { diff } from '../operations/diff/declaration.ts'
import type { RunOf } from '../../run/run-context.ts'

export type DiffRun = RunOf<typeof diff>
