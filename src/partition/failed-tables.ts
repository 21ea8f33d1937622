import { tablesFailed } from '../engine/run/stopped-ending.ts'
import type { SluiceError } from '../shared/errors.ts'

/** Final error of a run over several tables, whose failures were reported before. */
export function failedTables(errors: readonly SluiceError[]): { readonly error?: SluiceError } {
  const [first] = errors
  if (first === undefined) return {}
  const count = errors.length === 1 ? '1 table failed' : `${String(errors.length)} tables failed`
  return { error: tablesFailed(count, first) }
}
