import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openPostgres } from '../../src/stores/postgresql/server/sql-database.ts'
import type { HasCommitted, SessionLock, SqlDatabase, SqlRow } from '../../src/model/run/sql-port.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { startProxy, type Proxy, type ProxyConnection } from '../support/servers/proxy.ts'

const CAN_MOUNT = process.platform === 'linux' && process.getuid?.() === 0 && tryMount()
/** The complete text of a statement, so that BEGIN … READ COMMITTED does not match. */
const COMMIT = 'COMMIT\0'
/** Called with a URL and the PID of a server process: ends when that is gone. */
const UNTIL_GONE = `import pg from 'pg'
  const client = new pg.Client(process.argv[1])
  await client.connect()
  while ((await client.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [process.argv[2]])).rowCount > 0);
  await client.end()`
const ROWS = Array.from({ length: 5000 }, (_, i): SqlRow => [i, `text ${i}`])

describe.skipIf(!POSTGRES_OWN)('failures of PostgreSQL during work (needs a server of its own)', () => {
  let server: PostgresServer
  let proxy: Proxy
  let database: SqlDatabase
  let retries: unknown[]

  beforeAll(async () => {
    server = await startPostgres({ fsync: true })
    await server.createDatabase('faults')
    proxy = await startProxy(server.port)
  })

  afterAll(async () => {
    await proxy.close()
    await server[Symbol.asyncDispose]()
  })

  beforeEach(async () => {
    await using direct = await openPostgres(server.url('faults'), 'write')
    await direct.write((t) => t.script('DROP TABLE IF EXISTS kept; CREATE TABLE kept (n int, v text)'))
    database = await through('')
  })

  afterEach(async () => {
    proxy.onClientData(null)
    proxy.thaw()
    await database.close()
  })

  function through(parameters: string): Promise<SqlDatabase> {
    retries = []
    const url = server.url('faults').replace(`:${server.port}/`, `:${proxy.port}/`)
    return openPostgres(`${url}?response_timeout=1&connect_timeout=2&retry_seconds=20&${parameters}`, 'write', {
      onRetry: (error) => retries.push(error),
    })
  }

  const landed: HasCommitted = async (reader) => (await reader.all('SELECT 1 FROM kept LIMIT 1')).length > 0

  /** Rows, and how many of them are stored more than once, read through an undisturbed connection. */
  async function kept(): Promise<readonly SqlRow[]> {
    await using direct = await openPostgres(server.url('faults'), 'read')
    return await direct.all('SELECT count(*), count(DISTINCT n) FROM kept')
  }
  const EXACTLY_ONCE = [[ROWS.length, ROWS.length]]

  /** Runs the function when a client sends the word for the first time. */
  function onWord(word: string, act: (connection: ProxyConnection, data: Buffer) => 'drop' | void): void {
    let acted = false
    proxy.onClientData((data, connection) => {
      if (acted || !data.includes(word)) return undefined
      acted = true
      return act(connection, data)
    })
  }

  test('killed and restarted during a load, the server has the rows exactly once', async () => {
    let runs = 0
    await database.write(async (t) => {
      runs++
      await t.load('kept', ['n', 'v'], ROWS.slice(0, 2500))
      if (runs === 1) {
        await server.kill9()
        void sleep(50).then(() => server.restart())
      }
      await t.load('kept', ['n', 'v'], ROWS.slice(2500))
    }, landed)
    expect(runs).toBe(2)
    expect(await kept()).toEqual(EXACTLY_ONCE)
  })

  test('killed between the last statement and COMMIT, it has the rows exactly once', async () => {
    let runs = 0
    await database.write(async (t) => {
      await t.load('kept', ['n', 'v'], ROWS)
      if (++runs > 1) return
      await server.kill9()
      await sleep(100)
      void server.restart()
    })
    expect(runs).toBe(2)
    expect(await kept()).toEqual(EXACTLY_ONCE)
  })

  test('killed after COMMIT was sent, it has the rows exactly once, whatever the result', async () => {
    for (const delay of [0, 1, 3]) {
      await database.write((t) => t.run('DELETE FROM kept'))
      onWord(COMMIT, () => void sleep(delay).then(() => server.kill9().then(() => server.restart())))
      await database.write((t) => t.load('kept', ['n', 'v'], ROWS), landed)
      // If COMMIT was faster than the kill, the server is still restarting.
      await expect.poll(() => kept().catch(() => null), { timeout: 10_000 }).toEqual(EXACTLY_ONCE)
    }
  })

  test('a session that the server ends because its transaction was idle for too long: the body is repeated', async () => {
    let runs = 0
    const write = database.write(async (t) => {
      await t.load('kept', ['n', 'v'], ROWS)
      if (++runs === 1) {
        const [[pid] = []] = await t.all('SELECT pg_backend_pid()')
        await t.all("SET LOCAL idle_in_transaction_session_timeout = '100ms'")
        // This program is blocked meanwhile, so the server's last message is the answer to the next statement.
        spawnSync(process.execPath, ['--input-type=module', '-e', UNTIL_GONE, server.url('faults'), String(pid)], { cwd: import.meta.dirname }) // prettier-ignore
      }
      return t.all('SELECT count(*) FROM kept')
    })
    expect(await write).toEqual([[ROWS.length]])
    expect(runs).toBe(2)
    expect(await kept()).toEqual(EXACTLY_ONCE)
  })

  test('stopped by its administrator: a body and a read are repeated', async () => {
    let runs = 0
    await database.all('SELECT 1')
    const write = database.write(async (t) => {
      await t.load('kept', ['n', 'v'], ROWS)
      if (++runs === 1) await server.restart()
      return t.all('SELECT count(*) FROM kept')
    })
    expect(await write).toEqual([[ROWS.length]])
    expect(await database.all('SELECT count(*) FROM kept')).toEqual([[ROWS.length]])
    expect(runs).toBe(2)
    expect(await kept()).toEqual(EXACTLY_ONCE)
  })

  describe('a connection that is cut between COMMIT and its answer', () => {
    test('COMMIT arrived: its result is returned, and the body is not repeated', async () => {
      let runs = 0
      onWord(COMMIT, (connection) => connection.cut())
      const body = database.write(async (t) => {
        await t.load('kept', ['n', 'v'], ROWS)
        return ++runs
      }, landed)
      expect(await body).toBe(1)
      expect(await kept()).toEqual(EXACTLY_ONCE)
    })

    test('COMMIT did not arrive: the body is repeated', async () => {
      let runs = 0
      onWord(COMMIT, (connection) => {
        connection.cut()
        return 'drop'
      })
      const body = database.write(async (t) => {
        await t.load('kept', ['n', 'v'], ROWS)
        return ++runs
      }, landed)
      expect(await body).toBe(2)
      expect(await kept()).toEqual(EXACTLY_ONCE)
    })

    test('without a check the result is COMMIT_UNKNOWN, and the body is not repeated', async () => {
      let runs = 0
      onWord(COMMIT, (connection) => connection.cut())
      const body = database.write(async (t) => {
        runs++
        await t.load('kept', ['n', 'v'], ROWS)
      })
      await expect(body).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN', retryable: true })
      expect(runs).toBe(1)
    })

    test('without a server to check on the result is COMMIT_UNKNOWN', async () => {
      await database.close()
      database = await through('retry_seconds=1')
      onWord(COMMIT, (connection) => {
        connection.cut()
        void server.kill9()
      })
      const body = database.write((t) => t.load('kept', ['n', 'v'], ROWS), landed)
      try {
        await expect(body).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' })
      } finally {
        await server.restart()
      }
    })
  })

  describe('a COMMIT that a silent network delays', () => {
    /**
     * Runs the body, and delivers the COMMIT after so many milliseconds; the client gives up after 1000, the old
     * session after 2000.
     */
    async function runsUntilWritten(deliveryMs: number): Promise<number> {
      let runs = 0
      onWord(COMMIT, (connection, data) => {
        connection.mute()
        void sleep(deliveryMs).then(() => connection.send(data))
        return 'drop'
      })
      await database.write(async (t) => {
        await t.load('kept', ['n', 'v'], ROWS)
        runs++
      }, landed)
      await sleep(Math.max(0, deliveryMs - 2500))
      return runs
    }

    test('and delivers: the check waits until the old session has ended, so nothing is written twice', async () => {
      expect(await runsUntilWritten(1500)).toBe(1)
      expect(await kept()).toEqual(EXACTLY_ONCE)
    })

    test('and delivers too late: the old session is gone, and the body is repeated', async () => {
      expect(await runsUntilWritten(3000)).toBe(2)
      expect(await kept()).toEqual(EXACTLY_ONCE)
    })
  })

  test('a network that goes silent during a statement is given up after response_timeout', async () => {
    await database.all('SELECT 1')
    proxy.freeze()
    const answer = database.all('SELECT 2')
    await expect.poll(() => retries.length, { timeout: 8000 }).toBeGreaterThan(0)
    proxy.thaw()
    expect(await answer).toEqual([[2]])
    expect(retries[0]).toMatchObject({
      code: 'CONNECTION_LOST',
      where: expect.stringContaining('no answer from the server for 1 seconds') as string,
    })
  })

  test('a statement that takes longer than response_timeout continues while the server works on it', async () => {
    expect(await database.all('SELECT 7 FROM pg_sleep(2.2)')).toEqual([[7]])
    expect(retries).toEqual([])
  })

  test('a frozen connection whose statement ended long ago is given up', async () => {
    await database.all('SELECT 1')
    proxy.onClientData((data, connection) => {
      if (!data.includes('pg_sleep')) return
      proxy.onClientData(null)
      // After the statement has been sent to the server.
      setImmediate(() => connection.mute())
    })
    expect(await database.all('SELECT 7 FROM pg_sleep(0.2)')).toEqual([[7]])
    expect(retries).toMatchObject([{ code: 'CONNECTION_LOST' }])
  })

  test('a server that does not return ends in CONNECTION_LOST after retry_seconds', async () => {
    await database.close()
    database = await through('retry_seconds=1')
    await server.kill9()
    try {
      const began = performance.now()
      const [read, write] = [database.all('SELECT 1'), database.write((t) => t.run('DELETE FROM kept'))]
      await Promise.all([
        expect(read).rejects.toMatchObject({ code: 'CONNECTION_LOST', retryable: true }),
        expect(write).rejects.toMatchObject({ code: 'CONNECTION_LOST' }),
      ])
      expect(performance.now() - began).toBeLessThan(8000)
    } finally {
      await server.restart()
    }
  })

  test('a read transaction that breaks is not repeated without the knowledge of its body', async () => {
    let runs = 0
    const read = database.read(async (reader) => {
      runs++
      await reader.all('SELECT 1')
      proxy.cut()
      return reader.all('SELECT 2')
    })
    await expect(read).rejects.toMatchObject({ code: 'CONNECTION_LOST', retryable: true })
    expect(runs).toBe(1)
  })

  test('pages that break half-way throw instead of ending early', async () => {
    let seen = 0
    const walk = async (): Promise<void> => {
      for await (const page of database.pages(
        'SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 200000) g',
        [],
        100,
      )) {
        seen += page.length
        if (seen === 500) proxy.cut()
      }
    }
    await expect(walk()).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    expect(await database.all('SELECT 1')).toEqual([[1]])
  })

  test('a load that the server refuses half-way leaves a usable connection', async () => {
    const bad = ROWS.map(([n, v], i): SqlRow => [i === 4000 ? 'no number' : (n ?? null), v ?? null])
    await expect(database.write((t) => t.load('kept', ['n', 'v'], bad))).rejects.toMatchObject({ code: '22P02' })
    await database.write((t) => t.load('kept', ['n', 'v'], ROWS))
    expect(await kept()).toEqual(EXACTLY_ONCE)
  })

  test('the lock of a connection that was cut is reported as lost', async () => {
    await using lock = await database.lock?.('cut')
    expect(lock?.held).toBe(true)
    proxy.cut()
    await expect.poll(() => lock?.held).toBe(false)
    // The server releases it when it has noticed the loss.
    let again: SessionLock | null | undefined
    await expect.poll(async () => (again = await database.lock?.('cut')) ?? null).not.toBeNull()
    expect(again?.held).toBe(true)
    await again?.[Symbol.asyncDispose]()
  })

  test.skipIf(!CAN_MOUNT)(
    'a full disk ends in NO_SPACE, and no row of it is stored (needs root, to mount a small one)',
    async () => {
      using folder = temporaryFolder()
      chmodSync(folder.path, 0o755)
      expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder.path]).status).toBe(0)
      try {
        const { uid, gid } = statSync(server.dataFolder)
        chownSync(folder.path, uid, gid)
        // Outside of a transaction, which the store does not offer.
        await using _ = { [Symbol.asyncDispose]: () => administer('DROP TABLE crowded', 'DROP TABLESPACE small') }
        await administer(
          `CREATE TABLESPACE small LOCATION '${folder.path}'`,
          'CREATE TABLE crowded (v text) TABLESPACE small',
        )
        const large = Array.from({ length: 10_000 }, (__, i): SqlRow => [`${i}`.repeat(300)])
        await database.write((t) => t.load('crowded', ['v'], large.slice(0, 100)))
        await expect(database.write((t) => t.load('crowded', ['v'], large))).rejects.toMatchObject({
          code: 'NO_SPACE',
          message: 'Disk space exhausted',
        })
        expect(await database.all('SELECT count(*) FROM crowded')).toEqual([[100]])
        expect(retries).toEqual([])
        await database.close()
      } finally {
        spawnSync('umount', [folder.path])
      }
    },
  )

  async function administer(...statements: readonly string[]): Promise<void> {
    const client = new pg.Client({ connectionString: server.url('faults') })
    await client.connect()
    try {
      for (const statement of statements) await client.query(statement)
    } finally {
      await client.end()
    }
  }
})

function tryMount(): boolean {
  using folder = temporaryFolder()
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder.path])
  if (status === 0) spawnSync('umount', [folder.path])
  return status === 0
}
