/** End of a run over several tables that was stopped. */
import { SluiceError } from '../../shared/errors.ts'
import type { Ending } from './run-context.ts'

export type TableError = { readonly name: string; readonly error: SluiceError }

/** Limit of tables that the message names. */
const NAMED = 5

/**
 * Ending with the exit code of the stop. Its error names the tables that failed before, because the stop does not
 * explain them.
 * @param tables number of tables of the run, including those that were not begun
 */
export function stoppedEnding(totals: Ending['totals'], failures: readonly TableError[], tables: number): Ending {
  const failed = failures.filter(({ error }) => error.kind !== 'stopped')
  if (failed.length === 0) return { totals, stopped: true }
  const named = failed.slice(0, NAMED).map(({ name, error }) => `${name} ${error.code}`)
  const more = failed.length > NAMED ? `, and ${failed.length - NAMED} more` : ''
  const what = `${failed.length} of ${tables} tables failed before the run was stopped`
  return { totals, stopped: true, error: tablesFailed(`${what}: ${named.join(', ')}${more}`) }
}

/** Error of a run over several tables, whose failures were reported before. */
export function tablesFailed(text: string, cause?: SluiceError): SluiceError {
  const hint = 'correct the cause for each failed table, then run the same command again'
  return new SluiceError('TABLES_FAILED', text, { hint, ...(cause === undefined ? {} : { cause }) })
}
