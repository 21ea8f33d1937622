/**
 * Errors of the driver are mapped to sluice errors: tests use the driver's own classes, with the fields that it reads
 * from the wire.
 */
import { describe, expect, test } from 'vitest'
import { errors } from 'cassandra-driver'
import { cassandraSettings } from '../../src/stores/cassandra/config.ts'
import { FallBack } from '../../src/stores/cassandra/consistency.ts'
import { cassandraError, isUncertain, type FailedAction } from '../../src/stores/cassandra/errors.ts'
import { SluiceError } from '../../src/shared/errors.ts'

const settings = cassandraSettings('cassandra://adam:s3cret-word@h1,h2/space', {})

const said = (code: number, message: string, fields: object = {}): Error =>
  Object.assign(new errors.ResponseError(code, message), fields)
const coded = (code: string, message = code): Error => Object.assign(new Error(message), { code })
/** The driver does not export its class for connection errors, so only the name is set. */
const dropped = (message: string): Error => Object.assign(new Error(message), { name: 'DriverError' })
const noHost = (inner: Record<string, Error>): Error => new errors.NoHostAvailableError(inner)

const CASES: readonly (readonly [what: string, Error, FailedAction, object])[] = [
  [
    'a wrong password',
    noHost({ h1: new errors.AuthenticationError('Provided username adam and/or password are incorrect') }),
    'connect',
    {
      code: 'CONNECT_FAILED',
      reason: 'the cluster refuses this user or password (Network or authentication issues)',
      retryable: false,
    },
  ],
  [
    'no password',
    noHost({ h1: new errors.AuthenticationError('Authentication provider not set') }),
    'connect',
    {
      code: 'CONNECT_FAILED',
      reason: 'the cluster requires a user and a password (Network or authentication issues)',
      retryable: false,
    },
  ],
  [
    'nobody there',
    noHost({ h1: coded('ECONNREFUSED', 'connect ECONNREFUSED h1:9042') }),
    'connect',
    {
      code: 'CONNECT_FAILED',
      reason: 'nothing listens at h1:9042, h2:9042 (Network or authentication issues)',
      retryable: true,
    },
  ],
  [
    'no answer while connecting',
    noHost({ h1: dropped('Connection timeout') }),
    'connect',
    {
      code: 'CONNECT_FAILED',
      reason: 'no node answers: h1:9042, h2:9042 (Network or authentication issues)',
      retryable: true,
    },
  ],
  [
    'a name nobody knows',
    new errors.NoHostAvailableError({}, 'No host could be resolved'),
    'connect',
    {
      code: 'CONNECT_FAILED',
      reason: 'host names cannot be resolved: h1:9042, h2:9042 (Network or authentication issues)',
      retryable: false,
    },
  ],
  [
    'all nodes gone',
    noHost({ h1: coded('ECONNRESET') }),
    'read',
    { code: 'CONNECTION_LOST', message: 'no node of the cluster can be reached', retryable: true },
  ],
  ['a closed socket', dropped('Socket was closed'), 'write', { code: 'CONNECTION_LOST', retryable: true }],
  [
    'a self-signed certificate',
    noHost({ h1: coded('DEPTH_ZERO_SELF_SIGNED_CERT') }),
    'connect',
    { code: 'TLS_FAILED', reason: 'the server certificate is self-signed' },
  ],
  [
    'a certificate for another host',
    noHost({ h1: coded('ERR_TLS_CERT_ALTNAME_INVALID') }),
    'connect',
    { code: 'TLS_FAILED', reason: 'the server certificate is for another host' },
  ],
  [
    'an expired certificate',
    noHost({ h1: coded('CERT_HAS_EXPIRED') }),
    'connect',
    { code: 'TLS_FAILED', reason: 'the server certificate has expired' },
  ],
  [
    'a server without TLS',
    noHost({ h1: coded('EPROTO', 'ssl3_get_record:wrong version number') }),
    'connect',
    { code: 'TLS_FAILED', message: 'no secure connection: the server offers no TLS' },
  ],
  [
    'another data center',
    new errors.ArgumentError("localDataCenter was configured as 'x', but only found hosts in data centers: [y]"),
    'connect',
    { code: 'BAD_CONFIG' },
  ],
  [
    'a missing right',
    said(0x2100, 'User adam has no MODIFY permission on <table space.t> or any of its parents'),
    'write',
    { code: 'TARGET_DENIED', hint: 'as a superuser: GRANT MODIFY ON TABLE space.t TO adam', retryable: false },
  ],
  [
    'a missing keyspace',
    said(0x2200, "Keyspace 'other' does not exist"),
    'read',
    { code: 'CONNECT_FAILED', reason: 'the cluster has no keyspace other', retryable: false },
  ],
  ['a missing table', said(0x2200, 'unconfigured columnfamily t'), 'read', { code: 'TABLE_REFUSED', retryable: false }],
  [
    'too few replicas',
    said(0x1000, 'Not enough replicas available', { required: 2, alive: 1 }),
    'write',
    { code: 'CONNECTION_LOST', message: 'too few replicas are up', retryable: true },
  ],
  [
    'a read timeout',
    said(0x1200, 'timeout', { received: 1, blockFor: 2 }),
    'read',
    {
      code: 'TARGET_IO',
      reason: 'replicas that answered: 1 of the 2 that the consistency level needs',
      retryable: true,
    },
  ],
  [
    'a write timeout',
    said(0x1100, 'timeout', { received: 0, blockFor: 1, writeType: 'SIMPLE' }),
    'write',
    { code: 'TARGET_IO', message: 'replicas did not answer a write in time', retryable: true },
  ],
  [
    'a condition that timed out',
    said(0x1100, 'timeout', { received: 0, blockFor: 1, writeType: 'CAS' }),
    'write',
    { code: 'TARGET_IO', message: 'replicas did not answer a conditional write in time', retryable: true },
  ],
  [
    'a read failure',
    said(0x1300, 'failure', { received: 0, blockFor: 1 }),
    'read',
    { code: 'TARGET_IO', retryable: true },
  ],
  [
    'a write failure',
    said(0x1500, 'failure', { received: 0, blockFor: 1, writeType: 'BATCH' }),
    'write',
    { code: 'TARGET_IO', retryable: true },
  ],
  ['overload', said(0x1001, 'Server is in overloaded state'), 'write', { code: 'TARGET_BUSY', retryable: true }],
  [
    'overload of the only node',
    noHost({ h1: said(0x1001, 'overloaded') }),
    'write',
    { code: 'TARGET_BUSY', retryable: true },
  ],
  [
    'too many requests in flight',
    new errors.BusyConnectionError('h1', 2048, 1),
    'read',
    { code: 'TARGET_BUSY', retryable: true },
  ],
  ['a node that is starting', said(0x1002, 'bootstrapping'), 'read', { code: 'TARGET_BUSY', retryable: true }],
  ['a failure of the server', said(0, 'java.lang.AssertionError'), 'read', { code: 'TARGET_IO', retryable: true }],
  [
    'no answer in time',
    new errors.OperationTimedOutError('timed out', 'h1'),
    'read',
    { code: 'TARGET_IO', reason: 'no answer within 30 s', retryable: true },
  ],
  [
    'a statement nobody understands',
    said(0x2000, "line 1:5 no viable alternative at input 'x'"),
    'schema',
    { code: 'TABLE_REFUSED', retryable: false },
  ],
  [
    'a row with a wrong value',
    said(0x2200, 'Expected 4 or 0 byte int (8)'),
    'write',
    { code: 'ROW_REFUSED', retryable: false },
  ],
  ['an empty key', said(0x2200, 'Key may not be empty'), 'write', { code: 'ROW_REFUSED' }],
  ['a column that is gone', said(0x2200, 'Unknown identifier v'), 'write', { code: 'TABLE_REFUSED', retryable: false }],
  ['a mistake of ours', new TypeError('x is not a function'), 'write', { code: 'INTERNAL' }],
]

describe('failures of Cassandra', () => {
  test.each(CASES)('%s', (_, thrown, doing, expected) => {
    const error = cassandraError(thrown, settings, doing)
    expect(error).toBeInstanceOf(SluiceError)
    expect(error).toMatchObject(expected)
    expect(error.hint).toBeTruthy()
  })

  test('never contain the password, whatever the server reports', () => {
    const error = cassandraError(said(0x2200, 'what is s3cret-word doing here'), settings, 'read')
    expect(JSON.stringify(error.info())).not.toContain('s3cret-word')
    expect(error.where).toContain('cassandra://adam@h1,h2/space')
  })

  test('pass unchanged if they are sluice errors already', () => {
    const ours = new SluiceError('STOPPED', 'stopped on request')
    expect(cassandraError(ours, settings)).toBe(ours)
  })

  test('are uncertain if a write may have been applied', () => {
    expect(isUncertain(said(0x1100, 'timeout', { writeType: 'CAS' }))).toBe(true)
    expect(isUncertain(dropped('Socket was closed'))).toBe(true)
    expect(isUncertain(new errors.OperationTimedOutError('timed out', 'h1'))).toBe(true)
    expect(isUncertain(cassandraError(said(0x1100, 'timeout'), settings, 'write'))).toBe(true)
    expect(isUncertain(said(0x1000, 'unavailable'))).toBe(false)
    expect(isUncertain(said(0x2100, 'User adam has no MODIFY permission'))).toBe(false)
  })
})

describe('the fallback to consistency ONE', () => {
  const UNAVAILABLE = said(0x1000, 'Not enough replicas', { required: 2, alive: 1 })
  const waits: number[] = []
  const quiet = {
    random: () => 1,
    sleep: async (ms: number) => {
      waits.push(ms)
    },
  }
  const failing = (times: number, error: Error, levels: number[]) => async (level: number) => {
    levels.push(level)
    if (level !== 1 && levels.length <= times) throw error
    return level
  }

  test('happens after three attempts, and reports the rows', async () => {
    const reported: unknown[] = []
    const levels: number[] = []
    const writes = new FallBack<string>({
      ...quiet,
      level: 4,
      fallBackToOne: true,
      onFallback: (rows, why) => reported.push([rows, why]),
    })
    expect(await writes.run(failing(99, UNAVAILABLE, levels), 'rows 1 to 5')).toBe(1)
    expect(levels).toEqual([4, 4, 4, 1])
    expect(reported).toEqual([['rows 1 to 5', 'unavailable']])
    expect(writes.fallbacks).toBe(1)
  })

  test('does not happen after a success, without fallBackToOne, or for other errors', async () => {
    const levels: number[] = []
    const writes = new FallBack<null>({ ...quiet, level: 4, fallBackToOne: true })
    expect(await writes.run(failing(2, UNAVAILABLE, levels), null)).toBe(4)
    expect(writes.fallbacks).toBe(0)
    const strict = new FallBack<null>({ ...quiet, level: 4, fallBackToOne: false })
    await expect(strict.run(failing(99, UNAVAILABLE, []), null)).rejects.toBe(UNAVAILABLE)
    const denied = said(0x2100, 'User adam has no MODIFY permission')
    await expect(writes.run(failing(99, denied, []), null)).rejects.toBe(denied)
  })

  test('an unreachable cluster is retried with doubling pauses, up to the time limit', async () => {
    waits.length = 0
    const gone = noHost({ h1: coded('ECONNREFUSED') })
    const levels: number[] = []
    const writes = new FallBack<null>({ ...quiet, level: 4, fallBackToOne: true, retryLimitMs: 2000 })
    await expect(writes.run(failing(99, gone, levels), null)).rejects.toBe(gone)
    expect(waits).toEqual([100, 200, 400, 800, 1600])
    expect(levels.every((level) => level === 4)).toBe(true)
    const overloaded = said(0x1001, 'overloaded')
    expect(await writes.run(failing(3, overloaded, []), null)).toBe(4)
  })
})
