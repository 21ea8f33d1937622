/** What becomes of a slot when its program has ended. */
import { restsFor, type Rested, type SlotEnd } from '../../model/share/distributed.ts'
import { ERROR_CODES, errorFromInfo, EXIT_OF_KIND, type ErrorCode, type ErrorInfo } from '../../shared/errors.ts'
import type { SlotDone } from './slot-messages.ts'

/** What passes by itself, or once it is mended: the slot rests, and is tried again. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
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
/** A program that crashes is tried again so often. */
const CRASHES = 5
/** So often a slot rests for a server that refuses the login, or a pooler that lends sessions: two minutes, in which a password may be changed here, too. */
export const REFUSED_LOGINS = 6

/** Errors that say only that others came first: those of the tables decide. */
const SUMS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['TABLES_FAILED'])

/**
 * @param rested turns before it that have failed
 * @returns `rest` with the cause where it is tried again after a while, `none` where it has ended. Where one cause ended all tables that failed, the error is that cause
 * A chunk that failed never fails a slot: its program has done all else, and that is the end of it.
 */
export function slotEnd({ exitCode, error, crashed, leftOut, failures = [] }: SlotDone, rested: Rested): SlotEnd {
  const told = error === undefined ? {} : { error }
  if (crashed) return { left: restsFor(rested, error) < CRASHES ? 'rest' : 'none', exitCode, ...told }
  // The next turn would leave it out, too.
  if (leftOut === true) return { left: 'none', exitCode, ...told }
  if (exitCode === EXIT_OF_KIND.stopped || exitCode > 128) return { left: 'queue', exitCode: EXIT_OF_KIND.stopped }
  if (error === undefined) return { left: 'none', exitCode }
  const causes = SUMS.has(error.code) && failures.length > 0 ? failures : [error]
  const [cause = error] = causes
  // What passes is worth another turn, whatever else has failed beside it.
  const passing = causes.find((one) => passes(one, rested))
  if (passing !== undefined) return { left: 'rest', exitCode, error: passing }
  const isOne = cause.code === 'CONNECT_FAILED' && causes.every(({ code }) => code === cause.code)
  return isOne
    ? { left: 'none', exitCode: errorFromInfo(cause).exitCode, error: cause }
    : { left: 'none', exitCode, error }
}

function passes(error: ErrorInfo, rested: Rested): boolean {
  const { code, retryable } = error
  // A server that is read-only may be promoted; a right that is missing stays so.
  if (code === 'TARGET_DENIED') return retryable
  if (code === 'CONNECT_FAILED') return retryable || restsFor(rested, error) < REFUSED_LOGINS
  return Object.hasOwn(ERROR_CODES, code) && PASSING.has(code)
}
