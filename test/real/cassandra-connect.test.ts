/** Connections to a cluster: encryption, logins, permissions, keyspaces, addresses. Each node has its own settings. */
import { readFileSync } from 'node:fs'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { join, resolve } from 'node:path'
import { createServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectCassandra, type CassandraLink, type ConnectOptions } from '../../src/stores/cassandra/connect.ts'
import { cassandraError, type FailedAction } from '../../src/stores/cassandra/errors.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { CASSANDRA_OWN, startOwn, type CassandraCluster } from '../support/servers/cassandra.ts'

const fixtures = resolve(import.meta.dirname, '../../fixtures/tls')
const file = (name: string): string => join(fixtures, name)
const CA = `sslrootcert=${encodeURIComponent(file('ca.pem'))}`
const SECRET = 'a test pässword/@:%'
const REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"

/** Connects and closes; returns release and cluster name. */
async function tried(url: string, options: ConnectOptions = {}): Promise<Pick<CassandraLink, 'release' | 'cluster'>> {
  await using link = await connectCassandra(url, options)
  const { release, cluster } = link
  return { release, cluster }
}

/** The SluiceError of a failed connection; it contains no password. */
async function refusedBy(url: string, options: ConnectOptions = {}): Promise<SluiceError> {
  const error = await tried(url, options).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof SluiceError)) throw new Error('this should have been refused', { cause: error })
  expect(JSON.stringify(error.info())).not.toMatch(/pässword|p%C3%A4ssword|wrong-word/)
  return error
}

describe.skipIf(!CASSANDRA_OWN)('connections to Cassandra (need nodes of their own)', () => {
  let plain: CassandraCluster
  let guarded: CassandraCluster
  beforeAll(async () => {
    ;[plain, guarded] = await Promise.all([
      startOwn(1, { forgetful: true, heapMb: 200 }),
      startOwn(1, { forgetful: true, heapMb: 200, users: true, keystore: file('server.p12') }),
    ])
    await plain.cql(`CREATE KEYSPACE "Space" WITH replication = ${REPLICATION}`)
    await guarded.cql(
      `CREATE KEYSPACE space WITH replication = ${REPLICATION}`,
      'CREATE TABLE space.t (id int PRIMARY KEY, v text)',
      `CREATE USER eve WITH PASSWORD '${SECRET}' NOSUPERUSER`,
    )
  }, 180_000)
  afterAll(async () => {
    await Promise.all([plain, guarded].map((one) => one?.stop()))
  })

  describe('without encryption and users', () => {
    test('a node reports its release, protocol, partitioner and data center', async () => {
      await using link = await connectCassandra(plain.url('Space'))
      expect(link).toMatchObject({
        release: '2.1.0',
        protocol: 3,
        partitioner: 'murmur3',
        cluster: 'sluice tests',
        datacenter: 'datacenter1',
        readLevel: 6,
        writeLevel: 6,
        serialLevel: 9,
      })
      const { rows } = await link.client.execute('SELECT key, tokens FROM system.local')
      expect(rows[0]?.get('tokens')).toBeInstanceOf(Set)
    })

    test('consistency levels come from the options, then from the URL', async () => {
      await using link = await connectCassandra(`${plain.url()}?consistency=QUORUM`, { writeConsistency: 'one' })
      expect(link).toMatchObject({ readLevel: 4, writeLevel: 1 })
    })

    test('ycql:// splits by the ring of YugabyteDB', async () => {
      await using link = await connectCassandra(plain.url().replace('cassandra:', 'ycql:'))
      expect(link.partitioner).toBe('ycql')
    })

    test('a missing keyspace is named, unless it may be missing', async () => {
      expect(await refusedBy(plain.url('space'))).toMatchObject({
        code: 'CONNECT_FAILED',
        reason: 'the cluster has no keyspace space',
        retryable: false,
      })
      await tried(plain.url('space'), { withoutKeyspace: true })
    })

    test('another data center is refused, and the existing ones are named', async () => {
      expect(await refusedBy(`${plain.url()}?dc=elsewhere`)).toMatchObject({
        code: 'BAD_CONFIG',
        message: 'the cluster has no data center elsewhere',
        reason: expect.stringContaining('[datacenter1]') as string,
      })
      await tried(`${plain.url()}?dc=datacenter1`)
    })

    test('hosts that refuse connections are named; one host that answers is enough', async () => {
      expect(await refusedBy('cassandra://127.0.0.1:1,127.0.0.1:2/k')).toMatchObject({
        code: 'CONNECT_FAILED',
        reason: 'nothing listens at 127.0.0.1:1, 127.0.0.1:2 (Network or authentication issues)',
        retryable: true,
      })
      expect(await refusedBy('cassandra://no-such-host.invalid/k')).toMatchObject({
        code: 'CONNECT_FAILED',
        reason: 'host names cannot be resolved: no-such-host.invalid:9042 (Network or authentication issues)',
      })
      await tried(plain.url().replace('://', '://127.0.0.1:1,'))
    })

    test('a connection to a frozen node fails after connect_timeout', async () => {
      const [node] = plain.nodes
      await node?.freeze()
      try {
        const begun = performance.now()
        expect(await refusedBy(`${plain.url()}?sslmode=disable&connect_timeout=1`)).toMatchObject({
          code: 'CONNECT_FAILED',
          reason: expect.stringMatching(/^no node answers: 127\.0\.0\.1:/) as string,
          retryable: true,
        })
        expect(performance.now() - begun).toBeLessThan(4000)
        await expect(tried(plain.url(), { signal: AbortSignal.timeout(300) })).rejects.toMatchObject({
          code: 'ABORTED',
        })
      } finally {
        node?.thaw()
      }
      await tried(plain.url())
    })

    test('encryption that is required and not offered is refused', async () => {
      for (const mode of ['require', 'verify-ca', 'verify-full']) {
        expect(await refusedBy(`${plain.url()}?sslmode=${mode}`)).toMatchObject({
          code: 'TLS_FAILED',
          message: 'no secure connection: the server offers no TLS',
          reason: `sslmode=${mode} demands encryption`,
        })
      }
    })
  })

  describe('with encryption and users', () => {
    const eve = (password = SECRET): string => guarded.url('space', 'eve', password)

    test('a valid certificate is accepted in each mode', async () => {
      for (const mode of ['prefer', 'verify-ca', 'verify-full']) {
        expect(await tried(`${eve()}?sslmode=${mode}&${CA}`)).toMatchObject({ release: '2.1.0' })
      }
      await tried(`${eve()}?tls=insecure`)
      await tried(`${eve().replace('127.0.0.1', 'localhost')}?tls=true&${CA}`)
    })

    test('an unknown authority is refused if the certificate must be verified', async () => {
      const unknown = { code: 'TLS_FAILED', reason: 'the server certificate is signed by an unknown authority' }
      expect(await refusedBy(`${eve()}?sslmode=verify-full`)).toMatchObject(unknown)
      const other = `sslrootcert=${encodeURIComponent(file('other-ca.pem'))}`
      expect(await refusedBy(`${eve()}?sslmode=require&${other}`)).toMatchObject({ code: 'TLS_FAILED' })
    })

    test('a login in plain text is refused by a node that requires encryption', async () => {
      expect(await refusedBy(`${eve()}?sslmode=disable&connect_timeout=2`)).toMatchObject({ code: 'CONNECT_FAILED' })
    })

    test('a wrong password, an unknown user and a missing user are not reported as network errors', async () => {
      const wrong = {
        code: 'CONNECT_FAILED',
        reason: 'the cluster refuses this user or password (Network or authentication issues)',
        retryable: false,
      }
      expect(await refusedBy(eve('wrong-word'))).toMatchObject(wrong)
      expect(await refusedBy(guarded.url('space', 'nobody', 'wrong-word'))).toMatchObject(wrong)
      expect(await refusedBy(eve().replace(/\/\/.*@/, '//'), { environment: {} })).toMatchObject({
        code: 'CONNECT_FAILED',
        reason: 'the cluster requires a user and a password (Network or authentication issues)',
        retryable: false,
      })
    })

    test('user and password come from the environment', async () => {
      const url = eve().replace(/\/\/.*@/, '//')
      await tried(url, { environment: { CASSANDRA_USER: 'eve', CASSANDRA_PASSWORD: SECRET } })
      expect(
        await refusedBy(url, { environment: { CASSANDRA_USER: 'eve', CASSANDRA_PASSWORD: 'wrong-word' } }),
      ).toMatchObject({
        reason: 'the cluster refuses this user or password (Network or authentication issues)',
      })
    })

    test('each missing permission is named with the statement that grants it, and the grant helps', async () => {
      const cases: readonly (readonly [right: string, on: string, statement: string, doing: FailedAction])[] = [
        ['SELECT', 'TABLE space.t', 'SELECT * FROM space.t', 'read'],
        ['MODIFY', 'TABLE space.t', "INSERT INTO space.t (id, v) VALUES (1, 'a')", 'write'],
        ['CREATE', 'KEYSPACE space', 'CREATE TABLE space.u (id int PRIMARY KEY)', 'schema'],
      ]
      await using link = await connectCassandra(eve())
      const run = (statement: string): Promise<unknown> => link.client.execute(statement, [], { consistency: 1 })
      for (const [right, on, statement, doing] of cases) {
        const thrown = await run(statement).then(
          () => null,
          (error: unknown) => error,
        )
        const error = cassandraError(thrown, link.settings, doing)
        expect(error).toMatchObject({ code: 'TARGET_DENIED', message: 'Permission denied', retryable: false })
        expect(error.reason).toContain(`has no ${right} permission on`)
        const grant = /GRANT .*/.exec(error.hint ?? '')?.[0] ?? ''
        expect(grant.toUpperCase()).toBe(`GRANT ${right} ON ${on} TO EVE`.toUpperCase())
        await guarded.cql(grant)
        await run(statement)
      }
    })

    test('certificates that are expired, for another host or self-signed are refused', async () => {
      const url = eve().replace(/:\d+\/space/, '')
      const cases = [
        ['expired', CA, 'the server certificate has expired'],
        ['other-host', CA, 'the server certificate is for another host'],
        ['self-signed', '', 'the server certificate is self-signed'],
      ] as const
      for (const [name, parameters, reason] of cases) {
        await using front = await frontOf(plain, name)
        expect(await refusedBy(`${url}:${front.port}/?sslmode=verify-full&${parameters}`)).toMatchObject({
          code: 'TLS_FAILED',
          reason,
        })
      }
      await using front = await frontOf(plain, 'self-signed')
      const itself = `sslrootcert=${encodeURIComponent(file('self-signed.pem'))}`
      await tried(`cassandra://127.0.0.1:${front.port}/?sslmode=verify-full&${itself}`)
    })
  })
})

/** A TLS proxy with the given certificate in front of a node without encryption. */
async function frontOf(
  { nodes }: CassandraCluster,
  name: string,
): Promise<AsyncDisposable & { readonly port: number }> {
  const place = nodes[0]?.place
  if (place === undefined) throw new Error('no node')
  const pem = { cert: readFileSync(file(`${name}.pem`)), key: readFileSync(file(`${name}.key`)) }
  const sockets = new Set<Socket>()
  const server = createServer(pem, (socket) => {
    const behind = connect(place.port, place.ip)
    for (const end of [socket, behind]) {
      sockets.add(end)
      end.on('error', () => undefined)
    }
    socket.pipe(behind).pipe(socket)
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((ended) => server.close(ended))
    },
  }
}
