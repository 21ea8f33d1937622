/** How runs and tables end. */
import type { ErrorKind } from '../../shared/errors.ts'

export type RunStatus = 'ok' | 'failed' | 'refused' | 'stopped'
export type TableStatus = 'ok' | 'current' | 'failed' | 'refused' | 'stopped' | 'skipped'

/** How a run ends that an error of that kind ends: what was refused has changed nothing. */
export function statusOf(kind: ErrorKind): RunStatus {
  if (kind === 'stopped') return 'stopped'
  return kind === 'usage' || kind === 'state' || kind === 'unsupported' ? 'refused' : 'failed'
}
