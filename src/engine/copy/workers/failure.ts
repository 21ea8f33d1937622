/** What a failure of a chunk means for what is done next. */
import { RETRY_MS } from '../../../shared/attempts.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'

export type FailureKind =
  /** Passes by itself: again after a pause. */
  | 'retry'
  /** One row does not go: find it, set it aside, go on. */
  | 'row'
  /** Somebody else has the chunk now. */
  | 'lost'
  /** The run was asked to end. */
  | 'stop'
  /** Will be the same for every chunk of the table. */
  | 'table'

export function failureKind(thrown: unknown): { readonly kind: FailureKind; readonly error: SluiceError } {
  const error = asSluiceError(thrown)
  if (error.kind === 'stopped') return { kind: 'stop', error }
  if (error.code === 'LEASE_LOST') return { kind: 'lost', error }
  if (error.code === 'ROW_REFUSED' || error.code === 'VALUE_REFUSED') return { kind: 'row', error }
  return { kind: error.retryable ? 'retry' : 'table', error }
}

/** Longest that work with both stores is tried again, ms. */
export function retryMsOf(...stores: readonly Pick<CopyStore, 'can'>[]): number {
  return Math.max(...stores.map(({ can }) => can.retryMs ?? RETRY_MS))
}

/** Whether the other side has too much to do, so that less should be asked of it. A line that broke says nothing of the kind. */
export function isPressure({ code }: SluiceError): boolean {
  return code === 'RATE_LIMITED' || code === 'TARGET_BUSY' || code === 'TARGET_IO' || code === 'SOURCE_IO'
}

/** What a user is told once where readers let their tables go for another session of the source; null for any other failure. */
export function yieldedText({ code, message }: Pick<SluiceError, 'code' | 'message'>): string | null {
  return code === 'SOURCE_BUSY' ? `${message}: the copy let go of its tables, and goes on` : null
}
