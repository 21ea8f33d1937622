/** Stores whose connections take a route: names, certificates and signatures are still those of the server. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DelayedWire } from '../../src/engine/lake/compare/wire/wire.ts'
import { openMysql } from '../../src/stores/mysql/sql-database.ts'
import { openPostgres } from '../../src/stores/postgresql/server/sql-database.ts'
import type { Route, ServerAddress } from '../../src/model/run/route.ts'
import { MARIADB_AVAILABLE, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'

const fixtures = resolve(import.meta.dirname, '../../fixtures/tls')
const file = (name: string): string => join(fixtures, name)
const ROUND_TRIP = 20
/** The only name for which the certificate `other-host` is valid. */
const NAME = 'db.example.com'

/** A server given by the environment may have its socket file on another machine. */
const NAMED = process.env['SLUICE_TEST_MYSQL_URL'] !== undefined

let wire: DelayedWire
const asked: ServerAddress[] = []

beforeAll(async () => {
  wire = await DelayedWire.start(ROUND_TRIP)
})
afterAll(async () => {
  await wire[Symbol.asyncDispose]()
})

/** Through the proxy to this machine, whatever the name: no test resolves names. */
const home: Route = (address) => {
  asked.push(address)
  return wire.route('path' in address ? address : { host: '127.0.0.1', port: address.port })
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly ms: number; readonly result: T }> {
  const begun = performance.now()
  const result = await work()
  return { ms: performance.now() - begun, result }
}

describe.skipIf(!POSTGRES_OWN)('PostgreSQL (needs a server of its own)', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({ ssl: { cert: file('other-host.pem'), key: file('other-host.key') } })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const proof = `sslmode=verify-full&sslrootcert=${encodeURIComponent(file('ca.pem'))}`

  test('the certificate must be for the named server, and every statement takes a round trip', async () => {
    const url = new URL(server.url())
    url.hostname = NAME
    const opened = await timed(() => openPostgres(`${url.href}?${proof}`, 'read', { route: home }))
    await using database = opened.result
    // Connect, TLS request, TLS handshake, a login in two steps, settings, facts.
    expect(opened.ms).toBeGreaterThanOrEqual(7 * ROUND_TRIP)
    expect(asked.at(-1)).toEqual({ host: NAME, port: server.port })
    const { ms, result } = await timed(() =>
      database.read(async (reader) => [await reader.all('SELECT 1'), await reader.all('SELECT 2')]),
    )
    expect(result).toEqual([[[1]], [[2]]])
    expect(ms).toBeGreaterThanOrEqual(4 * ROUND_TRIP)
    url.hostname = 'localhost'
    await expect(openPostgres(`${url.href}?${proof}`, 'read', { route: home })).rejects.toMatchObject({
      code: 'TLS_FAILED',
      reason: 'the server certificate is for another host',
    })
  })

  test('a socket file works with a route, too', async () => {
    const { port, username, password } = new URL(server.url())
    const host = encodeURIComponent(server.socketFolder)
    const url = `postgresql://${username}:${password}@/postgres?host=${host}&port=${port}`
    const opened = await timed(() => openPostgres(url, 'read', { route: home }))
    await using database = opened.result
    expect(await database.all('SELECT inet_server_addr() IS NULL')).toEqual([[1]])
    expect(asked.at(-1)).toEqual({ path: `${server.socketFolder}/.s.PGSQL.${port}` })
    expect(opened.ms).toBeGreaterThanOrEqual(5 * ROUND_TRIP)
  })
})

describe.skipIf(!MARIADB_AVAILABLE)('MariaDB', () => {
  let server: MariadbServer
  beforeAll(async () => {
    const tls = { ca: file('ca.pem'), cert: file('other-host.pem'), key: file('other-host.key') }
    server = await startMariadb({ tls })
    await server.createDatabase('routed')
  })
  afterAll(() => server.stop())

  test('the certificate must be for the named server, and every statement takes a round trip', async () => {
    const url = new URL(server.url('routed'))
    url.searchParams.set('ssl-mode', 'VERIFY_IDENTITY')
    url.searchParams.set('ssl-ca', file('ca.pem'))
    url.hostname = NAME
    const opened = await timed(() => openMysql(url.href, 'read', { route: home }))
    await using database = opened.result
    // Connect with the server's greeting, TLS, login, facts, settings twice.
    expect(opened.ms).toBeGreaterThanOrEqual(6 * ROUND_TRIP)
    expect(asked.at(-1)).toEqual({ host: NAME, port: server.port })
    expect((await timed(() => database.all('SELECT 1'))).ms).toBeGreaterThanOrEqual(ROUND_TRIP)
    url.hostname = 'localhost'
    await expect(openMysql(url.href, 'read', { route: home })).rejects.toMatchObject({
      code: 'TLS_FAILED',
      reason: 'the server certificate is for another host',
    })
  })

  test.skipIf(NAMED)('a socket file works with a route, too', async () => {
    const url = new URL(server.url('routed'))
    const [row] = await (async () => {
      await using direct = await openMysql(`${url.href}?ssl-mode=DISABLED`, 'read')
      return await direct.all('SELECT @@socket')
    })()
    const path = String(row?.[0])
    url.searchParams.set('socket', path)
    await using database = await openMysql(url.href, 'read', { route: home })
    expect(await database.all('SELECT 1')).toEqual([[1]])
    expect(asked.at(-1)).toEqual({ path })
  })
})

test('requests to a bucket keep the name of their store, for its certificate and for the signature', async () => {
  const seen: string[] = []
  let connections = 0
  const store = createServer(
    { cert: readFileSync(file('other-host.pem')), key: readFileSync(file('other-host.key')) },
    ({ headers, method, url }, answer) => {
      seen.push(`${method} ${headers.host} ${url} ${String(headers['x-amz-date'])}`)
      answer.setHeader('content-length', 8).end('the body')
    },
  )
  store.on('secureConnection', () => connections++)
  store.listen(0, '127.0.0.1')
  await once(store, 'listening')
  try {
    const { port } = store.address() as AddressInfo
    const child = resolve(import.meta.dirname, 'routed-fetch-child.mjs')
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: file('ca.pem') }
    const { stdout } = await promisify(execFile)(process.execPath, [child, String(port), NAME, 'localhost'], { env })
    const refused = { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }
    expect(JSON.parse(stdout)).toEqual([
      { status: 200, length: '8', body: '' },
      { status: 200, length: '8', body: 'the body' },
      { status: 200, length: '8', body: 'the body' },
      refused,
      refused,
      refused,
    ])
    const line = `${NAME}:${port} /a%20key?list-type=2 today`
    expect(seen).toEqual([`HEAD ${line}`, `GET ${line}`, `GET ${line}`])
    // A certificate with the wrong name is refused before a request is sent.
    expect(connections).toBe(1)
  } finally {
    store.close()
    store.closeAllConnections()
  }
})
