/** Messages to and from a worker's thread. Plain data only. */
import type { ImportResult } from '../../../catalog/import/import-table.ts'
import type { Owner } from '../../../shared/owner.ts'
import type { PackedError } from '../../../shared/packed-error.ts'
import type { Identity } from '../../run/identity.ts'
import type { ImportSettings, ImportTarget } from './import-one.ts'
import type { LakeEvent } from './lake-run.ts'

export type ImportThreadStart = {
  readonly catalog: string
  readonly runId: string
  /** Owner of the leases: the same for all threads of a run. */
  readonly owner: Owner
  readonly commandLine: string
  readonly sharedRun?: string
  readonly identity: Identity
}
export type ImportThreadTask = { readonly target: Omit<ImportTarget, 'log'>; readonly settings: ImportSettings }
/** Message to a worker's thread. An import handles messages between two blocks of lines. */
export type ImportThreadOrder =
  | ({ readonly type: 'import' } & ImportThreadTask)
  | { readonly type: 'stop' | 'abort'; readonly reason: PackedError }
  | { readonly type: 'pause'; readonly paused: boolean }
  | { readonly type: 'close' }
export type ImportThreadMessage =
  | { readonly type: 'opened'; readonly error: PackedError | null }
  | { readonly type: 'event'; readonly body: LakeEvent }
  | {
      readonly type: 'done'
      readonly result: ImportResult | null
      readonly error: PackedError | null
      readonly ms: number
    }
