/** Messages between the UI and the thread of its operation. Plain data only. */
import type { Event } from '../../model/run/event.ts'
import type { Operation } from '../operations/list.ts'
import type { Identity } from '../../engine/run/identity.ts'

/**
 * Cells of the shared flags, which a thread in a synchronous loop can read, unlike messages. `stop` and `abort` hold
 * the exit code, 0 without a request.
 */
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
