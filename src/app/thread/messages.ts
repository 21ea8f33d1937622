/** What crosses between threads. Plain data only. */
import type { Deadline } from '../../shared/deadline.ts'
import type { ErrorInfo, ErrorKind, SluiceError } from '../../shared/errors.ts'
import type { ImportResult } from '../../catalog/import/import-table.ts'
import type { Owner } from '../../shared/owner.ts'
import type { LakeEvent } from '../../engine/lake/import/lake-run.ts'
import type { ImportSettings, ImportTarget } from '../../engine/lake/import/import-one.ts'

export type Identity = {
  readonly tool: string
  readonly actor: string
  readonly host: string
  /** Folder of the book of this machine's runs. */
  readonly book?: string
  /** Of each run. */
  readonly deadline?: Deadline
}

/** An error as plain data: whole, and without its stack and its cause. */
export type Packed = { readonly info: ErrorInfo; readonly kind: ErrorKind }
export const packed = (error: SluiceError): Packed => ({ info: error.info(), kind: error.kind })

export type LaneStart = {
  readonly catalog: string
  readonly runId: string
  /** One for all threads of a run. */
  readonly owner: Owner
  readonly commandLine: string
  readonly sharedRun?: string
  readonly identity: Identity
}
export type LaneTask = { readonly target: Omit<ImportTarget, 'log'>; readonly settings: ImportSettings }
/** To a lane's thread. Its import gives messages their turn between two blocks of lines. */
export type LaneOrder =
  | ({ readonly type: 'import' } & LaneTask)
  | { readonly type: 'stop' | 'abort'; readonly reason: Packed }
  | { readonly type: 'pause'; readonly paused: boolean }
  | { readonly type: 'close' }
export type LaneMessage =
  | { readonly type: 'opened'; readonly error: Packed | null }
  | { readonly type: 'event'; readonly body: LakeEvent }
  | { readonly type: 'done'; readonly result: ImportResult | null; readonly error: Packed | null; readonly ms: number }

export type QueryStart = { readonly lake: string | null; readonly catalog: string | null }
export type QueryMethod =
  | 'tables'
  | 'placed'
  | 'lakeAt'
  | 'changed'
  | 'overview'
  | 'schema'
  | 'features'
  | 'history'
  | 'commit'
  | 'partitions'
  | 'files'
  | 'runs'
export type Question = { readonly id: number; readonly method: QueryMethod; readonly arguments: readonly unknown[] }
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: ErrorInfo; readonly kind: ErrorKind }
