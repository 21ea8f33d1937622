import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPostgres } from '../../src/stores/postgresql/server/sql-database.ts'
import type { SqlDatabase, SqlRow, SqlTransaction, SqlValue } from '../../src/model/run/sql-port.ts'
import {
  PASSWORD,
  POSTGRES_AVAILABLE,
  POSTGRES_MISSING,
  POSTGRES_OWN,
  startPostgres,
  type PostgresServer,
} from '../support/servers/postgresql.ts'

describe.skipIf(!POSTGRES_AVAILABLE)(`the PostgreSQL store ${POSTGRES_MISSING}`, () => {
  let server: PostgresServer
  let database: SqlDatabase
  let url: string

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('store')
    url = server.url('store')
    database = await openPostgres(url, 'write')
  })

  afterAll(async () => {
    await database.close()
    await server[Symbol.asyncDispose]()
  })

  async function makeTable(name: string, columns: string): Promise<void> {
    await database.write((t) => t.script(`DROP TABLE IF EXISTS ${name}; CREATE TABLE ${name} (${columns})`))
  }

  /** A transaction that is open until `end` is called. */
  function openTransaction(on: SqlDatabase): Promise<{ transaction: SqlTransaction; end: () => Promise<void> }> {
    return new Promise((resolve, reject) => {
      const done = on.write(
        (transaction) =>
          new Promise<void>((finish) => {
            resolve({
              transaction,
              end: () => {
                finish()
                return done
              },
            })
          }),
      )
      done.catch(reject)
    })
  }

  describe('values', () => {
    const TYPED: readonly (readonly [type: string, values: readonly SqlValue[]])[] = [
      ['bigint', [0, -1, 2 ** 53 - 1, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), null]],
      ['integer', [0, 2147483647, -2147483648, null]],
      ['smallint', [0, 32767, -32768]],
      ['numeric', [0, 7, -9007199254740991, '9007199254740993', '1.50', '123456789012345678901234567890']],
      ['double precision', [0.1, 1e300, -5e-324, Infinity, null]],
      [
        'text',
        ['', null, 'a\\b', '\\N', '\\.', 'tab\tline\nreturn\rend', 'é😀𝕊', 'it\'s "quoted"', '\u2028', '\u0001'],
      ],
      ['bytea', [Buffer.from([]), Buffer.from([0, 255, 92, 10, 9]), null]],
      ['timestamptz', ['2024-01-02 03:04:05.678901+00', null]],
      ['json', ['{"a":  [1, "\\u00e9"]}', null]],
    ]

    test.each(TYPED)('%s is read back unchanged, after COPY and after INSERT', async (type, values) => {
      await makeTable('round_trip', `how text, n int, v ${type}`)
      await database.write(async (t) => {
        await t.load(
          'round_trip',
          ['how', 'n', 'v'],
          values.map((value, i) => ['copy', i, value]),
        )
        for (const [i, value] of values.entries()) {
          expect(await t.run('INSERT INTO round_trip VALUES (?, ?, ?)', ['insert', i, value])).toBe(1)
        }
      })
      const rows = await database.all('SELECT v FROM round_trip ORDER BY how, n')
      expect(rows).toEqual([...values, ...values].map((value) => [value]))
    })

    test('booleans, sums and types that the port lacks are converted', async () => {
      const sql =
        "SELECT true, false, sum(x), 1::oid, '{1,2}'::int[], 'x'::name, NULL FROM (VALUES (1::bigint), (2)) v(x)"
      expect(await database.all(sql)).toEqual([[1, 0, 3, 1, '{1,2}', 'x', null]])
    })

    test('a lone surrogate becomes U+FFFD either way', async () => {
      await makeTable('surrogates', 'v text')
      await database.write(async (t) => {
        await t.load('surrogates', ['v'], [['a\ud800b']])
        await t.run('INSERT INTO surrogates VALUES (?)', ['a\ud800b'])
      })
      expect(await database.all('SELECT DISTINCT v FROM surrogates')).toEqual([['a\ufffdb']])
    })

    test('U+0000 is refused by name, and the transaction can continue', async () => {
      await makeTable('nul', 'k int, "the text" text')
      await database.write(async (t) => {
        const rows = [
          [1, 'fine'],
          [2, 'a\0b'],
        ]
        await expect(t.load('nul', ['k', 'the text'], rows)).rejects.toMatchObject({
          code: 'VALUE_REFUSED',
          message: 'column the text of nul cannot store the character U+0000',
          where: 'row 2 of the batch',
        })
        await t.load('nul', ['k', 'the text'], rows.slice(0, 1))
      })
      expect(await database.all('SELECT * FROM nul')).toEqual([[1, 'fine']])
      const asParameter = database.all('SELECT CAST(? AS text)', ['a\0b'])
      await expect(asParameter).rejects.toMatchObject({ code: 'VALUE_REFUSED' })
    })
  })

  test('COPY of 10,000 rows equals the same rows by INSERT', async () => {
    await makeTable('copied', 'id bigint, path text, ratio double precision, raw bytea, maybe text')
    await makeTable('inserted', 'LIKE copied')
    const alphabet = ['a', '\\', '\t', '\n', '\r', 'é', '😀', "'", '"', 'N', '.']
    const rows = Array.from({ length: 10_000 }, (_, i): SqlRow => {
      const word = Array.from({ length: i % 7 }, (__, k) => alphabet[(i * 31 + k * 17) % alphabet.length]).join('')
      return [i * 1e9, word, i / 7, Buffer.from(word), i % 3 === 0 ? null : word]
    })
    await database.write((t) => t.load('copied', ['id', 'path', 'ratio', 'raw', 'maybe'], rows))
    await database.write(async (t) => {
      for (let at = 0; at < rows.length; at += 1000) {
        const some = rows.slice(at, at + 1000)
        await t.run(`INSERT INTO inserted VALUES ${some.map(() => '(?,?,?,?,?)').join(',')}`, some.flat())
      }
    })
    const different =
      'SELECT count(*) FROM ((TABLE copied EXCEPT ALL TABLE inserted) UNION ALL (TABLE inserted EXCEPT ALL TABLE copied)) d'
    expect(await database.all(different)).toEqual([[0]])
    expect(await database.all('SELECT count(*) FROM copied')).toEqual([[10_000]])
  })

  test('tables and columns may have any name', async () => {
    const table = 'Drop "this"; --?\n$1'
    const column = `it's "a"\\ ?`
    const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
    await makeTable(quote(table), `${quote(column)} text`)
    await database.write((t) => t.load(table, [column], [['x']]))
    const sql = `SELECT ${quote(column)} FROM ${quote(table)} WHERE ${quote(column)} = ?`
    expect(await database.all(sql, ['x'])).toEqual([['x']])
  })

  test('question marks in strings, names and comments are no placeholders', async () => {
    const sql = `SELECT '?', 'it''s ?', E'\\'?', $x$ ? $x$, "?", ? /* ? /* ? */ ? */ -- ?
      FROM (SELECT 5 AS "?") q WHERE "?" = ?`
    expect(await database.all(sql, ['a', 5])).toEqual([['?', "it's ?", "'?", ' ? ', 5, 'a']])
    expect(await database.all(`SELECT '{"a":1}'::jsonb ? 'a'`)).toEqual([[1]])
    await expect(database.all('SELECT ?', [1, 2])).rejects.toThrow('1 placeholders and got 2 values')
  })

  test('a prepared statement survives a change of its table', async () => {
    await makeTable('changing', 'a int')
    const ask = (): Promise<readonly SqlRow[]> => database.all('SELECT * FROM changing WHERE 1 = ?', [1])
    for (let i = 0; i < 3; i++) expect(await ask()).toEqual([])
    await database.write((t) => t.script('ALTER TABLE changing ADD b text; INSERT INTO changing VALUES (1, 2)'))
    expect(await ask()).toEqual([[1, '2']])
  })

  test('a prepared statement accepts new types of its parameters', async () => {
    for (const [type, value] of [
      ['bigint', 1],
      ['text', 'one'],
      ['bytea', Buffer.from([1])],
    ] as const) {
      await makeTable('retyped', `v ${type}`)
      for (let i = 0; i < 3; i++) await database.write((t) => t.run('INSERT INTO retyped VALUES (?)', [value]))
      expect(await database.all('SELECT * FROM retyped WHERE v = ?', [value])).toEqual([[value], [value], [value]])
    }
  })

  describe('pages', () => {
    const NUMBERS = 'SELECT g FROM generate_series(1, ?::int) g'

    test('are complete and in order, inside and outside of a transaction', async () => {
      for (const walk of [
        (sql: string, n: number) => collect(database.pages(sql, [n], 100)),
        (sql: string, n: number) => database.read((reader) => collect(reader.pages(sql, [n], 100))),
        (sql: string, n: number) => database.write((transaction) => collect(transaction.pages(sql, [n], 100))),
      ]) {
        expect(await walk(NUMBERS, 0)).toEqual([])
        expect((await walk(NUMBERS, 100)).map((page) => page.length)).toEqual([100])
        const pages = await walk(NUMBERS, 250)
        expect(pages.map((page) => page.length)).toEqual([100, 100, 50])
        expect(pages.flat().map(([n]) => n)).toEqual(Array.from({ length: 250 }, (_, i) => i + 1))
      }
    })

    test('that are left half-way return their connection', async () => {
      await using narrow = await openPostgres(`${url}?pool_size=1&application_name=narrow`, 'read')
      for (let i = 0; i < 20; i++) {
        for await (const page of narrow.pages(NUMBERS, [100_000], 10)) {
          expect(page.length).toBe(10)
          break
        }
      }
      const open = "SELECT state FROM pg_stat_activity WHERE application_name = 'narrow' AND pid <> pg_backend_pid()"
      expect(await narrow.all(open)).toEqual([['idle']])
    })

    test('leave connections for other statements, whatever the size of the pool', async () => {
      await using narrow = await openPostgres(`${url}?pool_size=1`, 'write')
      let seen = 0
      for await (const page of narrow.pages(NUMBERS, [30], 10)) {
        for await (const inner of narrow.pages(NUMBERS, [20], 10)) seen += inner.length
        seen += page.length + (await narrow.all('SELECT 1')).length
      }
      expect(seen).toBe(30 + 3 + 60)
      await narrow.write(async (transaction) => {
        for await (const page of transaction.pages(NUMBERS, [30], 10)) {
          expect(await transaction.all('SELECT ?::int', [page.length])).toEqual([[10]])
          expect(await narrow.all('SELECT 1')).toEqual([[1]])
        }
      })
    })

    test('that fail half-way throw, and the database continues to work', async () => {
      await expect(
        collect(database.pages('SELECT 1 / (50 - g) FROM generate_series(1, 100) g', [], 10)),
      ).rejects.toThrow('division by zero')
      await expect(collect(database.pages('SELECT nothing', [], 10))).rejects.toThrow('nothing')
      expect(await database.all('SELECT 1')).toEqual([[1]])
    })
  })

  describe('transactions', () => {
    test('a read transaction sees one snapshot while another one writes, and cannot write', async () => {
      await makeTable('state', 'n int')
      await database.read(async (reader) => {
        expect(await reader.all('SELECT count(*) FROM state')).toEqual([[0]])
        await database.write((t) => t.run('INSERT INTO state VALUES (1)'))
        expect(await reader.all('SELECT count(*) FROM state')).toEqual([[0]])
      })
      expect(await database.all('SELECT count(*) FROM state')).toEqual([[1]])
      const denied = { code: 'TARGET_DENIED' }
      await expect(database.read((r) => r.all('DELETE FROM state RETURNING n'))).rejects.toMatchObject(denied)
      await expect(database.all('DELETE FROM state RETURNING n')).rejects.toMatchObject(denied)
    })

    test('write transactions run concurrently, and reads find a free connection', async () => {
      await makeTable('parallel', 'n int')
      const open = await Promise.all([1, 2, 3, 4].map(() => openTransaction(database)))
      await Promise.all(open.map(({ transaction }, i) => transaction.run('INSERT INTO parallel VALUES (?)', [i])))
      const fifth = database.write((t) => t.run('INSERT INTO parallel VALUES (4)'))
      expect(await database.all('SELECT count(*) FROM parallel')).toEqual([[0]])
      await Promise.all(open.map(({ end }) => end()))
      expect(await fifth).toBe(1)
      expect(await database.all('SELECT count(*) FROM parallel')).toEqual([[5]])
    })

    test('a transaction that throws leaves nothing, and is not repeated', async () => {
      await makeTable('thrown', 'n int PRIMARY KEY')
      let runs = 0
      const failing = database.write(async (t) => {
        runs++
        await t.run('INSERT INTO thrown VALUES (1)')
        throw new Error('by the body')
      })
      await expect(failing).rejects.toThrow('by the body')
      const doubled = database.write(async (t) => {
        runs++
        await t.load('thrown', ['n'], [[1], [2], [1]])
      })
      await expect(doubled).rejects.toMatchObject({ code: '23505' })
      expect(runs).toBe(2)
      expect(await database.all('SELECT * FROM thrown')).toEqual([])
    })

    test('a transaction whose body ignores a failed statement is not reported as committed', async () => {
      await makeTable('overlooked', 'n int')
      const careless = database.write(async (t) => {
        await t.run('INSERT INTO overlooked VALUES (1)')
        await t.run('INSERT INTO overlooked VALUES (1 / 0)').catch(() => undefined)
      })
      await expect(careless).rejects.toThrow('division by zero')
      expect(await database.all('SELECT * FROM overlooked')).toEqual([])
    })

    test('statements after the end of their transaction are refused', async () => {
      let leaked: SqlTransaction | undefined
      await database.write(async (transaction) => void (leaked = transaction))
      await expect(leaked?.run('SELECT 1')).rejects.toThrow('the transaction has ended')
    })

    test('two transactions in a deadlock both succeed, one of them on its second run', async () => {
      await makeTable('crossed', 'k int PRIMARY KEY, n int')
      await database.write((t) => t.script('INSERT INTO crossed VALUES (1, 0), (2, 0)'))
      let runs = 0
      let bothHold: () => void = () => undefined
      const hold = new Promise<void>((resolve) => (bothHold = resolve))
      const cross = (first: number, second: number): Promise<number> =>
        database.write(async (t) => {
          await t.run('UPDATE crossed SET n = n + 1 WHERE k = ?', [first])
          if (++runs === 2) bothHold()
          await hold
          return t.run('UPDATE crossed SET n = n + 1 WHERE k = ?', [second])
        })
      expect(await Promise.all([cross(1, 2), cross(2, 1)])).toEqual([1, 1])
      expect(runs).toBeGreaterThan(2)
      expect(await database.all('SELECT n FROM crossed ORDER BY k')).toEqual([[2], [2]])
    })

    test('a database opened for reading writes nothing', async () => {
      await using reader = await openPostgres(`${url}?schema=not_there`, 'read')
      await expect(reader.write(async () => undefined)).rejects.toThrow('opened for reading')
      expect(await database.all("SELECT 1 FROM pg_namespace WHERE nspname = 'not_there'")).toEqual([])
    })
  })

  describe('a schema in the URL', () => {
    test('is created if missing, and every name is resolved in it', async () => {
      const schema = 'My "schema"'
      const parameter = `schema=${encodeURIComponent(schema)}`
      const both = await Promise.all([1, 2].map(() => openPostgres(`${url}?${parameter}`, 'write')))
      const [one, two] = both as [SqlDatabase, SqlDatabase]
      await one.write(async (t) => {
        await t.script('CREATE TABLE here (n int)')
        await t.load('here', ['n'], [[1]])
      })
      expect(await two.all('SELECT n, current_schema() FROM here')).toEqual([[1, schema]])
      await Promise.all(both.map((each) => each.close()))
      await using again = await openPostgres(`${url}?${parameter}`, 'read')
      expect(await collect(again.pages('SELECT n FROM here', [], 10))).toEqual([[[1]]])
    })

    test('is enough for a user who may not create one', async () => {
      await database.write((t) =>
        t.script(`DROP SCHEMA IF EXISTS given; DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'g';
          CREATE SCHEMA given AUTHORIZATION guest`),
      )
      const guest = server.url('store', 'guest', 'g')
      await using mine = await openPostgres(`${guest}?schema=given`, 'write')
      await mine.write((t) => t.script('CREATE TABLE own (n int)'))
      await expect(openPostgres(`${guest}?schema=other`, 'write')).rejects.toMatchObject({ code: 'TARGET_DENIED' })
      await mine.write((t) => t.script('DROP TABLE own'))
    })
  })

  describe('locks', () => {
    test('have one owner, until it releases them', async () => {
      await using other = await openPostgres(url, 'write')
      const mine = await database.lock?.('a')
      expect(mine?.held).toBe(true)
      expect(await other.lock?.('a')).toBeNull()
      await using elsewhere = await other.lock?.('b')
      expect(elsewhere?.held).toBe(true)
      await mine?.[Symbol.asyncDispose]()
      expect(mine?.held).toBe(false)
      await using theirs = await other.lock?.('a')
      expect(theirs?.held).toBe(true)
    })

    test('end with their session', async () => {
      await using named = await openPostgres(`${url}?application_name=holder`, 'write')
      await using lock = await named.lock?.('mortal')
      expect(lock?.held).toBe(true)
      const kill = `SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_locks l USING (pid)
        WHERE a.application_name = 'holder' AND l.locktype = 'advisory'`
      expect(await database.all(kill)).toEqual([[1]])
      await expect.poll(() => lock?.held).toBe(false)
      await using next = await database.lock?.('mortal')
      expect(next?.held).toBe(true)
    })
  })

  describe('opening', () => {
    const failed = { code: 'CONNECT_FAILED', message: 'Database connection failed', retryable: false }

    test.runIf(POSTGRES_OWN)('with a wrong password fails, and the password is in no message', async () => {
      const wrong = await errorOf(openPostgres(server.url('store', undefined, 'wrong-secret'), 'read'))
      expect(wrong).toMatchObject({
        ...failed,
        where: expect.stringContaining('28P01') as string,
        reason: expect.stringMatching(/^the server refuses the password of /) as string,
      })
      expect(JSON.stringify(wrong)).not.toContain('wrong-secret')
      expect(database.label).not.toContain(encodeURIComponent(PASSWORD))
      const nobodys = { environment: { HOME: '/nonexistent' } }
      await expect(openPostgres(server.url('store', undefined, ''), 'read', nobodys)).rejects.toMatchObject({
        ...failed,
        reason: expect.stringContaining('none was given') as string,
        hint: expect.stringContaining('PGPASSWORD') as string,
      })
    })

    test.each([
      ['password file', 'PGPASSFILE', (password: string) => `*:*:*:rotated:${password}\n`],
      ['service file', 'PGSERVICEFILE', (password: string) => `[mine]\nuser=rotated\npassword=${password}\n`],
    ])('reads the %s at each connect, so a password can change while a program runs', async (_, variable, text) => {
      const folder = mkdtempSync(path.join(tmpdir(), 'sluice-pgpass-'))
      const file = path.join(folder, 'file')
      const change = async (password: string): Promise<void> => {
        await database.write((t) => t.script(`ALTER ROLE rotated PASSWORD '${password}'`))
        writeFileSync(file, text(password), { mode: 0o600 })
      }
      await database.write((t) => t.script('DROP ROLE IF EXISTS rotated; CREATE ROLE rotated LOGIN'))
      await change('first')
      const environment = { [variable]: file, ...(variable === 'PGSERVICEFILE' ? { PGSERVICE: 'mine' } : {}) }
      await using open = await openPostgres(server.url('store', 'rotated', ''), 'read', { environment })
      const [[pid]] = (await open.all('SELECT pg_backend_pid()')) as [[number]]
      await change('second')
      await database.all('SELECT pg_terminate_backend(?)', [pid])
      expect(await open.all('SELECT 1')).toEqual([[1]])
      rmSync(folder, { recursive: true })
    })

    test('with an unknown database or host fails at once', async () => {
      await expect(openPostgres(server.url('no such one'), 'read')).rejects.toMatchObject({
        ...failed,
        reason: 'the server has no database of this name',
        hint: expect.stringContaining('psql --list') as string,
      })
      const nowhere = 'postgresql://x:y@no-such-host.invalid/db'
      await expect(openPostgres(nowhere, 'read')).rejects.toMatchObject({ code: 'CONNECT_FAILED' })
    })

    test('never waits without a limit', async () => {
      const began = performance.now()
      const closed = openPostgres('postgresql://x:y@127.0.0.1:1/db?retry_seconds=1', 'read')
      await expect(closed).rejects.toMatchObject({ ...failed, retryable: true })
      expect(performance.now() - began).toBeLessThan(8000)
    })

    test('refuses a database that cannot hold every text', async () => {
      await server.createDatabase('latin', "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
      await expect(openPostgres(server.url('latin'), 'read')).rejects.toMatchObject({
        reason: 'database encoding is LATIN1, and only UTF8 is supported',
        hint: expect.stringMatching(/^move its tables into a database .* ENCODING 'UTF8' .*: pg_dump and psql /),
      })
    })

    test.runIf(POSTGRES_OWN)(
      'works through a socket file, and takes missing parts of the URL from the environment',
      async () => {
        const secret = encodeURIComponent(PASSWORD)
        const bySocket = `postgresql://sluice:${secret}@/store?host=${encodeURIComponent(server.socketFolder)}&port=${server.port}`
        await using one = await openPostgres(bySocket, 'read')
        expect(await one.all('SELECT inet_client_addr()')).toEqual([[null]])
        const environment = {
          PGHOST: '127.0.0.1',
          PGPORT: String(server.port),
          PGUSER: 'sluice',
          PGPASSWORD: PASSWORD,
          PGDATABASE: 'store',
          PGAPPNAME: 'from outside',
        }
        await using two = await openPostgres('postgresql://', 'read', { environment })
        expect(await two.all("SELECT current_database(), current_setting('application_name')")).toEqual([
          ['store', 'from outside'],
        ])
      },
    )
  })

  test('statement_timeout ends a statement, and with prepare=off no statement is prepared', async () => {
    await using hasty = await openPostgres(`${url}?statement_timeout=100&prepare=off`, 'read')
    await expect(hasty.all('SELECT pg_sleep(5)')).rejects.toMatchObject({ code: 'TARGET_IO', retryable: true })
    for (let i = 0; i < 4; i++) await hasty.all('SELECT ?::int', [i])
    expect(await hasty.all('SELECT count(*) FROM pg_prepared_statements')).toEqual([[0]])
    for (let i = 0; i < 4; i++) await database.all('SELECT ?::int', [i])
    expect(await database.all('SELECT count(*) > 0 FROM pg_prepared_statements')).toEqual([[1]])
  })

  test("now is the server's clock in milliseconds", async () => {
    const first = await database.now()
    await sleep(20)
    const second = await database.now()
    expect(Number.isInteger(first)).toBe(true)
    expect(second - first).toBeGreaterThanOrEqual(15)
    expect(Math.abs(first - Date.now())).toBeLessThan(60_000)
  })

  test('errors in SQL keep their SQLSTATE', async () => {
    await expect(database.all('SELEC 1')).rejects.toMatchObject({ code: '42601' })
    await expect(database.all('SELECT * FROM not_there')).rejects.toMatchObject({ code: '42P01' })
  })

  test('a closed database refuses queries, and has closed all connections', async () => {
    const gone = await openPostgres(`${url}?application_name=gone`, 'write')
    await Promise.all([gone.all('SELECT 1'), gone.write(async () => undefined), gone.read(async () => undefined)])
    await gone.close()
    await expect(gone.all('SELECT 1')).rejects.toThrow('closed')
    const left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gone'"
    await expect.poll(() => database.all(left)).toEqual([[0]])
  })
})

async function collect(pages: AsyncIterable<readonly SqlRow[]>): Promise<(readonly SqlRow[])[]> {
  const all: (readonly SqlRow[])[] = []
  for await (const page of pages) all.push(page)
  return all
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
