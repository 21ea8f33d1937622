/** What crosses between the UI's thread and those that work. Plain data only. */
import type { ErrorInfo, ErrorKind } from '../../shared/errors.ts'
import type { Event } from '../../model/event.ts'
import type { Operation } from '../operation.ts'

export type Identity = { readonly tool: string; readonly actor: string; readonly host: string }

/** Cells of the shared flags: a thread in a synchronous loop sees no message, but it can look here. */
export const FLAG = { stop: 0, abort: 1, paused: 2, lanes: 3 } as const
export const FLAG_BYTES = 16

export type OperationStart = {
  readonly operation: Operation
  readonly identity: Identity
  readonly commandLine: string
  readonly flags: SharedArrayBuffer
}
export type OperationMessage =
  { readonly type: 'event'; readonly event: Event } | { readonly type: 'done'; readonly exitCode: number }

export type QueryStart = { readonly lake: string | null; readonly catalog: string }
export type QueryMethod =
  'tables' | 'overview' | 'schema' | 'features' | 'history' | 'commit' | 'partitions' | 'files' | 'runs'
export type Question = { readonly id: number; readonly method: QueryMethod; readonly arguments: readonly unknown[] }
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: ErrorInfo; readonly kind: ErrorKind }
