import { describe, expect, test } from 'vitest'
import { cassandraSettings } from '../../src/stores/cassandra/config.ts'
import { consistencyOf, levelName } from '../../src/stores/cassandra/consistency.ts'
import { sluiceErrorOf } from '../support/sluice-error.ts'

const settings = (url: string, environment = {}): ReturnType<typeof cassandraSettings> =>
  cassandraSettings(url, environment)

describe('a Cassandra URL', () => {
  test('is read in all its parts, percent signs decoded', () => {
    const url =
      'cassandra://the%40user:p%2F%3A%25@db1.example.com:9142,db2.example.com,[2001:db8::1]:9043/My%20Space' +
      '?dc=east&consistency=each_quorum&serial_consistency=serial&connect_timeout=3&request_timeout=7&pool_size=4&retry_seconds=0&page_rows=50'
    expect(settings(url)).toMatchObject({
      hosts: ['db1.example.com', 'db2.example.com', '2001:db8::1'],
      contactPoints: ['db1.example.com:9142', 'db2.example.com:9042', '[2001:db8::1]:9043'],
      port: 9142,
      user: 'the@user',
      password: 'p/:%',
      keyspace: 'My Space',
      datacenter: 'east',
      consistency: 'EACH_QUORUM',
      serialConsistency: 'SERIAL',
      connectTimeoutMs: 3000,
      requestTimeoutMs: 7000,
      poolSize: 4,
      retryMs: 0,
      pageRows: 50,
      ycql: false,
    })
    expect(settings('cassandra://u:a/b@c@h/d')).toMatchObject({ user: 'u', password: 'a/b@c', hosts: ['h'] })
    expect(settings('ycql://h')).toMatchObject({ ycql: true, keyspace: null, consistency: null, user: null })
  })

  test('has no password in its label', () => {
    const { label, secrets } = settings('ycql://u:s3cr%40t@h1,h2/k?dc=x')
    expect(label).toBe('ycql://u@h1,h2/k?dc=x')
    expect(secrets).toEqual(expect.arrayContaining(['s3cr%40t', 's3cr@t']))
  })

  test('takes user and password from the environment if it has none', () => {
    const environment = { CASSANDRA_USER: 'eve', CASSANDRA_PASSWORD: 'apple' }
    expect(settings('cassandra://h/k', environment)).toMatchObject({ user: 'eve', password: 'apple' })
    expect(settings('cassandra://adam@h/k', environment)).toMatchObject({ user: 'adam', password: 'apple' })
    expect(settings('cassandra://adam:fig@h/k', environment)).toMatchObject({ user: 'adam', password: 'fig' })
    expect(settings('cassandra://h/k', environment).secrets).toContain('apple')
    expect(settings('cassandra://h/k', { CASSANDRA_PASSWORD: 'apple' })).toMatchObject({ user: null, password: null })
  })

  test('verifies certificates of remote nodes, and uses TLS on this machine if it is offered', () => {
    expect(settings('cassandra://db.example.com/k').tls).toMatchObject({ mode: 'verify-full', required: true })
    expect(settings('cassandra://127.0.0.1,db.example.com/k').tls.mode).toBe('verify-full')
    expect(settings('cassandra://127.0.0.1,127.0.0.2/k').tls).toMatchObject({ mode: 'prefer', required: false })
    expect(settings('cassandra://db.example.com/k?sslmode=disable').tls.options).toBeNull()
    expect(settings('cassandra://db.example.com/k?tls=false').tls.mode).toBe('disable')
    expect(settings('cassandra://localhost/k?tls=true').tls.mode).toBe('verify-full')
    expect(settings('cassandra://h/k?tls=insecure').tls).toMatchObject({ mode: 'require', verifyHost: false })
  })

  test.each([
    ['postgresql://h/k', 'this is not a URL of a Cassandra cluster'],
    ['cassandra://', 'a host of the URL cannot be read'],
    ['cassandra://h1,,h2/k', 'a host of the URL cannot be read'],
    ['cassandra://h:99999/k', 'a host of the URL cannot be read'],
    ['cassandra://h/k/more', 'the URL names more than a keyspace'],
    ['cassandra://h/k?speed=high', 'the URL has an unknown parameter: speed'],
    ['cassandra://h/k?consistency=most', 'consistency=most is not known'],
    ['cassandra://h/k?consistency=SERIAL', 'consistency=SERIAL is not valid'],
    ['cassandra://h/k?serial_consistency=ONE', 'serial_consistency=ONE is not valid'],
    ['cassandra://h/k?request_timeout=soon', 'request_timeout=soon is not valid'],
    ['cassandra://h/k?sslmode=maybe', 'sslmode=maybe is not known'],
    ['cassandra://h/k?tls=true&sslmode=require', 'the URL has both tls and sslmode'],
    ['cassandra://h/k?sslrootcert=/no/such.pem', 'the file of sslrootcert cannot be read'],
    ['cassandra://adam@h/k', 'there is no password for user adam'],
    ['cassandra://h/%zz', 'a % in the URL is not followed by two hexadecimal digits'],
  ])('%s is refused', (url, message) => {
    const error = sluiceErrorOf(() => settings(url))
    expect(error).toMatchObject({ code: 'BAD_CONFIG', message })
  })
})

test('consistency levels are found by any spelling, and have the numbers of the protocol', () => {
  for (const word of ['LOCAL_QUORUM', 'local_quorum', 'LocalQuorum']) {
    expect(consistencyOf(word)).toEqual({ name: 'LOCAL_QUORUM', number: 6 })
  }
  expect(levelName(1)).toBe('ONE')
  expect(levelName(10)).toBe('LOCAL_ONE')
})
