/** `failed`: the run ends failed or refused. Whoever stops a run knows. */
import type { RunCause } from '../../../model/alert.ts'
import type { ErrorCode } from '../../../shared/errors.ts'
import type { CauseWatch } from './cause.ts'

/** What a run ends with that ran to its end, and the causes that have told it by then: one thing is told once. */
const TOLD_BY: Readonly<Partial<Record<ErrorCode, readonly RunCause[]>>> = {
  DIFFERENCES: ['drift', 'fsck'],
  PROOF_FAILED: ['verify'],
  ROWS_ASIDE: ['quarantine'],
  PARTITIONS_MISSING: ['none-ahead'],
  ROWS_IN_DEFAULT: ['default-rows'],
}

/** @param holds whether another cause holds by now */
export function failed(holds: (cause: RunCause) => boolean): CauseWatch {
  /** What tables failed by: a run of one of them ends with the same. */
  const ofTables = new Set<ErrorCode>(['TABLES_FAILED'])
  return {
    take: (event) => {
      if (event.type === 'table.finished' && event.error !== undefined) ofTables.add(event.error.code)
      if (event.type !== 'run.finished' || event.error?.code === 'ALERTED') return []
      const { status, error, exitCode } = event
      if (status === 'stopped' && error?.code !== 'OUT_OF_TRIES') return []
      if (status === 'ok') return [{ cause: 'failed', table: '', holds: false, value: 'the run ended well' }]
      if (error !== undefined && TOLD_BY[error.code]?.some(holds) === true) return []
      if (error !== undefined && ofTables.has(error.code) && holds('drift')) return []
      const where = error?.where === undefined ? '' : ` (${error.where})`
      const why = error === undefined ? `the run ended with ${exitCode}` : `${error.code}: ${error.message}${where}`
      return [{ cause: 'failed', table: '', holds: true, value: why }]
    },
  }
}
