/** Causes of failures that end by themselves, or that a user can remove while a shared run continues. */
import type { ErrorCode } from '../../shared/errors.ts'

/** Errors that are transient, or that a user can remove: the task waits and is retried. */
export const TRANSIENT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
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

/** Errors that may be transient or permanent: a ledger does not record which. */
const POSSIBLY_TRANSIENT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['CONNECT_FAILED', 'TARGET_DENIED'])

/** One of the codes, after which a retry may succeed; undefined if there is none. @param codes from a ledger */
export function transientCode(codes: Iterable<string>): ErrorCode | undefined {
  const known = new Set(codes)
  return [...TRANSIENT, ...POSSIBLY_TRANSIENT].find((code) => known.has(code))
}
