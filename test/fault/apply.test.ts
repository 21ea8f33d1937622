/**
 * Changes applied to PostgreSQL by programs that are killed, over connections that break, and in transactions larger
 * than memory.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ChangeWriter } from '../../src/model/follow/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { changeTable, MANY, put, requestOf } from '../real/postgresql-apply-kit.ts'
import { psql, type Psql } from '../real/copy-postgresql-kit.ts'
import { ALL } from '../support/backend.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { startProxy, type Proxy } from '../support/servers/proxy.ts'

const PROGRAM = resolve(import.meta.dirname, 'apply-child.mjs')
const LAST = 12

describe.skipIf(!POSTGRES_OWN)('changes applied to PostgreSQL under failures (needs a server of its own)', () => {
  let server: PostgresServer
  let proxy: Proxy
  let sql: Psql

  beforeAll(async () => {
    server = await startPostgres()
    proxy = await startProxy(server.port)
    sql = await psql(server.url())
    await sql.run('CREATE TABLE rows (id int PRIMARY KEY, n int, t text UNIQUE); CREATE TABLE position (at int)')
  })
  afterAll(async () => {
    await sql?.close()
    await proxy?.close()
    await server?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    proxy.onClientData(null)
    await sql.run('TRUNCATE rows, position; INSERT INTO position VALUES (0)')
  })

  type Said = { readonly position?: number; readonly first?: number; readonly most?: number }

  async function child(options: object): Promise<{ readonly killed: boolean; readonly said: Said }> {
    const program = spawn(process.execPath, [PROGRAM], {
      env: { ...process.env, SLUICE_CHILD: JSON.stringify({ url: server.url(), ...options }) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [said, complaint] = ['', '']
    program.stdout.on('data', (data: Buffer) => (said += data.toString()))
    program.stderr.on('data', (data: Buffer) => (complaint += data.toString()))
    await once(program, 'close')
    if (program.signalCode === null && program.exitCode !== 0) throw new Error(complaint)
    return { killed: program.signalCode === 'SIGKILL', said: said === '' ? {} : (JSON.parse(said) as Said) }
  }

  /** The expected rows after the transactions up to this one. */
  function after(position: number): unknown {
    const rows = new Map<number, number>()
    for (let n = 1; n <= position; n++) {
      rows.set(n, n)
      if (n > 2) rows.set(n - 2, n)
      if (n > 5) rows.delete(n - 5)
    }
    return [...rows].toSorted(([a], [b]) => a - b).map((row) => row.map(String))
  }

  async function expectWhole(): Promise<number> {
    const [[at] = []] = await sql.rows('SELECT at FROM position')
    const position = Number(at)
    expect(await sql.rows('SELECT id, n FROM rows WHERE id < 1000000 ORDER BY id')).toEqual(after(position))
    const large = Math.floor(position / 3) * 3
    const expected = large === 0 ? [] : [['1000', String(large)]]
    expect(await sql.rows('SELECT count(*), n FROM rows WHERE id >= 1000000 GROUP BY n')).toEqual(expected)
    return position
  }

  /** Waits until the server has ended sessions of killed programs; it notices only when it reads or writes. */
  async function untilAlone(): Promise<void> {
    await expect
      .poll(async () =>
        sql.rows("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"),
      )
      .toEqual([])
  }

  test.for([3, 7].flatMap((commit) => (['before', 'during', 'after'] as const).map((when) => [commit, when] as const)))(
    'transactions are whole if a program is killed at the COMMIT of transaction %i, %s',
    async ([commit, when]) => {
      expect(await child({ until: LAST, commit, when })).toMatchObject({ killed: true })
      await untilAlone()
      const position = await expectWhole()
      if (when === 'before') expect(position).toBe(commit - 1)
      if (when === 'after') expect(position).toBe(commit)
      expect(await child({ until: LAST })).toMatchObject({ killed: false })
      expect(await expectWhole()).toBe(LAST)
    },
  )

  async function through(): Promise<{ readonly writer: ChangeWriter; readonly close: () => Promise<void> }> {
    const url = server.url().replace(`:${server.port}/`, `:${proxy.port}/`)
    const store = await openPostgresCopy(`${url}?response_timeout=1&connect_timeout=2&retry_seconds=20`)
    const table = await changeTable(store, 'rows', ['id'])
    const writer = await store.offers.changeTarget?.open(requestOf([table]))
    if (writer === undefined) throw new Error('no changes')
    return {
      writer,
      close: async () => {
        await writer[Symbol.asyncDispose]()
        await store[Symbol.asyncDispose]()
      },
    }
  }

  const closing = {
    statements: [{ sql: 'UPDATE position SET at = 1 WHERE at = ?', parameters: [0] }],
    guard: { sql: 'SELECT 1', parameters: [] },
    landed: { sql: 'SELECT 1 FROM position WHERE at = ?', parameters: [1] },
  }
  const whole = Array.from({ length: MANY }, (_, n) => put([String(n), '1', `t${n}`]))

  test.for([
    ['SET CONSTRAINTS', 'small'],
    ['DELETE', 'small'],
    ['COPY', 'large'],
    ['INSERT', 'large'],
    ['UPDATE position', 'large'],
  ] as const)('a connection that breaks at %s leaves no change of a %s batch', async ([word, size]) => {
    const { writer, close } = await through()
    proxy.onClientData((data, connection) => {
      if (!data.includes(word)) return undefined
      connection.cut()
      return 'drop'
    })
    const puts = size === 'small' ? whole.slice(0, 3) : whole
    const work = async (): Promise<unknown> => {
      await writer.apply(0, { puts, gone: [['1000']] })
      return writer.commit(closing)
    }
    await expect(work()).rejects.toMatchObject({ code: 'CONNECTION_LOST', retryable: true })
    await expect(writer.apply(0, { puts, gone: [] })).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    proxy.onClientData(null)
    await close()
    expect(await sql.rows('SELECT count(*), (SELECT at FROM position) FROM rows')).toEqual([['0', '0']])
    const next = await through()
    await next.writer.apply(0, { puts, gone: [] })
    expect(await next.writer.commit(closing)).toBe('committed')
    await next.close()
  })

  test.for([true, false])(
    'a COMMIT whose answer is lost is resolved with a query: it was executed, %s',
    async (lands) => {
      const { writer, close } = await through()
      let acted = false
      proxy.onClientData((data, connection) => {
        if (acted || !data.includes('COMMIT\0')) return undefined
        acted = true
        connection.cut()
        return lands ? undefined : 'drop'
      })
      await writer.apply(0, { puts: whole, gone: [] })
      const outcome = writer.commit(closing)
      if (lands) expect(await outcome).toBe('committed')
      else await expect(outcome).rejects.toMatchObject({ code: 'CONNECTION_LOST', retryable: true })
      await close()
      const expected = lands ? [String(MANY), '1'] : ['0', '0']
      expect(await sql.rows('SELECT count(*), (SELECT at FROM position) FROM rows')).toEqual([expected])
    },
  )

  test('a transaction of many pieces uses no more memory than one of few pieces', async () => {
    const [pieces, rows] = ALL ? [50, 20_000] : [12, 4_000]
    const { said } = await child({ pieces, rows })
    expect(await sql.rows('SELECT count(*) FROM rows')).toEqual([[String(pieces * rows)]])
    // If it kept the rows of all pieces, it would use ten times as much.
    expect((said.most ?? Infinity) - (said.first ?? 0)).toBeLessThan(ALL ? 150 : 60)
  }, 120_000)
})
