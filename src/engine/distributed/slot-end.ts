/** What becomes of a slot when its program has ended. */
import type { SlotEnd } from '../../model/distributed.ts'
import { ERROR_CODES, EXIT_OF_KIND, type ErrorCode } from '../../shared/errors.ts'
import type { SlotDone } from './slot-program.ts'

/** What passes by itself, or when somebody has mended it: the slot rests, and is tried again. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CONNECT_FAILED',
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

/**
 * @param rests turns before it that have failed, in a row
 * A chunk that failed never fails a slot: its program has done all else, and that is the end of it.
 */
export function slotEnd({ exitCode, error, crashed, leftOut }: SlotDone, rests: number): SlotEnd {
  const told = error === undefined ? {} : { error }
  if (crashed) return { left: rests < CRASHES ? 'rest' : 'none', exitCode, ...told }
  // The next turn would leave it out, too.
  if (leftOut === true) return { left: 'none', exitCode, ...told }
  if (exitCode === EXIT_OF_KIND.stopped || exitCode > 128) return { left: 'queue', exitCode: EXIT_OF_KIND.stopped }
  const code = error?.code
  if (code !== undefined && Object.hasOwn(ERROR_CODES, code) && PASSING.has(code))
    return { left: 'rest', exitCode, ...told }
  return { left: 'none', exitCode, ...told }
}
