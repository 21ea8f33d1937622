/** SQLite as a source: its tables and keys, one snapshot, and ranges that contain each row once. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EVERY_KEY, type Range } from '../../src/model/copy/range.ts'
import { RowChecksum } from '../../src/model/copy/row-hash.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openSqliteCopy } from '../../src/stores/sqlite/copy/index.ts'
import { NEVER, onlyTable, readAll, rowsOf } from '../support/copy-zoo.ts'

let folder: string
let count = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-sqlite-source-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function fileOf(sql: string): string {
  const file = join(folder, `${++count}.db`)
  const connection = new Database(file)
  connection.pragma('synchronous = OFF')
  connection.exec(sql)
  connection.close()
  return file
}

const open = (file: string): Promise<CopyStore> => openSqliteCopy(file, { mode: 'read', label: `sqlite:///${file}` })
const sourceOf = (sql: string): Promise<CopyStore> => open(fileOf(sql))
const SERIES = (most: number): string =>
  `(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ${most}) SELECT i FROM s)`

describe('tables of a file', () => {
  it('are found by name, and other objects are not', async () => {
    await using store = await sourceOf(`
      CREATE TABLE b (id INTEGER PRIMARY KEY); CREATE TABLE "a.b" (x); CREATE TABLE B2 (x); CREATE VIEW v AS SELECT 1;
      CREATE VIRTUAL TABLE f USING fts5(x); CREATE TABLE seq (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE "[x]" (x)`)
    const names = async (pattern: string): Promise<readonly string[]> =>
      (await store.tables(pattern, NEVER)).map(({ table }) => table.name)
    expect(await names('*')).toEqual(['B2', '[x]', 'a.b', 'b', 'seq'])
    expect(await names('b*')).toEqual(['B2', 'b'])
    expect(await names('main.b')).toEqual(['b'])
    expect(await names('a.b')).toEqual(['a.b'])
    expect(await names('[x]')).toEqual(['[x]'])
    expect(await names('v')).toEqual([])
    expect(await names('f')).toEqual([])
    expect(await names('nobody')).toEqual([])
  })

  it.each([
    ['id INTEGER PRIMARY KEY, x', ['id'], true, false],
    ['id INT PRIMARY KEY, x', ['id'], true, true],
    ['id INTEGER PRIMARY KEY DESC, x', ['id'], true, true],
    ['a, b TEXT NOT NULL, c INT NOT NULL, PRIMARY KEY (c, b)', ['c', 'b'], true, false],
    ['a INT, b INT NOT NULL UNIQUE, c INT UNIQUE', ['b'], false, false],
    ['a INT UNIQUE, b INT', ['a'], false, true],
    ['a INT NOT NULL, b INT NOT NULL, c INT NOT NULL, UNIQUE (a, b), UNIQUE (c)', ['c'], false, false],
    ['r REAL PRIMARY KEY, a INT UNIQUE', ['a'], false, true],
    ['a TEXT COLLATE NOCASE UNIQUE', ['a'], false, true],
    ['a TEXT, UNIQUE (a COLLATE NOCASE)', [], false, false],
    ['a INT, b GENERATED ALWAYS AS (a + 1) UNIQUE', [], false, false],
    ['a INT, b INT', [], false, false],
  ])('(%s) has the key %j', async (columns, key, primary, nullable) => {
    await using store = await sourceOf(`CREATE TABLE t (${columns})`)
    const table = await onlyTable(store, 't')
    expect({ key: table.key, primary: table.primary }).toEqual({ key, primary })
    expect(table.columns.some((column) => key.includes(column.name) && column.nullable)).toBe(nullable)
    expect(table.blocks).toBe(1n)
  })

  it('have the properties of their columns', async () => {
    await using store = await sourceOf(`
      CREATE TABLE t (id INTEGER PRIMARY KEY, n VARCHAR(20) COLLATE NOCASE DEFAULT 'x', g INT GENERATED ALWAYS AS (id + 1) VIRTUAL,
        s TEXT AS (n) STORED, d DECIMAL(10,2) NOT NULL);
      CREATE TABLE w (k TEXT PRIMARY KEY) WITHOUT ROWID; CREATE TABLE strict (k TEXT PRIMARY KEY, a ANY) STRICT;
      CREATE UNIQUE INDEX part ON t (n) WHERE id > 5; CREATE UNIQUE INDEX expression ON t (n || 'x')`)
    const table = await onlyTable(store, 't')
    expect(table.key).toEqual(['id'])
    expect(table.columns).toMatchObject([
      { name: 'id', nullable: false, identity: true },
      { name: 'n', type: { kind: 'text', most: 20 }, hasDefault: true, collation: 'NOCASE', nullable: true },
      { name: 'g', generated: true },
      { name: 's', generated: true },
      { name: 'd', type: { kind: 'decimal', precision: 10, scale: 2 }, native: 'DECIMAL(10,2)', nullable: false },
    ])
    expect((await onlyTable(store, 'w')).blocks).toBeUndefined()
    expect((await onlyTable(store, 'strict')).columns[0]?.nullable).toBe(false)
  })

  it('change their identity with their definition', async () => {
    const file = fileOf('CREATE TABLE t (a INT)')
    await using store = await open(file)
    const before = await onlyTable(store, 't')
    const other = new Database(file)
    other.exec('INSERT INTO t VALUES (1); VACUUM')
    expect((await onlyTable(store, 't')).identity).toBe(before.identity)
    other.exec('DROP TABLE t; CREATE TABLE t (a TEXT)')
    other.close()
    expect((await onlyTable(store, 't')).identity).not.toBe(before.identity)
  })

  it('have an identity that does not depend on the path', async () => {
    const file = fileOf('CREATE TABLE t (a INT)')
    await using one = await open(file)
    await using two = await open(join(folder, '.', '..', folder.split('/').at(-1) ?? '', `${count}.db`))
    await using other = await sourceOf('CREATE TABLE t (a INT)')
    expect(two.identity).toBe(one.identity)
    expect(other.identity).not.toBe(one.identity)
  })

  it('of large files are estimated from the statistics of ANALYZE', async () => {
    const file = fileOf(`
      CREATE TABLE t (id INTEGER PRIMARY KEY, x BLOB); CREATE TABLE u (id INTEGER PRIMARY KEY);
      INSERT INTO t SELECT i, zeroblob(200000) FROM ${SERIES(200)}; INSERT INTO u SELECT i FROM ${SERIES(50)}`)
    {
      await using store = await open(file)
      expect(await onlyTable(store, 't')).toMatchObject({ rows: 0n })
    }
    const connection = new Database(file)
    connection.exec('ANALYZE')
    connection.close()
    await using store = await open(file)
    const [t, u] = await store.tables('*', NEVER)
    expect(t?.rows).toBe(200n)
    expect(Number(t?.bytes)).toBeGreaterThan(Number(u?.bytes))
    await using view = await store.source(NEVER)
    expect(await view.extent(t as NonNullable<typeof t>, null, true)).toMatchObject({
      rows: 200n,
      exact: true,
      low: '1',
      high: '200',
    })
  })
})

describe('a view of a file', () => {
  it.each(['wal', 'delete'])('shows one snapshot, in journal mode %s', async (mode) => {
    const file = fileOf(`PRAGMA journal_mode = ${mode}; CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT);
      INSERT INTO t SELECT i, 'old' FROM ${SERIES(5000)}`)
    await using store = await open(file)
    const table = await onlyTable(store, 't')
    await using view = await store.source(NEVER)
    const other = new Database(file, { timeout: 0 })
    const change = (): unknown =>
      other.exec(`UPDATE t SET x = 'new'; DELETE FROM t WHERE id % 2 = 0; INSERT INTO t VALUES (9999, 'new')`)
    // With a rollback journal, writers must wait.
    if (mode === 'wal') change()
    else expect(change).toThrow(/locked/)
    const seen = []
    for await (const { rows } of view.read(readAll(table), { rows: 700, bytes: 1e6 }, NEVER)) seen.push(...rows)
    expect(seen).toHaveLength(5000)
    expect(new Set(seen.map(([, x]) => x))).toEqual(new Set(['old']))
    other.close()
  })

  it('reads several ranges at once', async () => {
    await using store = await sourceOf(
      `CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t SELECT i FROM ${SERIES(6000)}`,
    )
    const table = await onlyTable(store, 't')
    await using view = await store.source(NEVER)
    const range = (after: string | null, through: string | null): Range => ({
      by: 'key',
      after: after === null ? null : [after],
      through: through === null ? null : [through],
    })
    const read = async (one: Range): Promise<number[]> => {
      const ids = []
      for await (const { rows } of view.read(readAll(table, one), { rows: 100, bytes: 1e6 }, NEVER)) {
        ids.push(...rows.map(([id]) => Number(id)))
      }
      return ids
    }
    const [a, b, extent, c] = await Promise.all([
      read(range(null, '2000')),
      read(range('2000', '4000')),
      view.extent(table, null, true),
      read(range('4000', null)),
    ])
    expect([a.length, b.length, c.length, extent.rows]).toEqual([2000, 2000, 2000, 6000n])
    expect([...a, ...b, ...c]).toEqual(Array.from({ length: 6000 }, (_, i) => i + 1))
  })

  it('closes in spite of unfinished iterations', async () => {
    await using store = await sourceOf(
      `CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t SELECT i FROM ${SERIES(6000)}`,
    )
    const table = await onlyTable(store, 't')
    const view = await store.source(NEVER)
    const rows = view.read(readAll(table), { rows: 10, bytes: 1e6 }, NEVER)[Symbol.asyncIterator]()
    expect((await rows.next()).value.rows).toHaveLength(10)
    await view[Symbol.asyncDispose]()
  })

  it('stops on a signal', async () => {
    await using store = await sourceOf(
      `CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t SELECT i FROM ${SERIES(6000)}`,
    )
    const table = await onlyTable(store, 't')
    await using view = await store.source(NEVER)
    const stop = new AbortController()
    const read = (async () => {
      for await (const batch of view.read(readAll(table), { rows: 10, bytes: 1e6 }, stop.signal)) {
        expect(batch.rows).toHaveLength(10)
        stop.abort()
      }
    })()
    await expect(read).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('leaves the file and its folder unchanged', async () => {
    const file = fileOf(`CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)`)
    const before = readFileSync(file)
    const around = readdirSync(folder)
    {
      await using store = await open(file)
      await rowsOf(store, readAll(await onlyTable(store, 't')))
      await using ledger = await store.ledger()
      await expect(ledger.batch([{ sql: 'DELETE FROM t', parameters: [] }])).rejects.toThrow(/for reading/)
      await expect(store.target().clear(await onlyTable(store, 't'), NEVER)).rejects.toThrow(/for reading/)
    }
    expect(readFileSync(file).equals(before)).toBe(true)
    expect(readdirSync(folder)).toEqual(around)
  })

  it('reports what is wrong with a file', async () => {
    await expect(open(join(folder, 'nothing.db'))).rejects.toMatchObject({ code: 'CONNECT_FAILED', kind: 'source' })
    expect(existsSync(join(folder, 'nothing.db'))).toBe(false)
    const file = join(folder, 'text.db')
    const { writeFileSync } = await import('node:fs')
    writeFileSync(file, 'this is no database at all, but it is longer than a header would be '.repeat(20))
    await expect(open(file)).rejects.toMatchObject({ code: 'TARGET_CORRUPT', kind: 'source' })
  })
})

describe('conditions', () => {
  const SQL = `CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'a')`

  it('are evaluated by SQLite', async () => {
    await using store = await sourceOf(SQL)
    const table = await onlyTable(store, 't')
    expect(await rowsOf(store, { ...readAll(table), where: `x = 'a' OR x = 'z' -- a remark` })).toEqual([
      ['1', 'a'],
      ['3', 'a'],
    ])
    await using view = await store.source(NEVER)
    expect(await view.extent(table, `x = 'b'`, true)).toMatchObject({ rows: 1n, low: '2', high: '2' })
    expect(await view.last(table, EVERY_KEY, `x = 'b'`, NEVER)).toEqual(['2'])
  })

  it.each([`nobody = 1`, `x = ?`, `1 = 1); DELETE FROM t; --`, `x = `, `json_extract('{', 1)`])(
    '%s is refused',
    async (where) => {
      await using store = await sourceOf(SQL)
      const table = await onlyTable(store, 't')
      await expect(rowsOf(store, { ...readAll(table), where })).rejects.toMatchObject({
        code: 'BAD_PREDICATE',
        hint: expect.stringContaining('double quotes') as string,
      })
      await using view = await store.source(NEVER)
      await expect(view.extent(table, where, true)).rejects.toMatchObject({ code: 'BAD_PREDICATE' })
      expect(await rowsOf(store, readAll(table))).toHaveLength(3)
    },
  )
})

describe('ranges', () => {
  const words = fc.constantFrom('', 'a', 'A', 'b', 'é', '😀', "it's", '"; --', '\n', 'a\0b', '10', '9')
  const value = fc.oneof(fc.constant(null), words, fc.integer({ min: -50, max: 50 }), fc.uint8Array({ maxLength: 2 }))
  const KEYS = [
    'k INTEGER PRIMARY KEY',
    'k INT UNIQUE',
    'k TEXT UNIQUE',
    'k TEXT COLLATE NOCASE UNIQUE',
    'k BLOB UNIQUE',
    'k UNIQUE',
    'k NUMERIC UNIQUE',
    'k TEXT, l INT, UNIQUE (l, k)',
    'k',
  ]

  it.each(KEYS)('contain each row once: %s', async (columns) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { maxLength: 30 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (values, size, known) => {
          const file = fileOf(`CREATE TABLE t (no INT, ${columns})`)
          const connection = new Database(file)
          const names = columns.includes('l INT') ? 'k, l, no' : 'k, no'
          const insert = connection.prepare(
            `INSERT OR IGNORE INTO t (${names}) VALUES (${names.replaceAll(/\w+/g, '?')})`,
          )
          for (const [i, one] of values.entries()) {
            // A value that is no whole number cannot be divided by arithmetic, and is refused when it is read: see the
            // tests of types.
            if (/INT(?:EGER)? (?:PRIMARY|UNIQUE)/.test(columns) && typeof one !== 'number' && one !== null) continue
            if (columns.startsWith('k TEXT') && one instanceof Uint8Array) continue
            const parameters = columns.includes('l INT') ? [one, i % 3 === 0 ? null : i % 2, i] : [one, i]
            insert.run(...parameters)
          }
          const expected = connection.prepare('SELECT no FROM t ORDER BY no').pluck().all() as number[]
          connection.close()
          await using store = await open(file)
          const found = await onlyTable(store, 't')
          const table = { ...found, rows: known ? found.rows : 0n }
          await using view = await store.source(NEVER)
          const whole: Range = table.key.length > 0 ? EVERY_KEY : { by: 'block', from: 0n, to: null }
          const ranges: Range[] = []
          for await (const range of view.cut(table, whole, null, size, NEVER)) ranges.push(range)
          if ((await view.extent(table, null, false)).nullKeys) ranges.push({ by: 'nullKey' })
          const only = table.columns
            .filter(({ name }) => name === 'no')
            .map((column) => ({ name: 'no', as: column.type, column }))
          const seen: number[] = []
          for (const range of ranges) {
            for await (const { rows } of view.read(
              { table, columns: only, range, where: null, ordered: false },
              { rows: 4, bytes: 1e6 },
              NEVER,
            )) {
              seen.push(...rows.map(([no]) => Number(no)))
            }
          }
          expect(seen.toSorted((a, b) => a - b)).toEqual(expected)
          expect((await view.extent(table, null, true)).rows).toBe(BigInt(expected.length))
          rmSync(file)
        },
      ),
      { numRuns: 15 },
    )
  })

  it('by rowid include values below 1, too', async () => {
    await using store = await sourceOf(
      `CREATE TABLE t (x INT); INSERT INTO t (rowid, x) VALUES (-5, 1), (-4, 2), (0, 3), (7, 4), (9, 5), (1000000, 6)`,
    )
    const table = await onlyTable(store, 't')
    expect(table.blocks).toBe(1_000_001n)
    await using view = await store.source(NEVER)
    const ranges = []
    for await (const range of view.cut(table, { by: 'block', from: 0n, to: null }, null, 2, NEVER)) ranges.push(range)
    expect(ranges).toEqual([
      { by: 'block', from: 0n, to: 1n },
      { by: 'block', from: 1n, to: 1_000_000n },
      { by: 'block', from: 1_000_000n, to: null },
    ])
    const read = await Promise.all(ranges.map((range) => rowsOf(store, readAll(table, range))))
    expect(read.map((rows) => rows.map(([x]) => x))).toEqual([['1', '2', '3'], ['4', '5'], ['6']])
  })

  it('by a key with values that are no whole numbers are refused by name', async () => {
    await using store = await sourceOf(
      `CREATE TABLE t (k INT PRIMARY KEY, x); INSERT INTO t VALUES (1, 1), (7.5, 1), ('abc', 1)`,
    )
    const table = await onlyTable(store, 't')
    await using view = await store.source(NEVER)
    const cut = (async () => {
      for await (const range of view.cut(table, EVERY_KEY, null, 1, NEVER)) void range
    })()
    await expect(cut).rejects.toMatchObject({ code: 'VALUE_REFUSED' })
  })

  it('have the digest of their rows, in batches of any size', async () => {
    await using store = await sourceOf(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); INSERT INTO t SELECT i, 'x' || i FROM ${SERIES(2500)}`,
    )
    const table = await onlyTable(store, 't')
    await using view = await store.source(NEVER)
    for (const size of [
      { rows: 1, bytes: 1e6 },
      { rows: 999, bytes: 1e6 },
      { rows: 5000, bytes: 300 },
      { rows: 1e6, bytes: 1e9 },
    ]) {
      const sum = new RowChecksum()
      for await (const { rows, bytes } of view.read(readAll(table), size, NEVER)) {
        expect(rows.length).toBeLessThanOrEqual(size.rows)
        expect(bytes).toBeGreaterThan(0)
        for (const row of rows) sum.add(row)
      }
      expect(sum.digest()).toEqual(await view.digest(readAll(table), NEVER))
    }
  })
})

it('accepts hostile names', async () => {
  const names = [`"; DROP TABLE t; --`, `a'b`, 'line\nend', '😀', 'select', ' ', '%', 'rowid']
  const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
  await using store = await sourceOf(
    names
      .map(
        (name) =>
          `CREATE TABLE ${quote(name)} (${quote(name)} INT PRIMARY KEY, "x" TEXT); INSERT INTO ${quote(name)} VALUES (1, 'a'), (2, 'b')`,
      )
      .join('; '),
  )
  for (const name of names) {
    const table = await onlyTable(store, name.replace('*', ''))
    expect(table.key).toEqual([name])
    await using view = await store.source(NEVER)
    expect(await view.extent(table, null, true)).toMatchObject({ rows: 2n, low: '1', high: '2' })
    expect(await rowsOf(store, readAll(table))).toEqual([
      ['1', 'a'],
      ['2', 'b'],
    ])
  }
})
