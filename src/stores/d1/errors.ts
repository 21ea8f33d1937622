/** Maps failures of D1 to SluiceErrors, with the texts of shared/guide-errors.ts where they fit. */
import { SluiceError, type ErrorCode, type ErrorDetails } from '../../shared/errors.ts'
import { connectionFailed } from '../../shared/guide-errors.ts'
import { redactText } from '../../shared/redact.ts'
import { D1Failure } from './failure.ts'
import type { D1Settings } from './settings.ts'

const AGAIN = 'run the same command again: it continues where it stopped'

/**
 * @param during true if the database is being opened: then all errors except a full or busy service are CONNECT_FAILED
 * @returns a SluiceError of the target's kind. SQL errors with a code of SQLite, and errors that are not from D1, are
 * returned unchanged
 */
export function d1Error(thrown: unknown, settings: D1Settings, during: 'connect' | 'statement' = 'statement'): unknown {
  if (!(thrown instanceof D1Failure)) return thrown
  const make = (code: ErrorCode, message: string, details: ErrorDetails): SluiceError =>
    new SluiceError(code, message, { ...details, where: whereOf(thrown, settings), cause: thrown })
  const connect = (hint: string): SluiceError => make(...connectionFailed({ hint, retryable: thrown.isTransient }))
  switch (thrown.kind) {
    case 'sql':
      if (/not authorized/i.test(thrown.message)) return denied(make)
      if (during === 'connect') return connect('the API refuses the request')
      if (thrown.namesStatement) return thrown
      return make('TARGET_IO', 'D1 refuses a request', {
        reason: `${thrown.message}; D1 does not document this answer`,
        hint: `check Cloudflare's status page, then ${AGAIN}`,
        retryable: true,
      })
    case 'auth':
      if (during === 'statement' && thrown.status === 403) return denied(make)
      return connect('check that CLOUDFLARE_API_TOKEN is valid and has the right D1 Edit on this account')
    case 'missing':
      return make('CONNECT_FAILED', 'Database connection failed', {
        reason: `account ${settings.account} has no database ${settings.database}`,
        hint: `Check database URL, d1://${settings.account}/${settings.database}: npx wrangler d1 list shows which databases there are`,
        retryable: thrown.isTransient,
      })
    case 'rate':
      return make('RATE_LIMITED', 'Cloudflare refuses more requests for now', {
        reason: 'too many requests of this user in five minutes',
        hint: `wait a few minutes, then ${AGAIN}`,
        retryable: true,
      })
    case 'quota':
      return make('RATE_LIMITED', 'the daily allowance of the account is used up', {
        reason: 'the free plan limits the rows that are read and written in a day',
        hint: `wait until midnight UTC, or move the account to a paid plan; then ${AGAIN}`,
      })
    case 'space':
      return make('NO_SPACE', 'Disk space exhausted', {
        reason: 'Insufficient storage: a D1 database holds 10 GB, on the free plan 500 MB',
        hint: 'Free up disk space or use alternative storage, then run the same command again: it continues where it stopped',
      })
    case 'tls':
      return make('TLS_FAILED', 'no secure connection: the certificate of the API was not accepted', {
        hint: 'if you use your own CA, set NODE_EXTRA_CA_CERTS to its file',
      })
    case 'size':
      return make('CONNECTION_LOST', 'D1 aborted the request', {
        reason: 'the request was too large for the database',
        hint: `try a smaller --batch-size; then ${AGAIN}`,
        retryable: true,
      })
    case 'server':
    case 'network':
      if (during === 'connect') return connect('check that the API can be reached from here')
      return make('CONNECTION_LOST', 'the connection to the database broke', {
        reason:
          thrown.kind === 'server'
            ? 'D1 cannot answer right now'
            : 'the network failed, or the API did not answer in time',
        hint: `check the network and Cloudflare's status page, then ${AGAIN}`,
        retryable: true,
      })
  }
}

/** D1's message, for errors. */
export function whereOf({ message, status, code }: D1Failure, { label, secrets }: D1Settings): string {
  const numbers = [...(status === null ? [] : [`HTTP ${status}`]), ...(code === null ? [] : [`code ${code}`])].join(
    ', ',
  )
  return redactText(`${label}: ${message}${numbers === '' ? '' : ` (${numbers})`}`, secrets)
}

function denied(make: (code: ErrorCode, message: string, details: ErrorDetails) => SluiceError): SluiceError {
  return make('TARGET_DENIED', 'Permission denied', {
    reason: 'File system or database permissions',
    hint: 'Verify user permissions on files and database: CLOUDFLARE_API_TOKEN needs the right D1 Edit',
  })
}
