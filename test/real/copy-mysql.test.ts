/** MySQL and MariaDB as the source of a copy, on a real server: tables, ranges, rows and digests. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../src/model/copy/range.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { SourceView } from '../../src/model/copy/source-port.ts'
import { mysqlConfig } from '../../src/stores/mysql/config.ts'
import { openMysqlCopy } from '../../src/stores/mysql/copy/index.ts'
import { mysqlCanonicalDigest, serverDigest, streamedDigest } from '../../src/stores/mysql/copy/digest.ts'
import { mysqlRangeCondition } from '../../src/stores/mysql/copy/ranges.ts'
import { openCopySession } from '../../src/stores/mysql/copy/sessions.ts'
import type { MysqlSession } from '../../src/stores/mysql/session.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import { columnsOf, cutAll, readAll, refused, rowsOf, SIGNAL, SIZE, sumOf, tableOf } from './copy-mysql-kit.ts'

const skipped = !MARIADB_AVAILABLE
const why = skipped ? ` (skipped: ${MARIADB_MISSING})` : ''

let server: MariadbServer
let store: CopyStore
let session: MysqlSession
let made = 0

beforeAll(async () => {
  if (skipped) return
  server = await startMariadb({ more: ['--log-bin', '--server-id=7', '--log-bin-index=bin.index'] })
  await server.sql('DROP DATABASE IF EXISTS sluice_copy', 'DROP DATABASE IF EXISTS `other "db`')
  await server.createDatabase('sluice_copy')
  await server.createDatabase('other "db')
  store = await openMysqlCopy(`${server.url('sluice_copy')}?pool_size=2`)
  session = await openCopySession(mysqlConfig(server.url('sluice_copy')), 'read')
})

afterAll(async () => {
  session?.destroy()
  await store?.[Symbol.asyncDispose]()
  await server?.stop()
})

/** Creates a table and fills it. @returns its name */
async function table(columns: string, ...statements: readonly string[]): Promise<string> {
  const name = `t${++made}`
  await server.sql(
    `CREATE TABLE sluice_copy.${name} (${columns}) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin`,
    ...statements.map((one) =>
      one.replaceAll('TABLE_', `sluice_copy.${name}`).replaceAll(/\bseq_1/g, 'sluice_copy.seq_1'),
    ),
  )
  return name
}

async function view<T>(body: (view: SourceView) => Promise<T>): Promise<T> {
  await using opened = await store.source(SIGNAL)
  return await body(opened)
}

describe.skipIf(skipped)(`tables of a MySQL source${why}`, () => {
  test('columns have the types that other systems know', async () => {
    const name = await table(
      `id INT AUTO_INCREMENT PRIMARY KEY, b TINYINT(1) NOT NULL DEFAULT 0, ti TINYINT UNSIGNED, si SMALLINT, mi MEDIUMINT UNSIGNED,
       bi BIGINT UNSIGNED, de DECIMAL(12,3), f FLOAT, d DOUBLE, bit1 BIT, bit9 BIT(9), c CHAR(5), v VARCHAR(7), l LONGTEXT, la VARCHAR(9)
       CHARACTER SET latin1, bin BINARY(3), vb VARBINARY(9), bl BLOB, da DATE, tm TIME(2), dt DATETIME(6), ts TIMESTAMP(3) NULL, y YEAR,
       j JSON, e ENUM('a','b''c') NOT NULL, s SET('x','y'), u UUID, i INET6, g GEOMETRY, gv INT AS (b + 1) VIRTUAL,
       gs INT GENERATED ALWAYS AS (b + 2) STORED`,
    )
    const found = await tableOf(store, name)
    const types = Object.fromEntries(found.columns.map((column) => [column.name, column.type]))
    const expected: Record<string, ColumnType> = {
      id: { kind: 'int', bits: 32 },
      b: { kind: 'int', bits: 8 },
      ti: { kind: 'int', bits: 8, unsigned: true },
      si: { kind: 'int', bits: 16 },
      mi: { kind: 'int', bits: 24, unsigned: true },
      bi: { kind: 'int', bits: 64, unsigned: true },
      de: { kind: 'decimal', precision: 12, scale: 3 },
      f: { kind: 'float', bits: 32 },
      d: { kind: 'float', bits: 64 },
      bit1: { kind: 'bool' },
      bit9: { kind: 'int', bits: 16, unsigned: true },
      c: { kind: 'text', most: 5, padded: true },
      v: { kind: 'text', most: 7 },
      l: { kind: 'text' },
      la: { kind: 'text', most: 9 },
      bin: { kind: 'bytes' },
      vb: { kind: 'bytes' },
      bl: { kind: 'bytes' },
      da: { kind: 'date' },
      tm: { kind: 'time', digits: 2 },
      dt: { kind: 'timestamp', zone: false, digits: 6 },
      ts: { kind: 'timestamp', zone: true, digits: 3 },
      y: { kind: 'int', bits: 16 },
      j: { kind: 'json' },
      e: { kind: 'native', name: "enum('a','b''c')" },
      s: { kind: 'native', name: "set('x','y')" },
      u: { kind: 'uuid' },
      i: { kind: 'native', name: 'inet6' },
      g: { kind: 'native', name: 'mysql geometry' },
      gv: { kind: 'int', bits: 32 },
      gs: { kind: 'int', bits: 32 },
    }
    expect(types).toEqual(expected)
    const named = (is: (column: (typeof found.columns)[number]) => boolean): string[] =>
      found.columns.filter(is).map((column) => column.name)
    expect(named(({ generated }) => generated === true)).toEqual(['gv', 'gs'])
    expect(named(({ identity }) => identity === true)).toEqual(['id'])
    expect(named(({ hasDefault }) => hasDefault === true)).toEqual(['id', 'b'])
    expect(named(({ nullable }) => !nullable)).toEqual(['id', 'b', 'e'])
    expect(found.columns.find((column) => column.name === 'la')?.collation).toBe('latin1_swedish_ci')
    expect(found.columns.find((column) => column.name === 'v')?.collation).toBeUndefined()
    expect(found.columns.find((column) => column.name === 'j')?.native).toBe('json')
  })

  test('the key is the primary key, or an index that identifies and sorts all rows', async () => {
    const keys = async (columns: string): Promise<unknown> => {
      const { key, primary } = await tableOf(store, await table(columns))
      return [key, primary]
    }
    expect(await keys('b INT, a INT, UNIQUE (a), PRIMARY KEY (b, a)')).toEqual([['b', 'a'], true])
    expect(await keys('a INT, b INT NOT NULL, c INT NOT NULL, UNIQUE (a), UNIQUE (c, b)')).toEqual([['c', 'b'], false])
    expect(await keys('a INT, b INT, UNIQUE (a, b), KEY (b)')).toEqual([['a', 'b'], false])
    expect(await keys('a INT, KEY (a)')).toEqual([[], false])
    expect(await keys('t TEXT NOT NULL, UNIQUE (t(10))')).toEqual([[], false])
    expect(await keys('t TEXT NOT NULL, UNIQUE (t)')).toEqual([[], false])
    expect(await keys("e ENUM('b','a'), i INT NOT NULL, PRIMARY KEY (e, i), UNIQUE (i)")).toEqual([['e', 'i'], true])
    expect(await keys("e ENUM('b','a'), i INT, PRIMARY KEY (e, i)")).toEqual([['e', 'i'], true])
    expect(await keys('a INT NOT NULL, b INT AS (a + 1) STORED, UNIQUE (b)')).toEqual([[], false])
  })

  test('partitions, sizes, and an identity that changes with the table', async () => {
    const name = await table(
      'd INT PRIMARY KEY, t TEXT',
      'ALTER TABLE TABLE_ PARTITION BY RANGE (d) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN MAXVALUE)',
      "INSERT INTO TABLE_ SELECT seq, 'x' FROM seq_1_to_5000",
      'ANALYZE TABLE TABLE_',
    )
    const found = await tableOf(store, name)
    expect(found.partitioning).toBe('range (d), 2 partitions')
    expect(Number(found.rows)).toBeGreaterThan(2_000)
    expect(Number(found.bytes)).toBeGreaterThan(0)
    expect(found.identity).toContain(`/sluice_copy/${name}@`)
    expect(store.identity).not.toBe('')
    await using same = await openMysqlCopy(server.url('sluice_copy').replace('127.0.0.1', 'localhost'))
    await using other = await openMysqlCopy(server.url('other "db'))
    expect(same.identity).toBe(store.identity)
    expect(other.identity).not.toBe(store.identity)
  })

  test('patterns find tables of this and other databases, and none of the server itself', async () => {
    await server.sql(
      'CREATE TABLE `other "db`.`a.b` (i INT)',
      'CREATE TABLE `other "db`.`A_b` (i INT)',
      'CREATE VIEW `other "db`.`a_view` AS SELECT 1',
      'CREATE TABLE sluice_copy.a_b (i INT)',
    )
    const names = async (pattern: string): Promise<string[]> =>
      (await store.tables(pattern, SIGNAL)).map(({ table: { schema, name } }) => `${schema}/${name}`)
    expect(await names('a_b')).toEqual(['sluice_copy/a_b'])
    expect(await names('other "db.*')).toEqual(['other "db/A_b', 'other "db/a.b'])
    expect(await names('*.a?b')).toEqual([])
    expect(await names('*.a.b')).toEqual(['other "db/a.b'])
    expect(await names('*.*_b')).toEqual(['other "db/A_b', 'sluice_copy/a_b'])
    expect(await names('nothing*')).toEqual([])
    expect(await names('mysql.*')).toEqual([])
  })

  test('hostile names of tables and columns are used as plain names', async () => {
    const names = ['a`b', 'quote"d', "it's", '; DROP TABLE x; --', 'new\nline', 'ünï', '%_?', 'select', 'a\\b']
    const ticked = (name: string): string => `\`${name.replaceAll('`', '``')}\``
    await server.sql(
      ...names.flatMap((name, i) => [
        `CREATE TABLE ${ticked('other "db')}.${ticked(`h${i} ${name}`)} (${ticked(name)} INT PRIMARY KEY, j JSON)`,
        `INSERT INTO ${ticked('other "db')}.${ticked(`h${i} ${name}`)} VALUES (1, '[1]'), (2, NULL)`,
      ]),
    )
    await view(async (opened) => {
      for (const [i, name] of names.entries()) {
        const found = await tableOf(store, `other "db.h${i} ${name}`)
        expect(found.columns.map((column) => [column.name, column.type.kind])).toEqual([
          [name, 'int'],
          ['j', 'json'],
        ])
        expect(await readAll(opened, rowsOf(found))).toEqual([['1', '[1]'], ['2', null]]) // prettier-ignore
        expect(await cutAll(opened, { ...found, rows: 0n }, 1)).toHaveLength(3)
      }
    })
  })
})

describe.skipIf(skipped)(`rows of a MySQL source${why}`, () => {
  test('values of each type are canonical, also extreme ones', async () => {
    const name = await table(
      `id INT PRIMARY KEY, bi BIGINT, bu BIGINT UNSIGNED, de DECIMAL(65,30), z INT(8) ZEROFILL, f FLOAT, d DOUBLE, b1 BIT, b64 BIT(64), c CHAR(5),
       t LONGTEXT, la VARCHAR(9) CHARACTER SET latin1, bin BINARY(3), bl LONGBLOB, da DATE, tm TIME(3), dt DATETIME(6), ts TIMESTAMP(6) NULL,
       y YEAR, j JSON, e ENUM('a','b'), u UUID, i INET6, g GEOMETRY`,
      `INSERT INTO TABLE_ VALUES
       (1, -9223372036854775808, 18446744073709551615, -12345678901234567890123456789012345.123456789012345678901234567890, 42, 0.1, 0.1, 1,
        x'ffffffffffffffff', 'a  ', concat('é😀', char(0), '\\n\\r\\t\\'"'), 'äÿ', x'00ff', x'00ff0d0a', '9999-12-31', '-838:59:59.999',
        '1000-01-01 00:00:00.000001', '2038-01-19 03:14:07.5', 2155, '{"b": 1e2, "a": [1.50]}', 'b', '00112233-4455-6677-8899-AABBCCDDEEFF',
        '::1', ST_GeomFromText('POINT(1 2)', 4326)),
       (2, 9223372036854775807, 0, 0, 0, -3.4e38, 5e-324, 0, 0, '', '', '', '', '', '1000-01-01', '00:00:00', '9999-12-31 23:59:59.999999',
        '1970-01-01 00:00:01', 1901, '[]', 'a', '00000000-0000-0000-0000-000000000000', '::', NULL),
       (3, ${Array(23).fill('NULL').join(', ')})`,
    )
    const found = await tableOf(store, name)
    await view(async (opened) => {
      const rows = await readAll(opened, rowsOf(found))
      expect(rows.map((row) => row.map((cell) => (cell instanceof Uint8Array ? Buffer.from(cell).toString('hex') : cell)))).toEqual([
        [
          '1', '-9223372036854775808', '18446744073709551615', '-12345678901234567890123456789012345.12345678901234567890123456789', '42',
          Math.fround(0.1), 0.1, '1', '18446744073709551615', 'a', 'é😀\0\n\r\t\'"', 'äÿ', '00ff00', '00ff0d0a', '9999-12-31', '-838:59:59.999',
          '1000-01-01 00:00:00.000001', '2038-01-19 03:14:07.5', '2155', '{"a":[1.5],"b":100}', 'b', '00112233-4455-6677-8899-aabbccddeeff',
          '::1', 'E61000000101000000000000000000F03F0000000000000040',
        ],
        [
          '2', '9223372036854775807', '0', '0', '0', Math.fround(-3.4e38), 5e-324, '0', '0', '', '', '', '000000', '', '1000-01-01', '00:00:00',
          '9999-12-31 23:59:59.999999', '1970-01-01 00:00:01', '1901', '[]', 'a', '00000000-0000-0000-0000-000000000000', '::', null,
        ],
        ['3', ...Array<null>(23).fill(null)],
      ]) // prettier-ignore
      expect(await opened.digest(rowsOf(found), SIGNAL)).toEqual(sumOf(rows))
    })
  })

  test('an invalid date is refused with its column and key, or quarantined', async () => {
    const name = await table(
      'id INT PRIMARY KEY, d DATE, t DATETIME',
      "SET STATEMENT sql_mode = '' FOR INSERT INTO TABLE_ VALUES (1, '2024-01-01', NULL), (7, '0000-00-00', NULL), (8, NULL, '2024-05-00 00:00:00')",
    )
    const found = await tableOf(store, name)
    await view(async (opened) => {
      const error = await refused(readAll(opened, rowsOf(found)))
      expect(error.code).toBe('VALUE_REFUSED')
      expect(error.kind).toBe('source')
      expect(`${error.message} ${error.where}`).toMatch(/0000-00-00.*"d", key 7/)
      expect((await refused(opened.digest(rowsOf(found), SIGNAL))).code).toBe('VALUE_REFUSED')
      const aside: unknown[] = []
      const reported = rowsOf(found, { onRefused: (row, { code }) => aside.push([...row, code]) })
      expect(await readAll(opened, reported)).toEqual([['1', '2024-01-01', null]])
      expect(aside).toEqual([
        ['7', '0000-00-00', null, 'VALUE_REFUSED'],
        ['8', null, '2024-05-00 00:00:00', 'VALUE_REFUSED'],
      ])
      const asText = rowsOf(found, { columns: columnsOf(found, { d: { kind: 'text' }, t: { kind: 'text' } }) })
      expect((await readAll(opened, asText))[1]).toEqual(['7', '0000-00-00', null])
    })
  })

  test('a time that no row can have finds no row, also as a bound of a range', async () => {
    const name = await table('k DATETIME(6) PRIMARY KEY', "INSERT INTO TABLE_ VALUES ('9999-12-31 23:59:59.999999')")
    const found = await tableOf(store, name)
    const all = [['9999-12-31 23:59:59.999999']]
    await view(async (opened) => {
      const ofKeys = (...keys: readonly string[]) =>
        readAll(opened, rowsOf(found, { range: { by: 'keys', keys: keys.map((key) => [key]) } }))
      for (const far of ['infinity', '-infinity', '10000-01-01 00:00:00', '0044-03-15 00:00:00 BC'])
        expect(await ofKeys(far), far).toEqual([])
      expect(await ofKeys('infinity', '9999-12-31 23:59:59.999999')).toEqual(all)
      const range = { by: 'key', after: ['-infinity'], through: ['infinity'] } as const
      expect(await readAll(opened, rowsOf(found, { range }))).toEqual(all)
    })
  })

  test('conditions select rows, and wrong ones are named', async () => {
    const name = await table('id INT PRIMARY KEY, t TEXT', 'INSERT INTO TABLE_ SELECT seq, seq FROM seq_1_to_20')
    const found = await tableOf(store, name)
    await view(async (opened) => {
      const read = (where: string): Promise<unknown> => readAll(opened, rowsOf(found, { where }))
      expect(await read('"id" > 18 -- the last')).toEqual([['19', '19'], ['20', '20']]) // prettier-ignore
      expect(await read("t = 'a?b'")).toEqual([])
      for (const wrong of ['nothing > 1', 'id >', 'id = ?', 'id > 1; DROP TABLE x', 'id IN (SELECT 1, 2)']) {
        expect((await refused(read(wrong))).code, wrong).toBe('BAD_PREDICATE')
      }
      expect((await refused(opened.extent(found, 'no such', true))).code).toBe('BAD_PREDICATE')
      expect(await opened.extent(found, 'id > 5', true)).toEqual({
        rows: 15n,
        exact: true,
        low: '6',
        high: '20',
        nullKeys: false,
      })
    })
  })

  test('batches respect the limits of rows and bytes, and only a few are buffered', async () => {
    const name = await table(
      'id INT PRIMARY KEY, b LONGTEXT',
      "INSERT INTO TABLE_ SELECT seq, IF(seq = 30, REPEAT('y', 300000), REPEAT('x', 10000)) FROM seq_1_to_60",
    )
    const found = await tableOf(store, name)
    await view(async (opened) => {
      const batches: number[] = []
      let rows = 0
      for await (const batch of opened.read(rowsOf(found), { rows: 1000, bytes: 100_000 }, SIGNAL)) {
        batches.push(batch.bytes)
        rows += batch.rows.length
        expect(batch.rows.length === 1 || batch.bytes <= 100_000).toBe(true)
      }
      expect(rows).toBe(60)
      expect(batches.length).toBeGreaterThan(6)
      expect(Math.max(...batches)).toBeGreaterThan(300_000)
    })
  })

  test('a signal ends a read on the server, and the view can still be used', async () => {
    const name = await table(
      'id INT PRIMARY KEY, t TEXT',
      "INSERT INTO TABLE_ SELECT seq, REPEAT('x', 500) FROM seq_1_to_20000",
    )
    const found = await tableOf(store, name)
    await using single = await openMysqlCopy(`${server.url('sluice_copy')}?pool_size=1`)
    expect(single.can.snapshot).toBe('shared')
    await using opened = await single.source(SIGNAL)
    await server.sql(`DELETE FROM sluice_copy.${name} WHERE id > 10000`)
    const abort = new AbortController()
    const reason = new Error('enough')
    const read = async (signal: AbortSignal, stopAt: number): Promise<number> => {
      let rows = 0
      for await (const batch of opened.read(rowsOf(found), SIZE, signal)) {
        rows += batch.rows.length
        if (rows >= stopAt) abort.abort(reason)
      }
      return rows
    }
    await expect(read(abort.signal, 1000)).rejects.toThrow(/abort|enough/)
    // A reader that stops early leaves the only session to the next one, with the same snapshot.
    for await (const batch of opened.read(rowsOf(found), { rows: 10, bytes: 2 ** 20 }, SIGNAL)) {
      expect(batch.rows).toHaveLength(10)
      break
    }
    expect(await read(SIGNAL, Infinity)).toBe(20_000)
    expect(await opened.extent(found, null, true)).toMatchObject({ rows: 20_000n })
    await view(async (now) => expect(await now.extent(found, null, true)).toMatchObject({ rows: 10_000n }))
  })

  test('a signal ends a slow query, and the view can still be used', async () => {
    const name = await table('id INT PRIMARY KEY', 'INSERT INTO TABLE_ SELECT seq FROM seq_1_to_500')
    const found = await tableOf(store, name)
    await view(async (opened) => {
      const where = 'SLEEP(0.2) = 0'
      for (const ask of [
        (signal: AbortSignal) => opened.digest(rowsOf(found, { where }), signal),
        (signal: AbortSignal) => opened.last(found, EVERY_KEY, where.replace('=', '<'), signal),
      ]) {
        const abort = new AbortController()
        const asking = refused(ask(abort.signal))
        const reason = new SluiceError('ABORTED', 'enough')
        setTimeout(() => abort.abort(reason), 20)
        expect(await asking).toBe(reason)
      }
      expect((await opened.digest(rowsOf(found), SIGNAL)).rows).toBe(500n)
      expect(await opened.extent(found, null, false)).toMatchObject({ exact: false, low: '1', high: '500' })
    })
  })

  test('all readers of a view share one snapshot, which has a position in the binary log', async () => {
    const name = await table('id INT PRIMARY KEY', 'INSERT INTO TABLE_ SELECT seq FROM seq_1_to_100')
    const found = await tableOf(store, name)
    await using before = await store.source(SIGNAL)
    await server.sql(`INSERT INTO sluice_copy.${name} VALUES (1000)`)
    await using after = await store.source(SIGNAL)
    const counts = async (opened: SourceView): Promise<bigint[]> =>
      await Promise.all([1, 2, 3, 4, 5, 6].map(async () => (await opened.digest(rowsOf(found), SIGNAL)).rows))
    expect(await counts(before)).toEqual(Array(6).fill(100n))
    expect(await counts(after)).toEqual(Array(6).fill(101n))
    expect(before.point.position).toMatch(/^\S+\.\d+:\d+$/)
    expect(after.point.position).not.toBe(before.point.position)
    expect(after.point.view).not.toBe(before.point.view)
    expect(before.point.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  test('a table can be altered after a read while the view is open, and is refused from then on', async () => {
    const name = await table('id INT PRIMARY KEY', 'INSERT INTO TABLE_ VALUES (1)')
    const found = await tableOf(store, name)
    await view(async (opened) => {
      expect(await readAll(opened, rowsOf(found))).toEqual([['1']])
      await server.sql(
        `SET STATEMENT lock_wait_timeout = 5 FOR ALTER TABLE sluice_copy.${name} ADD COLUMN c INT DEFAULT 5 FIRST, ALGORITHM = COPY`,
      )
      expect((await refused(readAll(opened, rowsOf(found)))).code).toBe('SOURCE_GONE')
      await server.sql(`DROP TABLE sluice_copy.${name}`)
      expect((await refused(opened.extent(found, null, true))).code).toBe('SOURCE_GONE')
    })
  })

  test('tables that the user may not read are refused', async () => {
    const name = await table('id INT PRIMARY KEY, secret INT')
    const found = await tableOf(store, name)
    await server.sql(
      "CREATE OR REPLACE USER reader IDENTIFIED BY 'r'",
      `GRANT SELECT (id) ON sluice_copy.${name} TO reader`,
    )
    await using limited = await openMysqlCopy(server.url('sluice_copy', 'reader', 'r'))
    await using opened = await limited.source(SIGNAL)
    const error = await refused(readAll(opened, rowsOf(found)))
    expect([error.code, error.kind]).toEqual(['SOURCE_DENIED', 'source'])
  })
})

describe.skipIf(skipped)(`ranges of a MySQL source${why}`, () => {
  /** Each row is in exactly one range; adjacent ranges share a bound. */
  async function covers(name: string, rows: number, where: string | null = null): Promise<readonly Range[]> {
    const found = await tableOf(store, name)
    return await view(async (opened) => {
      const ranges = await cutAll(opened, { ...found, rows: 0n }, rows, where)
      const nulls = (await opened.extent(found, where, true)).nullKeys
      const all = await readAll(opened, rowsOf(found, { range: { by: 'all' }, where, ordered: false }))
      const parts: string[] = []
      for (const range of [...ranges, ...(nulls ? [{ by: 'nullKey' } as const] : [])]) {
        const part = await readAll(opened, rowsOf(found, { range, where }))
        const digest = await opened.digest(rowsOf(found, { range, where }), SIGNAL)
        expect(digest).toEqual(sumOf(part))
        parts.push(...part.map((row) => JSON.stringify(row)))
      }
      expect(parts.toSorted()).toEqual(all.map((row) => JSON.stringify(row)).toSorted())
      const edges = ranges.map((range) => (range.by === 'key' ? [range.after, range.through] : []))
      expect(edges[0]?.[0]).toBeNull()
      expect(edges.at(-1)?.[1]).toBeNull()
      for (let i = 1; i < edges.length; i++) expect(edges[i]?.[0]).toEqual(edges[i - 1]?.[1])
      const last = await opened.last(found, EVERY_KEY, where, SIGNAL)
      if (last !== null) {
        const above: Range = { by: 'key', after: last, through: null }
        expect(await readAll(opened, rowsOf(found, { range: above, where }))).toEqual([])
      }
      return ranges
    })
  }

  test.each([
    ['BIGINT', '(CAST(seq AS SIGNED) - 150) * 61489146912344'],
    ['BIGINT UNSIGNED', '18446744073709551615 - seq * 3'],
    ['DECIMAL(40,10)', 'seq * 98765432109876543210.0123456789'],
    ['DATE', "'1999-12-31' + INTERVAL seq DAY"],
    ['DATETIME(6)', "'1999-12-31' + INTERVAL seq * 1000001 MICROSECOND"],
    ['TIMESTAMP(3)', "'1999-12-31' + INTERVAL seq * 1001000 MICROSECOND"],
    ['TIME(3)', 'SEC_TO_TIME(seq * 10.001 - 1000)'],
    ['YEAR', '1901 + seq MOD 250'],
    ['BIT(40)', 'seq * 1234567'],
    ['UUID', "CONCAT(LEFT(MD5(seq), 8), '-aaaa-4bbb-8ccc-', RIGHT(MD5(seq), 12))"],
    ['INET6', "CONCAT('::', HEX(seq MOD 7), ':', HEX(seq))"],
    ['BINARY(16)', 'UNHEX(MD5(seq))'],
    ['VARBINARY(40)', 'UNHEX(SHA1(seq))'],
    ['VARCHAR(40)', "CONCAT(SUBSTRING('aAäÄ😀 zZ', 1 + seq MOD 8, 1), seq)"],
    ['VARCHAR(40) COLLATE utf8mb4_general_ci', "CONCAT(SUBSTRING('aAäÄ😀 zZ', 1 + seq MOD 8, 1), seq)"],
    ['VARCHAR(40) COLLATE utf8mb4_bin', "CONCAT(SUBSTRING('aA\\n zZ', 1 + seq MOD 6, 1), seq)"],
    ['VARCHAR(40) CHARACTER SET latin1', "CONCAT(SUBSTRING('aAäÄé zZ', 1 + seq MOD 8, 1), seq)"],
    ['CHAR(40)', 'SHA1(seq)'],
  ])('a key of %s is divided without a lost or duplicate row', async (type, values) => {
    const name = await table(`k ${type} PRIMARY KEY`, `INSERT IGNORE INTO TABLE_ SELECT ${values} FROM seq_1_to_300`)
    const ranges = await covers(name, 37)
    expect(ranges.length).toBeGreaterThanOrEqual(6)
  })

  test('composite keys, with NULL in some columns', async () => {
    const name = await table(
      'a VARCHAR(10) COLLATE utf8mb4_general_ci, b INT UNSIGNED, c DATETIME(3), v INT, UNIQUE (a, b, c)',
      "INSERT INTO TABLE_ SELECT IF(seq MOD 17 = 0, NULL, SUBSTRING('xXyYzZ', 1 + seq MOD 6, 1)), seq DIV 20, '2020-01-01' + INTERVAL seq SECOND, seq FROM seq_1_to_300",
      'INSERT INTO TABLE_ SELECT * FROM TABLE_ WHERE a IS NULL',
    )
    const ranges = await covers(name, 30)
    expect(ranges.length).toBeGreaterThanOrEqual(8)
    await covers(name, 30, "v % 3 = 0 OR a = 'x'")
  })

  test('property: any texts with any collation, divided at any size', async () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'A', 'á', 'ß', 's', ' ', '\0', '\n', '"', "'", '\\', '😀', 'z'),
      maxLength: 4,
    })
    const collation = fc.constantFrom(
      'utf8mb4_general_ci',
      'utf8mb4_unicode_520_ci',
      'utf8mb4_bin',
      'utf8mb4_nopad_bin',
      'utf8mb4_unicode_nopad_ci',
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { maxLength: 40 }),
        collation,
        fc.integer({ min: 1, max: 9 }),
        async (texts, sorted, rows) => {
          const values = texts.map((one, i) => `(x'${Buffer.from(one).toString('hex')}', ${i % 3})`)
          const name = await table(
            `k VARCHAR(10) COLLATE ${sorted}, n INT, PRIMARY KEY (${rows % 2 === 0 ? 'k' : 'k, n'})`,
            ...(values.length === 0 ? [] : [`INSERT IGNORE INTO TABLE_ VALUES ${values.join(', ')}`]),
          )
          await covers(name, rows)
          await server.sql(`DROP TABLE sluice_copy.${name}`)
        },
      ),
      { numRuns: 12 },
    )
  })

  test('dense whole numbers are divided without a query for each bound', async () => {
    const name = await table(
      'k INT PRIMARY KEY',
      'INSERT INTO TABLE_ SELECT seq FROM seq_1_to_1000',
      'DELETE FROM TABLE_ WHERE k % 10 = 0',
    )
    const found = await tableOf(store, name)
    await view(async (opened) => {
      const ranges = await cutAll(opened, { ...found, rows: 900n }, 100)
      expect(ranges).toHaveLength(10)
      expect(ranges[3]).toEqual({ by: 'key', after: ['300'], through: ['400'] })
      expect(await cutAll(opened, found, 100, null, { by: 'all' })).toEqual([{ by: 'all' }])
      const within: Range = { by: 'key', after: ['5000'], through: null }
      expect(await cutAll(opened, found, 100, null, within)).toEqual([within])
      expect(await opened.last(found, within, null, SIGNAL)).toBeNull()
      expect(await opened.last(found, EVERY_KEY, null, SIGNAL)).toEqual(['999'])
    })
  })

  test('a chunk at the end of a composite key reads little more than its own rows', async () => {
    const name = await table(
      'tenant INT, day DATE, id BIGINT, v INT, PRIMARY KEY (tenant, day, id)',
      "INSERT INTO TABLE_ SELECT 1, '2024-01-01' + INTERVAL seq MOD 3 DAY, seq, seq FROM seq_1_to_30000",
      'ANALYZE TABLE TABLE_',
    )
    const found = await tableOf(store, name)
    const range: Range = { by: 'key', after: ['1', '2024-01-03', '29000'], through: ['1', '2024-01-03', '29300'] }
    const { sql, parameters } = mysqlRangeCondition(found, range, null)
    await session.command('FLUSH STATUS')
    const rows = await session.rows(
      `SELECT v FROM "sluice_copy"."${name}" WHERE ${sql} ORDER BY tenant, day, id`,
      parameters,
    )
    const status = await session.command("SHOW SESSION STATUS LIKE 'Handler_read%'")
    expect(rows).toHaveLength(100)
    expect(status.reduce((sum, [, read]) => sum + Number(read), 0)).toBeLessThan(120)
  })

  test('a key whose sort order differs from its comparison is refused with advice', async () => {
    const name = await table(
      "e ENUM('b','a') PRIMARY KEY, f DOUBLE NOT NULL, UNIQUE (f)",
      "INSERT INTO TABLE_ VALUES ('a', 1), ('b', 2)",
    )
    const found = await tableOf(store, name)
    for (const key of [['f'], ['e', 'f']]) {
      const error = await view((opened) => refused(cutAll(opened, { ...found, key }, 1)))
      expect([error.code, error.hint]).toEqual(['UNSUPPORTED_KEY', expect.stringContaining('--key')])
    }
  })
})

describe.skipIf(skipped)(`digests of a MySQL source${why}`, () => {
  test('the server computes the same digest as the reader, for each type that it can print', async () => {
    const name = await table(
      `id INT PRIMARY KEY, b TINYINT(1), bi BIGINT, bu BIGINT UNSIGNED, de DECIMAL(20,6), d0 DECIMAL(9,0), b1 BIT, b9 BIT(9), c CHAR(5), t LONGTEXT,
       la VARCHAR(9) CHARACTER SET latin1, bl BLOB, da DATE, tm TIME(3), t0 TIME, dt DATETIME(6), d1 DATETIME, ts TIMESTAMP(1) NULL, y YEAR,
       e ENUM('é','b') CHARACTER SET latin1, u UUID, cu CHAR(36), j JSON`,
      `INSERT INTO TABLE_ SELECT seq, seq MOD 2, seq * 123456789012 - 50000000000, seq, (CAST(seq AS SIGNED) - 250) / 40, CAST(seq AS SIGNED) - 3, seq MOD 2, seq, RPAD(seq, 5, ' '),
         REPEAT(SUBSTRING('aé😀 ', 1 + seq MOD 4, 1), seq MOD 7), REPEAT('ü', seq MOD 5), UNHEX(SHA1(seq)), '2000-02-29' + INTERVAL seq DAY,
         SEC_TO_TIME(seq * 7.125 - 900), SEC_TO_TIME(seq), '2000-01-01' + INTERVAL seq * 12345600 MICROSECOND, '2000-01-01' + INTERVAL seq HOUR,
         '2000-01-01' + INTERVAL seq * 100000 MICROSECOND, 1901 + seq MOD 200, 1 + seq MOD 2, CONCAT(LPAD(HEX(seq), 8, '0'), '-aaaa-1bbb-8ccc-', RIGHT(MD5(seq), 12)),
         CONCAT_WS('-', SUBSTR(MD5(seq), 1, 8), SUBSTR(MD5(seq), 9, 4), SUBSTR(MD5(seq), 13, 4), SUBSTR(MD5(seq), 17, 4), SUBSTR(MD5(seq), 21)),
         JSON_OBJECT('k', seq) FROM seq_1_to_500`,
      `INSERT INTO TABLE_ (id) VALUES (1000)`,
      'INSERT INTO TABLE_ (id, t) VALUES (1001, REPEAT(CHAR(0), 70000))',
    )
    const found = await tableOf(store, name)
    const as = { b: { kind: 'bool' }, cu: { kind: 'uuid' }, j: { kind: 'native', name: 'json' } } as const
    const request = rowsOf(found, { columns: columnsOf(found, as) })
    const streamed = await streamedDigest(session, request, null, SIGNAL)
    expect(streamed.rows).toBe(502n)
    expect(await serverDigest(session, request)).toEqual(streamed)
    const part: Range = { by: 'key', after: ['100'], through: ['300'] }
    expect(await serverDigest(session, { ...request, range: part, where: "t <> ''" })).toEqual(
      await streamedDigest(session, { ...request, range: part, where: "t <> ''" }, null, SIGNAL),
    )
    const nothing: Range = { by: 'key', after: ['5000'], through: null }
    expect(await serverDigest(session, { ...request, range: nothing })).toEqual({ rows: 0n, sum: '0000000000000000' })
  })

  test('values that the server cannot print are read instead', async () => {
    const name = await table(
      'id INT PRIMARY KEY, u VARCHAR(40), b INT, z INT ZEROFILL, f DOUBLE, j JSON, t LONGTEXT',
      `INSERT INTO TABLE_ VALUES (1, '00112233-4455-6677-8899-AABBCCDDEEFF', 1, 42, 0.1, '{"b":1,"a":2}', 'x')`,
    )
    const found = await tableOf(store, name)
    const of = (columns: readonly string[], as: Readonly<Record<string, ColumnType>> = {}) =>
      rowsOf(found, { columns: columnsOf(found, as).filter((column) => columns.includes(column.name)) })
    const upper = of(['id', 'u'], { u: { kind: 'uuid' } })
    expect(await mysqlCanonicalDigest(session, upper, null, SIGNAL)).toEqual(
      await streamedDigest(session, upper, null, SIGNAL),
    )
    for (const request of [of(['z']), of(['f']), of(['j']), of(['b'], { b: { kind: 'decimal' } })]) {
      expect(await serverDigest(session, request)).toBeNull()
      expect((await mysqlCanonicalDigest(session, request, null, SIGNAL)).rows).toBe(1n)
    }
    await server.sql(`INSERT INTO sluice_copy.${name} (id, b) VALUES (2, 2)`)
    const asBool = of(['id', 'b'], { b: { kind: 'bool' } })
    expect(await serverDigest(session, asBool)).toBeNull()
    expect((await refused(mysqlCanonicalDigest(session, asBool, null, SIGNAL))).code).toBe('VALUE_REFUSED')
    // A text of nearly max_allowed_packet has no room for its length.
    const [[packet] = []] = await session.rows('SELECT @@max_allowed_packet')
    await server.sql(`INSERT INTO sluice_copy.${name} (id, t) VALUES (3, REPEAT('x', ${Number(packet) - 4}))`)
    const long = of(['id', 't'])
    expect(await serverDigest(session, long)).toBeNull()
    expect((await mysqlCanonicalDigest(session, long, null, SIGNAL)).rows).toBe(3n)
  })
})
