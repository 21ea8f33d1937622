/** Classifies errors of the driver: it has classes for some failures, codes for others, and only texts for the rest. */
import { errors } from 'cassandra-driver'

export type CassandraFailureKind =
  | 'tls'
  | 'credentials'
  | 'no-credentials'
  | 'denied'
  | 'keyspace'
  | 'table'
  | 'datacenter'
  /** No node was reachable. */
  | 'no-host'
  | 'unknown-host'
  /** A connection broke, or no reply arrived. */
  | 'network'
  | 'no-answer'
  /** Fewer replicas are up than the level requires. */
  | 'unavailable'
  | 'read-timeout'
  | 'write-timeout'
  | 'read-failure'
  | 'write-failure'
  | 'overloaded'
  | 'bootstrapping'
  | 'server'
  | 'syntax'
  /** A statement or a value that the server does not accept. */
  | 'invalid'
  /** Not an error of the driver. */
  | 'other'

export type Failure = {
  readonly kind: CassandraFailureKind
  /** The message; with several nodes, the most informative one. */
  readonly message: string
  /** The error itself; if several nodes were tried, the error of one of them. */
  readonly error: unknown
  /** SIMPLE, BATCH, UNLOGGED_BATCH, COUNTER, BATCH_LOG or CAS, of a write that timed out. */
  readonly writeType: string | null
  readonly received: number | null
  readonly required: number | null
}

const KINDS: Readonly<Record<number, CassandraFailureKind>> = {
  0x0000: 'server',
  0x000a: 'server',
  0x0100: 'credentials',
  0x1000: 'unavailable',
  0x1001: 'overloaded',
  0x1002: 'bootstrapping',
  0x1003: 'server',
  0x1100: 'write-timeout',
  0x1200: 'read-timeout',
  0x1300: 'read-failure',
  0x1400: 'invalid',
  0x1500: 'write-failure',
  // CAS_WRITE_UNKNOWN of newer servers: as uncertain as a timeout.
  0x1700: 'write-timeout',
  0x2000: 'syntax',
  0x2100: 'denied',
  0x2200: 'invalid',
  0x2300: 'invalid',
  0x2400: 'invalid',
  0x2500: 'server',
}

const NETWORK =
  /^(?:ECONNRESET|EPIPE|ETIMEDOUT|ECONNREFUSED|ECONNABORTED|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|EADDRNOTAVAIL)$/
const TLS =
  /^(?:CERT_|ERR_SSL_|ERR_TLS_|ERR_OSSL_|EPROTO$|INVALID_CA|INVALID_PURPOSE|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(?:GET|VERIFY)_)/
const CLOSED = /socket was closed|connection (?:timeout|was closed)|not connected|after shutdown|unable to STARTUP/i
const KEYSPACE_MISSING = /keyspace '?"?[^'"]*"?'? (?:does not exist|not found)|no keyspace/i
const TABLE_MISSING = /unconfigured (?:columnfamily|table)|(?:table|columnfamily) .* (?:does not exist|not found)/i

/** Most informative kinds of several nodes' errors, best first. */
const INFORMATIVE: readonly CassandraFailureKind[] = [
  'tls',
  'credentials',
  'no-credentials',
  'datacenter',
  'denied',
  'keyspace',
  'overloaded',
  // After these failures the driver tries another node, and then reports only that none is left.
  'unavailable',
  'write-timeout',
  'read-timeout',
]

/** Called before a retry. @param attempt number of the next attempt @param forMs time left for retries, ms */
export type OnRetry = (why: unknown, attempt: number, forMs: number) => void

/** @param thrown what the driver threw, or a SluiceError with that as its cause */
export function cassandraFailure(thrown: unknown): Failure {
  if (thrown instanceof errors.NoHostAvailableError) return ofNoHost(thrown)
  const { code, message, writeType } = fieldsOf(thrown)
  const plain = { message, error: thrown, writeType: null, received: null, required: null }
  if (thrown instanceof errors.AuthenticationError) {
    const kind = /requires authentication|not set|does not implement/i.test(message) ? 'no-credentials' : 'credentials'
    return { ...plain, kind }
  }
  if (thrown instanceof errors.OperationTimedOutError) return { ...plain, kind: 'no-answer' }
  if (thrown instanceof errors.BusyConnectionError) return { ...plain, kind: 'overloaded' }
  if (thrown instanceof errors.ArgumentError && /localDataCenter/.test(message)) return { ...plain, kind: 'datacenter' }
  if (thrown instanceof errors.ResponseError) {
    const { received, blockFor, required, alive } = fieldsOf(thrown)
    return {
      ...plain,
      kind: ofResponse(typeof code === 'number' ? code : 0, message),
      writeType,
      received: received ?? alive,
      required: blockFor ?? required,
    }
  }
  if (typeof code === 'string') {
    if (TLS.test(code)) return { ...plain, kind: 'tls' }
    if (NETWORK.test(code)) return { ...plain, kind: 'network' }
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return { ...plain, kind: 'unknown-host' }
  }
  if (CLOSED.test(message)) return { ...plain, kind: 'network' }
  const inner = thrown instanceof Error ? thrown.cause : undefined
  return inner === undefined ? { ...plain, kind: 'other' } : cassandraFailure(inner)
}

function ofResponse(code: number, message: string): CassandraFailureKind {
  const kind = KINDS[code] ?? 'server'
  if (kind === 'credentials' && /(?:required|missing|must|not) .*(?:username|credential|login|logged)/i.test(message))
    return 'no-credentials'
  if (kind !== 'invalid') return kind
  if (KEYSPACE_MISSING.test(message)) return 'keyspace'
  return TABLE_MISSING.test(message) ? 'table' : 'invalid'
}

function ofNoHost(thrown: errors.NoHostAvailableError): Failure {
  const inner = Object.entries((thrown.innerErrors ?? {}) as Readonly<Record<string, unknown>>)
  const failures = inner.map(([host, error]) => ({ host, failure: cassandraFailure(error) }))
  const [first] = INFORMATIVE.flatMap((kind) => failures.filter(({ failure }) => failure.kind === kind))
  if (first !== undefined) return first.failure
  const message =
    failures.length === 0
      ? thrown.message
      : failures.map(({ host, failure }) => `${host}: ${failure.message}`).join('; ')
  const kind = /could be resolved/.test(thrown.message) ? 'unknown-host' : 'no-host'
  return { kind, message, error: thrown, writeType: null, received: null, required: null }
}

type Fields = {
  readonly code: unknown
  readonly message: string
  readonly writeType: string | null
  readonly received: number | null
  readonly blockFor: number | null
  readonly required: number | null
  readonly alive: number | null
}

/** The driver sets these fields on its errors; its types do not declare them. */
function fieldsOf(thrown: unknown): Fields {
  const raw = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as Readonly<Record<string, unknown>>
  const number = (name: string): number | null => (typeof raw[name] === 'number' ? raw[name] : null)
  return {
    code: raw['code'],
    message: typeof raw['message'] === 'string' ? raw['message'] : String(thrown),
    writeType: typeof raw['writeType'] === 'string' ? raw['writeType'] : null,
    received: number('received'),
    blockFor: number('blockFor'),
    required: number('required'),
    alive: number('alive'),
  }
}
