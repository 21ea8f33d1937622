/** What goes on with a log says the same, whether one table is imported, many are, or what is new is brought. */
import type { importOne } from '../operations/import/declaration.ts'
import type { RunOf } from '../../run/run-context.ts'

export type LakeRun = RunOf<typeof importOne>
export type LakeEvent = Parameters<LakeRun['emit']>[0]
