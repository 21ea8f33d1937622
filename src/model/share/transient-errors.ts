/** Causes of failures that end by themselves, or that a user can remove while a shared run continues. */
import type { ErrorCode, ErrorInfo } from '../../shared/errors.ts'

/** Errors that are transient, or that a user can remove: the task waits and is retried. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CONNECTION_LOST',
  'COMMIT_UNKNOWN',
  'TARGET_BUSY',
  'SOURCE_BUSY',
  'LEDGER_BUSY',
  'TABLE_LOCKED',
  'LEASE_LOST',
  'SLOT_ACTIVE',
  'RATE_LIMITED',
  'NO_SPACE',
])

/** Errors that are transient only if they say so: a bucket that is away, but no damaged file; a server, not a right. */
const BY_THEIR_WORD: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CONNECT_FAILED',
  'TARGET_DENIED',
  'SOURCE_DENIED',
  'SOURCE_IO',
  'TARGET_IO',
  'LOG_CHANGED',
])

/** Errors that may be transient or permanent: a ledger does not record which. */
const POSSIBLY_TRANSIENT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['CONNECT_FAILED', 'TARGET_DENIED'])

/** True if the task waits and is retried after this error, however often it occurs. */
export function isTransientError({ code, retryable }: Pick<ErrorInfo, 'code' | 'retryable'>): boolean {
  return TRANSIENT.has(code) || (retryable && BY_THEIR_WORD.has(code))
}

/** One of the codes, after which a retry may succeed; undefined if there is none. @param codes from a ledger */
export function transientCode(codes: Iterable<string>): ErrorCode | undefined {
  const known = new Set(codes)
  return [...TRANSIENT, ...POSSIBLY_TRANSIENT].find((code) => known.has(code))
}
