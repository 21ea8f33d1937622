/** Decides what happens to a task after its program has ended. */
import { failuresFor, type TransientFailures, type TurnEnd } from '../../model/share/distributed.ts'
import { isTransientError } from '../../model/share/transient-errors.ts'
import { errorFromInfo, EXIT_OF_KIND, type ErrorCode, type ErrorInfo } from '../../shared/errors.ts'
import type { TaskResult } from './task-messages.ts'

/** Number of retries after crashes. */
const CRASHES = 5
/**
 * Number of retries after a refused login or behind a session-sharing pooler: about 2 minutes, enough to finish a
 * password change.
 */
export const REFUSED_LOGINS = 6

/** Errors that only sum up the errors of tables: the errors of the tables decide instead. */
const SUMMARY_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['TABLES_FAILED'])

/**
 * Decides about one task. A failed chunk does not cause a retry: the program has done all other work.
 * @param rested earlier failed turns of the task
 * @returns `rest` with the cause if the task is retried after a pause, `queue` if it was stopped and is queued again,
 * `none` if it is over. If all tables failed with CONNECT_FAILED, the first of these errors is the error of the task
 */
export function taskEnd(
  { exitCode, error, crashed, leftOut, failures = [] }: TaskResult,
  rested: TransientFailures,
): TurnEnd {
  const reported = error === undefined ? {} : { error }
  if (crashed) return { left: failuresFor(rested, error) < CRASHES ? 'rest' : 'none', exitCode, ...reported }
  // The next turn would exclude the same work again.
  if (leftOut === true) return { left: 'none', exitCode, ...reported }
  if (exitCode === EXIT_OF_KIND.stopped || exitCode > 128) return { left: 'queue', exitCode: EXIT_OF_KIND.stopped }
  if (error === undefined) return { left: 'none', exitCode }
  const causes = SUMMARY_CODES.has(error.code) && failures.length > 0 ? failures : [error]
  const [cause = error] = causes
  // A transient error justifies another turn, whatever else has failed.
  const passing = causes.find((one) => isTransient(one, rested))
  if (passing !== undefined) return { left: 'rest', exitCode, error: passing }
  const isOne = cause.code === 'CONNECT_FAILED' && causes.every(({ code }) => code === cause.code)
  return isOne
    ? { left: 'none', exitCode: errorFromInfo(cause).exitCode, error: cause }
    : { left: 'none', exitCode, error }
}

function isTransient(error: ErrorInfo, rested: TransientFailures): boolean {
  if (isTransientError(error)) return true
  return error.code === 'CONNECT_FAILED' && failuresFor(rested, error) < REFUSED_LOGINS
}
