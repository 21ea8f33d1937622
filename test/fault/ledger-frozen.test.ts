/**
 * A program that is frozen or disconnected in the middle of a transaction of the ledger: its locks are released before
 * the lock timeout of others ends.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'
import { LEDGER_IDLE_MS } from '../../src/model/run/ledger-port.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb } from '../support/servers/mariadb.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres } from '../support/servers/postgresql.ts'
import { startProxy, type Proxy } from '../support/servers/proxy.ts'

type Place = { readonly near: string; readonly far: string; readonly proxy: Proxy; readonly stop: () => Promise<void> }

const SERVERS = [
  [
    'PostgreSQL',
    POSTGRES_OWN ? '' : POSTGRES_MISSING,
    async (): Promise<Place> => {
      const server = await startPostgres()
      await server.createDatabase('frozen')
      const near = server.url('frozen')
      const proxy = await startProxy(server.port)
      return {
        near,
        far: near.replace(`:${server.port}/`, `:${proxy.port}/`),
        proxy,
        stop: async () => server[Symbol.asyncDispose](),
      }
    },
  ],
  [
    'MariaDB',
    MARIADB_AVAILABLE ? '' : MARIADB_MISSING,
    async (): Promise<Place> => {
      const server = await startMariadb()
      await server.createDatabase('frozen')
      const near = server.url('frozen')
      const proxy = await startProxy(server.port)
      return {
        near,
        far: near.replace(`:${server.port}/`, `:${proxy.port}/`),
        proxy,
        stop: async () => server[Symbol.asyncDispose](),
      }
    },
  ],
] as const

describe.each(SERVERS)('a ledger in %s', { timeout: 120_000 }, (_name, missing, start) => {
  let place: Place
  beforeAll(async () => {
    if (missing === '') place = await start()
  }, 60_000)
  afterAll(async () => {
    if (missing !== '') return
    await place.proxy[Symbol.asyncDispose]()
    await place.stop()
  })

  test('a row that a frozen program has changed, but not committed, can be changed by others', async ({ skip }) => {
    skip(missing !== '', missing)
    await using near = await openCopyStore(place.near, { mode: 'write' })
    await using ledger = await near.ledger()
    await ledger.batch([{ sql: 'DROP TABLE IF EXISTS lamps', parameters: [] }])
    await ledger.batch([{ sql: 'CREATE TABLE lamps (id INT PRIMARY KEY, light VARCHAR(20))', parameters: [] }])
    await ledger.batch([{ sql: "INSERT INTO lamps VALUES (1, 'off')", parameters: [] }])
    const far = await openCopyStore(place.far, { mode: 'write' })
    const frozen = await far.ledger()
    let isBegun = (): void => undefined
    const begun = new Promise<void>((resolve) => (isBegun = resolve))
    place.proxy.onClientData((data, connection) => {
      if (!data.includes('frozen light')) return
      // The server gets this statement, and nothing after it.
      setImmediate(() => connection.mute())
      isBegun()
    })
    const light = (what: string): Parameters<LedgerDatabase['batch']>[0] => [
      { sql: 'UPDATE lamps SET light = ? WHERE id = 1', parameters: [what] },
      { sql: 'SELECT 1', parameters: [] },
    ]
    const lost = frozen.batch(light('frozen light')).catch(() => undefined)
    await begun
    const from = performance.now()
    await ledger.batch(light('on'))
    expect(performance.now() - from).toBeLessThan(LEDGER_IDLE_MS + 10_000)
    expect(await ledger.all('SELECT light FROM lamps')).toEqual([['on']])
    place.proxy.onClientData(null)
    place.proxy.cut()
    await lost
    await frozen[Symbol.asyncDispose]()
    await far[Symbol.asyncDispose]()
  })
})
