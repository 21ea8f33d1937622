/** Causes of failures that end by themselves, or that a user can remove while a shared run continues. */
import type { ErrorCode } from '../../shared/errors.ts'

/** Errors that are transient, or can be resolved: the task rests and is retried. */
export const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
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

/** Some of these pass, and some do not, which a ledger does not note. */
const DOUBTFUL: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['CONNECT_FAILED', 'TARGET_DENIED'])

/** The first code of a failure, as a ledger has it, after which another try is worth while. */
export function passingOf(codes: Iterable<string>): ErrorCode | undefined {
  const known = new Set(codes)
  return [...PASSING, ...DOUBTFUL].find((code) => known.has(code))
}
