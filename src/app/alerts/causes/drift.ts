/** `drift`: catalog and log differ (`validate`), or `sync` cannot update or reach the catalog. */
import type { Dec, EventBody } from '../../../model/run/event.ts'
import type { ErrorCode, ErrorInfo } from '../../../shared/errors.ts'
import { isS3Url } from '../../../model/lake/lake-url.ts'
import { InspectedTables, type CauseWatch, type CauseVerdict } from './cause.ts'
import { countText } from '../../../shared/figures.ts'

/** Errors while another program imports or locks the table. */
const BUSY: ReadonlySet<ErrorCode> = new Set(['TABLE_LOCKED', 'TARGET_BUSY', 'LEASE_LOST'])
/** Errors of an unreachable catalog: they are not errors of the table that was being updated. */
const UNREACHABLE: ReadonlySet<ErrorCode> = new Set(['CONNECT_FAILED', 'CONNECTION_LOST', 'TLS_FAILED'])

/** @param isRetried true if a table with this error is retried automatically: then it is not behind yet */
export function drift(isRetried: (error: ErrorInfo) => boolean = () => false): CauseWatch {
  const tables = new InspectedTables()
  return {
    take: (event) => {
      switch (event.type) {
        case 'table.finished':
          return event.error !== undefined && isRetried(event.error) ? [] : syncVerdicts(event)
        case 'log': {
          const { catalog, message } = event
          if (catalog === undefined) return []
          return [catalog === 'back' ? answers : { cause: 'drift', table: '', holds: true, value: message }]
        }
        case 'verify.check':
          tables.inspected(event.table)
          return []
        case 'verify.mismatch': {
          if (!tables.found(event.table)) return []
          const { table, version, check, field, log, catalog, importedAt, sides = ['log', 'catalog'] } = event
          const [left, right] = sides
          const value = `${check} of v${version} differs in ${field}: ${left} ${log}, ${right} ${catalog}`
          return [{ cause: 'drift', table, holds: true, value, ...sinceImport(importedAt) }]
        }
        case 'run.finished':
          if (event.status !== 'ok') return []
          return tables.withoutProblem.map((table) => okVerdict(table, validationText(event.totals)))
        default:
          return []
      }
    },
  }
}

const answers: CauseVerdict = okVerdict('', 'the catalog answers')

/** Verdicts for the result of `sync` on one table. */
function syncVerdicts(event: Extract<EventBody, { type: 'table.finished' }>): readonly CauseVerdict[] {
  const { table, status, error, behind, importedAt } = event
  if (status === 'ok' || status === 'current')
    return [okVerdict(table, 'the catalog is up to date with its log'), answers]
  if (status === 'skipped')
    return [
      { cause: 'drift', table, holds: true, value: 'its rows were removed from the catalog, and sync skips the table' },
    ]
  if ((status !== 'failed' && status !== 'refused') || error === undefined || BUSY.has(error.code)) return []
  // The bucket of a log refuses a login or a certificate with the same codes.
  if (UNREACHABLE.has(error.code) && !isS3Url(error.where ?? ''))
    return [{ cause: 'drift', table: '', holds: true, value: error.message }]
  const by = behind === undefined || behind === '0' ? '' : ` is ${countText(behind, 'version')} behind, and`
  return [
    {
      cause: 'drift',
      table,
      holds: true,
      value: `the catalog${by} could not be updated: ${error.code}: ${error.message}`,
      ...sinceImport(importedAt),
    },
  ]
}

/** Text for a validation without differences: how many versions and checkpoints it compared. */
function validationText({
  versions = '0',
  checkpoints = '0',
  checkpointsInLog = '0',
}: Readonly<Record<string, Dec>>): string {
  return `validate found no difference at ${countText(versions, 'version')} and in ${checkpoints} of ${countText(checkpointsInLog, 'checkpoint')}`
}

function sinceImport(at: string | undefined): Pick<CauseVerdict, 'notBefore'> {
  return at === undefined ? {} : { notBefore: Date.parse(at) }
}

function okVerdict(table: string, value: string): CauseVerdict {
  return { cause: 'drift', table, holds: false, value }
}
