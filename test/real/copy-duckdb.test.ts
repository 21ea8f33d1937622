/**
 * DuckDB as source and target of copies: each value of the type zoo, digests by SQL and row by row, and atomic chunks.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Column, ColumnType } from '../../src/model/copy/column-type.ts'
import { keyText } from '../../src/model/copy/key-text.ts'
import { EVERY_KEY, type Range } from '../../src/model/copy/range.ts'
import { RowChecksum } from '../../src/model/copy/row-hash.ts'
import type { Cell, Row } from '../../src/model/copy/rows.ts'
import type { SluiceError } from '../../src/shared/errors.ts'
import type { ChunkRequest, ChunkWriter } from '../../src/model/copy/target-port.ts'
import type { Closing } from '../../src/model/run/ledger-port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openDuckdbCopy } from '../../src/stores/duckdb/copy/index.ts'
import { NEVER, onlyTable, readAll, rowsOf, tableOf, zooTable, ZOO } from '../support/copy-zoo.ts'

const CHILD = resolve(import.meta.dirname, 'copy-file-child.mjs')
let folder: string
let count = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-duckdb-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const newFile = (): string => join(folder, `${++count}.duckdb`)
const open = (file: string, mode: 'read' | 'write' = 'write'): Promise<CopyStore> =>
  openDuckdbCopy(file, { mode, label: `duckdb:///${file}` })

/** Runs SQL in a file that no other connection has open. */
async function plainly(file: string, sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(file)
  const connection = await instance.connect()
  try {
    return await (await connection.run(sql)).getRowsJson()
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

async function storeOf(sql: string, mode: 'read' | 'write' = 'write'): Promise<CopyStore & { file: string }> {
  const file = newFile()
  await plainly(file, `${LEDGER}; ${sql}`)
  return Object.assign(await open(file, mode), { file })
}

const LEDGER = `CREATE TABLE chunks (id INTEGER PRIMARY KEY, owner VARCHAR, status VARCHAR); INSERT INTO chunks VALUES (1, 'me', 'in_progress')`

function closing(owner = 'me'): Closing {
  const held = { sql: `SELECT 1 FROM chunks WHERE owner = ?`, parameters: [owner] }
  return {
    statements: [{ sql: `UPDATE chunks SET status = 'completed' WHERE owner = ?`, parameters: [owner] }],
    guard: held,
    landed: held,
  }
}

async function chunkOf(store: CopyStore, options: Partial<ChunkRequest> = {}): Promise<ChunkWriter> {
  const table = await onlyTable(store, 't')
  const { columns } = readAll(table)
  return store
    .target()
    .open({ table, columns, range: EVERY_KEY, onExisting: 'refuse', careful: false, signal: NEVER, ...options })
}

async function rowsIn(store: CopyStore): Promise<Row[]> {
  const table = await onlyTable(store, 't')
  return rowsOf(store, { ...readAll(table, { by: 'all' }), ordered: table.key.length > 0 })
}

function sumOf(rows: readonly Row[]) {
  const sum = new RowChecksum()
  for (const row of rows) sum.add(row)
  return sum.digest()
}

const between = (after: string | null, through: string | null): Range => ({
  by: 'key',
  after: after === null ? null : [after],
  through: through === null ? null : [through],
})

const plain = (cell: Cell): unknown => (cell instanceof Uint8Array ? Buffer.from(cell).toString('hex') : cell)
const TABLE = `CREATE TABLE t (id BIGINT PRIMARY KEY, x VARCHAR NOT NULL)`

/** Types that DuckDB has besides those of all systems. */
const MORE = [
  {
    name: 'before Christ',
    type: { kind: 'date' },
    cells: ['0044-03-15 BC', 'infinity', '-infinity', '12024-01-01', null],
  },
  {
    name: 'long ago',
    type: { kind: 'timestamp', zone: false, digits: 6 },
    cells: ['0044-03-15 12:00:00.5 BC', 'infinity', '12024-01-01 00:00:00', null],
  },
  {
    name: 'any moment',
    type: { kind: 'timestamp', zone: true, digits: 6 },
    cells: ['0044-03-15 12:00:00 BC', '-infinity', null],
  },
  {
    name: 'nanoseconds',
    type: { kind: 'timestamp', zone: false, digits: 9 },
    cells: ['2024-01-01 00:00:00.123456789', '2024-01-01 00:00:00.5', '2024-01-01 00:00:00', null],
  },
  {
    name: 'strange floats',
    type: { kind: 'float', bits: 64 },
    cells: [Number.NaN, -0, Number.POSITIVE_INFINITY, null],
  },
  { name: 'strange texts', type: { kind: 'text' }, cells: ['a\0b', '\0', '\u{feff}', '\u{feff}\u{feff}x', null] },
  { name: 'names', type: { kind: 'list', of: { kind: 'text' } }, cells: ['["a\\"b","","\u{feff}x",null]', '[]', null] },
  {
    name: 'many decimals',
    type: { kind: 'list', of: { kind: 'decimal' } },
    cells: ['[1234567890123456789012345678.0123456789]', null],
  },
] as const satisfies typeof ZOO

describe('values', () => {
  it('are read with their types and values, and with the digest of the rows', async () => {
    await using store = await open(newFile())
    const { table, columns, rows } = zooTable(store, 'zoo', [...ZOO, ...MORE])
    await store.target().create({ ...table, table: { schema: 'main', name: 'zoo' } }, NEVER)
    const found = await onlyTable(store, 'zoo')
    expect(found.columns.map(({ name, type, native }) => ({ name, type, native }))).toEqual(
      table.columns.map(({ name, type, native }) => ({ name, type, native })),
    )
    expect(found.key).toEqual(['id'])
    const one = { sql: 'SELECT 1', parameters: [] }
    {
      const request = {
        table: found,
        columns,
        range: EVERY_KEY,
        onExisting: 'refuse',
        careful: false,
        signal: NEVER,
      } as const
      await using chunk = await store.target().open(request)
      expect(await chunk.write(rows)).toBe(rows.length)
      expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sumOf(rows))
      expect(await chunk.digest({ scheme: 'count' })).toEqual({ rows: BigInt(rows.length), sum: '' })
      await chunk.commit({ statements: [one], guard: one, landed: one })
    }
    const request = { table: found, columns, range: EVERY_KEY, where: null, ordered: true }
    const back = await rowsOf(store, request)
    expect(back.map((row) => row.map(plain))).toEqual(rows.map((row) => row.map(plain)))
    await using view = await store.source(NEVER)
    expect(await view.digest(request, NEVER)).toEqual(sumOf(rows))
  })

  it('are read in key order, in spite of misleading column names', async () => {
    const file = newFile()
    const numbered = 'SELECT 13 - i AS n, 1 + i AS m FROM range(12) t(i)'
    await plainly(file, `CREATE TABLE named (c1 INTEGER, c0 INTEGER PRIMARY KEY); INSERT INTO named ${numbered}`)
    await using store = await open(file, 'read')
    const rows = await rowsOf(store, { ...readAll(await onlyTable(store, 'named')), ordered: true })
    expect(rows.map(([, key]) => key)).toEqual(Array.from({ length: 12 }, (_, at) => String(at + 1)))
  })

  it('have the same digest by SQL and row by row', async () => {
    await using store = await open(newFile())
    // Without JSON, whose canonical form SQL cannot compute.
    const zoo = [...ZOO, ...MORE].filter(({ type }) => type.kind !== 'json' && type.kind !== 'list')
    for (const [i, one] of zoo.entries()) {
      const { table, columns, rows } = zooTable(store, `t${i}`, [one])
      await store.target().create(table, NEVER)
      const request = { table, columns, range: EVERY_KEY, onExisting: 'append', careful: false, signal: NEVER } as const
      await using chunk = await store.target().open(request)
      await chunk.write(rows)
      const only = new Set(rows.map(([id]) => keyText([id ?? null])))
      expect([one.name, await chunk.digest({ scheme: 'canonical' })]).toEqual([one.name, sumOf(rows)])
      expect([one.name, await chunk.digest({ scheme: 'canonical', only })]).toEqual([one.name, sumOf(rows)])
    }
  })

  it("of nested types are copied as JSON, and in DuckDB's own text between two files", async () => {
    const sql = `CREATE TYPE mood AS ENUM ('sad', 'it''s'); CREATE TABLE t (id INTEGER PRIMARY KEY, s STRUCT(a VARCHAR, b DECIMAL(38,10)), l INTEGER[], m MAP(VARCHAR, INTEGER),
      e mood, i INTERVAL, h HUGEINT, tz TIMETZ, bits BIT, ll VARCHAR[][], bl BLOB[]);
      INSERT INTO t VALUES (1, {'a': 'it''s, "x" {', 'b': 1234567890123456789012345678.0123456789}, [1, NULL], MAP {'k': 1}, 'it''s', INTERVAL '1 month 2 days',
        170141183460469231731687303715884105727, '12:00:00+02', '101', [['a,b', NULL], []], ['\\x00'::BLOB]), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`
    await using source = await storeOf(sql)
    const table = await onlyTable(source, 't')
    expect(table.columns.map(({ type }) => type.kind)).toEqual([
      'int',
      'json',
      'list',
      'json',
      'native',
      'native',
      'decimal',
      'native',
      'native',
      'list',
      'native',
    ])
    expect(await rowsOf(source, readAll(table))).toEqual([
      [
        '1',
        '{"a":"it\'s, \\"x\\" {","b":1234567890123456789012345678.0123456789}',
        '[1,null]',
        '{"k":1}',
        "it's",
        '1 month 2 days',
        '170141183460469231731687303715884105727',
        '12:00:00+02',
        '101',
        '[["a,b",null],[]]',
        expect.any(String) as string,
      ],
      ['2', null, null, null, null, null, null, null, null, null, null],
    ])
    // As in a plan between two files of DuckDB.
    const verbatim = (column: Column): ColumnType =>
      column.type.kind === 'json' || column.type.kind === 'list' ? { kind: 'native', name: column.native } : column.type
    const columns = table.columns.map((column) => ({ name: column.name, as: verbatim(column), column }))
    const request = { table, columns, range: EVERY_KEY, where: null, ordered: true }
    const rows = await rowsOf(source, request)
    await using target = await open(newFile())
    await target.target().create({ ...table, table: { name: 't' } }, NEVER)
    await using chunk = await target.target().open({ ...request, onExisting: 'refuse', careful: false, signal: NEVER })
    await chunk.write(rows)
    expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sumOf(rows))
    await using view = await source.source(NEVER)
    expect(await view.digest(request, NEVER)).toEqual(sumOf(rows))
  })

  it.each<[string, string, ColumnType, Cell, RegExp]>([
    ['too large for BIGINT', 'BIGINT', { kind: 'int', bits: 64 }, '9223372036854775808', /9223372036854775808/],
    ['a fraction in BIGINT', 'BIGINT', { kind: 'decimal' }, '7.5', /0 decimal places/],
    ['too many digits behind the point', 'DECIMAL(10,2)', { kind: 'decimal' }, '1.234', /2 decimal places/],
    ['too many digits before it', 'DECIMAL(4,2)', { kind: 'decimal' }, '123', /DECIMAL\(4,2\)/],
    ['NaN as a decimal', 'DECIMAL(4,2)', { kind: 'decimal' }, 'NaN', /NaN/],
    [
      'nanoseconds',
      'TIMESTAMP',
      { kind: 'timestamp', zone: false, digits: 9 },
      '2024-01-01 00:00:00.1234567',
      /6 decimal places/,
    ],
    [
      'beyond the calendar',
      'TIMESTAMP',
      { kind: 'timestamp', zone: false, digits: 6 },
      '294277-01-01 00:00:00',
      /294277/,
    ],
    ['half a character', 'VARCHAR', { kind: 'text' }, 'a\ud800', /surrogate/],
    ['no label of the type', `ENUM('a', 'b')`, { kind: 'native', name: 'x' }, 'c', /c/],
  ])('%s: refused by name', async (_, native, as, cell, why) => {
    await using store = await storeOf(`CREATE TABLE t (x ${native})`)
    for (const careful of [false, true]) {
      const { columns } = readAll(await onlyTable(store, 't'))
      await using chunk = await chunkOf(store, {
        careful,
        columns: columns.map((column) => ({ ...column, as })),
        onExisting: 'append',
        range: { by: 'all' },
      })
      const thrown = await chunk.write([[cell]]).catch((error: unknown) => error as SluiceError)
      expect(thrown).toMatchObject({ code: 'ROW_REFUSED' })
      const { message, reason = '' } = thrown as SluiceError
      expect(`${message} ${reason}`).toMatch(why)
      if (careful) expect(await chunk.write([[null]])).toBe(1)
      else await expect(chunk.write([[null]])).rejects.toThrow(/has ended/)
    }
  })

  it('that JSON cannot represent are named, and quarantined by the caller', async () => {
    await using store = await storeOf(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, x DOUBLE[]); INSERT INTO t VALUES (1, [1.5]), (7, ['nan'::DOUBLE])`,
    )
    const table = await onlyTable(store, 't')
    await expect(rowsOf(store, readAll(table))).rejects.toMatchObject({
      code: 'VALUE_REFUSED',
      where: 't.x, row 7',
      kind: 'source',
    })
    const aside: unknown[] = []
    expect(await rowsOf(store, { ...readAll(table), onRefused: (row) => aside.push(row) })).toEqual([['1', '[1.5]']])
    expect(aside).toHaveLength(1)
  })
})

describe('tables', () => {
  it('are found with key and columns, and other objects are not', async () => {
    await using store =
      await storeOf(`${TABLE}; CREATE VIEW v AS SELECT 1; CREATE SCHEMA "a.b"; CREATE TABLE "a.b"."c""; --" (x INT UNIQUE, y INT NOT NULL, UNIQUE (y));
      CREATE TABLE g (a INTEGER, "b c" BIGINT GENERATED ALWAYS AS (a + 1), d INT DEFAULT 7, n VARCHAR COLLATE NOCASE, PRIMARY KEY (n, a));
      CREATE TEMP TABLE tmp (a INT); CREATE SEQUENCE s`)
    const names = async (pattern: string): Promise<readonly string[]> =>
      (await store.tables(pattern, NEVER)).map(({ table }) => `${table.schema}.${table.name}`)
    expect(await names('*')).toEqual(['main.chunks', 'main.g', 'main.t'])
    expect(await names('*.*')).toEqual(['a.b.c"; --', 'main.chunks', 'main.g', 'main.t'])
    expect(await names('main.t')).toEqual(['main.t'])
    expect(await names('a.b.c"; --')).toEqual(['a.b.c"; --'])
    expect(await names('nobody')).toEqual([])
    const [hostile] = await store.tables('a.b.*', NEVER)
    expect(hostile).toMatchObject({ key: ['y'], primary: false })
    const g = await onlyTable(store, 'g')
    expect(g).toMatchObject({ key: ['n', 'a'], primary: true })
    expect(g.columns).toEqual([
      { name: 'a', type: { kind: 'int', bits: 32 }, native: 'INTEGER', nullable: false },
      { name: 'b c', type: { kind: 'int', bits: 64 }, native: 'BIGINT', nullable: true, generated: true },
      { name: 'd', type: { kind: 'int', bits: 32 }, native: 'INTEGER', nullable: true, hasDefault: true },
      {
        name: 'n',
        type: { kind: 'text' },
        native: 'VARCHAR',
        nullable: false,
        collation: expect.stringMatching(/nocase/i) as string,
      },
    ])
  })

  it('with a quote in their name number their rows', async () => {
    const file = newFile()
    {
      await using store = await open(file)
      const type = { kind: 'int', bits: 64 } as const
      const column = { name: 'i"d', native: 'BIGINT', nullable: false, type, sequence: { column: 'i"d', next: 5n } } as const // prettier-ignore
      await store.target().create(tableOf('a"b', [column], ['i"d']), NEVER)
      const table = await onlyTable(store, 'a"b')
      expect(await store.target().finish(table, NEVER, [{ column: 'i"d', next: 9n }])).toEqual([])
    }
    expect(await plainly(file, 'INSERT INTO "a""b" DEFAULT VALUES RETURNING *')).toEqual([['9']])
  })

  it('with hostile names are read, written and created', async () => {
    const name = `"; DROP TABLE t; --\n😀'`
    await using store = await open(newFile())
    const column = { name, native: 'INTEGER', nullable: false, type: { kind: 'int', bits: 32 } } as const
    await store.target().create(tableOf(name, [column], [name]), NEVER)
    const table = await onlyTable(store, name)
    const { columns } = readAll(table)
    await using chunk = await store
      .target()
      .open({ table, columns, range: EVERY_KEY, onExisting: 'upsert', careful: true, signal: NEVER })
    await chunk.write([['1'], ['2']])
    const one = { sql: 'SELECT 1', parameters: [] }
    await chunk.commit({ statements: [one], guard: one, landed: one })
    expect(await rowsOf(store, readAll(table, between('1', null)))).toEqual([['2']])
    await store.target().finish(table, NEVER)
    await store.target().clear(table, NEVER)
    expect(await rowsOf(store, readAll(table))).toEqual([])
    for (const bad of ['nul\0', name]) {
      await expect(store.target().create(tableOf(bad, [column], []), NEVER)).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
      })
    }
  })
})

describe('a view of a file', () => {
  it('shows one snapshot', async () => {
    await using store = await storeOf(`${TABLE}; INSERT INTO t SELECT i, 'old' FROM range(1000) r(i)`)
    const table = await onlyTable(store, 't')
    await using view = await store.source(NEVER)
    {
      await using chunk = await chunkOf(store, { onExisting: 'replace-range' })
      await chunk.write([['1', 'new']])
      await chunk.commit(closing())
    }
    expect((await view.extent(table, null, true)).rows).toBe(1000n)
    expect((await view.digest(readAll(table), NEVER)).rows).toBe(1000n)
    expect(await rowsIn(store)).toEqual([['1', 'new']])
  })

  it('reads results that exceed memory, in order', async () => {
    await using store = await storeOf(
      `CREATE TABLE t (id BIGINT PRIMARY KEY); INSERT INTO t SELECT 300000 - i FROM range(300000) r(i)`,
      'read',
    )
    const table = await onlyTable(store, 't')
    await using view = await store.source(NEVER)
    let next = 1
    for await (const { rows } of view.read(readAll(table), { rows: 50_000, bytes: 1e9 }, NEVER)) {
      expect(rows.length).toBeLessThanOrEqual(50_000)
      for (const [id] of rows) if (Number(id) !== next++) throw new Error(`${String(id)} is out of order`)
    }
    expect(next).toBe(300_001)
  })

  it('raises a failure during a read, and never treats it as the end', async () => {
    await using store = await storeOf(
      `CREATE TABLE t (id BIGINT PRIMARY KEY); INSERT INTO t SELECT i FROM range(300000) r(i)`,
      'read',
    )
    const table = await onlyTable(store, 't')
    const where = `CASE WHEN id = 299999 THEN error('boom on purpose') ELSE true END`
    await expect(rowsOf(store, { ...readAll(table), where })).rejects.toThrow(/boom on purpose/)
  })

  it.each(['nobody = 1', 'x = ', '1 = 1); DROP TABLE t; --', '1 = 1; SELECT 1', `CAST('x' AS INTEGER) = 1`])(
    'refuses the condition %s',
    async (where) => {
      await using store = await storeOf(`${TABLE}; INSERT INTO t VALUES (1, 'a')`)
      const table = await onlyTable(store, 't')
      await expect(rowsOf(store, { ...readAll(table), where })).rejects.toMatchObject({
        code: 'BAD_PREDICATE',
        hint: expect.stringContaining('double quotes') as string,
      })
      expect(await rowsOf(store, { ...readAll(table), where: `x = 'a' -- a remark` })).toEqual([['1', 'a']])
    },
  )

  it('stops on a signal', async () => {
    await using store = await storeOf(
      `CREATE TABLE t (id BIGINT PRIMARY KEY); INSERT INTO t SELECT i FROM range(100000) r(i)`,
      'read',
    )
    const table = await onlyTable(store, 't')
    await using view = await store.source(NEVER)
    const stop = new AbortController()
    const read = (async () => {
      for await (const batch of view.read(
        {
          ...readAll(table),
          where: `id < (SELECT count(*) FROM range(30000) a, range(30000) b WHERE a.range + b.range > 3)`,
        },
        { rows: 10, bytes: 1e6 },
        stop.signal,
      ))
        void batch
    })()
    setTimeout(() => stop.abort(), 50)
    await expect(read).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('is refused for a file that is missing or no database', async () => {
    await expect(open(newFile(), 'read')).rejects.toMatchObject({ code: 'CONNECT_FAILED', kind: 'source' })
    const file = newFile()
    writeFileSync(file, 'this is no database '.repeat(1000))
    await expect(open(file, 'read')).rejects.toMatchObject({ code: 'TARGET_CORRUPT', kind: 'source' })
    expect(existsSync(`${file}.wal`)).toBe(false)
  })
})

describe('ranges', () => {
  const WORDS = ['', 'a', 'A', 'é', '😀', '\u{feff}x', "it's", '"; --', '\n', 'a\0b', '10', '9']
  it.each<[string, fc.Arbitrary<string | number | null>]>([
    ['k BIGINT PRIMARY KEY', fc.integer({ min: -50, max: 50 })],
    ['k BIGINT UNIQUE', fc.option(fc.integer({ min: -500, max: 500 }))],
    ['k VARCHAR UNIQUE', fc.option(fc.constantFrom(...WORDS))],
    ['k BLOB UNIQUE', fc.option(fc.constantFrom(...WORDS))],
    ['k DECIMAL(38,2) UNIQUE', fc.option(fc.integer({ min: -50, max: 50 }).map((i) => i / 4))],
    ['k TIMESTAMPTZ UNIQUE', fc.constantFrom('2024-01-01', '2024-01-01 00:00:00.5', '0044-01-01 (BC)', 'infinity')],
    ['k VARCHAR', fc.constantFrom(...WORDS)],
  ])('contain each row once: %s', async (columns, value) => {
    await using store = await storeOf(`CREATE TABLE t (no INTEGER, ${columns})`)
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(value, { maxLength: 25 }),
        fc.integer({ min: 1, max: 9 }),
        async (values, size) => {
          const found = await onlyTable(store, 't')
          await store.target().clear(found, NEVER)
          await using ledger = await store.ledger()
          const type = found.columns[1]?.native ?? ''
          const cast = type === 'BLOB' ? 'encode(CAST(? AS VARCHAR))' : `CAST(CAST(? AS VARCHAR) AS ${type})`
          await ledger.batch(
            values.map((one, i) => ({
              sql: `INSERT INTO t VALUES (?, ${cast})`,
              parameters: [i, one === null ? null : String(one)],
            })),
          )
          const table = { ...found, rows: BigInt(values.length) }
          await using view = await store.source(NEVER)
          const whole: Range = table.key.length > 0 ? EVERY_KEY : { by: 'block', from: 0n, to: null }
          const ranges: Range[] = []
          for await (const range of view.cut(table, whole, null, size, NEVER)) ranges.push(range)
          if ((await view.extent(table, null, false)).nullKeys) ranges.push({ by: 'nullKey' })
          const only = table.columns.slice(0, 1).map((column) => ({ name: 'no', as: column.type, column }))
          const seen: number[] = []
          for (const range of ranges) {
            const request = { table, columns: only, range, where: null, ordered: false }
            for await (const { rows } of view.read(request, { rows: 4, bytes: 1e6 }, NEVER))
              seen.push(...rows.map(([no]) => Number(no)))
          }
          expect(seen.toSorted((a, b) => a - b)).toEqual(values.map((_, i) => i))
        },
      ),
      { numRuns: 6 },
    )
  })

  it('by floating point keys are refused', async () => {
    await using store = await storeOf(`CREATE TABLE t (k DOUBLE PRIMARY KEY, n INT UNIQUE)`)
    const table = await onlyTable(store, 't')
    expect(table.key).toEqual(['n'])
    await using view = await store.source(NEVER)
    const cut = view.cut({ ...table, key: ['k'] }, EVERY_KEY, null, 5, NEVER)[Symbol.asyncIterator]()
    await expect(cut.next()).rejects.toMatchObject({ code: 'UNSUPPORTED_KEY' })
  })
})

describe('a chunk', () => {
  it('commits its rows and its row in the ledger together, or neither', async () => {
    await using store = await storeOf(TABLE)
    await using ledger = await store.ledger()
    for (const owner of ['somebody', 'me']) {
      await using chunk = await chunkOf(store)
      expect(await chunk.hasRows()).toBe(false)
      expect(
        await chunk.write([
          ['1', 'a'],
          ['2', 'b'],
        ]),
      ).toBe(2)
      expect(await rowsIn(store)).toEqual([])
      expect(await chunk.commit(closing(owner))).toBe(owner === 'me' ? 'committed' : 'fenced')
      expect(await ledger.all('SELECT status FROM chunks')).toEqual([[owner === 'me' ? 'completed' : 'in_progress']])
    }
    expect(await rowsIn(store)).toEqual([
      ['1', 'a'],
      ['2', 'b'],
    ])
  })

  it('without a commit leaves nothing, and lets the next one start', async () => {
    await using store = await storeOf(TABLE)
    const first = await chunkOf(store)
    await first.write([['1', 'a']])
    const second = chunkOf(store)
    await first[Symbol.asyncDispose]()
    await using chunk = await second
    await chunk.commit(closing())
    expect(await rowsIn(store)).toEqual([])
    await expect(chunk.write([['1', 'a']])).rejects.toThrow(/has ended/)
  })

  it('ends at a row that the table refuses, with the reason', async () => {
    await using store = await storeOf(
      `CREATE TABLE t (id BIGINT PRIMARY KEY, x VARCHAR NOT NULL UNIQUE CHECK (x <> 'bad')); INSERT INTO t VALUES (5, 'old')`,
    )
    for (const [bad, why] of [
      [['5', 'again'], /[Dd]uplicate key/],
      [['6', null], /NOT NULL/],
      [['6', 'old'], /[Dd]uplicate key/],
      [['6', 'bad'], /CHECK/],
    ] as const) {
      await using chunk = await chunkOf(store, { range: between('5', null) })
      await chunk.write([['4', 'a']])
      const refused = await chunk.write([['7', 'b'], bad]).catch((error: unknown) => error as SluiceError)
      expect(refused).toMatchObject({ code: 'ROW_REFUSED', message: expect.stringMatching(why) as string })
      await expect(chunk.commit(closing())).rejects.toThrow(/has ended/)
    }
    expect(await rowsIn(store)).toEqual([['5', 'old']])
  })

  it('continues after a refused row if it is careful, for any reason', async () => {
    await using store = await storeOf(
      `CREATE TABLE t (id BIGINT PRIMARY KEY, x VARCHAR NOT NULL UNIQUE CHECK (x <> 'bad')); INSERT INTO t VALUES (5, 'old')`,
    )
    await using chunk = await chunkOf(store, { careful: true })
    expect(await chunk.write([['1', 'a']])).toBe(1)
    for (const bad of [
      ['5', 'again'],
      ['6', null],
      ['6', 'old'],
      ['6', 'bad'],
      ['1', 'written by this chunk'],
      ['9223372036854775808', 'c'],
    ]) {
      await expect(chunk.write([['7', 'g'], bad])).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    }
    await expect(
      chunk.write([
        ['8', 'h'],
        ['8', 'i'],
      ]),
    ).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    expect(
      await chunk.write([
        ['7', 'g'],
        ['8', 'h'],
      ]),
    ).toBe(2)
    expect(await chunk.commit(closing())).toBe('committed')
    expect(await rowsIn(store)).toEqual([
      ['1', 'a'],
      ['5', 'old'],
      ['7', 'g'],
      ['8', 'h'],
    ])
  })

  it('overwrites, skips and replaces existing rows', async () => {
    const full = `${TABLE}; INSERT INTO t VALUES (1, 'old'), (2, 'old'), (9, 'old')`
    const ours: Row[] = [
      ['2', 'new'],
      ['3', 'new'],
    ]
    for (const [onExisting, written, after] of [
      [
        'upsert',
        2,
        [
          ['1', 'old'],
          ['2', 'new'],
          ['3', 'new'],
          ['9', 'old'],
        ],
      ],
      [
        'append',
        1,
        [
          ['1', 'old'],
          ['2', 'old'],
          ['3', 'new'],
          ['9', 'old'],
        ],
      ],
      [
        'replace-range',
        2,
        [
          ['2', 'new'],
          ['3', 'new'],
          ['9', 'old'],
        ],
      ],
    ] as const) {
      await using store = await storeOf(full)
      await using chunk = await chunkOf(store, { onExisting, range: between(null, '5') })
      expect(await chunk.hasRows()).toBe(onExisting !== 'replace-range')
      expect(await chunk.write(ours)).toBe(written)
      const only = new Set(ours.map(([id]) => keyText([id ?? null])))
      expect((await chunk.digest({ scheme: 'count', only })).rows).toBe(2n)
      if (onExisting !== 'append') expect(await chunk.digest({ scheme: 'canonical', only })).toEqual(sumOf(ours))
      expect(await chunk.commit(closing())).toBe('committed')
      expect(await rowsIn(store)).toEqual(after)
    }
  })

  it('overwrites a row that has other unique columns, too', async () => {
    await using store = await storeOf(
      `CREATE TABLE t (id BIGINT PRIMARY KEY, x VARCHAR UNIQUE); INSERT INTO t VALUES (1, 'a'), (2, 'b')`,
    )
    await using chunk = await chunkOf(store, { onExisting: 'upsert' })
    await chunk.write([['1', 'c']])
    await chunk.commit(closing())
    expect(await rowsIn(store)).toEqual([
      ['1', 'c'],
      ['2', 'b'],
    ])
  })

  it('is proved if keys sort differently in the source, and if there are none', async () => {
    await using store = await storeOf(`CREATE TABLE t (k VARCHAR PRIMARY KEY, x INTEGER)`)
    const rows: Row[] = [
      ['B', '1'],
      ['a', '2'],
      ['C', '3'],
      ['é', '4'],
    ]
    for (const [some, range] of [
      [rows.slice(2), between('B', null)],
      [rows.slice(0, 2), between(null, 'B')],
    ] as const) {
      await using chunk = await chunkOf(store, { range })
      expect(await chunk.hasRows()).toBe(false)
      await chunk.write(some)
      expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sumOf(some))
      await chunk.commit(closing())
    }
    await expect(chunkOf(store, { onExisting: 'replace-range' })).rejects.toMatchObject({ code: 'UNSUPPORTED_KEY' })
    await using keyless = await storeOf(`CREATE TABLE t (x VARCHAR); INSERT INTO t VALUES ('old')`)
    for (const some of [[['a'], ['a']], [['b']]] as Row[][]) {
      await using chunk = await chunkOf(keyless, { range: { by: 'block', from: 0n, to: null }, onExisting: 'append' })
      await chunk.write(some)
      expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sumOf(some))
      await chunk.commit(closing())
    }
    await using whole = await chunkOf(keyless, { range: { by: 'all' }, onExisting: 'append' })
    expect((await whole.digest({ scheme: 'canonical' })).rows).toBe(4n)
  })

  it('writes many rows chosen by their keys', async () => {
    await using store = await storeOf(`CREATE TABLE t (k TIMESTAMPTZ, b BLOB, PRIMARY KEY (k, b))`)
    const many = Array.from({ length: 900 }, (_, i): Row => [
      `2024-01-01 00:00:00.${String(i + 1).padStart(3, '0')}`.replace(/0+$/, ''),
      Buffer.from([i % 256]),
    ])
    const keys = many.map(([k, b]) => [`${String(k)}+00`, `\\x${Buffer.from(b as Uint8Array).toString('hex')}`])
    {
      await using chunk = await chunkOf(store, { range: { by: 'keys', keys }, onExisting: 'upsert' })
      await chunk.write(many)
      expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sumOf(many))
      await chunk.commit(closing())
    }
    await using view = await store.source(NEVER)
    const table = await onlyTable(store, 't')
    expect(await view.digest(readAll(table, { by: 'keys', keys }), NEVER)).toEqual(sumOf(many))
    await using chunk = await chunkOf(store, {
      range: { by: 'keys', keys: keys.slice(1) },
      onExisting: 'replace-range',
    })
    await chunk.commit(closing())
    expect(await rowsIn(store)).toHaveLength(1)
  })
})

it('a table that differs from its plan is refused', async () => {
  await using store = await storeOf(`CREATE TABLE t (id BIGINT, x VARCHAR)`)
  const table = { ...(await onlyTable(store, 't')), key: ['id'] }
  await using chunk = await chunkOf(store, { table, onExisting: 'upsert' })
  await expect(chunk.write([['1', 'a']])).rejects.toMatchObject({ code: 'TABLE_REFUSED' })
})

describe('the ledger', () => {
  it('executes batches atomically, while no chunk is open', async () => {
    await using store = await storeOf(TABLE)
    await using ledger = await store.ledger()
    expect(ledger.dialect).toBe('duckdb')
    expect(
      await ledger.batch([
        { sql: 'UPDATE chunks SET owner = ? RETURNING id, owner', parameters: ['me'] },
        { sql: 'INSERT INTO chunks VALUES (2, ?, ?)', parameters: ['x', null] },
      ]),
    ).toEqual([[[1, 'me']], []])
    await expect(
      ledger.batch([
        { sql: `UPDATE chunks SET owner = 'nobody'`, parameters: [] },
        { sql: 'INSERT INTO chunks VALUES (1, 1, 1)', parameters: [] },
      ]),
    ).rejects.toThrow(/[Dd]uplicate/)
    await using chunk = await chunkOf(store)
    await chunk.write([['1', 'a']])
    let beaten = false
    const heartbeat = ledger
      .batch([{ sql: `UPDATE chunks SET status = status || '!' WHERE id = 1`, parameters: [] }])
      .then(() => (beaten = true))
    expect(await ledger.all('SELECT owner, status FROM chunks ORDER BY id')).toEqual([
      ['me', 'in_progress'],
      ['x', null],
    ])
    expect(beaten).toBe(false)
    await chunk.commit(closing())
    await heartbeat
    expect(await ledger.all('SELECT status FROM chunks WHERE id = 1')).toEqual([['completed!']])
  })
})

describe('a killed copy', () => {
  it.each(['written', 'committed'])('whose rows are %s leaves all of them or none, and no lock', async (stop) => {
    const file = newFile()
    await plainly(file, `${LEDGER}; ${TABLE}; INSERT INTO t VALUES (1, 'old')`)
    const child = spawn(process.execPath, [CHILD, 'duckdb', file, stop], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const [said] = (await once(child.stdout, 'data')) as [Buffer]
      expect(said.toString()).toBe(`${stop}\n`)
      await expect(open(file)).rejects.toMatchObject({ code: 'LEDGER_BUSY', exitCode: 5 })
      await expect(open(file, 'read')).rejects.toMatchObject({ code: 'TARGET_BUSY', kind: 'source' })
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await using store = await open(file)
    await using ledger = await store.ledger()
    expect(await ledger.all('SELECT owner, status FROM chunks')).toEqual([
      ['child', stop === 'committed' ? 'completed' : 'in_progress'],
    ])
    await using view = await store.source(NEVER)
    expect((await view.extent(await onlyTable(store, 't'), null, true)).rows).toBe(stop === 'committed' ? 5001n : 1n)
  })
})
