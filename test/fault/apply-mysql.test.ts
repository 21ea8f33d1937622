/** Changes applied to MySQL while connections break, other sessions lock rows, and the server ends sessions. */
import { createConnection, type Connection } from 'mysql2/promise'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ChangeWriter } from '../../src/model/follow/port.ts'
import { changesOf, type Target } from '../real/mysql-apply-kit.ts'
import { changeTable, put, requestOf } from '../real/postgresql-apply-kit.ts'
import { makePlace, missing, type Place } from '../support/copy-systems.ts'
import { startProxy, type Proxy } from '../support/servers/proxy.ts'

const absent = await missing('mysql')

const closing = {
  statements: [{ sql: 'UPDATE place SET at = 1 WHERE at = ?', parameters: [0] }],
  guard: { sql: 'SELECT 1', parameters: [] },
  landed: { sql: 'SELECT 1 FROM place WHERE at = ?', parameters: [1] },
}
const whole = Array.from({ length: 600 }, (_, n) => put([String(n), String(n), `t${n}`]))
const LOST = { code: 'CONNECTION_LOST', retryable: true }

describe.skipIf(absent !== '')(`changes applied to MySQL under failures ${absent}`, () => {
  let place: Place
  let proxy: Proxy
  let own: Connection
  const opened: (Pick<Target, 'store'> & { readonly writer: ChangeWriter })[] = []

  beforeAll(async () => {
    place = await makePlace('mysql', '')
    await place.sql(
      'CREATE TABLE lines_ (id int PRIMARY KEY, n int, t longtext)',
      'CREATE TABLE uniques (id int PRIMARY KEY, n int UNIQUE, t longtext)',
      'CREATE TABLE place (at int)',
    )
    const { port, hostname } = new URL(place.url)
    proxy = await startProxy(Number(port === '' ? 3306 : port), hostname)
    own = await createConnection(place.url)
  })
  afterAll(async () => {
    for (const { writer, store } of opened) {
      await writer[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    }
    await own?.end()
    await proxy?.close()
  })
  beforeEach(async () => {
    proxy.onClientData(null)
    await place.sql('DELETE FROM lines_', 'DELETE FROM uniques', 'DELETE FROM place', 'INSERT INTO place VALUES (0)')
  })

  async function through(port = proxy.port): Promise<ChangeWriter> {
    const url = new URL(place.url)
    url.hostname = '127.0.0.1'
    url.port = String(port)
    url.search = '?response_timeout=1&retry_seconds=20'
    const { store, changes } = await changesOf(url.href)
    const tables = [await changeTable(store, 'lines_', ['id']), await changeTable(store, 'uniques', ['id'])]
    const writer = await changes.open(requestOf(tables))
    opened.push({ store, writer })
    return writer
  }

  const counts = (): Promise<unknown> =>
    place.rows('SELECT (SELECT count(*) FROM lines_), (SELECT count(*) FROM uniques), (SELECT at FROM place)')

  test.for([
    ['DELETE t FROM', 0],
    ['ON DUPLICATE KEY', 0],
    ['LOAD DATA', 1],
    ['UPDATE place', 1],
  ] as const)('a connection that breaks at %s leaves no change', async ([word, table]) => {
    const writer = await through()
    proxy.onClientData((data, connection) => {
      if (!data.includes(word)) return undefined
      connection.cut()
      return 'drop'
    })
    const work = async (): Promise<unknown> => {
      await writer.apply(table, { puts: whole, gone: [['1000']] })
      return writer.commit(closing)
    }
    await expect(work()).rejects.toMatchObject(LOST)
    await expect(writer.apply(table, { puts: whole, gone: [] })).rejects.toMatchObject(LOST)
    proxy.onClientData(null)
    expect(await counts()).toEqual([['0', '0', '0']])
    const next = await through()
    await next.apply(table, { puts: whole, gone: [] })
    expect(await next.commit(closing)).toBe('committed')
  })

  test.for([true, false])(
    'a COMMIT whose answer is lost is resolved with a query: it was executed, %s',
    async (lands) => {
      const writer = await through()
      let acted = false
      proxy.onClientData((data, connection) => {
        if (acted || !data.includes('COMMIT')) return undefined
        acted = true
        connection.cut()
        return lands ? undefined : 'drop'
      })
      await writer.apply(0, { puts: whole, gone: [] })
      const outcome = writer.commit(closing)
      if (lands) expect(await outcome).toBe('committed')
      else await expect(outcome).rejects.toMatchObject(LOST)
      expect(await counts()).toEqual([lands ? ['600', '0', '1'] : ['0', '0', '0']])
      await expect(writer.apply(0, { puts: whole, gone: [] })).rejects.toMatchObject(LOST)
    },
  )

  test('a session that the server ends in the middle of a transaction leaves no change', async () => {
    const writer = await through()
    await writer.apply(1, { puts: whole, gone: [] })
    await own.query('KILL CONNECTION ?', [await idOf(writer)])
    const rest = async (): Promise<unknown> => {
      await writer.apply(0, { puts: whole, gone: [] })
      return writer.commit(closing)
    }
    await expect(rest()).rejects.toMatchObject(LOST)
    await expect.poll(counts).toEqual([['0', '0', '0']])
  })

  test('a deadlock rolls back the whole transaction, and the next one succeeds', async () => {
    await place.sql("INSERT INTO lines_ VALUES (1, 0, 'a'), (2, 0, 'b')")
    const writer = await through()
    // The server ends the transaction that has written less, so the other one writes more.
    await own.query('BEGIN')
    await own.query(`INSERT INTO uniques SELECT seq, seq, 'x' FROM seq_10000_to_12000`)
    await own.query('UPDATE lines_ SET n = 5 WHERE id = 2')
    await writer.apply(0, { puts: [put(['1', '7', 'mine'])], gone: [] })
    const waits = writer.apply(0, { puts: [put(['2', '7', 'mine'])], gone: [] })
    const failed = waits.catch((error: unknown) => error)
    await own.query('UPDATE lines_ SET n = 5 WHERE id = 1')
    expect(await failed).toMatchObject({ code: 'TARGET_BUSY', retryable: true })
    await own.query('ROLLBACK')
    await expect(writer.commit(closing)).rejects.toMatchObject({ code: 'TARGET_BUSY' })
    await writer.rollBack()
    expect(await place.rows('SELECT n FROM lines_ ORDER BY id')).toEqual([['0'], ['0']])
    await writer.apply(0, { puts: [put(['1', '7', 'mine'])], gone: [] })
    expect(await writer.commit(closing)).toBe('committed')
  })

  test('columns that are altered meanwhile are noticed by the next session at the latest', async () => {
    const writer = await through()
    await writer.apply(0, { puts: whole.slice(0, 9), gone: [] })
    expect(await writer.commit(closing)).toBe('committed')
    await place.sql('ALTER TABLE lines_ DROP COLUMN n')
    const kept = { row: ['1', '5', undefined], key: ['1'], base: ['1'] }
    await expect(writer.apply(0, { puts: [kept], gone: [] })).rejects.toMatchObject({ retryable: true })
    await expect(through())
      .rejects.toMatchObject({ code: 'TABLE_REFUSED' })
      .catch(() => undefined)
    await place.sql('ALTER TABLE lines_ ADD COLUMN n int AFTER id')
  })

  async function idOf(writer: ChangeWriter): Promise<number> {
    const [rows] = await own.query('SELECT IS_USED_LOCK(?) AS id', [writer.session])
    return Number((rows as { id: number }[])[0]?.id)
  }
})
