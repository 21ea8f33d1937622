/** Preflight checks of a MySQL or MariaDB server for `doctor`. */
import type { ServerPreflight, PreflightTarget } from '../common/preflight-port.ts'
import { isLocalHost } from '../common/tls.ts'
import { mysqlConfig } from './config.ts'
import { mysqlChecks } from './preflight-checks.ts'

/** @throws SluiceError BAD_CONFIG */
export function mysqlPreflight(url: string): ServerPreflight {
  const { host, port, socket, tls, poolSize } = mysqlConfig(url)
  const target: PreflightTarget = socket === null ? { kind: 'host', host, port } : { kind: 'socket', path: socket }
  const options = { tls, poolSize, isLocal: socket !== null || isLocalHost(host), hasStatementTimeout: false }
  return { target, options, checks: mysqlChecks }
}
