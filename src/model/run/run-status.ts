/** Final status of runs and tables. */
import type { ErrorKind } from '../../shared/errors.ts'

export type RunStatus = 'ok' | 'failed' | 'refused' | 'stopped'
export type TableStatus = 'ok' | 'current' | 'failed' | 'refused' | 'stopped' | 'skipped'

/** Final status for an error of this kind; `refused` means that nothing was changed. */
export function statusOf(kind: ErrorKind): RunStatus {
  if (kind === 'stopped') return 'stopped'
  return kind === 'usage' || kind === 'state' || kind === 'unsupported' ? 'refused' : 'failed'
}
