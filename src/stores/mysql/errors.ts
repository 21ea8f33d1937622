/** Maps failures of MySQL and MariaDB to SluiceError, with the texts of shared/guide-errors.ts where they fit. */
import { SluiceError, type ErrorCode, type ErrorDetails } from '../../shared/errors.ts'
import { connectionFailed, databaseMissing, permissionDenied, spaceExhausted } from '../../shared/guide-errors.ts'
import { backquotedName } from '../../shared/sql-text.ts'
import { networkCause } from '../common/not-connected.ts'
import type { MysqlConfig } from './config.ts'
import { mysqlFailure, isConnectionGone, isLockLost, isMysqlReadOnly, isTransientOnConnect } from './error-numbers.ts'

export { mysqlErrorNumber } from './error-numbers.ts'

type Verdict = readonly [code: ErrorCode, message: string, details: Omit<ErrorDetails, 'where' | 'cause'>]

const NO_SPACE = new Set([3, 1021, 1041, 1114])
const DENIED = new Set([1044, 1045, 1142, 1143, 1227, 1290, 1370, 1698, 1792, 1836])
const VALUE = new Set([
  1048, 1062, 1118, 1138, 1264, 1265, 1292, 1300, 1366, 1406, 1411, 1451, 1452, 1690, 3819, 3988, 4025,
])
const DAMAGED = new Set([126, 127, 1034, 1035, 1194, 1195, 1712, 1877])
const DISK = new Set([1000, 1002, 1004, 1016, 1023, 1026, 1030])
const PACKET_TOO_LARGE = 1153
const NO_DATABASE = 1049
const ENOSPC = /no space left|disk (?:is )?full|errno: 28\b|error 28\b|error: 28\b/i

const CONNECTION_LOST: Verdict = [
  'CONNECTION_LOST',
  'the connection to the database broke',
  {
    reason: 'the server was stopped, or the network failed',
    hint: 'check that the server runs, then run the same command again: it continues where it stopped',
    retryable: true,
  },
]

/**
 * Error of a connection that failed: CONNECT_FAILED or TLS_FAILED. An error that is not of the server, the driver or
 * the network is returned unchanged.
 */
export function mysqlConnectError(thrown: unknown, config: MysqlConfig): unknown {
  return mysqlError(thrown, config.label, config)
}

/**
 * @param connecting the server to which a connection was being made; null after that
 * @returns a SluiceError whose code and kind are those of a target; an error that is not of the server, the driver or
 * the network is returned unchanged
 */
export function mysqlError(thrown: unknown, label: string, connecting: MysqlConfig | null = null): unknown {
  if (thrown instanceof SluiceError) return thrown
  const failure = mysqlFailure(thrown)
  if (failure === null) return thrown
  const { code, errno, message } = failure
  const where = `${label}: ${message} (${code}${errno === null ? '' : `, error ${errno}`})`
  const verdict = connecting === null ? ofStatement(failure) : whileConnecting(failure, connecting)
  if (verdict === null) return thrown
  return new SluiceError(verdict[0], verdict[1], { ...verdict[2], where, cause: thrown })
}

/** The error for a value or statement that does not fit into one packet of the server. */
export function packetTooLarge(bytes: number, maxPacket: number, label: string, cause?: unknown): SluiceError {
  return new SluiceError('VALUE_REFUSED', 'a value is larger than the server accepts', {
    where: label,
    reason: `about ${bytes} bytes; max_allowed_packet of the server is ${maxPacket}`,
    hint: 'raise max_allowed_packet on the server (up to 1 GB), then run the same command again',
    cause,
  })
}

type Failure = NonNullable<ReturnType<typeof mysqlFailure>>

function whileConnecting(failure: Failure, config: MysqlConfig): Verdict | null {
  const tls = tlsVerdict(failure)
  if (tls !== null) return tls
  const { errno, code } = failure
  const known = (errno !== null && !VALUE.has(errno)) || isConnectionGone(failure) || code.startsWith('E')
  if (!known && !/^(?:AUTH_|HANDSHAKE_|PROTOCOL_)/.test(code)) return null
  if (errno === NO_DATABASE) {
    const hint = 'Check database URL: the database name follows the host; SHOW DATABASES lists them'
    return databaseMissing('the server has no database of this name', hint)
  }
  const said = whyNotConnected(failure, config)
  return connectionFailed({ ...said, retryable: isTransientOnConnect(failure) })
}

function whyNotConnected(
  { code, errno, message }: Failure,
  config: MysqlConfig,
): Pick<ErrorDetails, 'reason' | 'hint'> {
  const { host, port, socket, user, connectMs: waitedMs } = config
  if ((errno === 1045 || errno === 1698) && config.password() === '') {
    return {
      reason: `the server asks for the password of ${user}, and none was given`,
      hint: 'set MYSQL_PWD, or write it into [client] of ~/.my.cnf (mode 600), or into the URL',
    }
  }
  if (errno === 1045 || errno === 1698) {
    return {
      reason: 'the server refuses this user or password',
      hint: `the user is ${user}; the password is taken from the URL, from MYSQL_PWD or from [client] of ~/.my.cnf, in this order`,
    }
  }
  if (errno === 1044) {
    const hint = `GRANT SELECT ON ${backquotedName(config.database)}.* TO ${backquotedName(user)}, and the rights to write for a target; or name another user or database`
    return { reason: 'this user has no rights on the database', hint }
  }
  if (errno === 1040 || errno === 1203) {
    return { reason: 'the server has too many connections', hint: 'wait, or raise its max_connections' }
  }
  if (errno !== null) return { reason: message }
  const place = socket ?? `${host.includes(':') ? `[${host}]` : host}:${port}`
  const why = networkCause({ code: code.startsWith('PROTOCOL_') ? 'ECONNRESET' : code, place, waitedMs })
  return why === null ? {} : { reason: why[0], hint: why[1] }
}

function ofStatement(failure: Failure): Verdict | null {
  const { errno, code, message } = failure
  if (isConnectionGone(failure)) return CONNECTION_LOST
  if (errno === null) return null
  if (NO_SPACE.has(errno) || (DISK.has(errno) && ENOSPC.test(message))) {
    return spaceExhausted({}, ', then run the same command again: it continues where it stopped')
  }
  if (isLockLost(failure)) {
    return [
      'TARGET_BUSY',
      'the catalog is locked by another program',
      {
        reason: 'another transaction locks the same rows or tables',
        hint: 'wait until it ends, then run the same command again',
        retryable: true,
      },
    ]
  }
  if (DENIED.has(errno)) {
    if (isMysqlReadOnly(failure)) {
      const hint = 'use the primary server, or a user that may write'
      return permissionDenied('TARGET_DENIED', {
        reason: 'the server is read-only, as replicas are',
        hint,
        retryable: true,
      })
    }
    if (errno === 1792) return permissionDenied('TARGET_DENIED', { reason: 'the transaction is read-only' })
    const grant = missingGrant(message)
    return permissionDenied('TARGET_DENIED', { reason: message, ...(grant === null ? {} : { hint: grant }) })
  }
  if (VALUE.has(errno)) {
    return [
      'VALUE_REFUSED',
      'the database refuses a value',
      { reason: message, hint: 'compare the value with the type and the keys of its column' },
    ]
  }
  if (errno === PACKET_TOO_LARGE || code === 'ER_NET_PACKET_TOO_LARGE') {
    return [
      'VALUE_REFUSED',
      'a value is larger than the server accepts',
      { reason: message, hint: 'raise max_allowed_packet on the server (up to 1 GB), then run the same command again' },
    ]
  }
  if (DAMAGED.has(errno)) {
    return [
      'TARGET_CORRUPT',
      'a table of the catalog is damaged',
      { hint: 'restore it from a backup, or drop it and import again: the Delta logs still have all data' },
    ]
  }
  if (DISK.has(errno)) {
    return [
      'TARGET_IO',
      'reading or writing the catalog failed on the server',
      {
        hint: 'check the disk of the server, then run the same command again: it continues where it stopped',
        retryable: true,
      },
    ]
  }
  return null
}

/** The GRANT statement for the right that the server names; null if it names none. */
function missingGrant(message: string): string | null {
  const [, right, user, table] =
    /^([A-Z ,]+?) command denied to user (\S+) for (?:column \S+ in )?table (.+)$/.exec(message) ?? []
  if (table !== undefined) return `as an administrator: GRANT ${right} ON ${table.replaceAll("'", '`')} TO ${user}`
  const [, global] = /you need \(at least one of\) the (.+?) privilege/.exec(message) ?? []
  return global === undefined ? null : `as an administrator: GRANT ${global} ON *.* to this user`
}

const AUTHORITY =
  'name the authority that signed it with ssl-ca=/path/ca.pem, or write ssl-mode=REQUIRED to encrypt without checking the server'

/** The driver replaces the code of a refused certificate by its own; only the text remains. */
const CERTIFICATE: readonly (readonly [text: RegExp, reason: string, hint: string])[] = [
  [/certificate has expired/i, 'the server certificate has expired', 'have the certificate renewed'],
  [/not yet valid/i, 'the server certificate is not valid yet', 'check the clocks of this machine and the server'],
  [/revoked/i, 'the server certificate was revoked', 'have the certificate replaced'],
  [/in certificate chain/i, 'the server certificate is signed by an unknown authority', AUTHORITY],
  [/self.signed/i, 'the server certificate is self-signed', AUTHORITY],
  [/unable to (?:verify|get)/i, 'the server certificate is signed by an unknown authority', AUTHORITY],
  [
    /does not match certificate/i,
    'the server certificate is for another host',
    'use a host name the certificate is for, or write ssl-mode=VERIFY_CA to check the authority only',
  ],
]

function tlsVerdict({ code, errno, message }: Failure): Verdict | null {
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT') {
    return [
      'TLS_FAILED',
      'no secure connection: the server offers no TLS',
      {
        reason: 'the ssl-mode requires encryption',
        hint: 'enable TLS on the server, or write ssl-mode=DISABLED if the network is trusted',
      },
    ]
  }
  if (errno === 3159) {
    return [
      'TLS_FAILED',
      'no secure connection: the server accepts encrypted connections only',
      { reason: 'require_secure_transport is on', hint: 'write ssl-mode=REQUIRED or stronger' },
    ]
  }
  if (code !== 'HANDSHAKE_SSL_ERROR') return null
  const known = CERTIFICATE.find(([text]) => text.test(message))
  const [, reason, hint] = known ?? [null, 'the TLS handshake failed', 'check ssl-mode, ssl-ca, ssl-cert and ssl-key']
  return ['TLS_FAILED', `no secure connection: ${reason}`, { reason, hint }]
}
