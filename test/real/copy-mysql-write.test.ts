/** MySQL and MariaDB as the target of a copy, on a real server: a row is stored unchanged, or it is refused. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keyText } from '../../src/model/copy/key-text.ts'
import type { ColumnType, TableSpec } from '../../src/model/copy/column-type.ts'
import type { Range } from '../../src/model/copy/range.ts'
import type { Cell, Row } from '../../src/model/copy/rows.ts'
import type { ChunkRequest } from '../../src/model/copy/target-port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { WriteColumn } from '../../src/model/copy/write-column.ts'
import { mysqlConfig } from '../../src/stores/mysql/config.ts'
import { mysqlEncoder } from '../../src/stores/mysql/copy/encode.ts'
import { openMysqlCopy } from '../../src/stores/mysql/copy/index.ts'
import { insertRows, isLoadable, loadChunkRows } from '../../src/stores/mysql/copy/insert.ts'
import { mysqlTableSql } from '../../src/stores/mysql/copy/names.ts'
import { openCopySession } from '../../src/stores/mysql/copy/sessions.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import {
  chunkOf,
  columnsOf,
  declared,
  ledgerOf,
  ledgerRow,
  readAll,
  refused,
  rowsOf,
  SIGNAL,
  statusOf,
  sumOf,
  tableOf,
  writeChunk,
} from './copy-mysql-kit.ts'

const skipped = !MARIADB_AVAILABLE
const why = skipped ? ` (skipped: ${MARIADB_MISSING})` : ''

let server: MariadbServer
let store: CopyStore
let made = 0

beforeAll(async () => {
  if (skipped) return
  server = await startMariadb()
  await server.sql('DROP DATABASE IF EXISTS sluice_target')
  await server.createDatabase('sluice_target')
  store = await openMysqlCopy(`${server.url('sluice_target')}?pool_size=1`)
})

afterAll(async () => {
  await store?.[Symbol.asyncDispose]()
  await server?.stop()
})

/** A table created by a user, with some rows. */
async function table(columns: string, ...statements: readonly string[]): Promise<TableSpec> {
  const name = `t${++made}`
  await server.sql(
    `CREATE TABLE sluice_target.${name} (${columns}) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin`,
    ...statements.map((one) => one.replaceAll('TABLE_', `sluice_target.${name}`)),
  )
  return await tableOf(store, name)
}

async function contents(found: TableSpec): Promise<readonly Row[]> {
  await using view = await store.source(SIGNAL)
  return await readAll(view, rowsOf(found, { columns: columnsOf(found), ordered: found.key.length > 0 }))
}

function plain(row: Row): Row {
  return row.map((cell) => (cell instanceof Uint8Array ? `\\x${Buffer.from(cell).toString('hex')}` : cell))
}

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i)

const ZOO = {
  id: { kind: 'int', bits: 64 },
  b: { kind: 'bool' },
  i8: { kind: 'int', bits: 8 },
  u24: { kind: 'int', bits: 24, unsigned: true },
  u64: { kind: 'int', bits: 64, unsigned: true },
  de: { kind: 'decimal', precision: 65, scale: 30 },
  any: { kind: 'decimal' },
  f: { kind: 'float', bits: 32 },
  d: { kind: 'float', bits: 64 },
  t: { kind: 'text' },
  v: { kind: 'text', most: 5 },
  long: { kind: 'text', most: 300 },
  c: { kind: 'text', most: 4, padded: true },
  y: { kind: 'bytes' },
  u: { kind: 'uuid' },
  da: { kind: 'date' },
  ti: { kind: 'time', digits: 6 },
  dt: { kind: 'timestamp', zone: false, digits: 6 },
  ts: { kind: 'timestamp', zone: true, digits: 3 },
  j: { kind: 'json' },
  l: { kind: 'list', of: { kind: 'int', bits: 32 } },
  n: { kind: 'native', name: 'int4range' },
  e: { kind: 'native', name: "enum('a','b''c','d\\\\e')" },
} as const satisfies Record<string, ColumnType>

const ANIMALS: readonly Row[] = [
  ['-9223372036854775808', '1', '-128', '16777215', '18446744073709551615',
    '-12345678901234567890123456789012345.123456789012345678901234567891', `${'9'.repeat(200)}.${'1'.repeat(100)}`, Math.fround(3.4e38), 5e-324,
    'é😀\0\n\r\t\'"\\', 'ab  ', 'ü'.repeat(300), 'x', ALL_BYTES, '00112233-4455-6677-8899-aabbccddeeff', '9999-12-31', '23:59:59.999999',
    '1000-01-01 00:00:00.000001', '2262-04-11 23:47:16.854', '{"a":[1.5,12345678901234567890.123],"b":null}', '[1,null,2]', '[1,5)', "b'c"],
  ['9223372036854775807', '0', '127', '0', '0', '0', '0', 0, 1.7976931348623157e308, '', '', '', '', new Uint8Array(),
    '00000000-0000-0000-0000-000000000000', '0001-01-01', '00:00:00', '0001-01-01 00:00:00', '1969-12-31 23:59:59.5', '0', '[]', '', 'a'],
  ['0', ...Array<null>(22).fill(null)],
  ['5', '1', '0', '1', '9007199254740993', '0.1', '-0.000000000000000000000000000000000000001', Math.fround(0.1), 0.1 + 0.2,
    '\u001b\u001e\u001f\\N', '\\N', 'NULL', 'A', Buffer.from('\u001b\u001e\u001fN\\'), 'ffffffff-ffff-ffff-ffff-ffffffffffff', '2024-02-29',
    '24:00:00', '2024-02-29 12:00:00', '2024-02-29 12:00:00', '"\\u0000"', '[[1],[2]]', '\ufeffbom', 'd\\e'],
] // prettier-ignore

/** Enough rows for LOAD DATA: the four rows, and 40 similar ones. */
const MANY: readonly Row[] = [
  ...ANIMALS,
  ...Array.from({ length: 40 }, (_, i): Row => (ANIMALS[i % 2 === 0 ? 3 : 1] ?? []).with(0, String(100 + i))),
]

describe.skipIf(skipped)(`tables that a MySQL target creates${why}`, () => {
  test.each([
    ['rows', MANY.slice(0, 4)],
    ['a file of rows', MANY],
  ])('values of each type are read as they were written, as %s', async (_, rows) => {
    const wanted = declared(store, `zoo${rows.length}`, ZOO)
    await store.target().create(wanted, SIGNAL)
    const found = await tableOf(store, wanted.table.name)
    expect(found.columns.map(({ name, type }) => [name, type.kind])).toEqual(
      wanted.columns.map(({ name, type }) => [name, type.kind]),
    )
    expect([found.key, found.primary]).toEqual([['id'], true])
    expect(found.columns.filter(({ collation }) => collation !== undefined).map(({ name }) => name)).toEqual(['j', 'l'])
    const columns = columnsOf(found, ZOO)
    await using writer = await store.target().open(chunkOf(found, { columns }))
    expect(await writer.hasRows()).toBe(false)
    expect(await writer.write(rows)).toBe(rows.length)
    expect(await writer.hasRows()).toBe(true)
    const sum = await writer.digest({ scheme: 'canonical' })
    expect(await writer.digest({ scheme: 'count' })).toEqual({ rows: BigInt(rows.length), sum: '' })
    expect(await contents(found)).toEqual([])
    expect(await writer.commit(await ledgerRow(store))).toBe('committed')
    await using view = await store.source(SIGNAL)
    const sorted = rows.toSorted((a, b) => (BigInt(String(a[0])) < BigInt(String(b[0])) ? -1 : 1))
    expect((await readAll(view, rowsOf(found, { columns }))).map(plain)).toEqual(sorted.map(plain))
    expect([sum, await view.digest(rowsOf(found, { columns }), SIGNAL)]).toEqual([sumOf(rows), sumOf(rows)])
    await store.target().finish(found, SIGNAL)
    await store.target().clear(found, SIGNAL)
    expect(await contents(found)).toEqual([])
  })

  test('unbounded texts, bytes and numbers can be keys, alone and together', async () => {
    const key = async (name: string, types: Readonly<Record<string, ColumnType>>, row: Row): Promise<TableSpec> => {
      const spec = declared(store, name, types)
      await store.target().create({ ...spec, key: Object.keys(types) }, SIGNAL)
      const found = await tableOf(store, name)
      expect(found.key).toEqual(Object.keys(types))
      await writeChunk(store, chunkOf(found, { columns: columnsOf(found, types) }), [row])
      return found
    }
    const text = await key('kt', { k: { kind: 'text' } }, ['x'.repeat(700)])
    const long = await refused(writeChunk(store, chunkOf(text), [['x'.repeat(701)]]))
    expect(long.code).toBe('ROW_REFUSED')
    await key('kb', { k: { kind: 'bytes' } }, [ALL_BYTES])
    await key('kc', { a: { kind: 'text' }, b: { kind: 'bytes' }, c: { kind: 'uuid' }, d: { kind: 'int', bits: 32 } }, [
      'a', ALL_BYTES, '00112233-4455-6677-8899-aabbccddeeff', '1',
    ]) // prettier-ignore
    expect(store.declare({ kind: 'decimal' }, true).native).toBe('decimal(65,30)')
    expect(store.declare({ kind: 'text' }, true)).toEqual({
      native: 'varchar(700)',
      type: { kind: 'text', most: 700 },
    })
    const json = declared(store, 'kj', { k: { kind: 'json' } })
    expect((await refused(store.target().create(json, SIGNAL))).code).toBe('TABLE_REFUSED')
  })

  test('texts that differ in case, accents or trailing spaces are different keys', async () => {
    const spec = declared(store, 'exact', { k: { kind: 'text' } })
    await store.target().create(spec, SIGNAL)
    const found = await tableOf(store, 'exact')
    const rows = ['a', 'A', 'á', 'a ', 'a  ', '', ' ', '😀', '😁'].map((k): Row => [k])
    expect(await writeChunk(store, chunkOf(found), rows)).toBe(9)
    expect(await contents(found)).toEqual(
      rows.toSorted(([a], [b]) => Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)))),
    )
  })

  test('tables are created again from the description of another MySQL', async () => {
    const found = await table(
      `id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, e ENUM('a','b''c','x\\\\y','n\\nl') NOT NULL, s SET('x','y'), v VARCHAR(9) CHARACTER SET latin1,
       t TEXT COLLATE utf8mb4_general_ci, z INT(5) ZEROFILL, g POINT, j JSON, u UUID, i INET6, b BIT(9), bin BINARY(4), ts TIMESTAMP(2) NULL, y YEAR`,
      "INSERT INTO TABLE_ VALUES (0, 'n\\nl', 'y,x', 'ä', 'é', 7, POINT(1, 2), '{\"b\":1.50}', '00112233-4455-1677-8899-aabbccddeeff', '::1', 300, 'abc', '2030-01-01 00:00:00.25', 2000)",
    )
    const rows = await contents(found)
    await store.target().create({ ...found, table: { name: 'again' } }, SIGNAL)
    const again = await tableOf(store, 'again')
    expect(again.columns.map(({ identity: _, ...column }) => column)).toEqual(
      found.columns.map(({ identity: _, ...column }) => column),
    )
    expect(again.columns[0]?.identity).toBe(true)
    const native = { j: { kind: 'native', name: 'json' } } as const
    await writeChunk(store, chunkOf(again, { columns: columnsOf(again, native) }), rows)
    expect(await contents(again)).toEqual(rows)
    // Zero is an ordinary number, and the server's next number follows the largest one.
    await server.sql(
      "INSERT INTO sluice_target.again (id, e) VALUES (500, 'a')",
      "INSERT INTO sluice_target.again (e) VALUES ('a')",
    )
    expect((await contents(again)).map(([id]) => id)).toEqual(
      ['0', '500', '501'].map((id) => (id === '0' ? rows[0]?.[0] : id)),
    )
  })

  test('names are used as plain names, and names that the server does not allow are refused', async () => {
    for (const name of ['a`b"c', "it's; DROP TABLE x; --", 'new\nline', 'ünï%_?']) {
      const spec = declared(store, name, { [name]: { kind: 'int', bits: 32 }, [`${name} 2`]: { kind: 'text' } })
      await store.target().create(spec, SIGNAL)
      const found = await tableOf(store, name)
      for (const onExisting of ['refuse', 'upsert', 'append', 'replace-range'] as const) {
        await writeChunk(store, chunkOf(found, { onExisting }), [['1', name]])
      }
      await writeChunk(
        store,
        chunkOf(found),
        Array.from({ length: 20 }, (_, i): Row => [String(i + 2), name]),
      )
      expect(await contents(found)).toHaveLength(21)
    }
    const emoji = declared(store, '😀', { k: { kind: 'int', bits: 32 } })
    expect((await refused(store.target().create(emoji, SIGNAL))).code).toBe('TABLE_REFUSED')
    const twice = declared(store, 'exact2', { k: { kind: 'int', bits: 32 } })
    await store.target().create(twice, SIGNAL)
    expect((await refused(store.target().create(twice, SIGNAL))).code).toBe('TABLE_REFUSED')
    const [column] = twice.columns
    const sly = {
      ...twice,
      table: { name: 'sly' },
      columns: column === undefined ? [] : [{ ...column, native: 'int); DROP TABLE exact2; --' }],
    }
    expect((await refused(store.target().create(sly, SIGNAL))).code).toBe('TABLE_REFUSED')
    expect(await contents(await tableOf(store, 'exact2'))).toEqual([])
  })

  test('a non-transactional table is refused, and a missing one, too', async () => {
    const found = await table('id INT PRIMARY KEY', 'ALTER TABLE TABLE_ ENGINE = Aria')
    const error = await refused(store.target().open(chunkOf(found)))
    expect([error.code, error.hint]).toEqual(['TABLE_REFUSED', expect.stringContaining('InnoDB')])
    const gone = await refused(store.target().open(chunkOf({ ...found, table: { name: 'gone' } })))
    expect(gone.code).toBe('TABLE_REFUSED')
  })
})

describe.skipIf(skipped)(`rows that a MySQL target refuses${why}`, () => {
  const REFUSED: readonly (readonly [column: string, as: ColumnType, cell: Cell])[] = [
    ['TINYINT', { kind: 'int', bits: 16 }, '128'],
    ['INT UNSIGNED', { kind: 'int', bits: 32 }, '-1'],
    ['BIGINT', { kind: 'int', bits: 64, unsigned: true }, '9223372036854775808'],
    ['INT', { kind: 'decimal' }, '1.5'],
    ['DECIMAL(5,2)', { kind: 'decimal' }, '1.005'],
    ['DECIMAL(5,2)', { kind: 'decimal' }, '1000'],
    ['DECIMAL(5,2)', { kind: 'decimal' }, 'NaN'],
    ['DOUBLE', { kind: 'float', bits: 64 }, Number.NaN],
    ['DOUBLE', { kind: 'float', bits: 64 }, Number.NEGATIVE_INFINITY],
    ['DOUBLE', { kind: 'float', bits: 64 }, -0],
    ['FLOAT', { kind: 'float', bits: 64 }, 0.1],
    ['FLOAT', { kind: 'float', bits: 64 }, 1e300],
    ['DOUBLE(10,2)', { kind: 'float', bits: 64 }, 1.23987],
    ['DOUBLE(10,1)', { kind: 'float', bits: 64 }, -0.2],
    ['DOUBLE(10,2) UNSIGNED', { kind: 'decimal', precision: 10, scale: 5 }, '1.23987'],
    ['FLOAT(10,2)', { kind: 'float', bits: 32 }, Math.fround(1.23987)],
    ['VARCHAR(3)', { kind: 'text' }, 'abcd'],
    ['VARCHAR(3)', { kind: 'text' }, 'abc '],
    ['CHAR(5)', { kind: 'text' }, 'abc '],
    ['TINYTEXT', { kind: 'text' }, 'ä'.repeat(128)],
    ['VARCHAR(9) CHARACTER SET latin1', { kind: 'text' }, 'Ω😀'],
    ['VARBINARY(3)', { kind: 'bytes' }, Buffer.from('abcd')],
    ['BINARY(3)', { kind: 'bytes' }, Buffer.from('ab')],
    ['DATE', { kind: 'date' }, '0000-00-00'],
    ['DATE', { kind: 'date' }, '2024-02-30'],
    ['DATE', { kind: 'date' }, '2024-05-00'],
    ['DATE', { kind: 'date' }, '10000-01-01'],
    ['DATE', { kind: 'date' }, '0044-03-15 BC'],
    ['DATE', { kind: 'date' }, 'infinity'],
    ['DATETIME', { kind: 'timestamp', zone: false, digits: 6 }, '2024-01-01 00:00:00.5'],
    ['DATETIME(3)', { kind: 'timestamp', zone: true, digits: 6 }, '2024-01-01 00:00:00.1234'],
    ['DATETIME', { kind: 'timestamp', zone: false, digits: 0 }, 'infinity'],
    ['TIMESTAMP NULL', { kind: 'timestamp', zone: true, digits: 0 }, '2039-01-01 00:00:00'],
    ['TIMESTAMP NULL', { kind: 'timestamp', zone: true, digits: 0 }, '1969-12-31 00:00:00'],
    ['TIME', { kind: 'time', digits: 3 }, '12:00:00.5'],
    ['TIME', { kind: 'time', digits: 0 }, '839:00:00'],
    ["ENUM('a','2')", { kind: 'native', name: 'enum' }, '1'],
    ["ENUM('a','b')", { kind: 'native', name: 'enum' }, ''],
    ["SET('a','b')", { kind: 'native', name: 'set' }, 'a,c'],
    ['JSON', { kind: 'json' }, '{"a":'],
    ['BIT(3)', { kind: 'int', bits: 8, unsigned: true }, '8'],
    ['INT NOT NULL', { kind: 'int', bits: 32 }, null],
    ['TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP', { kind: 'timestamp', zone: true, digits: 0 }, null],
    ['INET6', { kind: 'native', name: 'inet6' }, 'nowhere'],
    ['INT CHECK (c < 5)', { kind: 'int', bits: 32 }, '5'],
  ]

  test('a value that the column would change or refuse, alone and among many', async () => {
    const types = REFUSED.map(([column], i) => column.replaceAll('c < 5', `c${i} < 5`))
    await server.sql(
      ...types.map(
        (type, i) =>
          `CREATE TABLE sluice_target.refused${i} (id INT PRIMARY KEY, c${i} ${type}) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin`,
      ),
    )
    const tables = new Map((await store.tables('refused*', SIGNAL)).map((found) => [found.table.name, found]))
    for (const [i, [type, as, cell]] of REFUSED.entries()) {
      const found = tables.get(`refused${i}`)
      if (found === undefined) throw new Error(`there is no table refused${i}`)
      const request = chunkOf(found, { columns: columnsOf(found, { [`c${i}`]: as }) })
      const among = Array.from({ length: 30 }, (_, at): Row => [String(at), at === 20 ? cell : null])
      for (const rows of [[['1', cell]], ...(found.columns[1]?.nullable === true ? [among] : [])]) {
        await using writer = await store.target().open(request)
        const error = await refused(writer.write(rows))
        expect([error.code, type, rows.length]).toEqual(['ROW_REFUSED', type, rows.length])
        expect(error.where).toContain(found.table.name)
      }
    }
    const ledger = await ledgerOf(store)
    for (const name of tables.keys()) expect(await ledger.all(`SELECT id FROM ${name}`)).toEqual([])
  })

  test('property: exactly the numbers that DOUBLE(M,D) and FLOAT(M,D) store as others', async () => {
    const scales = [0, 1, 2, 5, 10, 20, 30]
    const types = scales.flatMap((scale) => [`DOUBLE(255,${scale})`, `FLOAT(255,${scale})`])
    const found = await table(`id INT PRIMARY KEY, ${types.map((type, i) => `c${i} ${type}`).join(', ')}`)
    const encoders = columnsOf(found).map((column) => mysqlEncoder(column, 'mariadb', 't'))
    const accepts = (i: number, cell: Cell | undefined): boolean => {
      try {
        encoders[i]?.(cell ?? null)
        return true
      } catch {
        return false
      }
    }
    const number = fc
      .tuple(fc.integer({ min: -(2 ** 31), max: 2 ** 31 }), fc.integer({ min: -25, max: 8 }), fc.double({ min: 1, max: 2 }), fc.boolean())
      .map(([digits, exponent, noise, isShort]) => Number(`${digits}e${exponent}`) * (isShort ? 1 : noise) || 0) // prettier-ignore
    await fc.assert(
      fc.asyncProperty(fc.array(number, { minLength: 1, maxLength: 200 }), async (numbers) => {
        const given = numbers.map((one) => types.map((type) => (type.startsWith('FLOAT') ? Math.fround(one) : one)))
        const rows = given.map((cells, id) => `(${id}, ${cells.map((cell) => `'${cell}'`).join(', ')})`)
        await server.sql(
          `DELETE FROM sluice_target.${found.table.name}`,
          `INSERT INTO sluice_target.${found.table.name} VALUES ${rows.join(', ')}`,
        )
        for (const [id, [, ...stored]] of (await contents(found)).entries()) {
          for (const [at, cell] of stored.entries()) {
            const one = given[id]?.[at]
            expect([types[at], one, cell, accepts(at + 1, one)]).toEqual([types[at], one, cell, cell === one])
            // What the server has stored once, it stores unchanged.
            expect([types[at], cell, accepts(at + 1, cell)]).toEqual([types[at], cell, true])
          }
        }
      }),
      { numRuns: 20 },
    )
  })

  test('existing keys, missing parents, and triggers', async () => {
    const parent = await table('id INT PRIMARY KEY', 'INSERT INTO TABLE_ VALUES (1)')
    const child = await table(
      `id INT PRIMARY KEY, p INT, u INT, UNIQUE (u), FOREIGN KEY (p) REFERENCES ${parent.table.name} (id)`,
      'INSERT INTO TABLE_ VALUES (1, 1, 1)',
    )
    const many = (row: Row): readonly Row[] => [
      ...Array.from({ length: 20 }, (_, i): Row => [String(i + 100), null, null]),
      row,
    ]
    for (const rows of [
      [['1', null, null]],
      many(['1', null, null]),
      [['2', '7', null]],
      many(['2', '7', null]),
      many(['2', null, '1']),
    ]) {
      expect((await refused(writeChunk(store, chunkOf(child), rows))).code).toBe('ROW_REFUSED')
    }
    expect(await contents(child)).toEqual([['1', '1', '1']])
    await server.sql(
      `CREATE TRIGGER sluice_target.no BEFORE INSERT ON sluice_target.${parent.table.name} FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'`,
    )
    const error = await refused(writeChunk(store, chunkOf(parent), [['2']]))
    expect([error.code, error.message]).toEqual(['ROW_REFUSED', 'not today'])
  })

  test("a row larger than the server's packet, with advice", async () => {
    const found = await table('id INT PRIMARY KEY, t LONGTEXT')
    // The default of the server is 16 MiB.
    const long = 'x'.repeat(16 * 2 ** 20 + 1024)
    for (const more of [0, 20]) {
      const rows = [...Array.from({ length: more }, (_, i): Row => [String(i + 5), 'a']), ['1', long]]
      const error = await refused(writeChunk(store, chunkOf(found), rows))
      expect([error.code, error.hint]).toEqual(['ROW_REFUSED', expect.stringContaining('max_allowed_packet')])
    }
    expect(await contents(found)).toEqual([])
  })

  test('numbers in JSON that MySQL would round, and MariaDB would not', () => {
    const column: WriteColumn = {
      name: 'j',
      as: { kind: 'json' },
      column: { name: 'j', type: { kind: 'json' }, native: 'json', nullable: true },
    }
    const mysql = mysqlEncoder(column, 'mysql', 't')
    const mariadb = mysqlEncoder(column, 'mariadb', 't')
    for (const exact of [
      '[1,-0.5,18446744073709551615,-9223372036854775808,1e22,"1.00000000000000000001"]',
      '{"0.1":0.30000000000000004}',
    ]) {
      expect([mysql(exact), mariadb(exact)]).toEqual([exact, exact])
    }
    for (const rounded of [
      '[18446744073709551616.5]',
      '{"a":0.1234567890123456789}',
      '1e400',
      '[36893488147419103233]',
    ]) {
      expect(() => mysql(rounded)).toThrow(/round/)
      expect(mariadb(rounded)).toBe(rounded)
    }
  })
})

describe.skipIf(skipped)(`chunks of a MySQL target${why}`, () => {
  const numbered = (...numbers: readonly number[]): readonly Row[] => numbers.map((n): Row => [String(n), `new ${n}`])
  const range = (after: number | null, through: number | null): Range => ({
    by: 'key',
    after: after === null ? null : [String(after)],
    through: through === null ? null : [String(through)],
  })
  const filled = (): Promise<TableSpec> =>
    table(
      'id INT PRIMARY KEY, t VARCHAR(20), more INT DEFAULT 7',
      "INSERT INTO TABLE_ SELECT seq * 2, CONCAT('old ', seq * 2), 1 FROM sluice_target.seq_1_to_10",
    )
  const two = (found: TableSpec, more: Partial<ChunkRequest> = {}): ChunkRequest =>
    chunkOf(found, { columns: columnsOf(found).slice(0, 2), ...more })

  test('upsert overwrites rows with equal keys, and keeps other columns', async () => {
    const found = await filled()
    const rows = numbered(1, 2, 3, 4)
    expect(await writeChunk(store, two(found, { onExisting: 'upsert', range: range(null, 5) }), rows)).toBe(4)
    const after = await contents(found)
    expect(after.slice(0, 5)).toEqual([['1', 'new 1', '7'], ['2', 'new 2', '1'], ['3', 'new 3', '7'], ['4', 'new 4', '1'], ['6', 'old 6', '1']]) // prettier-ignore
    expect(after).toHaveLength(12)
    await using writer = await store.target().open(two(found, { onExisting: 'upsert', range: range(null, 9) }))
    const only = new Set(rows.map(([id]) => keyText([id ?? null])))
    expect(await writer.digest({ scheme: 'canonical', only })).toEqual(sumOf(rows))
  })

  test('upsert refuses a row that would replace a row of another key through another unique index', async () => {
    const found = await table(
      'id INT PRIMARY KEY, mail VARCHAR(20) UNIQUE',
      "INSERT INTO TABLE_ VALUES (1, 'a'), (2, 'b')",
    )
    const upsert = (...rows: readonly Row[]): Promise<number> =>
      writeChunk(store, chunkOf(found, { onExisting: 'upsert' }), rows)
    expect(await upsert(['1', 'c'], ['3', 'd'])).toBe(2)
    for (const row of [
      ['4', 'b'],
      ['1', 'b'],
    ])
      expect((await refused(upsert(['9', 'x'], row))).code).toBe('ROW_REFUSED')
    expect(await contents(found)).toEqual([['1', 'c'], ['2', 'b'], ['3', 'd']]) // prettier-ignore
  })

  test('upsert with a composite key of many types', async () => {
    const found = await table(
      'a VARCHAR(9), b BINARY(2), c DATETIME(3), d DECIMAL(9,3), e BIT(9), f UUID, v INT, PRIMARY KEY (a, b, c, d, e, f)',
    )
    const key = ['x', Buffer.from('ab'), '2024-01-01 00:00:00.5', '1.25', '300', '00112233-4455-1677-8899-aabbccddeeff']
    const upsert = (row: Row): Promise<number> => writeChunk(store, chunkOf(found, { onExisting: 'upsert' }), [row])
    await upsert([...key, '1'])
    await upsert([...key, '2'])
    await upsert([...key.with(0, 'X'), '3'])
    expect((await contents(found)).map((row) => row.at(-1))).toEqual(['3', '2'])
  })

  test('replace-range removes the rows of the range, and no others', async () => {
    const found = await filled()
    await writeChunk(store, two(found, { onExisting: 'replace-range', range: range(4, 12) }), numbered(5, 6))
    expect((await contents(found)).map(([id]) => id)).toEqual(['2', '4', '5', '6', '14', '16', '18', '20'])
    await writeChunk(store, two(found, { onExisting: 'replace-range', range: range(12, null) }), [])
    expect((await contents(found)).map(([id]) => id)).toEqual(['2', '4', '5', '6'])
  })

  test('replace-range is refused if other tables would lose rows', async () => {
    const parent = await table('id INT PRIMARY KEY', 'INSERT INTO TABLE_ VALUES (1), (2), (30)')
    const child = await table('p INT', 'INSERT INTO TABLE_ VALUES (1)')
    const replaced = (after: number, through: number | null) =>
      chunkOf(parent, { onExisting: 'replace-range', range: range(after, through) })
    await writeChunk(store, replaced(20, null), [])
    const refusal = async () => {
      await using chunk = await store.target().open(replaced(0, 10))
      return await refused(chunk.digest({ scheme: 'count' }))
    }
    const refer = (action: string) =>
      server.sql(
        `ALTER TABLE sluice_target.${child.table.name} ADD CONSTRAINT \`k${action}\` FOREIGN KEY (p) REFERENCES ${parent.table.name} (id) ${action}`,
      )
    await refer('ON DELETE CASCADE')
    const error = await refusal()
    expect([error.code, error.message]).toEqual(['TABLE_REFUSED', expect.stringContaining(child.table.name)])
    expect(await contents(child)).toEqual([['1']])
    await server.sql(`ALTER TABLE sluice_target.${child.table.name} DROP FOREIGN KEY \`kON DELETE CASCADE\``)
    await refer('')
    expect(await refusal()).toMatchObject({
      code: 'TABLE_REFUSED',
      message: expect.stringContaining('cannot be deleted') as string,
    })
    await store.target().clear(child, SIGNAL)
    await store.target().clear(parent, SIGNAL)
    expect(await contents(parent)).toEqual([])
  })

  test('append skips existing keys, and refuses rows for another index or for their type', async () => {
    const found = await filled()
    const rows = numbered(1, 2, 3, 4)
    expect(await writeChunk(store, two(found, { onExisting: 'append' }), rows)).toBe(2)
    expect((await contents(found)).slice(0, 4).map(([, t]) => t)).toEqual(['new 1', 'old 2', 'new 3', 'old 4'])
    expect(
      (
        await refused(
          writeChunk(store, two(found, { onExisting: 'append' }), [...numbered(2, 5), ['7', 'x'.repeat(21)]]),
        )
      ).code,
    ).toBe('ROW_REFUSED')
    await server.sql(`ALTER TABLE sluice_target.${found.table.name} ADD UNIQUE (t)`)
    const fresh = await openMysqlCopy(server.url('sluice_target'))
    const append = (...some: readonly Row[]): Promise<number> =>
      writeChunk(fresh, two(found, { onExisting: 'append' }), some)
    expect((await refused(append(['50', 'old 20']))).code).toBe('ROW_REFUSED')
    expect(await append(['20', 'old 20'], ['50', 'y'])).toBe(1)
    await fresh[Symbol.asyncDispose]()
    const keyless = await table('a INT, b INT')
    const append2 = chunkOf(keyless, { onExisting: 'append', range: { by: 'all' } })
    expect(await writeChunk(store, append2, [['1', '1'], ['1', '1']])).toBe(2) // prettier-ignore
  })

  test('upsert and append need an index on the key', async () => {
    const found = await table('id INT, t INT')
    for (const onExisting of ['upsert', 'append'] as const) {
      const error = await refused(writeChunk(store, chunkOf({ ...found, key: ['id'] }, { onExisting }), [['1', '1']]))
      expect([error.code, error.message]).toEqual(['TABLE_REFUSED', expect.stringContaining('unique index')])
    }
  })

  test('careful: a refused batch leaves no rows, and other batches stay', async () => {
    const found = await table('id INT PRIMARY KEY, t VARCHAR(5)')
    await using writer = await store.target().open(chunkOf(found, { careful: true }))
    const batch = (from: number, wrong?: number): readonly Row[] =>
      Array.from({ length: 20 }, (_, i): Row => [String(from + i), from + i === wrong ? 'too long' : 'fine'])
    await writer.write(batch(0))
    for (const rows of [
      batch(100, 110),
      batch(5),
      [
        ['200', 'fine'],
        ['201', 'too long'],
      ],
    ] as const) {
      expect((await refused(writer.write(rows))).code).toBe('ROW_REFUSED')
    }
    await writer.write([['300', null]])
    expect(await writer.digest({ scheme: 'count' })).toMatchObject({ rows: 21n })
    expect(await writer.commit(await ledgerRow(store))).toBe('committed')
    expect(await contents(found)).toHaveLength(21)
  })

  test('not careful: after a refused row nothing can be written or committed', async () => {
    const found = await table('id INT PRIMARY KEY')
    await using writer = await store.target().open(chunkOf(found))
    await writer.write([['1']])
    expect((await refused(writer.write([['2'], ['1']]))).code).toBe('ROW_REFUSED')
    expect((await refused(writer.write([['3']]))).code).toBe('ROW_REFUSED')
    const closing = await ledgerRow(store)
    expect((await refused(writer.commit(closing))).code).toBe('ROW_REFUSED')
    await writer[Symbol.asyncDispose]()
    expect(await contents(found)).toEqual([])
    expect(await statusOf(store, closing.id)).toBe('in_progress')
  })

  test('a chunk with a new owner leaves no rows', async () => {
    const found = await table('id INT PRIMARY KEY')
    await using writer = await store.target().open(chunkOf(found))
    await writer.write([['1']])
    const closing = await ledgerRow(store, 2)
    expect(await writer.commit(closing)).toBe('fenced')
    await writer[Symbol.asyncDispose]()
    expect(await contents(found)).toEqual([])
    expect(await statusOf(store, closing.id)).toBe('in_progress')
    // An UPDATE of the ledger without a change still counts as one matched row.
    const same = await ledgerRow(store)
    const again = {
      ...same,
      statements: [{ sql: "UPDATE ledger SET status = 'in_progress' WHERE id = ?", parameters: [same.id] }],
    }
    await using other = await store.target().open(chunkOf(found))
    expect(await other.commit(again)).toBe('committed')
  })

  test('concurrent chunks', async () => {
    const found = await table('id INT PRIMARY KEY, t TEXT')
    await Promise.all(
      Array.from({ length: 6 }, async (_, chunk) => {
        const rows = Array.from({ length: 200 }, (_row, i): Row => [String(chunk * 1000 + i), 'x'.repeat(i)])
        await using writer = await store
          .target()
          .open(chunkOf(found, { range: range(chunk * 1000 - 1, chunk * 1000 + 999) }))
        expect(await writer.hasRows()).toBe(false)
        for (let at = 0; at < rows.length; at += 50) await writer.write(rows.slice(at, at + 50))
        expect(await writer.digest({ scheme: 'canonical' })).toEqual(sumOf(rows))
        await writer.commit(await ledgerRow(store))
      }),
    )
    expect(await contents(found)).toHaveLength(1200)
  })

  test('property: a file of rows and INSERTs write the same', async () => {
    const found = await table(
      'id INT PRIMARY KEY, t LONGTEXT, v VARCHAR(30), y LONGBLOB, d DOUBLE, b BIGINT, de DECIMAL(20,5), dt DATETIME(6)',
    )
    const reference = await table(
      'id INT PRIMARY KEY, t LONGTEXT, v VARCHAR(30), y LONGBLOB, d DOUBLE, b BIGINT, de DECIMAL(20,5), dt DATETIME(6)',
    )
    const session = await openCopySession(mysqlConfig(server.url('sluice_target')), 'write')
    const text = fc.string({
      unit: fc.constantFrom('a', '\\', '\u001b', '\u001e', '\u001f', 'N', '\0', '\n', '😀', "'", '"', '\ufeff'),
      maxLength: 6,
    })
    const orNull = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(one, { freq: 5 })
    const row = fc.tuple(
      orNull(text), orNull(text), orNull(fc.uint8Array({ maxLength: 12 })), orNull(fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n || 0)),
      orNull(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String)), orNull(fc.integer().map((n) => `${n}.12345`)),
      orNull(fc.constantFrom('2024-02-29 23:59:59.999999', '1000-01-01 00:00:00')),
    ) // prettier-ignore
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 40 }), async (rows) => {
          const given = rows.map((cells, i): Row => [String(i), ...cells])
          for (const [spec, put] of [
            [found, loadChunkRows],
            [reference, insertRows],
          ] as const) {
            // prettier-ignore
            const columns = columnsOf(spec)
            const into = { table: mysqlTableSql(spec.table), name: spec.table.name, columns, key: spec.key, where: 't' }
            const encoders = columns.map((column) => mysqlEncoder(column, 'mariadb', 't'))
            expect(isLoadable(session, into)).toBe(true)
            await session.command(`DELETE FROM ${into.table}`)
            await put(
              session,
              into,
              given.map((cells) => cells.map((cell, i) => encoders[i]?.(cell) ?? null)),
            )
            await session.command('COMMIT')
          }
          const written = await contents(found)
          expect(written.map(plain)).toEqual(given.map(plain))
          expect((await contents(reference)).map(plain)).toEqual(given.map(plain))
        }),
        { numRuns: 20 },
      )
    } finally {
      session.destroy()
    }
  })
})
