/** Maps failures of Cassandra to SluiceErrors, with the texts of shared/guide-errors.ts where they fit. */
import { asSluiceError, SluiceError, type ErrorCode, type ErrorDetails } from '../../shared/errors.ts'
import { connectionFailed, databaseMissing, permissionDenied } from '../../shared/guide-errors.ts'
import { redactText } from '../../shared/redact.ts'
import { tlsError, tlsMissing } from '../common/tls.ts'
import type { CassandraSettings } from './config.ts'
import { cassandraFailure, type Failure } from './failure.ts'

/** What failed: connecting, a read, a write, or a change of the schema. */
export type FailedAction = 'connect' | 'read' | 'write' | 'schema'

type Verdict = readonly [code: ErrorCode, message: string, details: Omit<ErrorDetails, 'where' | 'cause'>]

const AGAIN = 'run the same command again: it continues where it stopped'

/** Messages about the statement or the table as a whole, not about the written row. */
const OF_TABLE =
  /unknown (?:identifier|type|property)|undefined (?:column )?name|invalid identifier|no (?:such )?(?:column|index|user type)|column .* (?:not found|does ?n.t exist)|unconfigured|cannot (?:mix|apply)|some partition key parts|missing mandatory|not supported|unable to (?:find|coerce)|invalid null|counter|consistency|already exist/i

/**
 * @param thrown an error of the driver, or one with such a cause; SluiceErrors are returned unchanged
 * @param doing what failed: connecting, or a statement
 * @returns an error of the target's kind; INTERNAL if it is not a failure of Cassandra
 */
export function cassandraError(
  thrown: unknown,
  settings: CassandraSettings,
  doing: FailedAction = 'read',
): SluiceError {
  if (thrown instanceof SluiceError) return thrown
  const failure = cassandraFailure(thrown)
  if (failure.kind === 'tls') return tlsVerdict(failure, settings)
  const [code, message, details] = verdictOf(failure, settings, doing) ?? [null, '', {}]
  if (code === null) return asSluiceError(thrown)
  const clean = (text: string): string => redactText(text, settings.secrets)
  return new SluiceError(code, message, {
    ...details,
    ...(details.reason === undefined ? {} : { reason: clean(details.reason) }),
    where: `${settings.label}: ${clean(failure.message)}`,
    cause: thrown,
  })
}

/** Runs the body, and maps its errors with `cassandraError`. */
export async function askingCassandra<T>(
  { settings }: { readonly settings: CassandraSettings },
  doing: FailedAction,
  body: () => Promise<T>,
): Promise<T> {
  try {
    return await body()
  } catch (error) {
    throw cassandraError(error, settings, doing)
  }
}

/** True if a failed write may have been executed: a timeout, a broken connection. */
export function isUncertain(thrown: unknown): boolean {
  const { kind } = cassandraFailure(thrown)
  return ['write-timeout', 'write-failure', 'read-timeout', 'no-answer', 'network', 'server'].includes(kind)
}

function verdictOf(failure: Failure, settings: CassandraSettings, doing: FailedAction): Verdict | null {
  const { kind, message } = failure
  switch (kind) {
    case 'credentials':
      return connectionFailed({
        reason: 'the cluster refuses this user or password',
        hint: 'both are taken from the URL, or from CASSANDRA_USER and CASSANDRA_PASSWORD',
      })
    case 'no-credentials':
      return connectionFailed({
        reason: 'the cluster requires a user and a password',
        hint: 'write cassandra://user:password@host/keyspace, or set CASSANDRA_USER and CASSANDRA_PASSWORD',
      })
    case 'denied':
      return permissionDenied('TARGET_DENIED', { reason: message, hint: `as a superuser: ${grantFor(message)}` })
    case 'keyspace':
      return keyspaceMissing(/keyspace '?"?([^'" ]+)/i.exec(message)?.[1] ?? settings.keyspace ?? '?')
    case 'datacenter':
      return [
        'BAD_CONFIG',
        `the cluster has no data center ${settings.datacenter ?? ''}`,
        { reason: message, hint: 'set dc= to one of these names, which are case-sensitive, or remove dc=' },
      ]
    case 'no-host':
    case 'unknown-host':
    case 'network':
    case 'no-answer':
      return doing === 'connect' ? notReached(failure, settings) : broken(failure, settings)
    case 'unavailable':
    case 'read-timeout':
    case 'write-timeout':
    case 'read-failure':
    case 'write-failure':
      return ofReplicas(failure, doing)
    case 'overloaded':
      return [
        'TARGET_BUSY',
        'the cluster is overloaded',
        { reason: message, hint: `use fewer workers, or wait; then ${AGAIN}`, retryable: true },
      ]
    case 'bootstrapping':
      return [
        'TARGET_BUSY',
        'a node of the cluster is starting',
        { reason: message, hint: `wait until it is up, then ${AGAIN}`, retryable: true },
      ]
    case 'server':
      return [
        'TARGET_IO',
        'a node of the cluster failed on a request',
        { reason: message, hint: `check its system.log, then ${AGAIN}`, retryable: true },
      ]
    case 'table':
      return [
        'TABLE_REFUSED',
        'the cluster has no such table',
        { reason: message, hint: 'create it, or check its name' },
      ]
    case 'syntax':
      return [
        'TABLE_REFUSED',
        'the cluster does not understand a statement',
        { reason: message, hint: 'its release may be too old for this table or command' },
      ]
    case 'invalid':
      return invalid(message, doing)
    case 'tls':
    case 'other':
      return null
  }
}

/** Guardrails of a cluster that refuse every statement of a kind, with a hint for this user. */
const GUARDRAILS: readonly (readonly [name: RegExp, hint: string])[] = [
  [/page[ _]size/i, 'add page_rows= to the URL, with a number up to page_size_fail_threshold of cassandra.yaml'],
  [
    /user[ _-]?(?:provided )?timestamps?/i,
    'copy with --no-stamps: values then have the time of the copy, and never expire',
  ],
]

function ofGuardrail(message: string): Verdict | null {
  if (!/guardrail/i.test(message)) return null
  const found = GUARDRAILS.find(([name]) => name.test(message))
  // A guardrail about one value does not concern other rows.
  if (found === undefined) return null
  return ['TABLE_REFUSED', 'a guardrail of the cluster refuses the statement', { reason: message, hint: found[1] }]
}

function invalid(message: string, doing: FailedAction): Verdict {
  const guarded = ofGuardrail(message)
  if (guarded !== null) return guarded
  if (doing === 'write' && !OF_TABLE.test(message)) {
    return [
      'ROW_REFUSED',
      'the cluster refuses a row',
      { reason: message, hint: 'compare its values with the types and the keys of the table' },
    ]
  }
  return [
    'TABLE_REFUSED',
    'the cluster refuses a statement',
    { reason: message, hint: 'compare the table with the plan: it may have changed since the start' },
  ]
}

/** The keyspace of a URL or a table does not exist. */
function keyspaceMissing(name: string): Verdict {
  const options = "{'class': 'NetworkTopologyStrategy', 'DATACENTER': 3}"
  return databaseMissing(
    `the cluster has no keyspace ${name}`,
    `Check database URL: the name of the keyspace, or CREATE KEYSPACE "${name}" WITH replication = ${options}`,
  )
}

/** The error for a keyspace that the schema does not have. */
export function noKeyspace(name: string, settings: CassandraSettings): SluiceError {
  const [code, message, details] = keyspaceMissing(name)
  return new SluiceError(code, message, { ...details, where: settings.label })
}

function notReached({ kind, message }: Failure, settings: CassandraSettings): Verdict {
  const hosts = settings.contactPoints.join(', ')
  const reason =
    kind === 'unknown-host'
      ? `host names cannot be resolved: ${hosts}`
      : message.split('; ').every((node) => node.includes('ECONNREFUSED'))
        ? `nothing listens at ${hosts}`
        : `no node answers: ${hosts}`
  const plain = settings.tls.options === null ? ', and whether it requires encryption (sslmode=require)' : ''
  const hint = `that the cluster runs, its native port, the network between${plain}`
  return connectionFailed({ reason, hint, retryable: kind !== 'unknown-host' })
}

function broken({ kind }: Failure, settings: CassandraSettings): Verdict {
  if (kind === 'no-answer') {
    const seconds = settings.requestTimeoutMs / 1000
    return [
      'TARGET_IO',
      'a node did not answer in time',
      {
        reason: `no answer within ${seconds} s`,
        hint: `raise request_timeout in the URL, then ${AGAIN}`,
        retryable: true,
      },
    ]
  }
  const isAll = kind === 'no-host' || kind === 'unknown-host'
  return [
    'CONNECTION_LOST',
    isAll ? 'no node of the cluster can be reached' : 'the connection to the database broke',
    {
      reason: 'nodes were stopped, or the network failed',
      hint: `check that they run, then ${AGAIN}`,
      retryable: true,
    },
  ]
}

function ofReplicas({ kind, message, writeType, received, required }: Failure, doing: FailedAction): Verdict {
  const counts =
    received === null || required === null ? message : `${received} of the ${required} that the consistency level needs`
  const lower = `wait, or set a lower ${doing === 'read' ? 'read' : 'write'} consistency; then ${AGAIN}`
  if (kind === 'unavailable') {
    const reason = `replicas that are up: ${counts}: ${message}`
    return ['CONNECTION_LOST', 'too few replicas are up', { reason, hint: lower, retryable: true }]
  }
  const isFailure = kind === 'read-failure' || kind === 'write-failure'
  const what = kind.startsWith('read') ? 'a read' : writeType === 'CAS' ? 'a conditional write' : 'a write'
  return [
    'TARGET_IO',
    isFailure ? `replicas failed on ${what}` : `replicas did not answer ${what} in time`,
    {
      reason: `replicas that answered: ${counts}${writeType === null ? '' : ` (${writeType})`}`,
      hint: isFailure ? `check the system.log of the nodes, then ${AGAIN}` : lower,
      retryable: true,
    },
  ]
}

function tlsVerdict({ error, message }: Failure, settings: CassandraSettings): SluiceError {
  // A node without TLS answers the handshake with a frame of its own protocol.
  if (/wrong version number|packet length too long/i.test(message)) return tlsMissing(settings.label, settings.tls.mode)
  return (
    tlsError(error, settings.label) ??
    new SluiceError('TLS_FAILED', 'no secure connection: the TLS handshake failed', {
      where: settings.label,
      cause: error,
    })
  )
}

/** GRANT statement for the right in a message `User u has no SELECT permission on <table ks.t> …`. */
function grantFor(message: string): string {
  const [, user, right, on] = /User (\S+) has no (\w+) permission on <([^>]+)>/.exec(message) ?? []
  if (user === undefined || right === undefined || on === undefined) return 'GRANT the missing right to this user'
  const target = on.replace(/^(?:table|keyspace|all keyspaces)/, (word) => word.toUpperCase())
  return `GRANT ${right} ON ${target} TO ${user}`
}
