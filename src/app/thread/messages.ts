/** Messages between the UI and the thread for its queries. Plain data only. */
import type { ErrorInfo, ErrorKind } from '../../shared/errors.ts'

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
export type ThreadQuestion = {
  readonly id: number
  readonly method: QueryMethod
  readonly arguments: readonly unknown[]
}
export type ThreadAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: ErrorInfo; readonly kind: ErrorKind }
