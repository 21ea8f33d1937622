/** Faults between a copy and MySQL: broken connections, lost replies, killed servers, vanished owners. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { TableSpec } from '../../src/model/copy/column-type.ts'
import type { Row } from '../../src/model/copy/rows.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openMysqlCopy } from '../../src/stores/mysql/copy/index.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import { copyOf, perform, placeOn } from '../support/copy-systems.ts'
import { startProxy, type Proxy } from '../support/servers/proxy.ts'
import {
  chunkOf,
  ledgerOf,
  ledgerRow,
  readAll,
  refused,
  rowsOf,
  SIGNAL,
  SIZE,
  statusOf,
  sumOf,
  tableOf,
  writeChunk,
} from './copy-mysql-kit.ts'

vi.setConfig({ testTimeout: 60_000 })

const skipped = !MARIADB_AVAILABLE
const why = skipped ? ` (skipped: ${MARIADB_MISSING})` : ''

let server: MariadbServer
let store: CopyStore
let proxy: Proxy
/** The same database behind the proxy. */
let distant: CopyStore
let made = 0

beforeAll(async () => {
  if (skipped) return
  server = await startMariadb()
  await server.sql('DROP DATABASE IF EXISTS sluice_faults')
  await server.createDatabase('sluice_faults')
  store = await openMysqlCopy(`${server.url('sluice_faults')}?pool_size=1`)
  proxy = await startProxy(server.port)
  distant = await openMysqlCopy(proxied('?response_timeout=1&retry_seconds=20'))
})

afterAll(async () => {
  await distant?.[Symbol.asyncDispose]()
  await store?.[Symbol.asyncDispose]()
  await proxy?.close()
  await server?.stop()
})

function proxied(parameters = ''): string {
  const url = new URL(server.url('sluice_faults'))
  url.hostname = '127.0.0.1'
  url.port = String(proxy.port)
  return `${url.href}${parameters}`
}

async function table(
  columns = 'id INT PRIMARY KEY, t VARCHAR(200)',
  ...statements: readonly string[]
): Promise<TableSpec> {
  const name = `t${++made}`
  await server.sql(
    `CREATE TABLE sluice_faults.${name} (${columns})`,
    ...statements.map((one) => one.replaceAll('TABLE_', `sluice_faults.${name}`)),
  )
  return await tableOf(store, name)
}

async function contents(found: TableSpec): Promise<readonly Row[]> {
  await using view = await store.source(SIGNAL)
  return await readAll(view, rowsOf(found))
}

const many = (count: number, from = 0): readonly Row[] =>
  Array.from({ length: count }, (_, i): Row => [String(from + i), 'x'.repeat(100)])

describe.skipIf(skipped)(`a MySQL target whose connection breaks${why}`, () => {
  test.each(['LOAD DATA', 'INSERT INTO'])('in the middle of %s, no row stays', async (word) => {
    const found = await table()
    await using writer = await distant.target().open(chunkOf(found))
    await writer.write(many(100))
    proxy.onClientData((data, connection) => {
      if (data.includes(word)) connection.cut()
    })
    const rows = word === 'LOAD DATA' ? many(3_000, 1_000) : many(10, 1_000)
    const error = await refused(writer.write(rows))
    proxy.onClientData(null)
    expect([error.code, error.retryable]).toEqual(['CONNECTION_LOST', true])
    const closing = await ledgerRow(store)
    expect((await refused(writer.commit(closing))).code).toBe('CONNECTION_LOST')
    await writer[Symbol.asyncDispose]()
    expect(await contents(found)).toEqual([])
    expect(await statusOf(store, closing.id)).toBe('in_progress')
    // Nothing blocks another attempt.
    await (await ledgerOf(store)).endSession(writer.session)
    expect(await writeChunk(store, chunkOf(found), many(100))).toBe(100)
  })

  test('after COMMIT, the chunk is found committed', async () => {
    const found = await table()
    const closing = await ledgerRow(store)
    await using writer = await distant.target().open(chunkOf(found))
    await writer.write(many(20))
    proxy.onClientData((data, connection) => {
      if (data.includes('COMMIT')) connection.cut()
    })
    const outcome = writer.commit(closing)
    expect(await outcome.finally(() => proxy.onClientData(null))).toBe('committed')
    expect(await contents(found)).toHaveLength(20)
    expect(await statusOf(store, closing.id)).toBe('completed')
  })

  test.each(['cut', 'mute'] as const)('before COMMIT (%s), the chunk can be retried', async (end) => {
    const found = await table()
    const closing = await ledgerRow(store)
    await using writer = await distant.target().open(chunkOf(found))
    await writer.write(many(20))
    proxy.onClientData((data, connection) => {
      if (!data.includes('COMMIT')) return undefined
      connection[end]()
      return 'drop'
    })
    const error = await refused(writer.commit(closing).finally(() => proxy.onClientData(null)))
    expect([error.code, error.retryable]).toEqual(['CONNECTION_LOST', true])
    expect(await contents(found)).toEqual([])
    expect(await statusOf(store, closing.id)).toBe('in_progress')
  })

  test('before COMMIT, with a new owner of the chunk, the commit is fenced', async () => {
    const found = await table()
    const closing = await ledgerRow(store)
    await using writer = await distant.target().open(chunkOf(found))
    await writer.write(many(20))
    proxy.onClientData((data, connection) => {
      if (!data.includes('COMMIT')) return undefined
      connection.cut()
      return 'drop'
    })
    const other = { ...closing, guard: { sql: 'SELECT 1 FROM ledger WHERE 1 = 0', parameters: [] } }
    expect(await writer.commit(other).finally(() => proxy.onClientData(null))).toBe('fenced')
    expect(await contents(found)).toEqual([])
  })

  test('a signal aborts the chunk at once', async () => {
    const found = await table()
    const abort = new AbortController()
    const writer = await store.target().open(chunkOf(found, { signal: abort.signal }))
    await writer.write(many(20))
    const reason = new SluiceError('ABORTED', 'enough')
    abort.abort(reason)
    expect(await refused(writer.write(many(20, 100)))).toBe(reason)
    expect(await refused(writer.commit(await ledgerRow(store)))).toBe(reason)
    await writer[Symbol.asyncDispose]()
    expect(await refused(store.target().open(chunkOf(found, { signal: abort.signal })))).toBe(reason)
    await (await ledgerOf(store)).endSession(writer.session)
    expect(await contents(found)).toEqual([])
  })

  test('rows that another transaction has locked make the chunk retryable', async () => {
    const found = await table('id INT PRIMARY KEY, t VARCHAR(200)', "INSERT INTO TABLE_ VALUES (1, 'a'), (2, 'b')")
    await using one = await store.target().open(chunkOf(found, { onExisting: 'upsert' }))
    await using two = await store.target().open(chunkOf(found, { onExisting: 'upsert' }))
    await one.write([['1', 'one']])
    await two.write([['2', 'two']])
    const errors = await Promise.all(
      [one.write([['2', 'one']]), two.write([['1', 'two']])].map((write) => write.catch((error: unknown) => error)),
    )
    const [lost] = errors.filter((error) => error instanceof SluiceError)
    expect(lost).toMatchObject({ code: 'TARGET_BUSY', retryable: true })
    const loser = errors[0] === lost ? one : two
    // The server has rolled back the transaction: the rows before the deadlock are lost, too.
    expect(await refused(loser.write([['9', 'x']]))).toBe(lost)
    expect(await refused(loser.commit(await ledgerRow(store)))).toBe(lost)
    expect(await (loser === one ? two : one).commit(await ledgerRow(store))).toBe('committed')
  })
})

describe.skipIf(skipped)(`vanished owners of chunks${why}`, () => {
  test('their session is ended, and all its writes are rolled back', async () => {
    const found = await table()
    const ledger = await ledgerOf(store)
    const frozen = await store.target().open(chunkOf(found))
    await frozen.write(many(500))
    expect(frozen.session).toMatch(/^sluice [0-9a-f-]{36}$/)
    await ledger.endSession(frozen.session)
    expect(await writeChunk(store, chunkOf(found), many(500))).toBe(500)
    expect((await refused(frozen.write(many(1, 9_000)))).code).toBe('CONNECTION_LOST')
    expect((await refused(frozen.commit(await ledgerRow(store)))).code).toBe('CONNECTION_LOST')
    await frozen[Symbol.asyncDispose]()
    expect(await contents(found)).toHaveLength(500)
    await ledger.endSession(frozen.session)
    await ledger.endSession('')
  })

  test("the end of a finished chunk's session does not end the next chunk of that writer", async () => {
    const found = await table()
    const sessions: string[] = []
    for (const from of [0, 100, 200]) {
      await using writer = await store.target().open(chunkOf(found))
      await writer.write(many(20, from))
      for (const session of sessions) await (await ledgerOf(store)).endSession(session)
      sessions.push(writer.session)
      expect(await writer.commit(await ledgerRow(store))).toBe('committed')
    }
    expect(new Set(sessions).size).toBe(3)
    expect(await contents(found)).toHaveLength(60)
  })

  test('the ledger runs batches as one transaction, and returns rows', async () => {
    const ledger = await ledgerOf(store)
    const wrong = ledger.batch([
      { sql: 'INSERT INTO ledger VALUES (?, 5, ?)', parameters: [-1, 'x'] },
      { sql: 'INSERT INTO ledger VALUES (?, 5, ?)', parameters: [-1, 'y'] },
    ])
    expect((await refused(wrong)).code).toBe('VALUE_REFUSED')
    expect(await ledger.all('SELECT * FROM ledger WHERE id < 0')).toEqual([])
    const answers = await ledger.batch([
      { sql: 'INSERT INTO ledger VALUES (?, 5, ?)', parameters: [-2, 'x'] },
      { sql: 'SELECT fence, CAST(status AS TEXT) FROM ledger WHERE id = ?', parameters: [-2] },
    ])
    expect(answers).toEqual([[], [[5, 'x']]])
    expect(ledger.dialect).toBe('mysql')
  })
})

describe.skipIf(skipped)(`a MySQL source whose connection breaks${why}`, () => {
  test('in the middle of a read, it is an error and not the end', async () => {
    const found = await table(
      'id INT PRIMARY KEY, t VARCHAR(200)',
      "INSERT INTO TABLE_ SELECT seq, REPEAT('x', 200) FROM sluice_faults.seq_1_to_60000",
    )
    const view = await distant.source(SIGNAL)
    let rows = 0
    const read = async (): Promise<void> => {
      for await (const batch of view.read(rowsOf(found), SIZE, SIGNAL)) {
        rows += batch.rows.length
        if (rows === 500) proxy.cut()
      }
    }
    const error = await refused(read())
    expect([error.code, error.kind, error.retryable]).toEqual(['CONNECTION_LOST', 'source', true])
    expect(rows).toBeLessThan(60_000)
    expect((await refused(view.digest(rowsOf(found), SIGNAL))).code).toBe('CONNECTION_LOST')
    await view[Symbol.asyncDispose]()
    await using again = await distant.source(SIGNAL)
    expect((await again.digest(rowsOf(found), SIGNAL)).rows).toBe(60_000n)
  })
})

describe.skipIf(skipped)(`a separate MySQL server${why}`, () => {
  test('without LOAD DATA LOCAL all rows are written by INSERT; after a kill the committed ones are there', async () => {
    await using own = await startMariadb({ localInfile: false, more: ['--lower-case-table-names=1'] })
    if (!own.isOurs) return
    await own.createDatabase('sluice_own')
    await using local = await openMysqlCopy(own.url('sluice_own'))
    await own.sql('CREATE TABLE sluice_own.t (id INT PRIMARY KEY, t VARCHAR(200))')
    // Such a server ignores case in names.
    const found = await tableOf(local, 'SLUICE_own.T')
    const rows = many(2_500)
    await writeChunk(local, chunkOf(found), rows)
    const view = await local.source(SIGNAL)
    const writer = await local.target().open(chunkOf(found))
    await writer.write(many(100, 5_000))
    await own.kill9()
    expect((await refused(view.extent(found, null, true))).code).toBe('CONNECTION_LOST')
    expect((await refused(writer.write(many(100, 6_000)))).code).toBe('CONNECTION_LOST')
    await writer[Symbol.asyncDispose]()
    await view[Symbol.asyncDispose]()
    expect((await refused(local.source(SIGNAL))).code).toBe('CONNECT_FAILED')
    await own.restart()
    await using after = await local.source(SIGNAL)
    expect(await after.digest(rowsOf(found), SIGNAL)).toEqual(sumOf(rows))
    expect(await writeChunk(local, chunkOf(found), many(5, 5_000))).toBe(5)
  })

  test(
    'temporarily read-only, as a replica before its promotion: refused writes are retried',
    { timeout: 300_000 },
    async () => {
      await using own = await startMariadb()
      if (!own.isOurs) return
      const [source, target] = [await placeOn('mysql', own.url()), await placeOn('mysql', own.url())]
      const name = new URL(target.url).pathname.slice(1)
      await own.sql(`CREATE USER mere@'%' IDENTIFIED BY 'mere'`, `GRANT ALL ON ${name}.* TO mere@'%'`)
      await source.sql(
        'CREATE TABLE t (id INT PRIMARY KEY, t VARCHAR(200))',
        `INSERT INTO t SELECT seq, 'x' FROM seq_1_to_1000`,
      )
      const to = { url: `${own.url(name, 'mere', 'mere')}?retry_seconds=30` }
      let turned = Promise.resolve()
      let refusals = 0
      const { finished, events } = await perform(copyOf(source, to, 't', { chunkRows: 250, workers: 1, rate: 500 }), {
        onEvent: (event) => {
          if (event.type === 'chunk.started' && event.chunk === '2') turned = own.sql('SET GLOBAL read_only = 1')
          const isRefusal = event.type === 'chunk.retried' && event.error.code === 'TARGET_DENIED'
          if (isRefusal && ++refusals === 2) turned = own.sql('SET GLOBAL read_only = 0')
        },
      })
      await turned
      expect(refusals).toBeGreaterThanOrEqual(2)
      expect(finished).toMatchObject({ exitCode: 0, totals: { written: '1000' } })
      expect(events.filter(({ type }) => type === 'chunk.failed')).toEqual([])
      // If it is read-only at the start, it is the wrong server, which is reported at once.
      await own.sql('SET GLOBAL read_only = 1', `DROP TABLE ${name}.t`)
      const wrong = await perform(copyOf(source, to, 't'))
      await own.sql('SET GLOBAL read_only = 0')
      expect(wrong.finished.error).toMatchObject({ code: 'TARGET_DENIED', hint: expect.stringContaining('primary') })
      expect(wrong.events.filter(({ type }) => type === 'chunk.retried')).toEqual([])
    },
  )
})
