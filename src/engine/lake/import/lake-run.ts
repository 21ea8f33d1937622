/** Context of an import's events: the same for an import of one table, a batch, and a sync. */
import type { importOne } from '../operations/import/declaration.ts'
import type { RunOf } from '../../run/run-context.ts'

export type LakeRun = RunOf<typeof importOne>
export type LakeEvent = Parameters<LakeRun['emit']>[0]
