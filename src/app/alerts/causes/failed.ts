/** `failed`: the run ended failed or refused. A stopped run raises it only for the final errors in `AFTER_STOP`. */
import type { RunCause } from '../../../model/run/alert.ts'
import type { EventBody } from '../../../model/run/event.ts'
import { errorLine, type ErrorCode, type ErrorInfo } from '../../../shared/errors.ts'
import type { CauseWatch } from './cause.ts'

/** Final errors that other causes report: if one of these causes is active, `failed` is not raised too. */
const REPORTED_BY: Readonly<Partial<Record<ErrorCode, readonly RunCause[]>>> = {
  DIFFERENCES: ['drift', 'fsck'],
  PROOF_FAILED: ['verify'],
  ROWS_ASIDE: ['quarantine'],
  PARTITIONS_MISSING: ['none-ahead'],
  ROWS_IN_DEFAULT: ['default-rows'],
}

/** Final errors of a stopped run that the stop itself does not cause: they are failures. */
const AFTER_STOP: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['OUT_OF_TRIES', 'TABLES_FAILED'])

/** @param holds true if another cause is active */
export function failedWatch(holds: (cause: RunCause) => boolean): CauseWatch {
  /** Failures of tables and archive partitions, to detect that the run's final error is one of them. */
  const ofTables = new Map<string, Failure>()
  let leavesOut = false
  return {
    take: (event) => {
      leavesOut ||= event.type === 'table.finished' && event.status === 'skipped'
      const outcome = outcomeOf(event)
      if (outcome?.failure === null) ofTables.delete(outcome.of)
      else if (outcome !== null) ofTables.set(outcome.of, outcome.failure)
      if (event.type !== 'run.finished' || event.error?.code === 'ALERTED') return []
      const { status, error, exitCode } = event
      if (status === 'stopped' && (error === undefined || !AFTER_STOP.has(error.code))) return []
      // A skipped table may be the one that failed before, so the alert stays as it is.
      if (status === 'ok' && leavesOut) return []
      if (status === 'ok') return [{ cause: 'failed', table: '', holds: false, value: 'the run ended well' }]
      if (error !== undefined && REPORTED_BY[error.code]?.some(holds) === true) return []
      const isOfTable = [...ofTables.values()].some(({ code }) => code === error?.code)
      if (error !== undefined && (error.code === 'TABLES_FAILED' || isOfTable) && holds('drift')) return []
      const where = error?.where === undefined ? '' : ` (${error.where})`
      const why = error === undefined ? `the run ended with ${exitCode}` : `${error.code}: ${error.message}${where}`
      const all = [...ofTables.values()]
      const value = all.length === 0 ? why : `${why}: ${tablesText([...ofTables])}`
      return [
        { cause: 'failed', table: '', holds: true, value, ...(all[0] === undefined ? {} : { named: all[0].table }) },
      ]
    },
  }
}

type Failure = { readonly table: string; readonly code: ErrorCode | null; readonly text: string }

/** Result of one table or partition in an event; null for other events. */
function outcomeOf(event: EventBody): { readonly of: string; readonly failure: Failure | null } | null {
  switch (event.type) {
    case 'table.finished': {
      const { table, status, error, notes } = event
      if (error !== undefined) return { of: table, failure: failureOf(table, error) }
      return { of: table, failure: status === 'failed' ? { table, code: null, text: notes?.[0] ?? 'failed' } : null }
    }
    case 'archive.state': {
      const { table, partition, error } = event
      return { of: `${table} ${partition}`, failure: error === undefined ? null : failureOf(table, error) }
    }
    case 'log': {
      const { table, level, message } = event
      return table === undefined || level !== 'error'
        ? null
        : { of: table, failure: { table, code: null, text: message } }
    }
    default:
      return null
  }
}

const failureOf = (table: string, error: ErrorInfo): Failure => ({ table, code: error.code, text: errorLine(error) })

/** Limit of tables whose failure an alert explains. */
const EXPLAINED = 5
/** Limit of tables that an alert names. */
const NAMED = 200

/** Text that names the failed tables: `orders: CODE message; items: …; and 2 more: notes, lines`. */
function tablesText(tables: readonly (readonly [string, Failure])[]): string {
  const explained = tables.slice(0, EXPLAINED).map(([table, { text }]) => `${table}: ${text}`)
  if (tables.length <= EXPLAINED) return explained.join('; ')
  const names = tables.slice(EXPLAINED, NAMED).map(([table]) => table)
  const rest = tables.length > NAMED ? ' …' : ''
  return [...explained, `and ${tables.length - EXPLAINED} more: ${names.join(', ')}${rest}`].join('; ')
}
