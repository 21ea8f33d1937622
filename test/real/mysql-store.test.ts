/**
 * The MySQL and MariaDB store with a real server: values, loads, transactions, and connections that break in between.
 */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { SluiceError } from '../../src/shared/errors.ts'
import { mysqlErrorNumber } from '../../src/stores/mysql/errors.ts'
import { statementsOf } from '../../src/stores/mysql/lex.ts'
import { openMysql, type MysqlDatabase } from '../../src/stores/mysql/sql-database.ts'
import { translateSql } from '../../src/stores/mysql/translate.ts'
import type { SqlReader, SqlRow, SqlTransaction, SqlValue } from '../../src/model/run/sql-port.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import { startProxy } from '../support/servers/proxy.ts'

// Several tests start a server of their own, which takes time on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

const skipped = !MARIADB_AVAILABLE
const why = skipped ? ` (skipped: ${MARIADB_MISSING})` : ''
const pem = (name: string): string => path.resolve(import.meta.dirname, '../../fixtures/tls', name)

let server: MariadbServer
let database: MysqlDatabase
let tables = 0

beforeAll(async () => {
  if (skipped) return
  server = await startMariadb()
  await server.sql('DROP DATABASE IF EXISTS sluice_store')
  await server.createDatabase('sluice_store')
  database = await openMysql(server.url('sluice_store'), 'write')
})

afterAll(async () => {
  await database?.close()
  await server?.stop()
})

/** A new table with text compared byte by byte. */
async function table(columns: string, into: MysqlDatabase = database): Promise<string> {
  const name = `t${++tables}`
  const end = `ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=${into.binaryCollation}`
  await into.write(async (transaction) => await transaction.script(`CREATE TABLE ${name} (${columns}) ${end}`))
  return name
}

async function refused(body: Promise<unknown>): Promise<SluiceError> {
  const error: unknown = await body.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof SluiceError) return error
  throw new Error(`no SluiceError, but ${String(error)}`)
}

function proxied(port: number, parameters = ''): string {
  const url = new URL(server.url('sluice_store'))
  url.hostname = '127.0.0.1'
  url.port = String(port)
  return `${url.href}${parameters}`
}

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i)
const HOSTILE = [
  '',
  ' ',
  'a',
  'a ',
  'A',
  'N',
  '\\N',
  'NULL',
  '\u001bN',
  '\u001b',
  '\u001e\u001f\u001b',
  "it's",
  '"quoted"',
  '`ticks`',
  'back\\slash\\',
  "\\' OR 1=1 -- ",
  'tab\tnewline\ncr\rcrlf\r\n',
  'nul\0inside',
  '\0',
  '\u001a',
  '%_?;--#/* */',
  '😀 ünïcödé \u{10ffff}',
  '\ufeffbom',
]

describe('how the MySQL store translates SQL text', () => {
  test.each([
    ['SELECT CAST(a AS TEXT), CAST ( b as bigint )', 'SELECT CAST(a AS CHAR), CAST ( b as SIGNED )'],
    ['CAST(coalesce(CAST(a AS TEXT), (b)) AS BIGINT)', 'CAST(coalesce(CAST(a AS CHAR), (b)) AS SIGNED)'],
    ["CAST('AS TEXT)' AS TEXT)", "CAST('AS TEXT)' AS CHAR)"],
    [`CAST("AS TEXT)" /* AS TEXT) */ AS TEXT)`, `CAST("AS TEXT)" /* AS TEXT) */ AS CHAR)`],
    ['(SELECT CAST(a AS TEXT) AS text) AS bigint', '(SELECT CAST(a AS CHAR) AS text) AS bigint'],
    ["-- CAST(a AS TEXT)\nSELECT 'it''s CAST(a AS TEXT)'", "-- CAST(a AS TEXT)\nSELECT 'it''s CAST(a AS TEXT)'"],
    ['SELECT CAST(a AS DOUBLE), broadcast(b AS TEXT)', 'SELECT CAST(a AS DOUBLE), broadcast(b AS TEXT)'],
  ])('%s', (sql, expected) => expect(translateSql(sql)).toBe(expected))

  test('a script is split at semicolons outside of strings, names and comments', () => {
    expect(statementsOf(`a ';' "b;" \`c;\` /* d; */; -- e;\n f # g;\n; ; 'it''s;\\';`)).toEqual([
      `a ';' "b;" \`c;\` /* d; */`,
      '-- e;\n f # g;',
      `'it''s;\\'`,
    ])
    expect(statementsOf(' ; -- nothing\n ; /* nothing */')).toEqual([])
    expect(statementsOf('a; /*! b */; 1--2')).toEqual(['a', '/*! b */', '1--2'])
  })
})

describe.skipIf(skipped)(`values of the MySQL store${why}`, () => {
  test('a parameter is read back unchanged', async () => {
    const name = await table('id BIGINT PRIMARY KEY, b BIGINT, u BIGINT UNSIGNED, d DOUBLE, t LONGTEXT, y LONGBLOB')
    const rows: SqlRow[] = [
      [1, 2n ** 63n - 1n, 2n ** 64n - 1n, 1.5, 'text', ALL_BYTES],
      [2, -(2n ** 63n), 0, -1e300, '', new Uint8Array()],
      [3, Number.MAX_SAFE_INTEGER, 1, 5e-324, null, null],
      [4, -1, 2n ** 53n + 1n, 0.1 + 0.2, '0', Buffer.from('0')],
      ...HOSTILE.map((text, i): SqlRow => [100 + i, i, i, i + 0.5, text, Buffer.from(text)]),
    ]
    await database.write(async (transaction) => {
      for (const row of rows) {
        expect(await transaction.run(`INSERT INTO ${name} VALUES (?,?,?,?,?,?)`, row)).toBe(1)
      }
    })
    const found = await database.all(`SELECT * FROM ${name} ORDER BY id`)
    expect(found.map((row) => row.map(plain))).toEqual(rows.map((row) => row.map(plain)))
    for (const text of HOSTILE) {
      expect(await database.all(`SELECT id FROM ${name} WHERE t = ? AND id >= 100`, [text])).toHaveLength(1)
    }
    expect(await database.all(`SELECT id FROM ${name} WHERE b = ?`, [2n ** 63n - 1n])).toEqual([[1]])
    expect(await database.all(`SELECT id FROM ${name} WHERE u = ?`, [2n ** 53n + 1n])).toEqual([[4]])
  })

  test('a geometry is read as a text, because the port has no such type', async () => {
    const [[shape, nothing] = []] = await database.all('SELECT POINT(1, 2), ST_GeomFromText(NULL)')
    expect(shape).toBe('{"x":1,"y":2}')
    expect(nothing).toBe(null)
  })

  test('sums, counts, truth values and casts have the types the catalog expects', async () => {
    const name = await table('id BIGINT PRIMARY KEY, n BIGINT, j JSON')
    await database.write(async (transaction) => {
      await transaction.load(name, ['id', 'n'], [[1, 10], [2, 20], [3, null], [4, 2n ** 63n - 1n]]) // prettier-ignore
      await transaction.run(`UPDATE ${name} SET j = ? WHERE id = 1`, ['{"a":12345678901234567890}'])
    })
    expect(
      await database.all(
        `SELECT sum(n), count(n), CAST(sum(n) AS TEXT), n = 10, sum(n IS NULL), CAST('12' AS BIGINT), 'AS TEXT)' FROM ${name} WHERE id < ?`,
        [4],
      ),
    ).toEqual([[30, 2, '30', null, 1, 12, 'AS TEXT)']].map((row) => row.with(3, 1)))
    expect(await database.all(`SELECT sum(n) FROM ${name}`)).toEqual([['9223372036854775837']])
    const [[json] = []] = await database.all(`SELECT j FROM ${name} WHERE id = 1`)
    expect(json).toContain('12345678901234567890')
    expect(await database.all('SELECT 1 UNION SELECT 2 ORDER BY 1 LIMIT ? OFFSET ?', [1, 1])).toEqual([[2]])
    expect(await database.all(`SELECT 'a' || 'b', 'x?y', "id" FROM ${name} WHERE id = 1 -- what?`)).toEqual([
      ['ab', 'x?y', 1],
    ])
    expect(await database.all(`SELECT TIMESTAMP('2024-03-31 02:30:00')`)).toEqual([['2024-03-31 02:30:00']])
  })

  test('text is compared byte by byte, including trailing blanks, even if a CAST made it', async () => {
    const name = await table('k VARCHAR(100) PRIMARY KEY')
    await database.write(async (transaction) => {
      for (const key of ['a', 'A', 'a ', 'ä', 'é']) await transaction.run(`INSERT INTO ${name} VALUES (?)`, [key])
    })
    expect(await database.all(`SELECT count(*) FROM ${name} WHERE k = 'a'`)).toEqual([[1]])
    expect(await database.all(`SELECT count(DISTINCT CAST(k AS TEXT)) FROM ${name}`)).toEqual([[5]])
    expect(await database.all(`SELECT 'a' = 'a ', 'a' = 'A'`)).toEqual([[0, 0]])
  })

  test('an infinite number, and one that is too large for its column, are refused', async () => {
    const name = await table('id BIGINT, n INT')
    const into = (row: SqlRow): Promise<unknown> =>
      database.write(async (transaction) => await transaction.run(`INSERT INTO ${name} VALUES (?,?)`, row))
    expect((await refused(into([1, Number.NaN]))).code).toBe('VALUE_REFUSED')
    expect((await refused(into([1, 2 ** 40]))).code).toBe('VALUE_REFUSED')
    expect(await database.all(`SELECT * FROM ${name}`)).toEqual([])
  })

  test("a value larger than the server's packet is refused with the setting to raise", async () => {
    const name = await table('id BIGINT, t LONGTEXT')
    const [[packet] = []] = await database.all('SELECT @@max_allowed_packet')
    const long = 'x'.repeat(Number(packet))
    for (const attempt of [
      (transaction: SqlTransaction) => transaction.run(`INSERT INTO ${name} VALUES (?,?)`, [1, long]),
      (transaction: SqlTransaction) =>
        transaction.load(name, ['id', 't'], [[1, 'a'], [2, 'b'], [3, 'c'], [4, long]]), // prettier-ignore
    ]) {
      const error = await refused(database.write<unknown>(attempt))
      expect(error.code).toBe('VALUE_REFUSED')
      expect(error.hint).toContain('max_allowed_packet')
    }
    const large = 'ä'.repeat(2 ** 20)
    await database.write(async (transaction) => await transaction.load(name, ['id', 't'], [[1, large]]))
    expect(await database.all(`SELECT t FROM ${name}`)).toEqual([[large]])
  })
})

describe.skipIf(skipped)(`bulk loads of the MySQL store${why}`, () => {
  const COLUMNS = ['id', 'n', 'd', 't', 'v', 'y'] as const
  const DDL = 'id BIGINT PRIMARY KEY, n BIGINT, d DOUBLE, t LONGTEXT, v VARCHAR(200), y LONGBLOB'

  test('LOAD DATA, many-row INSERTs and single INSERTs write the same 6,000 rows', async () => {
    const rows = hostileRows(6_000)
    const reference = await table(DDL)
    const loaded = await table(DDL)
    await database.write(async (transaction) => {
      for (const row of rows) await transaction.run(`INSERT INTO ${reference} VALUES (?,?,?,?,?,?)`, row)
      await transaction.load(loaded, COLUMNS, rows.slice(0, 3_456))
      for (let start = 3_456; start < rows.length; start += 997) {
        await transaction.load(loaded, COLUMNS, rows.slice(start, start + 997))
      }
    })
    await expectSame(reference, loaded, rows)
    if (!server.isOurs) return
    await using plainServer = await startMariadb({ localInfile: false })
    await plainServer.createDatabase('c')
    await using other = await openMysql(plainServer.url('c'), 'write')
    const inserted = await table(DDL, other)
    await other.write(async (transaction) => await transaction.load(inserted, COLUMNS, rows))
    const found = await other.all(`SELECT * FROM ${inserted} ORDER BY id`)
    expect(found.map((row) => row.map(plain))).toEqual(rows.map((row) => row.map(plain)))
  })

  async function expectSame(reference: string, loaded: string, rows: readonly SqlRow[]): Promise<void> {
    const [expected, found] = await Promise.all(
      [reference, loaded].map(async (name) => await database.all(`SELECT * FROM ${name} ORDER BY id`)),
    )
    expect(found).toHaveLength(rows.length)
    expect(found?.map((row) => row.map(plain))).toEqual(expected?.map((row) => row.map(plain)))
    expect(found?.map((row) => row.map(plain))).toEqual(rows.map((row) => row.map(plain)))
  }

  test('one column that is empty or NULL is not mistaken for a missing row', async () => {
    const name = await table('t LONGTEXT')
    const rows: SqlRow[] = [[''], [null], [''], ['x'], [''], [null]]
    await database.write(async (transaction) => await transaction.load(name, ['t'], rows))
    expect((await database.all(`SELECT t FROM ${name}`)).map(([t]) => t)).toEqual(rows.map(([t]) => t))
  })

  const bad: readonly [what: string, row: SqlRow][] = [
    ['a key that is there', [3, 1, 1, 'x', 'x', null]],
    ['text that is too long', [9, 1, 1, 'x', 'x'.repeat(201), null]],
    ['a number beyond its column', [9, 2n ** 64n, 1, 'x', 'x', null]],
    ['text for a number', [9, 'many', 1, 'x', 'x', null]],
    ['NULL for a key', [null, 1, 1, 'x', 'x', null]],
    ['bytes that are no text', [9, 1, 1, Uint8Array.of(0xff, 0xfe), 'x', null]],
  ]
  test.each(bad)('%s is refused by every way to load, and nothing is written', async (_, row) => {
    const name = await table(DDL)
    const good = hostileRows(5)
    for (const rows of [[...good, row], row[0] === 3 ? [good[2] ?? row, row] : [row]]) {
      const error = await refused(database.write(async (transaction) => await transaction.load(name, COLUMNS, rows)))
      expect(error.code).toBe('VALUE_REFUSED')
    }
    expect(await database.all(`SELECT count(*) FROM ${name}`)).toEqual([[0]])
  })

  test('a full table is reported as missing space', async () => {
    const name = `t${++tables}`
    const rows = Array.from({ length: 20_000 }, (_, i): SqlRow => [i, 'x'])
    const error = await refused(
      database.write(async (transaction) => {
        await transaction.script(`CREATE TABLE ${name} (id BIGINT, t VARCHAR(4000)) ENGINE=MEMORY`)
        await transaction.load(name, ['id', 't'], rows)
      }),
    )
    expect([error.code, mysqlErrorNumber(error)]).toEqual(['NO_SPACE', 1114])
  })

  test('a transaction whose load was refused does not commit, even if its body continues', async () => {
    const name = await table('id BIGINT PRIMARY KEY')
    const rows: SqlRow[] = [[1], [2], [3], [4], [1]]
    const attempt = database.write(async (transaction) => {
      await transaction.load(name, ['id'], rows).catch(() => undefined)
    })
    expect((await refused(attempt)).code).toBe('VALUE_REFUSED')
    expect(await database.all(`SELECT * FROM ${name}`)).toEqual([])
  })

  test('names of tables and columns with SQL in them are only names', async () => {
    const name = 'a "b" `c` \'d\' ? \\'
    const quoted = `"${name.replaceAll('"', '""')}"`
    await database.write(async (transaction) => {
      await transaction.script(`CREATE TABLE ${quoted} (${quoted} BIGINT, "select; drop" TEXT); SELECT ';' -- ; '`)
      await transaction.load(name, [name, 'select; drop'], [[1, 'a'], [2, ';'], [3, '?'], [4, '"']]) // prettier-ignore
      await transaction.load(name, [name, 'select; drop'], [[5, 'e']])
    })
    expect(await database.all(`SELECT ${quoted} FROM ${quoted} WHERE "select; drop" IN (?, ?)`, [';', 'e'])).toEqual([
      [2],
      [5],
    ])
  })
})

describe.skipIf(skipped)(`reading from the MySQL store${why}`, () => {
  let numbers = ''
  beforeAll(async () => {
    numbers = await table('id BIGINT PRIMARY KEY, t LONGTEXT')
    const rows = Array.from({ length: 30_000 }, (_, i): SqlRow => [i, `row ${i} ${'.'.repeat(100)}`])
    await database.write(async (transaction) => await transaction.load(numbers, ['id', 't'], rows))
  })

  test('pages hold every row once, and an iteration that stops early leaves the connection usable', async () => {
    const seen: SqlValue[] = []
    for await (const page of database.pages(`SELECT id FROM ${numbers} ORDER BY id`, [], 7_000)) {
      expect(page.length).toBeLessThanOrEqual(7_000)
      for (const [id] of page) seen.push(id as SqlValue)
    }
    expect(seen).toEqual(Array.from({ length: 30_000 }, (_, i) => i))
    for (let i = 0; i < 10; i++) {
      for await (const page of database.pages(`SELECT * FROM ${numbers} ORDER BY id`, [], 10)) {
        expect(page[0]?.[0]).toBe(0)
        break
      }
    }
    await database.read(async (reader) => {
      for await (const page of reader.pages(`SELECT * FROM ${numbers} ORDER BY id`, [], 10)) {
        expect(page).toHaveLength(10)
        break
      }
      expect(await reader.all(`SELECT count(*) FROM ${numbers}`)).toEqual([[30_000]])
    })
    // This query would never end.
    const endless = `SELECT a.id FROM ${numbers} a, ${numbers} b`
    for await (const page of database.pages(endless, [], 10)) if (page.length > 0) break
    await database.read(async (reader) => {
      for await (const page of reader.pages(endless, [], 10)) if (page.length > 0) return
    })
    const stopped = database.write(async (transaction) => {
      for await (const page of transaction.pages(endless, [], 10)) if (page.length > 0) throw new Error('stopped')
    })
    await expect(stopped).rejects.toThrow('stopped')
    const empty: unknown[] = []
    for await (const page of database.pages(`SELECT * FROM ${numbers} WHERE id < ?`, [0], 10)) empty.push(page)
    expect(empty).toEqual([])
  })

  test('a reader can run queries while it iterates, and sees one snapshot of the database throughout', async () => {
    const total = `SELECT count(*), sum(id) FROM ${numbers}`
    await database.read(async (reader) => {
      const before = await reader.all(total)
      await database.write(async (transaction) => {
        await transaction.run(`INSERT INTO ${numbers} VALUES (?, ?)`, [1_000_000, 'new'])
      })
      let rows = 0
      for await (const page of reader.pages(`SELECT id FROM ${numbers}`, [], 4_000)) {
        rows += page.length
        expect(await reader.all(total)).toEqual(before)
        expect(await database.all(`SELECT count(*) FROM ${numbers} WHERE id = 1000000`)).toEqual([[1]])
      }
      expect(rows).toBe(30_000)
    })
    await database.write(async (transaction) => {
      expect(await transaction.run(`DELETE FROM ${numbers} WHERE id = ?`, [1_000_000])).toBe(1)
    })
  })

  test('two iterations in one transaction alternate without losing a row', async () => {
    await database.read(async (reader) => {
      const count = async (step: number): Promise<number> => {
        let rows = 0
        for await (const page of reader.pages(`SELECT id, t FROM ${numbers} ORDER BY id`, [], step)) rows += page.length
        return rows
      }
      expect(await Promise.all([count(1_000), count(777), count(5_000)])).toEqual([30_000, 30_000, 30_000])
    })
  })

  test('many iterations at once do not wait for each other', async () => {
    const nested = async (reader: SqlReader, depth: number): Promise<number> => {
      let rows = 0
      for await (const page of reader.pages(`SELECT id FROM ${numbers} WHERE id < 20`, [], 10)) {
        rows += page.length
        if (depth > 0) rows += await nested(reader, depth - 1)
      }
      return rows
    }
    expect(await nested(database, 4)).toBe(20 * (1 + 2 + 4 + 8 + 16))
  })

  test('a database opened for reading, and a read transaction, refuse to write', async () => {
    await using reading = await openMysql(server.url('sluice_store'), 'read')
    const error = await refused(reading.all(`DELETE FROM ${numbers}`))
    expect(error.code).toBe('TARGET_DENIED')
    await expect(reading.write(async () => undefined)).rejects.toThrow('opened for reading')
    const inside = database.read(async (reader) => await reader.all(`DELETE FROM ${numbers}`))
    expect((await refused(inside)).code).toBe('TARGET_DENIED')
    expect(await database.all(`SELECT count(*) FROM ${numbers}`)).toEqual([[30_000]])
  })

  test('the clock is that of the server, in milliseconds', async () => {
    const now = await database.now()
    expect(Number.isSafeInteger(now)).toBe(true)
    expect(Math.abs(now - Date.now())).toBeLessThan(60_000)
  })
})

describe.skipIf(skipped)(`writing to the MySQL store${why}`, () => {
  test('a body that throws leaves no rows, and its error is passed on unchanged', async () => {
    const name = await table('id BIGINT')
    const mine = new Error('mine')
    const attempt = database.write(async (transaction) => {
      await transaction.run(`INSERT INTO ${name} VALUES (1)`)
      throw mine
    })
    await expect(attempt).rejects.toBe(mine)
    expect(await database.all(`SELECT * FROM ${name}`)).toEqual([])
  })

  test('after a statement that commits implicitly the rest is one transaction again', async () => {
    const name = await table('id BIGINT')
    const attempt = database.write(async (transaction) => {
      await transaction.script(`CREATE TABLE ${name}_more (id BIGINT)`)
      await transaction.run(`INSERT INTO ${name} VALUES (1)`)
      throw new Error('undone')
    })
    await expect(attempt).rejects.toThrow('undone')
    expect(await database.all(`SELECT * FROM ${name}`)).toEqual([])
  })

  test('an update counts the rows it matched', async () => {
    const name = await table('id BIGINT, n BIGINT')
    await database.write(async (transaction) => {
      await transaction.run(`INSERT INTO ${name} VALUES (1, 1), (2, 1)`)
      expect(await transaction.run(`UPDATE ${name} SET n = 1`)).toBe(2)
      expect(await transaction.run(`UPDATE ${name} SET n = 1 WHERE id = 9`)).toBe(0)
    })
  })

  test('writes run concurrently, may query the database inside, and wait for a connection if the pool is exhausted', async () => {
    const name = await table('id BIGINT PRIMARY KEY')
    let together = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        database.write(async (transaction) => {
          most = Math.max(most, ++together)
          await transaction.run(`INSERT INTO ${name} VALUES (?)`, [i])
          expect(await database.all(`SELECT count(*) FROM ${name} WHERE id = ?`, [i])).toEqual([[0]])
          await sleep(20)
          together--
        }),
      ),
    )
    expect(most).toBe(4)
    expect(await database.all(`SELECT count(*) FROM ${name}`)).toEqual([[12]])
  })

  test('the victim of a deadlock is run again', async () => {
    const name = await table('id BIGINT PRIMARY KEY, n BIGINT')
    await database.write(async (transaction) => {
      await transaction.run(`INSERT INTO ${name} VALUES (1, 0), (2, 0)`)
    })
    let attempts = 0
    let bothHold: () => void = () => undefined
    const met = new Promise<void>((resolve) => (bothHold = resolve))
    const swap = (first: number, second: number): Promise<void> =>
      database.write(async (transaction) => {
        await transaction.run(`UPDATE ${name} SET n = n + 1 WHERE id = ?`, [first])
        if (++attempts === 2) bothHold()
        await met
        await transaction.run(`UPDATE ${name} SET n = n + 1 WHERE id = ?`, [second])
      })
    await Promise.all([swap(1, 2), swap(2, 1)])
    expect(attempts).toBe(3)
    expect(await database.all(`SELECT n FROM ${name}`)).toEqual([[2], [2]])
  })

  test('a body that ignores a deadlock cannot commit the rest without what was rolled back', async () => {
    const name = await table('id BIGINT PRIMARY KEY, n BIGINT')
    await database.write(async (transaction) => {
      await transaction.run(`INSERT INTO ${name} VALUES (1, 0), (2, 0), (3, 0)`)
    })
    let attempts = 0
    let bothHold: () => void = () => undefined
    const met = new Promise<void>((resolve) => (bothHold = resolve))
    const careless = (first: number, second: number): Promise<void> =>
      database.write(async (transaction) => {
        await transaction.run(`UPDATE ${name} SET n = n + 1 WHERE id = ?`, [first])
        if (++attempts === 2) bothHold()
        await met
        await transaction.run(`UPDATE ${name} SET n = n + 1 WHERE id = ?`, [second]).catch(() => undefined)
        await transaction.run(`UPDATE ${name} SET n = n + 1 WHERE id = 3`).catch(() => undefined)
      })
    await Promise.all([careless(1, 2), careless(2, 1)])
    expect(await database.all(`SELECT n FROM ${name} ORDER BY id`)).toEqual([[2], [2], [2]])
  })

  test('a lock is held by one session, and is free when that ends', async () => {
    await using other = await openMysql(server.url('sluice_store'), 'write')
    const name = `a name of more than sixty-four characters ${'x'.repeat(100)}`
    const first = await database.lock(name)
    expect(first?.held).toBe(true)
    expect(await other.lock(name)).toBeNull()
    expect(await database.lock(name)).toBeNull()
    const unlike = await other.lock(`${name}y`)
    expect(unlike?.held).toBe(true)
    await first?.[Symbol.asyncDispose]()
    expect(first?.held).toBe(false)
    const second = await other.lock(name)
    expect(second?.held).toBe(true)
    const holder = await database.all(
      `SELECT id FROM information_schema.processlist WHERE db = 'sluice_store' AND id <> CONNECTION_ID()`,
    )
    expect(holder.length).toBeGreaterThan(0)
    await other.close()
    expect(second?.held).toBe(false)
    let third = await database.lock(name)
    for (let i = 0; third === null && i < 100; i++) {
      await sleep(20)
      third = await database.lock(name)
    }
    expect(third?.held).toBe(true)
    await third?.[Symbol.asyncDispose]()
  })
})

describe.skipIf(skipped)(`broken connections of the MySQL store${why}`, () => {
  test('a server that is killed and restarted during a write has the rows once', async ({ skip }) => {
    skip(!server.isOurs, 'the server is not ours to kill')
    const name = await table('id BIGINT')
    let attempts = 0
    let restarted: Promise<void> = Promise.resolve()
    const lock = await database.lock('a lock that the crash ends')
    await database.write(async (transaction) => {
      attempts++
      await transaction.load(
        name,
        ['id'],
        Array.from({ length: 1_000 }, (_, i) => [i]),
      )
      if (attempts === 1) {
        await server.kill9()
        restarted = sleep(500).then(() => server.restart())
      }
      await transaction.run(`INSERT INTO ${name} VALUES (-1)`)
    })
    await restarted
    expect(attempts).toBeGreaterThan(1)
    expect(await database.all(`SELECT count(*), count(DISTINCT id) FROM ${name}`)).toEqual([[1_001, 1_001]])
    expect(lock?.held).toBe(false)
    await lock?.[Symbol.asyncDispose]()
  })

  test('without time for retries, a lost connection is reported with its address', async () => {
    await using proxy = await startProxy(server.port)
    await using through = await openMysql(proxied(proxy.port, '?retry_seconds=0'), 'write')
    const error = await refused(
      through.write(async (transaction) => {
        await transaction.all('SELECT 1')
        proxy.cut()
        await transaction.all('SELECT 2')
      }),
    )
    expect(error.code).toBe('CONNECTION_LOST')
    expect(error.retryable).toBe(true)
    const reading = refused(
      through.read(async (reader) => {
        for await (const page of reader.pages('SELECT a.id FROM t1 a, t1 b, t1 c', [], 10))
          if (page.length > 0) proxy.cut()
      }),
    )
    expect((await reading).code).toBe('CONNECTION_LOST')
  })

  const COMMIT = Buffer.from('\u0003COMMIT')

  test('an answer to COMMIT that is lost after the server committed: nothing is written twice', async () => {
    const name = await table('id BIGINT')
    await using proxy = await startProxy(server.port)
    await using through = await openMysql(proxied(proxy.port), 'write')
    let attempts = 0
    let asked = 0
    const result = await through.write(
      async (transaction) => {
        attempts++
        await transaction.run(`INSERT INTO ${name} VALUES (1)`)
        proxy.onClientData((data, connection) => {
          if (!data.includes(COMMIT)) return
          proxy.onClientData(null)
          connection.cut()
        })
        return 'done'
      },
      async (reader) => {
        asked++
        return (await reader.all(`SELECT * FROM ${name}`)).length > 0
      },
    )
    expect([result, attempts, asked]).toEqual(['done', 1, 1])
    expect(await database.all(`SELECT * FROM ${name}`)).toEqual([[1]])
  })

  test('a COMMIT that is lost before it reaches the server: the transaction is run again', async () => {
    const name = await table('id BIGINT')
    await using proxy = await startProxy(server.port)
    await using through = await openMysql(proxied(proxy.port), 'write')
    let attempts = 0
    await through.write(
      async (transaction) => {
        await transaction.run(`INSERT INTO ${name} VALUES (1)`)
        if (++attempts > 1) return
        proxy.onClientData((data) => {
          if (!data.includes(COMMIT)) return
          proxy.onClientData(null)
          proxy.cut()
        })
      },
      async (reader) => (await reader.all(`SELECT * FROM ${name}`)).length > 0,
    )
    expect(attempts).toBe(2)
    expect(await database.all(`SELECT * FROM ${name}`)).toEqual([[1]])
  })

  test('without a check, a lost answer to COMMIT ends in COMMIT_UNKNOWN', async () => {
    const name = await table('id BIGINT')
    await using proxy = await startProxy(server.port)
    await using through = await openMysql(proxied(proxy.port), 'write')
    let attempts = 0
    const error = await refused(
      through.write(async (transaction) => {
        attempts++
        await transaction.run(`INSERT INTO ${name} VALUES (1)`)
        proxy.onClientData((data, connection) => {
          if (data.includes(COMMIT)) connection.cut()
        })
      }),
    )
    expect(error.code).toBe('COMMIT_UNKNOWN')
    expect(attempts).toBe(1)
  })

  test('a network that drops everything is detected, and the write is repeated when it is back', async () => {
    const name = await table('id BIGINT PRIMARY KEY')
    await using proxy = await startProxy(server.port)
    await using through = await openMysql(proxied(proxy.port, '?response_timeout=1&connect_timeout=1'), 'write')
    let attempts = 0
    await through.write(
      async (transaction) => {
        await transaction.run(`INSERT INTO ${name} VALUES (1)`)
        if (++attempts === 1) {
          proxy.freeze()
          setTimeout(() => proxy.thaw(), 4_000)
        }
        await transaction.run(`INSERT INTO ${name} VALUES (2)`)
      },
      async (reader) => (await reader.all(`SELECT * FROM ${name}`)).length > 0,
    )
    expect(attempts).toBe(2)
    expect(await database.all(`SELECT id FROM ${name} ORDER BY id`)).toEqual([[1], [2]])
  })

  test('a statement that takes longer than the response timeout is waited for', async () => {
    await using patient = await openMysql(`${server.url('sluice_store')}?response_timeout=1`, 'write')
    const started = performance.now()
    await patient.write(async (transaction) => {
      expect(await transaction.all('SELECT SLEEP(2)')).toEqual([[0]])
    })
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})

describe.skipIf(skipped)(`connecting to MySQL${why}`, () => {
  const connect = async (url: string): Promise<void> => await (await openMysql(url, 'read')).close()

  test('a wrong address, user or database is reported, without the password', async () => {
    const wrong: readonly [url: string, reason: string, number: number | null][] = [
      [
        server.url('sluice_store', 'app', 'wrong-secret'),
        'the server refuses this user or password (Network or authentication issues)',
        1045,
      ],
      [server.url('no_such_database'), 'the server has no database of this name', 1049],
      [
        'mysql://app:wrong-secret@127.0.0.1:1/c',
        'nothing listens at 127.0.0.1:1 (Network or authentication issues)',
        null,
      ],
      [
        'mysql://app:wrong-secret@no-such-host.invalid/c?ssl-mode=disabled',
        'the host name cannot be resolved: no-such-host.invalid (Network or authentication issues)',
        null,
      ],
    ]
    for (const [url, reason, number] of wrong) {
      const error = await refused(connect(url))
      expect([error.code, error.reason, mysqlErrorNumber(error)]).toEqual(['CONNECT_FAILED', reason, number])
      expect(JSON.stringify(error.info())).not.toContain('wrong-secret')
    }
  })

  test('a user without the right to write is refused by name', async () => {
    const name = await table('id BIGINT')
    await server.sql(
      `DROP USER IF EXISTS 'reads'@'%'`,
      `CREATE USER 'reads'@'%' IDENTIFIED BY 'only'`,
      `GRANT SELECT ON sluice_store.* TO 'reads'@'%'`,
    )
    await using weak = await openMysql(server.url('sluice_store', 'reads', 'only'), 'write')
    const attempt = weak.write(async (transaction) => await transaction.run(`INSERT INTO ${name} VALUES (1)`))
    expect((await refused(attempt)).code).toBe('TARGET_DENIED')
  })

  test.each([
    ['mysql://h', 'does not name a database'],
    ['mysql://h/d?colour=red', 'colour'],
    ['mysql://h/d?pool_size=0', 'pool_size'],
    ['mysql://h/d?ssl-mode=maybe', 'ssl-mode=maybe'],
    ['mysql://h/d?ssl-ca=/no/such/file.pem', 'ssl-ca'],
    ['http://h/d', 'not a URL of a MySQL database'],
  ])('%s is refused as bad configuration', async (url, text) => {
    const error = await refused(connect(url))
    expect(error.code).toBe('BAD_CONFIG')
    expect(error.message).toContain(text)
  })

  test('a server that is too old is refused with its version', async ({ skip }) => {
    skip(!server.isOurs, 'the server cannot be told to name another version')
    await using old = await startMariadb({ more: ['--version=10.5.29-MariaDB'] })
    await old.createDatabase('c')
    const error = await refused(connect(old.url('c')))
    expect(error.code).toBe('CONNECT_FAILED')
    expect(error.message).toContain('10.5.29')
    expect(error.retryable).toBe(false)
  })

  test('a server without free connections is retried until one is free', async ({ skip }) => {
    skip(!server.isOurs, 'the limit of the server is not ours to set')
    await using small = await startMariadb({ more: ['--max-connections=10'] })
    await small.createDatabase('c')
    // The user of the tests may use the extra connection that is reserved for administrators.
    await small.sql(`CREATE USER 'one'@'%' IDENTIFIED BY 'pw'`, `GRANT ALL ON c.* TO 'one'@'%'`)
    await using busy = await openMysql(`${small.url('c', 'one', 'pw')}?pool_size=30`, 'write')
    await busy.write(async (transaction) => await transaction.script('CREATE TABLE n (id BIGINT PRIMARY KEY)'))
    await Promise.all(
      Array.from({ length: 25 }, (_, i) =>
        busy.write(async (transaction) => {
          await transaction.run('INSERT INTO n VALUES (?)', [i])
          await sleep(50)
        }),
      ),
    )
    expect(await busy.all('SELECT count(*) FROM n')).toEqual([[25]])
  })

  test('MYSQL_PWD provides a missing password', async () => {
    const url = new URL(server.url('sluice_store'))
    const env = { MYSQL_PWD: decodeURIComponent(url.password) }
    url.password = ''
    await (await openMysql(url.href, 'read', { env })).close()
    await expect(openMysql(url.href, 'read', { env: {} })).rejects.toMatchObject({ code: 'CONNECT_FAILED' })
  })

  test('the option file is read at each connect, so a password can change while a program runs', async () => {
    using home = temporaryFolder()
    const change = async (password: string): Promise<void> => {
      await database.write((t) => t.run(`ALTER USER rotated IDENTIFIED BY '${password}'`))
      writeFileSync(path.join(home.path, '.my.cnf'), `[client]\nuser=rotated\npassword="${password}"\n`, {
        mode: 0o600,
      })
    }
    await database.write((t) => t.run('CREATE USER rotated'))
    await change('the # first')
    const url = new URL(server.url('information_schema'))
    url.username = url.password = ''
    await using open = await openMysql(url.href, 'read', { env: { HOME: home.path } })
    const [[id]] = (await open.all('SELECT connection_id()')) as [[number]]
    await change('second')
    await database.write((t) => t.run(`KILL ${id}`))
    expect(await open.all('SELECT user()')).toEqual([[expect.stringMatching(/^rotated@/)]])
  })
})

describe.skipIf(skipped || process.env['SLUICE_TEST_MYSQL_URL'] !== undefined)(`encryption to MySQL${why}`, () => {
  const cipher = async (url: string): Promise<SqlValue | undefined> => {
    await using opened = await openMysql(url, 'read')
    const [row = []] = await opened.all(
      `SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'`,
    )
    return row[0]
  }
  const startWith = async (certificate: string): Promise<MariadbServer> => {
    const tls = { ca: pem('ca.pem'), cert: pem(`${certificate}.pem`), key: pem(`${certificate}.key`) }
    const started = await startMariadb({ tls })
    await started.createDatabase('c')
    return started
  }

  test('every ssl-mode checks what it documents', async () => {
    await using secure = await startWith('server')
    const url = secure.url('c')
    const ca = `&ssl-ca=${encodeURIComponent(pem('ca.pem'))}`
    const otherCa = `&ssl-ca=${encodeURIComponent(pem('other-ca.pem'))}`
    expect(await cipher(`${url}?ssl-mode=DISABLED`)).toBe('')
    for (const words of ['ssl-mode=PREFERRED', 'ssl-mode=required', 'sslmode=require', '']) {
      expect(await cipher(`${url}?${words}`), words).not.toBe('')
    }
    for (const mode of ['VERIFY_CA', 'VERIFY_IDENTITY']) {
      expect(await cipher(`${url}?ssl-mode=${mode}${ca}`), mode).not.toBe('')
      expect(await cipher(`${url.replace('127.0.0.1', 'localhost')}?ssl-mode=${mode}${ca}`), mode).not.toBe('')
      for (const wrong of [otherCa, '']) {
        const error = await refused(cipher(`${url}?ssl-mode=${mode}${wrong}`))
        expect(error.code).toBe('TLS_FAILED')
        expect(error.reason).toContain('unknown authority')
      }
    }
    // Without TLS, or with it, statements and loads use the same connection.
    await using opened = await openMysql(`${url}?ssl-mode=VERIFY_IDENTITY${ca}`, 'write')
    const name = await table('id BIGINT, t LONGTEXT', opened)
    const rows = Array.from({ length: 20_000 }, (_, i): SqlRow => [i, 'x'.repeat(200)])
    await opened.write(async (transaction) => await transaction.load(name, ['id', 't'], rows))
    expect(await opened.all(`SELECT count(*) FROM ${name}`)).toEqual([[20_000]])
  })

  test.each([
    ['self-signed', 'the server certificate is self-signed'],
    ['expired', 'the server certificate has expired'],
    ['other-host', 'the server certificate is for another host'],
  ])('a certificate that is %s is refused with this cause', async (certificate, reason) => {
    await using secure = await startWith(certificate)
    const ca = `&ssl-ca=${encodeURIComponent(pem('ca.pem'))}`
    const error = await refused(cipher(`${secure.url('c')}?ssl-mode=VERIFY_IDENTITY${ca}`))
    expect([error.code, error.reason]).toEqual(['TLS_FAILED', reason])
    expect(await cipher(`${secure.url('c')}?ssl-mode=REQUIRED`)).not.toBe('')
    const chainOnly = cipher(`${secure.url('c')}?ssl-mode=VERIFY_CA${ca}`)
    if (certificate === 'other-host') expect(await chainOnly).not.toBe('')
    else expect((await refused(chainOnly)).reason).toBe(reason)
  })

  test('a server without TLS is refused if TLS is required, and used without encryption if TLS is preferred', async () => {
    const error = await refused(cipher(`${server.url('sluice_store')}?ssl-mode=REQUIRED`))
    expect([error.code, error.message]).toEqual(['TLS_FAILED', 'no secure connection: the server offers no TLS'])
    expect(await cipher(`${server.url('sluice_store')}?ssl-mode=PREFERRED`)).toBe('')
  })
})

function hostileRows(count: number): SqlRow[] {
  const text = (i: number): string => HOSTILE[i % HOSTILE.length] ?? ''
  return Array.from({ length: count }, (_, i): SqlRow => [
    i + 1,
    i % 7 === 0 ? null : i % 5 === 0 ? (BigInt(i) - 2n ** 62n) * 2n : i * (i % 2 === 0 ? 1 : -1_000_003),
    i % 3 === 0 ? null : i / 7,
    i % 11 === 0 ? null : text(i) + (i % 4 === 0 ? '' : text(i * 31)),
    i % 13 === 0 ? null : `${text(i * 7)}${i}`.slice(0, 200),
    i % 9 === 0 ? null : i % 100 === 1 ? ALL_BYTES : ALL_BYTES.subarray(i % 250, (i % 250) + (i % 6)),
  ])
}

/** The same form for numbers and bigints, and for all kinds of bytes. */
function plain(value: SqlValue): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value
}
