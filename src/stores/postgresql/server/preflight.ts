/** Preflight checks of `doctor` for a PostgreSQL server. */
import type { ServerPreflight, PreflightTarget } from '../../common/preflight-port.ts'
import { isLocalHost } from '../../common/tls.ts'
import { postgresqlChecks } from './preflight-checks.ts'
import { postgresSettings } from './settings.ts'

/** @throws SluiceError BAD_CONFIG */
export function postgresqlPreflight(url: string): ServerPreflight {
  const { host, port, tls, poolSize, statementTimeoutMs } = postgresSettings(url)
  const target: PreflightTarget = host.startsWith('/')
    ? { kind: 'socket', path: `${host}/.s.PGSQL.${port}` }
    : { kind: 'host', host, port }
  const options = { tls, poolSize, isLocal: isLocalHost(host), hasStatementTimeout: statementTimeoutMs !== null }
  return { target, options, checks: postgresqlChecks }
}
