/** Events of a copy, from its checks to its last chunk. */
import type { copy } from './operations/copy/declaration.ts'
import type { RunOf } from '../run/run-context.ts'

export type CopyRun = RunOf<typeof copy>
export type CopyEvent = Parameters<CopyRun['emit']>[0]
