/**
 * Splitting by SQL on a real database: for any key, every row is in exactly one range, and neighbours share their
 * bound.
 */
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Column, TableSpec } from '../../src/model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../src/model/copy/range.ts'
import {
  byArithmetic,
  cutByBounds,
  cutByKey,
  keyBounds,
  lastKey,
  rangeCondition,
  type KeyDialect,
} from '../../src/stores/common/key-ranges.ts'
import { D1_SOURCE_KEYS } from '../../src/stores/d1/copy/keys.ts'
import { SQLITE_SOURCE_KEYS } from '../../src/stores/sqlite/copy/key-dialect.ts'
import type { SqlRow } from '../../src/model/run/sql-port.ts'

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`

const dialect: KeyDialect = {
  quote,
  from: (table) => `"${table.table.name}"`,
  bound: () => '?',
  value: (column, text) => (column.type.kind === 'int' ? BigInt(text) : text),
  text: (one) => `CAST(${quote(one.name)} AS TEXT)`,
}

type Key = readonly (string | number | null)[]

const column = (name: string, kind: 'int' | 'text' | 'float'): Column => ({
  name,
  type: kind === 'text' ? { kind } : kind === 'int' ? { kind, bits: 64 } : { kind, bits: 64 },
  native: kind,
  nullable: true,
})

function spec(columns: readonly Column[]): TableSpec {
  const key = columns.map(({ name }) => name)
  return { table: { name: 't' }, identity: 't', columns, key, primary: false, rows: 0n, bytes: 0n }
}

function tableOf(columns: readonly Column[], keys: readonly Key[]) {
  const connection = new Database(':memory:')
  const names = columns.map(({ name }) => dialect.quote(name)).join(', ')
  connection.exec(
    `CREATE TABLE t (${columns.map((one) => `${dialect.quote(one.name)} ${one.native}`).join(', ')}, UNIQUE (${names}))`,
  )
  const insert = connection.prepare(`INSERT OR IGNORE INTO t VALUES (${columns.map(() => '?').join(',')})`)
  for (const key of keys) insert.run(...key)
  const ask = (sql: string, parameters: SqlRow): Promise<readonly SqlRow[]> =>
    Promise.resolve(
      connection
        .prepare(sql)
        .raw()
        .all(...parameters) as SqlRow[],
    )
  return { ask, table: spec(columns), rows: connection.prepare(`SELECT rowid FROM t`).pluck().all() as number[] }
}

async function rangesOf(
  { ask, table }: ReturnType<typeof tableOf>,
  rows: number,
  estimate: bigint,
  within: Range & { by: 'key' } = EVERY_KEY as Range & { by: 'key' },
): Promise<(Range & { by: 'key' })[]> {
  const found: (Range & { by: 'key' })[] = []
  for await (const range of cutByKey(table, within, null, rows, estimate, dialect, ask)) {
    if (range.by === 'key') found.push(range)
  }
  return found
}

const WORDS = ['', ' ', 'a', 'A', 'ab', 'é', '😀', '\u{feff}', "it's", '"; DROP', '\n', 'z']
const KINDS = {
  one: { columns: [column('id', 'int')], key: fc.tuple(fc.option(fc.integer({ min: -30, max: 60 }))) },
  text: { columns: [column('"; DROP', 'text')], key: fc.tuple(fc.option(fc.constantFrom(...WORDS))) },
  both: {
    columns: [column('a', 'int'), column('b\n', 'text'), column('c', 'int')],
    key: fc.tuple(
      fc.option(fc.integer({ min: 0, max: 3 })),
      fc.option(fc.constantFrom(...WORDS)),
      fc.integer({ min: 0, max: 3 }),
    ),
  },
}

describe('ranges of keys', () => {
  it.each(Object.entries(KINDS))('cover every row once: %s', async (_, { columns, key }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(key as fc.Arbitrary<Key>, { maxLength: 40 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        async (keys, rows, known) => {
          const stage = tableOf(columns, keys)
          const ranges = await rangesOf(stage, rows, known ? BigInt(stage.rows.length) : 0n)
          expect(ranges[0]?.after).toBeNull()
          expect(ranges.at(-1)?.through).toBeNull()
          const seen: unknown[] = []
          for (const [i, range] of ranges.entries()) {
            if (i > 0) expect(range.after).toEqual(ranges[i - 1]?.through)
            seen.push(...(await inRange(stage, range)))
          }
          seen.push(...(await inRange(stage, { by: 'nullKey' })))
          expect(seen.map(Number).toSorted((a, b) => a - b)).toEqual(stage.rows)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('are split again within their own bounds', async () => {
    const keys = Array.from({ length: 100 }, (_, i) => [i * 1000])
    const stage = tableOf([column('id', 'int')], keys)
    const within = { by: 'key', after: ['10000'], through: ['50000'] } as const
    const ranges = await rangesOf(stage, 7, 100n, within)
    expect(ranges[0]?.after).toEqual(['10000'])
    expect(ranges.at(-1)?.through).toEqual(['50000'])
    expect(ranges).toHaveLength(6)
    for (const range of ranges.slice(0, -1)) expect(await inRange(stage, range)).toHaveLength(7)
  })

  it('without rows stay one range with the same bounds', async () => {
    const stage = tableOf([column('id', 'int')], [[1]])
    expect(await rangesOf(tableOf([column('id', 'int')], []), 5, 0n)).toEqual([EVERY_KEY])
    const within = { by: 'key', after: ['5'], through: ['9'] } as const
    expect(await rangesOf(stage, 5, 1n, within)).toEqual([within])
    expect(await lastKey(stage.table, within, null, dialect, stage.ask)).toBeNull()
    expect(await keyBounds(stage.table, within, null, dialect, stage.ask)).toBeNull()
  })

  it('of dense numbers are calculated, also above 2^53', async () => {
    const low = 9_223_372_036_854_775_000n
    expect([...byArithmetic(EVERY_KEY as Range & { by: 'key' }, low, low + 25n, 10n)]).toEqual([
      { by: 'key', after: null, through: [(low + 9n).toString()] },
      { by: 'key', after: [(low + 9n).toString()], through: [(low + 19n).toString()] },
      { by: 'key', after: [(low + 19n).toString()], through: null },
    ])
    const stage = tableOf([column('id', 'int')], [[1], [2], [3]])
    expect(await keyBounds(stage.table, EVERY_KEY, null, dialect, stage.ask)).toEqual({ low: '1', high: '3' })
  })

  it('respect a condition that ends with a comment', async () => {
    const stage = tableOf(
      [column('a', 'int'), column('b', 'text')],
      [
        [1, 'x'],
        [1, 'y'],
        [2, 'x'],
      ],
    )
    expect(await lastKey(stage.table, EVERY_KEY, `b = 'x' OR b = 'z' -- not y`, dialect, stage.ask)).toEqual(['2', 'x'])
    const { sql, parameters } = rangeCondition(
      stage.table,
      { by: 'key', after: ['1', 'x'], through: ['2', 'x'] },
      'a = 1 OR a = 2 --',
      { ...dialect, byColumns: true },
    )
    expect(await stage.ask(`SELECT a, b FROM t WHERE ${sql} ORDER BY a, b`, parameters)).toEqual([
      [1, 'y'],
      [2, 'x'],
    ])
  })

  it('of floating-point keys are refused', async () => {
    await expect(rangesOf(tableOf([column('f', 'float')], []), 5, 0n)).rejects.toMatchObject({
      code: 'UNSUPPORTED_KEY',
    })
  })

  it('include all rows of a value if a bound has only the first columns of the key', async () => {
    const side = tableOf(
      [column('a', 'int'), column('b', 'int')],
      [0, 1, 2, 3].flatMap((a) => [1, 2].map((b) => [a, b])),
    )
    const range = (after: readonly string[] | null, through: readonly string[] | null): Range => ({
      by: 'key',
      after,
      through,
    })
    expect(await inRange(side, range(null, ['1']))).toEqual([1, 2, 3, 4])
    expect(await inRange(side, range(['1'], ['2']))).toEqual([5, 6])
    expect(await inRange(side, range(['1'], null))).toEqual([5, 6, 7, 8])
    expect(await inRange(side, range(['1'], ['2', '1']))).toEqual([5])
  })
})

async function inRange({ ask, table }: ReturnType<typeof tableOf>, range: Range): Promise<unknown[]> {
  const { sql, parameters } = rangeCondition(table, range, null, dialect)
  return (await ask(`SELECT rowid FROM t WHERE ${sql}`, parameters)).map(([id]) => id)
}

describe.each([
  ['SQLite', SQLITE_SOURCE_KEYS],
  ['D1', D1_SOURCE_KEYS],
] as const)('floating point keys of another system in %s', (_, keys) => {
  it.each(['Infinity', '-Infinity', '1e+300', '0.1', '16777217'])('%s finds its row', async (text) => {
    const { ask, table } = tableOf([{ ...column('a', 'float'), native: 'REAL' }], [[Number(text)], [2]])
    const { sql, parameters } = rangeCondition(table, { by: 'keys', keys: [[text]] }, null, keys)
    expect(await ask(`SELECT a FROM t WHERE ${sql}`, parameters)).toEqual([[Number(text)]])
  })
})

describe('a system that cannot store every text', () => {
  const limited: KeyDialect = {
    ...dialect,
    below: (text) => (text.includes('\0') ? text.slice(0, text.indexOf('\0')) : null),
  }
  const rows = ['a', 'b', 'ba', 'bb', 'c'].flatMap((a) => ['', 'x', 'y'].map((b) => [a, b] as const))
  const table = spec([column('a', 'text'), column('b', 'text')])

  it('has no row with such a key, and a bound with such a text still separates the rows', () => {
    const database = new Database(':memory:')
    database.exec('CREATE TABLE t (a TEXT, b TEXT)')
    for (const row of rows) database.prepare('INSERT INTO t VALUES (?, ?)').run(...row)
    const found = (range: Range): readonly string[] => {
      const { sql, parameters } = rangeCondition(table, range, null, limited)
      expect(parameters.join()).not.toContain('\0')
      return database.prepare(`SELECT a || '/' || b FROM t WHERE ${sql}`).pluck().all(parameters).map(String).toSorted()
    }
    const text = fc.constantFrom('', 'a', 'b', 'b\0', 'b\0x', '\0', 'ba\0', 'c', 'c\0')
    const bound = fc.tuple(text, fc.constantFrom('', 'x', 'x\0', 'y'))
    const above = ([a, b]: readonly [string, string], [c, d]: readonly [string, string]): boolean =>
      a === c ? b > d : a > c
    fc.assert(
      fc.property(bound, bound, (after, through) => {
        const wanted = rows.filter((row) => above(row, after) && !above(row, through))
        expect(found({ by: 'key', after, through })).toEqual(wanted.map((row) => row.join('/')).toSorted())
        const keys = [after, through, ['b', 'x']] as const
        const among = rows.filter((row) => keys.some((key) => key.join('/') === row.join('/')))
        expect(found({ by: 'keys', keys })).toEqual(among.map((row) => row.join('/')).toSorted())
      }),
    )
    database.close()
  })
})

describe('bounds that do not increase', () => {
  const table = spec([column('a', 'text')])
  const cut = async (bounds: readonly string[]): Promise<number> => {
    let asked = 0
    const next = async (): Promise<readonly string[]> => [bounds[asked++ % bounds.length] ?? '']
    for await (const range of cutByBounds(table, { by: 'key', after: null, through: null }, next)) void range
    return asked
  }

  it.each([1, 2, 3, 10, 100])('%i bounds in a circle are an error', async (length) => {
    const bounds = Array.from({ length }, (_, i) => `b${i}`)
    await expect(cut(bounds)).rejects.toMatchObject({ code: 'UNSUPPORTED_KEY', where: 'a' })
  })
})
