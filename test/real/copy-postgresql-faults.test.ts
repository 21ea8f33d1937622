import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TableSpec } from '../../src/model/copy/column-type.ts'
import type { Row } from '../../src/model/copy/rows.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import type { ChunkWriter } from '../../src/model/copy/target-port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { RowRequest, SourceView } from '../../src/model/copy/source-port.ts'
import type { Statement } from '../../src/model/run/ledger-port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { startProxy, type Proxy, type ProxyConnection } from '../support/servers/proxy.ts'
import {
  chunk,
  CLOSING,
  collect,
  psql,
  readAll,
  request,
  SIGNAL,
  SIZE,
  sumOf,
  tableNamed,
  type Psql,
} from './copy-postgresql-kit.ts'
import { startTransactionPooler } from './copy-postgresql-pooler.ts'

/** The complete text of a statement. */
const COMMIT = 'COMMIT\0'

describe.skipIf(!POSTGRES_OWN)('copies from and to a PostgreSQL that fails (needs a server of its own)', () => {
  let server: PostgresServer
  let proxy: Proxy
  let store: CopyStore
  let direct: Psql

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('faults')
    proxy = await startProxy(server.port)
    direct = await psql(server.url('faults'))
    await direct.run(`CREATE TABLE big (id int PRIMARY KEY, t text); CREATE TABLE ledger (id int PRIMARY KEY, status text, fence int);
      INSERT INTO big SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 30000) i;
      CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents VALUES (1)`)
    store = await openPostgresCopy(server.url('faults'))
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await direct.close()
    await proxy.close()
    await server[Symbol.asyncDispose]()
  })

  beforeEach(async () => {
    proxy.onClientData(null)
    await direct.run(`DROP TABLE IF EXISTS kept; CREATE TABLE kept (id int PRIMARY KEY, v varchar(5) NOT NULL DEFAULT '', n int CHECK (n < 100),
      p int REFERENCES parents, later int REFERENCES parents DEFERRABLE INITIALLY DEFERRED); TRUNCATE ledger;
      INSERT INTO ledger VALUES (1, 'in_progress', 7)`)
  })

  const row = (id: number, more: Partial<Record<'v' | 'n' | 'p' | 'later', string | null>> = {}): Row => [
    String(id),
    more.v === undefined ? '' : more.v,
    more.n ?? null,
    more.p ?? null,
    more.later ?? null,
  ]
  const kept = (): Promise<unknown[][]> => direct.rows('SELECT id FROM kept ORDER BY id')
  const close: Statement = {
    sql: "UPDATE ledger SET status = 'completed' WHERE id = ? AND fence = ?",
    parameters: [1, 7],
  }
  const landed: Statement = { sql: "SELECT 1 FROM ledger WHERE status = 'completed' AND fence = ?", parameters: [7] }
  const closing = { statements: [close], guard: landed, landed }

  async function throughProxy(patience = 'connect_timeout=2&retry_seconds=20'): Promise<CopyStore> {
    const url = server.url('faults').replace(`:${server.port}/`, `:${proxy.port}/`)
    return openPostgresCopy(`${url}?response_timeout=1&${patience}`)
  }

  function onWord(word: string, act: (connection: ProxyConnection, data: Buffer) => 'drop' | void): void {
    let acted = false
    proxy.onClientData((data, connection) => {
      if (acted || !data.includes(word)) return undefined
      acted = true
      return act(connection, data)
    })
  }

  function framesOf(view: SourceView, wanted: RowRequest, signal = SIGNAL): AsyncIterable<Buffer> {
    if (view.frames === undefined) throw new Error('no frames')
    return view.frames(wanted, 'pg-binary', signal)
  }

  describe('a view of a source', () => {
    test('is one snapshot, in spite of concurrent writes and any number of readers', async () => {
      await direct.run("INSERT INTO kept (id, v) SELECT i, 'a' FROM generate_series(1, 50) i")
      const table = await tableNamed(store, 'kept')
      await using view = await store.source(SIGNAL)
      const before = await view.digest(request(table), SIGNAL)
      await direct.run("UPDATE kept SET v = 'b'; DELETE FROM kept WHERE id > 25; INSERT INTO kept (id) VALUES (99)")
      const readers = Array.from({ length: 6 }, () => readAll(view, request(table)))
      for (const rows of await Promise.all(readers)) expect(sumOf(rows)).toEqual(before)
      expect(before.rows).toBe(50n)
      expect(view.point).toEqual({
        view: expect.stringMatching(/^\d+:\d+:/),
        position: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      })
      await using later = await store.source(SIGNAL)
      expect(await later.digest(request(table), SIGNAL)).toMatchObject({ rows: 26n })
    })

    test('ends with the session that owns its snapshot, except for reads that have begun', async () => {
      const table = await tableNamed(store, 'big')
      await using view = await store.source(SIGNAL)
      const reading = view.read(request(table), SIZE, SIGNAL)[Symbol.asyncIterator]()
      let rows = (await reading.next()).value?.rows.length ?? 0
      await direct.run(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_current_wal_insert_lsn%' AND pid <> pg_backend_pid()`,
      )
      const gone = { code: 'CONNECTION_LOST', kind: 'source', retryable: true, exitCode: 3 }
      await expect(view.digest(request(table), SIGNAL)).rejects.toMatchObject(gone)
      for (let next = await reading.next(); next.done !== true; next = await reading.next())
        rows += next.value.rows.length
      expect(rows).toBe(30_000)
    })

    test.each([
      ['n ~~~ 1', /operator does not exist/],
      ['nowhere = 1', /column "nowhere" does not exist/],
      ['1 = (', /syntax error/],
      ['id / 0 = 1', /division by zero/],
      ["setval('numbers', 5) > 0", /read-only transaction/],
      ['true\n)) TO STDOUT; COMMIT; DELETE FROM kept; --', /multiple commands|syntax error|have an alias/],
      ['true); DROP TABLE kept; --', /multiple commands|syntax error/],
      ['\u0000', /U\+0000/],
    ])('refuses the condition %s, and can still be used', async (where, message) => {
      await direct.run('CREATE SEQUENCE IF NOT EXISTS numbers; INSERT INTO kept (id) VALUES (1)')
      const table = await tableNamed(store, 'kept')
      await using view = await store.source(SIGNAL)
      const wanted = request(table, { where })
      const asks = [
        () => readAll(view, wanted),
        () => collect(framesOf(view, wanted)),
        () => view.digest(wanted, SIGNAL),
        () => view.extent(table, where, true),
        () => collect(view.cut(table, { by: 'key', after: null, through: null }, where, 10, SIGNAL)),
      ]
      for (const ask of asks) {
        const error = await ask().then(
          () => null,
          (thrown: unknown) => thrown,
        )
        expect(error).toBeInstanceOf(SluiceError)
        expect((error as SluiceError).message).toMatch(message)
        if (where.includes('\0')) continue
        const { code, exitCode, hint } = error as SluiceError
        expect([code, exitCode]).toEqual(['BAD_PREDICATE', 2])
        // Quotes help with keywords and names; the condition may be one of an archive run, which has no --where.
        expect(hint?.includes('double quotes') ?? false, where).toBe(/syntax|column/.test(String(message)))
        expect(hint ?? '').not.toContain('--where')
      }
      expect(await readAll(view, request(table, { where: "'?' <> ':' AND v = '' -- all" }))).toHaveLength(1)
    })

    test('refuses a table whose rows the role may not all see', async () => {
      await direct.run(`DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'guest'; GRANT SELECT ON big TO guest;
        CREATE TABLE IF NOT EXISTS secret (id int PRIMARY KEY); GRANT SELECT ON secret TO guest; ALTER TABLE secret ENABLE ROW LEVEL SECURITY`)
      await using guest = await openPostgresCopy(server.url('faults', 'guest', 'guest'))
      await using view = await guest.source(SIGNAL)
      const secret = await tableNamed(guest, 'secret')
      const denied = { code: 'SOURCE_DENIED', kind: 'source' }
      await expect(readAll(view, request(secret))).rejects.toMatchObject({
        ...denied,
        hint: expect.stringMatching(/BYPASSRLS/),
      })
      await expect(view.digest(request(secret), SIGNAL)).rejects.toMatchObject(denied)
      await expect(readAll(view, request(await tableNamed(guest, 'kept')))).rejects.toMatchObject(denied)
      expect(await view.digest(request(await tableNamed(guest, 'big')), SIGNAL)).toMatchObject({ rows: 30_000n })
      const target = guest.target().open(chunk(await tableNamed(guest, 'big')))
      await using writer = await target
      await expect(writer.write([['0', '']])).rejects.toMatchObject({ code: 'TARGET_DENIED', kind: 'target' })
    })

    test('of a dropped table gives an error', async () => {
      const table = await tableNamed(store, 'kept')
      await direct.run('DROP TABLE kept')
      await using view = await store.source(SIGNAL)
      await expect(readAll(view, request(table))).rejects.toMatchObject({ code: 'SOURCE_GONE' })
    })

    test.each(['rows', 'frames'])('whose server dies in the middle of %s gives an error, not an end', async (lane) => {
      await using through = await throughProxy()
      const table = await tableNamed(through, 'big')
      await using view = await through.source(SIGNAL)
      const items: AsyncIterable<unknown> =
        lane === 'rows' ? view.read(request(table), SIZE, SIGNAL) : framesOf(view, request(table))
      let seen = 0
      const reading = (async () => {
        for await (const item of items) {
          void item
          if (seen++ === 0) proxy.cut()
        }
      })()
      await expect(reading).rejects.toMatchObject({ code: 'CONNECTION_LOST', kind: 'source', retryable: true })
      expect(seen).toBeGreaterThan(0)
    })

    test('makes the server wait while no caller takes its rows', async () => {
      const table = await tableNamed(store, 'big')
      await using view = await store.source(SIGNAL)
      const reading = view.read(request(table), { rows: 10, bytes: 1000 }, SIGNAL)[Symbol.asyncIterator]()
      await reading.next()
      const waits = async (): Promise<unknown> =>
        (
          await direct.rows("SELECT wait_event FROM pg_stat_activity WHERE query LIKE 'COPY%big%' AND state = 'active'")
        )[0]?.[0]
      while ((await waits()) !== 'ClientWrite') await sleep(10)
      await reading.return?.()
      expect(await view.digest(request(table), SIGNAL)).toMatchObject({ rows: 30_000n })
    })

    test('stops at once on a signal', async () => {
      const table = await tableNamed(store, 'big')
      await using view = await store.source(SIGNAL)
      const stop = new AbortController()
      const reading = view.read(request(table), { rows: 10, bytes: 1000 }, stop.signal)[Symbol.asyncIterator]()
      await reading.next()
      const reason = new SluiceError('STOPPED', 'stopped on request')
      stop.abort(reason)
      await expect(reading.next()).rejects.toBe(reason)
      const slow = view.digest(
        request(table, { where: 'pg_sleep(60) IS NULL' }),
        AbortSignal.any([AbortSignal.timeout(50)]),
      )
      await expect(slow).rejects.toMatchObject({ code: 'ABORTED' })
      while (
        (
          await direct.rows(
            "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()",
          )
        ).length > 0
      ) {
        await sleep(10)
      }
    })

    test('is refused through a pooler in transaction mode', async () => {
      await using pooler = await startTransactionPooler(server.port)
      const url = server.url('faults').replace(`:${server.port}/`, `:${pooler.port}/`)
      const refused = { code: 'CONNECT_FAILED', message: expect.stringMatching(/pooler/) }
      await expect(openPostgresCopy(`${url}?sslmode=disable`)).rejects.toMatchObject(refused)
    })
  })

  describe('a chunk', () => {
    const open = async (careful = false, on = store): Promise<ChunkWriter> =>
      on.target().open(chunk(await tableNamed(on, 'kept'), { careful }))

    const BAD: readonly (readonly [string, Row, string, RegExp | undefined])[] = [
      ['a key that is there', row(1), 'duplicate key', /constraint kept_pkey: Key \(id\)=\(1\)/],
      ['a NULL', row(7, { v: null }), 'null value in column "v"', /column v/],
      ['a check', row(7, { n: '100' }), 'violates check constraint', /constraint kept_n_check/],
      ['a foreign key', row(7, { p: '5' }), 'violates foreign key constraint', /constraint kept_p_fkey/],
      ['a text that is too long', row(7, { v: '123456' }), 'value too long for type character varying(5)', undefined],
      ['a number that is too large', row(7, { n: '99999999999' }), 'out of range for type integer', undefined],
      ['no number', row(7, { n: 'seven' }), 'invalid input syntax for type integer', undefined],
      ['U+0000', row(7, { v: 'a\0' }), 'column v of public.kept cannot store the character U+0000', /NUL/],
      [
        'half a character',
        row(7, { v: 'a\ud800b' }),
        'column v of public.kept cannot store the text: it has an unpaired surrogate',
        /complete characters/,
      ],
    ]

    test.each(BAD)('ends at a row that the table refuses: %s', async (_, bad, message, reason) => {
      await direct.run('INSERT INTO kept (id) VALUES (1)')
      {
        await using writer = await open()
        await writer.write([row(2)])
        const error = await writer.write([row(3), bad]).catch((thrown: unknown) => thrown)
        expect(error).toMatchObject({ code: 'ROW_REFUSED', message: expect.stringContaining(message) })
        if (reason !== undefined) expect((error as SluiceError).reason).toMatch(reason)
        await expect(writer.write([row(4)])).rejects.toBe(error)
        await expect(writer.commit(CLOSING)).rejects.toBe(error)
      }
      expect(await kept()).toEqual([['1']])
    })

    test.each(['refuse', 'upsert'] as const)(
      'continues after each such row if it is careful (%s)',
      async (onExisting) => {
        await direct.run('INSERT INTO kept (id) VALUES (1)')
        const table = await tableNamed(store, 'kept')
        await using writer = await store.target().open(chunk(table, { careful: true, onExisting }))
        const bad = [...BAD.slice(onExisting === 'upsert' ? 1 : 0).map(([, one]) => one), row(9, { later: '77' })]
        for (const one of bad) {
          await expect(writer.write([row(3), one])).rejects.toMatchObject({ code: 'ROW_REFUSED' })
          expect(await writer.digest({ scheme: 'count' })).toMatchObject({ rows: 1n })
        }
        expect(await writer.write([row(2), row(3, { v: 'ok' })])).toBe(2)
        expect(await writer.commit(closing)).toBe('committed')
        expect(await kept()).toEqual([['1'], ['2'], ['3']])
      },
    )

    test('is not committed if the table refuses a row at the commit', async () => {
      await using writer = await open()
      await writer.write([row(1), row(2, { later: '77' })])
      await expect(writer.commit(closing)).rejects.toMatchObject({
        code: 'ROW_REFUSED',
        reason: expect.stringMatching(/kept_later_fkey/),
      })
      expect(await kept()).toEqual([])
      expect(await direct.rows('SELECT status FROM ledger')).toEqual([['in_progress']])
    })

    test('is refused with its table if the table does not fit', async () => {
      const table = await tableNamed(store, 'kept')
      await direct.run('ALTER TABLE kept DROP COLUMN n')
      await using writer = await store.target().open(chunk(table))
      await expect(writer.write([row(1)])).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
        message: expect.stringMatching(/column "n"/),
      })
      const unkeyed: TableSpec = { ...table, key: ['v'] }
      await using other = await store
        .target()
        .open(chunk(unkeyed, { onExisting: 'upsert', columns: chunk(unkeyed).columns.slice(0, 2) }))
      await expect(other.write([['1', 'a']])).rejects.toMatchObject({ code: 'TABLE_REFUSED' })
    })

    test('overwrites rows with equal keys if requested', async () => {
      await direct.run("INSERT INTO kept (id, v) VALUES (1, 'old'), (3, 'stays')")
      const table = await tableNamed(store, 'kept')
      await using writer = await store.target().open(chunk(table, { onExisting: 'upsert' }))
      expect(await writer.hasRows()).toBe(true)
      expect(await writer.write([row(1, { v: 'new' }), row(2)])).toBe(2)
      expect(await writer.write([row(4)])).toBe(1)
      expect(await writer.digest({ scheme: 'canonical', only: new Set(['["1"]', '["4"]']) })).toEqual(
        sumOf([row(1, { v: 'new' }), row(4)]),
      )
      await writer.commit(closing)
      expect(await direct.rows('SELECT id, v FROM kept ORDER BY 1')).toEqual([
        ['1', 'new'],
        ['2', ''],
        ['3', 'stays'],
        ['4', ''],
      ])
      await using keyOnly = await store
        .target()
        .open(chunk(table, { onExisting: 'upsert', columns: chunk(table).columns.slice(0, 1) }))
      expect(await keyOnly.write([['1'], ['5']])).toBe(1)
    })

    test('with a new owner leaves no rows', async () => {
      {
        await using writer = await open()
        await writer.write([row(1)])
        await direct.run('UPDATE ledger SET fence = 8')
        const more: Statement = { sql: 'DELETE FROM ledger', parameters: [] }
        expect(await writer.commit({ ...closing, statements: [close, more] })).toBe('fenced')
      }
      expect(await kept()).toEqual([])
      expect(await direct.rows('SELECT status, fence FROM ledger')).toEqual([['in_progress', '8']])
      await using next = await open()
      await next.write([row(2)])
      const mine = { ...closing, statements: [{ ...close, parameters: [1, 8] }] }
      expect(await next.commit(mine)).toBe('committed')
      expect(await kept()).toEqual([['2']])
    })

    test('whose source fails leaves no rows', async () => {
      const table = await tableNamed(store, 'big')
      const target = { ...table, table: { schema: 'public', name: 'half' } }
      await store.target().create(target, SIGNAL)
      await using view = await store.source(SIGNAL)
      const broken = new Error('the source broke')
      async function* half(): AsyncGenerator<Buffer> {
        for await (const piece of framesOf(view, request(table))) {
          yield piece
          throw broken
        }
      }
      await using writer = await store.target().open(chunk(target))
      await expect(writer.writeFrames?.(half(), 'pg-binary')).rejects.toBe(broken)
      await expect(writer.commit(closing)).rejects.toBe(broken)
      expect(await direct.rows('SELECT count(*) FROM half')).toEqual([['0']])
    })

    test('ends its source, too, at a refused row among frames', async () => {
      await direct.run('CREATE TABLE taken (id int PRIMARY KEY, t text); INSERT INTO taken VALUES (30000)')
      const table = await tableNamed(store, 'big')
      await using view = await store.source(SIGNAL)
      await using writer = await store.target().open(chunk(await tableNamed(store, 'taken')))
      let ended = false
      async function* pieces(): AsyncGenerator<Buffer> {
        try {
          yield* framesOf(view, request(table))
        } finally {
          ended = true
        }
      }
      await expect(writer.writeFrames?.(pieces(), 'pg-binary')).rejects.toMatchObject({
        code: 'ROW_REFUSED',
        reason: expect.stringMatching(/taken_pkey/),
      })
      expect(ended).toBe(true)
    })

    test('whose session is killed in the middle of its rows fails, and can be retried', async () => {
      const writer = await open()
      const pid = writer.session.split(' ')[0] ?? ''
      const table = await tableNamed(store, 'kept')
      async function* pieces(): AsyncGenerator<Buffer> {
        yield Buffer.from('1\t\t\\N\t\\N\t\\N\n')
        await direct.run(`SELECT pg_terminate_backend(${pid})`)
        for (let id = 2; id < 100_000; id++) {
          yield Buffer.from(`${id}\t\t\\N\t\\N\t\\N\n`)
          if (id % 1000 === 0) await sleep(1)
        }
      }
      const lost = { code: 'CONNECTION_LOST', kind: 'target', retryable: true }
      await expect(writer.writeFrames?.(pieces(), 'pg-text')).rejects.toMatchObject(lost)
      await expect(writer.commit(closing)).rejects.toMatchObject(lost)
      await writer[Symbol.asyncDispose]()
      await using again = await store.target().open(chunk(table))
      await again.write([row(1)])
      expect(await again.commit(closing)).toBe('committed')
      expect(await kept()).toEqual([['1']])
    })

    test('leaves no rows after an abort', async () => {
      const stop = new AbortController()
      const reason = new SluiceError('ABORTED', 'aborted on request')
      {
        await using writer = await store.target().open(chunk(await tableNamed(store, 'kept'), { signal: stop.signal }))
        await writer.write([row(1)])
        stop.abort(reason)
        await expect(writer.write([row(2)])).rejects.toBe(reason)
      }
      expect(await kept()).toEqual([])
    })

    describe('whose COMMIT gets no reply', () => {
      const commitThrough = async (
        act: (connection: ProxyConnection, data: Buffer) => 'drop' | void,
      ): Promise<unknown> => {
        await using through = await throughProxy()
        await using writer = await open(false, through)
        await writer.write([row(1)])
        onWord(COMMIT, act)
        return await writer.commit(closing).catch((error: unknown) => error)
      }

      test('is committed if the server received it', async () => {
        // Send the COMMIT before the connection is cut.
        const outcome = await commitThrough((connection, data) => {
          connection.send(data)
          connection.cut()
          return 'drop'
        })
        expect(outcome).toBe('committed')
        expect(await kept()).toEqual([['1']])
      })

      test('is not committed if the server did not receive it', async () => {
        const outcome = await commitThrough((connection) => {
          connection.cut()
          return 'drop'
        })
        expect(outcome).toMatchObject({ code: 'CONNECTION_LOST', kind: 'target', retryable: true })
        expect(await kept()).toEqual([])
      })

      test('is not committed if the network lost it: the waiting session is ended first', async () => {
        const outcome = await commitThrough((connection) => {
          connection.mute()
          return 'drop'
        })
        expect(outcome).toMatchObject({ code: 'CONNECTION_LOST', retryable: true })
        expect(await kept()).toEqual([])
        expect(await direct.rows("SELECT FROM pg_stat_activity WHERE state = 'idle in transaction'")).toEqual([])
      })

      test('is looked up until the server answers', async () => {
        await using through = await throughProxy()
        await using writer = await open(false, through)
        await writer.write([row(1)])
        onWord(COMMIT, (connection, data) => {
          connection.send(data)
          proxy.freeze()
          connection.cut()
          return 'drop'
        })
        const asked = writer.commit(closing).catch((error: unknown) => error)
        await sleep(300)
        proxy.thaw()
        proxy.cut()
        expect(await asked).toBe('committed')
      })

      test('is reported as unknown if the server cannot be reached', async () => {
        await using through = await throughProxy('connect_timeout=1&retry_seconds=0')
        await using writer = await open(false, through)
        await writer.write([row(1)])
        onWord(COMMIT, (connection, data) => {
          connection.send(data)
          proxy.freeze()
          connection.cut()
          return 'drop'
        })
        const unknown = { code: 'COMMIT_UNKNOWN', kind: 'target', retryable: true }
        await expect(writer.commit(closing)).rejects.toMatchObject(unknown)
        proxy.thaw()
        expect(await kept()).toEqual([['1']])
      })
    })
  })

  describe('the ledger', () => {
    test('ends the session of a vanished owner, and no other', async () => {
      await using ledger = await store.ledger()
      const table = await tableNamed(store, 'kept')
      const writer = await store.target().open(chunk(table))
      await writer.write([row(1)])
      const [pid = '', day = '', time = ''] = writer.session.split(' ')
      await ledger.endSession(`${pid} 2001-01-01 00:00:00+00`)
      await ledger.endSession('')
      await ledger.endSession(`1 ${day} ${time}`)
      expect(await writer.write([row(2)])).toBe(1)
      await ledger.endSession(writer.session)
      await expect(writer.commit(closing)).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
      await writer[Symbol.asyncDispose]()
      expect(await kept()).toEqual([])
      await ledger.endSession(writer.session)
    })

    test('reports that a session belongs to another role', async () => {
      await direct.run("DROP ROLE IF EXISTS other; CREATE ROLE other LOGIN PASSWORD 'other'")
      await using writer = await store.target().open(chunk(await tableNamed(store, 'kept')))
      await using other = await openPostgresCopy(server.url('faults', 'other', 'other'))
      await using ledger = await other.ledger()
      await expect(ledger.endSession(writer.session)).rejects.toMatchObject({ code: 'TARGET_DENIED' })
      expect(await writer.write([row(1)])).toBe(1)
    })

    test('runs a batch as one transaction, and returns the rows of each statement', async () => {
      await using ledger = await store.ledger()
      const answers = await ledger.batch([
        { sql: "INSERT INTO ledger VALUES (?, 'pending', 0), (?, 'pending', 0)", parameters: [2, 3] },
        { sql: "UPDATE ledger SET status = 'claimed' WHERE status = 'pending' RETURNING id", parameters: [] },
        { sql: "SELECT count(*) FROM ledger WHERE status = 'claimed'", parameters: [] },
      ])
      expect(answers).toEqual([[], [[2], [3]], [[2]]])
      await expect(
        ledger.batch([
          { sql: 'DELETE FROM ledger', parameters: [] },
          { sql: 'SELECT 1 / 0', parameters: [] },
        ]),
      ).rejects.toThrow('division by zero')
      expect(await ledger.all('SELECT count(*) FROM ledger WHERE id > ?', [0])).toEqual([[3]])
    })
  })
})
