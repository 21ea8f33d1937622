/** How to react to a failure of a chunk. */
import { RETRY_MS } from '../../../shared/attempts.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'

export type WorkFailureKind =
  /** Transient: retry after a pause. */
  | 'retry'
  /** One row is refused: find it, quarantine it, continue. */
  | 'row'
  /** Another process has the chunk now. */
  | 'lost'
  /** The run was asked to stop. */
  | 'stop'
  /** Affects every chunk of the table. */
  | 'table'

export function failureKind(thrown: unknown): { readonly kind: WorkFailureKind; readonly error: SluiceError } {
  const error = asSluiceError(thrown)
  if (error.kind === 'stopped') return { kind: 'stop', error }
  if (error.code === 'LEASE_LOST') return { kind: 'lost', error }
  if (error.code === 'ROW_REFUSED' || error.code === 'VALUE_REFUSED') return { kind: 'row', error }
  return { kind: error.retryable ? 'retry' : 'table', error }
}

/** Retry limit for work with these stores, ms. */
export function retryMsOf(...stores: readonly Pick<CopyStore, 'can'>[]): number {
  return Math.max(...stores.map(({ can }) => can.retryMs ?? RETRY_MS))
}

/** True if the server is overloaded, so that the copy should send less. A broken connection is no sign of overload. */
export function isOverload({ code }: SluiceError): boolean {
  return code === 'RATE_LIMITED' || code === 'TARGET_BUSY' || code === 'TARGET_IO' || code === 'SOURCE_IO'
}

/** Text for the log if readers of the source released their tables for another session; null for any other failure. */
export function yieldedText({ code, message }: Pick<SluiceError, 'code' | 'message'>): string | null {
  return code === 'SOURCE_BUSY' ? `${message}: the copy released its tables and continues` : null
}
