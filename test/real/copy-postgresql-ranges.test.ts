/** Ranges of real tables: each row is in exactly one of them, for any key. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TableSpec } from '../../src/model/copy/column-type.ts'
import { keyText } from '../../src/model/copy/key-text.ts'
import { EVERY_KEY, type Range } from '../../src/model/copy/range.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { SourceView } from '../../src/model/copy/source-port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import {
  POSTGRES_AVAILABLE,
  POSTGRES_MISSING,
  startPostgres,
  type PostgresServer,
} from '../support/servers/postgresql.ts'
import {
  chunk,
  CLOSING,
  collect,
  psql,
  readAll,
  request,
  SIGNAL,
  sumOf,
  tableNamed,
  type Psql,
} from './copy-postgresql-kit.ts'

/** Columns of a key, and its value in row `i`: unique, in no order. */
const KEYS: Readonly<Record<string, { readonly columns: string; readonly key: string; readonly row: string }>> = {
  dense: { columns: 'k int', key: 'PRIMARY KEY (k)', row: 'i' },
  negative: { columns: 'k bigint', key: 'PRIMARY KEY (k)', row: 'i - 9223372036854775808' },
  sparse: {
    columns: 'k bigint',
    key: 'PRIMARY KEY (k)',
    row: 'i::bigint * i * i * 7919 * (CASE WHEN i % 2 = 0 THEN 1 ELSE -1 END)',
  },
  small: { columns: 'k smallint', key: 'UNIQUE (k)', row: 'NULLIF(i, 3) - 32768' },
  numeric: {
    columns: 'k numeric',
    key: 'PRIMARY KEY (k)',
    row: "CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN 'Infinity' ELSE (i * 1.10)::numeric END",
  },
  uuid: { columns: 'k uuid', key: 'PRIMARY KEY (k)', row: 'md5(i::text)::uuid' },
  composite: {
    columns: 'a int, b uuid, c text',
    key: 'PRIMARY KEY (a, b, c)',
    row: "i % 3, md5((i % 7)::text)::uuid, 'x' || i",
  },
  text: { columns: 'k text COLLATE "C"', key: 'PRIMARY KEY (k)', row: "chr(65 + i % 58) || E'\\\\\\'\\t\\n?$1' || i" },
  locale: { columns: 'k text COLLATE "en-x-icu"', key: 'PRIMARY KEY (k)', row: "chr(65 + i % 58) || i || 'é'" },
  padded: { columns: 'k character(8)', key: 'PRIMARY KEY (k)', row: 'i::text' },
  bytes: { columns: 'k bytea', key: 'PRIMARY KEY (k)', row: "decode(md5(i::text), 'hex')" },
  moments: {
    columns: 'k timestamptz',
    key: 'PRIMARY KEY (k)',
    row: "CASE i WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' ELSE timestamptz '0002-01-01 BC' + i * interval '1.000001 days' END",
  },
  choice: { columns: 'm mood, k int', key: 'PRIMARY KEY (m, k)', row: '(enum_range(NULL::mood))[1 + i % 3], i' },
  nullable: {
    columns: 'k int, l text',
    key: 'UNIQUE (k, l)',
    row: 'CASE WHEN i % 5 > 0 THEN i / 2 END, CASE WHEN i % 7 > 0 THEN i::text END',
  },
  domain: { columns: 'k positive', key: 'PRIMARY KEY (k)', row: 'i + 1' },
  address: { columns: 'k inet', key: 'PRIMARY KEY (k)', row: "inet '10.0.0.0' + i" },
}

describe.skipIf(!POSTGRES_AVAILABLE)(`ranges of PostgreSQL tables ${POSTGRES_MISSING}`, () => {
  let server: PostgresServer
  let store: CopyStore
  let direct: Psql

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('ranges')
    direct = await psql(server.url('ranges'))
    await direct.run("CREATE TYPE mood AS ENUM ('z', 'a', 'm'); CREATE DOMAIN positive AS int CHECK (VALUE > 0)")
    store = await openPostgresCopy(server.url('ranges'))
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await direct.close()
    await server[Symbol.asyncDispose]()
  })

  async function made(name: string, rows: number): Promise<TableSpec> {
    const { columns, key, row } = KEYS[name] ?? { columns: '', key: '', row: '' }
    await direct.run(`DROP TABLE IF EXISTS "${name}"; CREATE TABLE "${name}" (${columns}, n int, ${key});
      INSERT INTO "${name}" SELECT ${row}, i FROM generate_series(0, ${rows - 1}) i ORDER BY md5(i::text)`)
    return tableNamed(store, name)
  }

  /** Ranges of a whole table, as the engine requests them. */
  async function cover(view: SourceView, table: TableSpec, rows: number, where: string | null): Promise<Range[]> {
    const { nullKeys } = await view.extent(table, where, false)
    const keys = await collect(view.cut(table, EVERY_KEY, where, rows, SIGNAL))
    return nullKeys ? [...keys, { by: 'nullKey' }] : keys
  }

  function expectChain(ranges: readonly Range[]): void {
    const keys = ranges.filter((range) => range.by === 'key')
    expect(keys[0]?.after).toBeNull()
    expect(keys.at(-1)?.through).toBeNull()
    for (const [i, range] of keys.slice(1).entries()) expect(range.after).toEqual(keys[i]?.through)
  }

  async function rowsOf(
    view: SourceView,
    table: TableSpec,
    ranges: readonly Range[],
    where: string | null,
  ): Promise<string[]> {
    const all: string[] = []
    for (const range of ranges) {
      for (const row of await readAll(view, request(table, { range, where }))) all.push(String(row.at(-1)))
    }
    return all
  }

  const numbers = (count: number, step = 1): string[] =>
    Array.from({ length: Math.ceil(count / step) }, (_, i) => String(i * step)).toSorted()

  test('for any key, the ranges contain each row once, and their digests are those of their rows', async () => {
    const sizes = fc.record({
      rows: fc.integer({ min: 0, max: 60 }),
      chunk: fc.integer({ min: 1, max: 25 }),
      half: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(sizes, async ({ rows, chunk: chunkRows, half }) => {
        const tables: TableSpec[] = []
        for (const name of Object.keys(KEYS)) tables.push(await made(name, rows))
        await using view = await store.source(SIGNAL)
        for (const table of tables) await expectCover(view, table, rows, chunkRows, half)
      }),
      { numRuns: 4, examples: [[{ rows: 0, chunk: 5, half: false }], [{ rows: 53, chunk: 7, half: false }]] },
    )
  })

  async function expectCover(
    view: SourceView,
    table: TableSpec,
    rows: number,
    chunkRows: number,
    half: boolean,
  ): Promise<void> {
    const { name } = table.table
    const where = half ? 'n % 2 = 0 -- even ones' : null
    const ranges = await cover(view, table, chunkRows, where)
    expectChain(ranges)
    const seen = []
    for (const range of ranges) {
      const wanted = request(table, { range, where })
      const read = await readAll(view, wanted)
      seen.push(...read.map((row) => String(row.at(-1))))
      expect(await view.digest(wanted, SIGNAL), name).toEqual(sumOf(read))
    }
    expect(seen.toSorted(), name).toEqual(numbers(rows, half ? 2 : 1))
    const [first] = ranges
    if (first?.by !== 'key') throw new Error('no range of keys')
    const last = await view.last(table, first, where, SIGNAL)
    const behind = await rowsOf(view, table, [{ ...first, after: last ?? first.after }], where)
    expect(behind, name).toEqual([])
    if (last === null) return
    const through = await rowsOf(view, table, [{ ...first, through: last }], where)
    expect(through, name).toEqual(await rowsOf(view, table, [first], where))
  }

  test('a range is divided into a chain of ranges with the same outer bounds', async () => {
    const table = await made('composite', 50)
    await using view = await store.source(SIGNAL)
    const ranges = await collect(view.cut(table, EVERY_KEY, null, 20, SIGNAL))
    expect(ranges).toHaveLength(3)
    const [, middle] = ranges
    if (middle?.by !== 'key') throw new Error('no range of keys')
    const parts = await collect(view.cut(table, middle, null, 6, SIGNAL))
    expect(parts).toHaveLength(4)
    expect(parts[0]).toMatchObject({ after: middle.after })
    expect(parts.at(-1)).toMatchObject({ through: middle.through })
    expect((await rowsOf(view, table, parts, null)).toSorted()).toEqual(
      (await rowsOf(view, table, [middle], null)).toSorted(),
    )
  })

  test('dense numbers are divided by arithmetic, others by queries', async () => {
    await using view = await (async () => {
      await made('dense', 100)
      await made('sparse', 100)
      await direct.run('ANALYZE')
      return store.source(SIGNAL)
    })()
    const dense = await collect(view.cut(await tableNamed(store, 'dense'), EVERY_KEY, null, 40, SIGNAL))
    expect(dense).toEqual([
      { by: 'key', after: null, through: ['39'] },
      { by: 'key', after: ['39'], through: ['79'] },
      { by: 'key', after: ['79'], through: null },
    ])
    const sparse = await tableNamed(store, 'sparse')
    const cut = await collect(view.cut(sparse, EVERY_KEY, null, 40, SIGNAL))
    expect(cut).toHaveLength(3)
    for (const range of cut.slice(0, 2))
      expect(await view.digest(request(sparse, { range }), SIGNAL)).toMatchObject({ rows: 40n })
  })

  test('a floating point number is not used as a key', async () => {
    await direct.run('CREATE TABLE floats (k float8 PRIMARY KEY, n int)')
    expect(await tableNamed(store, 'floats')).toMatchObject({ key: [], primary: false })
    await direct.run('ALTER TABLE floats ALTER n SET NOT NULL, ADD UNIQUE (n)')
    expect(await tableNamed(store, 'floats')).toMatchObject({ key: ['n'], primary: false })
  })

  test('a table without a key is divided by its blocks', async () => {
    await direct.run(`CREATE TABLE heap (t text, n int); INSERT INTO heap SELECT repeat('x', 500), i FROM generate_series(0, 499) i;
      DELETE FROM heap WHERE n BETWEEN 100 AND 199; ANALYZE heap`)
    const table = await tableNamed(store, 'heap')
    expect(table).toMatchObject({ key: [], blocks: 34n, rows: 400n })
    await using view = await store.source(SIGNAL)
    const whole: Range = { by: 'block', from: 0n, to: null }
    const ranges = await collect(view.cut(table, whole, null, 100, SIGNAL))
    expect(ranges.length).toBeGreaterThan(3)
    const found = await rowsOf(view, table, ranges, 'n < 450')
    expect(found.toSorted()).toEqual(numbers(450).filter((n) => Number(n) < 100 || Number(n) > 199))
    expect(await view.last(table, whole, null, SIGNAL)).toBeNull()
  })

  test('the extent of a table is counted, or estimated by the server', async () => {
    await made('sparse', 40)
    const nullable = await made('nullable', 40)
    await direct.run('ANALYZE')
    const table = await tableNamed(store, 'sparse')
    await using view = await store.source(SIGNAL)
    const low = String(BigInt(39 ** 3 * 7919) * -1n)
    const high = String(BigInt(38 ** 3 * 7919))
    expect(await view.extent(table, 'n <> 39', true)).toEqual({
      rows: 39n, exact: true, low: String(BigInt(37 ** 3 * 7919) * -1n), high, nullKeys: false,
    }) // prettier-ignore
    expect(await view.extent(table, null, false)).toEqual({ rows: 40n, exact: false, low, high, nullKeys: false })
    expect(await view.extent(nullable, null, true)).toEqual({
      rows: 40n,
      exact: true,
      low: null,
      high: null,
      nullKeys: true,
    })
    expect(await view.extent(nullable, 'k IS NOT NULL AND l IS NOT NULL', true)).toMatchObject({ nullKeys: false })
    await direct.run('CREATE TABLE nothing (k uuid PRIMARY KEY)')
    const nothing = await tableNamed(store, 'nothing')
    await using later = await store.source(SIGNAL)
    expect(await later.extent(nothing, null, true)).toEqual({
      rows: 0n,
      exact: true,
      low: null,
      high: null,
      nullKeys: false,
    })
    expect(await collect(later.cut(nothing, EVERY_KEY, null, 5, SIGNAL))).toEqual([EVERY_KEY])
    expect(await later.last(nothing, EVERY_KEY, null, SIGNAL)).toBeNull()
  })

  test.each(['numeric', 'composite', 'locale', 'moments', 'bytes', 'choice', 'nullable', 'domain'])(
    '%s: a target removes, counts and proves the rows of a range, and no others',
    async (name) => {
      const table = await made(name, 40)
      await using view = await store.source(SIGNAL)
      const ranges = await cover(view, table, 15, null)
      for (const range of ranges) {
        const read = await readAll(view, request(table, { range }))
        await using writer = await store.target().open(chunk(table, { range, onExisting: 'replace-range' }))
        expect(await writer.hasRows()).toBe(read.length > 0)
        await writer.write(read.slice(1))
        expect(await writer.digest({ scheme: 'canonical' })).toEqual(sumOf(read.slice(1)))
        const places = table.key.map((key) => table.columns.findIndex((column) => column.name === key))
        const only = new Set(read.slice(2).map((row) => keyText(places.map((at) => row[at] ?? null))))
        expect(await writer.digest({ scheme: 'canonical', only })).toEqual(sumOf(read.slice(2)))
        expect(await writer.commit(CLOSING)).toBe('committed')
      }
      expect(await direct.rows(`SELECT count(*) FROM "${name}"`)).toEqual([[String(40 - ranges.length)]])
    },
  )

  test('a chunk without rows empties its range, too', async () => {
    const table = await made('dense', 30)
    const range: Range = { by: 'key', after: ['9'], through: ['19'] }
    {
      await using writer = await store.target().open(chunk(table, { range, onExisting: 'replace-range' }))
      expect(await writer.digest({ scheme: 'count' })).toEqual({ rows: 0n, sum: '' })
    }
    expect(await direct.rows('SELECT count(*) FROM dense')).toEqual([['30']])
    await using writer = await store.target().open(chunk(table, { range, onExisting: 'replace-range' }))
    expect(await writer.commit(CLOSING)).toBe('committed')
    expect(await direct.rows('SELECT count(*) FROM dense')).toEqual([['20']])
  })

  test.each(['before the first chunk', 'between two chunks', 'in an open chunk'])(
    'a range is not replaced if rows of other tables would follow by a key that was added %s',
    async (when) => {
      const table = await made('dense', 30)
      const target = store.target()
      const open = (after: string, through: string) =>
        target.open(
          chunk(table, { range: { by: 'key', after: [after], through: [through] }, onExisting: 'replace-range' }),
        )
      const add = () =>
        direct.run(
          'CREATE TABLE child AS SELECT k FROM dense; ALTER TABLE child ADD FOREIGN KEY (k) REFERENCES dense ON DELETE CASCADE',
        )
      if (when === 'before the first chunk') await add()
      else {
        await using first = await open('0', '9')
        await first.write([])
        expect(await first.commit(CLOSING)).toBe('committed')
      }
      if (when === 'between two chunks') await add()
      {
        await using second = await open('9', '19')
        if (when === 'in an open chunk') await add()
        await expect(second.digest({ scheme: 'count' })).rejects.toThrow(/rows of (public\.)?child would be deleted/)
      }
      expect(await direct.rows('SELECT count(*) FROM child')).toEqual(await direct.rows('SELECT count(*) FROM dense'))
      await direct.run('DROP TABLE child')
    },
  )
})
