/**
 * Cassandra as a source: copied by token ranges into SQL databases, proved, resumed by the finished tokens, and no row
 * is skipped silently.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { types } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { openCassandraCopy } from '../../src/stores/cassandra/copy/index.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'

const TARGETS: readonly System[] = ['postgresql', 'sqlite']

let folder = ''
let keyspace: TestKeyspace
const absent = new Map<System, string>()

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-cassandra-'))
  for (const system of TARGETS) absent.set(system, await missing(system))
  keyspace = await newKeyspace()
}, 120_000)

afterAll(async () => {
  await keyspace[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

type Options = Partial<Omit<CopyOperation, 'kind'>>

/** Copies one table. */
function copy(table: string, to: Place, options: Options = {}): Promise<Ran> {
  return perform(copyOf({ ...to, url: keyspace.url }, to, table, options))
}

/** Inserts rows, many at a time. */
async function insert(table: string, columns: string, rows: readonly (readonly unknown[])[]): Promise<void> {
  const marks = columns
    .split(',')
    .map(() => '?')
    .join(', ')
  const cql = `INSERT INTO ${keyspace.name}.${table} (${columns}) VALUES (${marks})`
  for (let at = 0; at < rows.length; at += 128) {
    const some = rows.slice(at, at + 128)
    await Promise.all(some.map((row) => keyspace.link.client.execute(cql, [...row], { prepare: true })))
  }
}

const count = (events: readonly Event[], type: Event['type']): number =>
  events.filter((one) => one.type === type).length

const notes = (events: readonly Event[]): readonly string[] =>
  events.flatMap((one) => (one.type === 'table.finished' ? (one.notes ?? []) : []))

const sortedRows = (rows: readonly (readonly (string | null)[])[]): readonly string[] =>
  rows.map((row) => row.join('|')).toSorted()

describe.each(TARGETS)('to %s', (system) => {
  const place = async (skip: (when: boolean, why: string) => void): Promise<Place> => {
    skip(absent.get(system) !== '', `needs ${system}: ${absent.get(system)}`)
    return makePlace(system, folder)
  }

  test('a table of many partitions is proved; the second run does nothing', { timeout: 60_000 }, async ({ skip }) => {
    const to = await place(skip)
    const table = `many_${system}`
    await keyspace.cql(`CREATE TABLE ${table} (id bigint PRIMARY KEY, name text, amount decimal, at timestamp)`)
    const rows = Array.from({ length: 2500 }, (_, i) => [
      BigInt(i),
      i % 7 === 0 ? null : `name ${i} — é 🚰`,
      types.BigDecimal.fromString(`${i}.250`),
      new Date(1_700_000_000_000 + i),
    ])
    await insert(table, 'id, name, amount, at', rows)

    const first = await copy(table, to, { ring: { splits: 16 }, workers: 3 })
    expect(first.finished.error).toBeUndefined()
    expect(first.finished).toMatchObject({
      exitCode: 0,
      totals: { read: '2500', written: '2500', quarantined: '0', chunks: '16', proved: '16' },
    })
    const there = await to.rows(`SELECT id, name, amount FROM ${table}`)
    expect(there).toHaveLength(2500)
    expect(sortedRows(there)[0]).toMatch(/^0\|/)

    const second = await copy(table, to, { ring: { splits: 16 } })
    expect(second.finished).toMatchObject({ exitCode: 0, totals: { written: '2500' } })
    expect(count(second.events, 'chunk.started')).toBe(0)
    expect(count(second.events, 'chunk.skipped')).toBe(16)
  })

  test(
    'one partition of 50,000 rows, and keys of several columns in quoted names',
    { timeout: 90_000 },
    async ({ skip }) => {
      const to = await place(skip)
      const table = `Wide${system}`
      await keyspace.cql(
        `CREATE TABLE "${table}" ("Part ä" text, "select" int, "C" timestamp, "d""q" int, v text, PRIMARY KEY (("Part ä", "select"), "C", "d""q"))
       WITH CLUSTERING ORDER BY ("C" DESC, "d""q" ASC)`,
      )
      const rows = Array.from({ length: 50_000 }, (_, i) => ['wide', 1, new Date(i * 1000), i % 3, `row ${i}`])
      rows.push(['narrow', 2, new Date(0), 0, 'alone'])
      await insert(`"${table}"`, '"Part ä", "select", "C", "d""q", v', rows)

      const { finished } = await copy(`${keyspace.name}.${table}`, to, { ring: { splits: 5 } })
      expect(finished.error).toBeUndefined()
      expect(finished).toMatchObject({ exitCode: 0, totals: { read: '50001', written: '50001', proved: '5' } })
      const [[stored]] = (await to.rows(
        `SELECT COUNT(*) FROM "${table}" WHERE v LIKE 'row %' OR v = 'alone'`,
      )) as unknown as [[string]]
      expect(stored).toBe('50001')
    },
  )

  test('values of each type, nulls, static columns and counters', { timeout: 60_000 }, async ({ skip }) => {
    const to = await place(skip)
    const zoo = `zoo_${system}`
    await keyspace.cql(
      `CREATE TYPE IF NOT EXISTS place (street text, number int)`,
      `CREATE TABLE ${zoo} (k uuid, c int, shared text static, b blob, bo boolean, d decimal, vi varint, db double, f float, ip inet, l list<int>,
         m map<text, int>, s set<text>, t frozen<tuple<int, text>>, u frozen<place>, tu timeuuid, ts timestamp, PRIMARY KEY (k, c))`,
      `INSERT INTO ${zoo} (k, c, shared, b, bo, d, vi, db, f, ip, l, m, s, t, u, tu, ts) VALUES (00000000-0000-0000-0000-000000000001, 1, 'of all',
         0x00ff10, true, 12.50, 123456789012345678901234567890, 0.1, 1.5, '10.0.0.1', [3, 1, 2], {'b': 2, 'a': 1}, {'y', 'x'}, (7, 'seven'),
         {street: 'Long Road', number: 5}, 50554d6e-29bb-11e5-b345-feff819cdc9f, '2024-02-29 12:34:56.789+0000')`,
      `INSERT INTO ${zoo} (k, c) VALUES (00000000-0000-0000-0000-000000000001, 2)`,
      `CREATE TABLE counts_${system} (id int PRIMARY KEY, n counter)`,
      `UPDATE counts_${system} SET n = n + 9007199254740993 WHERE id = 1`,
    )
    const whole = await copy(zoo, to)
    expect(whole.finished.error).toBeUndefined()
    expect(whole.finished).toMatchObject({ exitCode: 0, totals: { written: '2', quarantined: '0' } })
    const [first, second] = await to.rows(`SELECT c, shared, b, d, vi, l, m, s, t, u FROM ${zoo} ORDER BY c`)
    expect(first?.slice(0, 2)).toEqual(['1', 'of all'])
    expect(first?.[2]?.toLowerCase()).toContain('00ff10')
    expect(first?.[4]).toBe('123456789012345678901234567890')
    expect(JSON.parse(first?.[5] ?? '')).toEqual([3, 1, 2])
    expect(JSON.parse(first?.[6] ?? '')).toEqual({ a: 1, b: 2 })
    expect(JSON.parse(first?.[7] ?? '')).toEqual(['x', 'y'])
    expect(second).toEqual(['2', 'of all', null, null, null, null, null, null, null, null])

    const counted = await copy(`counts_${system}`, to)
    expect(counted.finished).toMatchObject({ exitCode: 0, totals: { written: '1' } })
    expect(await to.rows(`SELECT id, n FROM counts_${system}`)).toEqual([['1', '9007199254740993']])
  })

  test(
    'keys of bytes, numbers with a decimal point, times and texts of any characters',
    { timeout: 60_000 },
    async ({ skip }) => {
      const to = await place(skip)
      const table = `keyed_${system}`
      await keyspace.cql(
        `CREATE TABLE ${table} (b blob, d double, f float, t text, at timestamp, u timeuuid, ok boolean, v int, PRIMARY KEY ((b, d), f, t, at, u, ok))`,
      )
      await insert(
        table,
        'b, d, f, t, at, u, ok, v',
        Array.from({ length: 60 }, (_, i) => [
          Buffer.from([i, 0, 255, 0x5c, 0x22]),
          i / 3,
          i / 7,
          `"{${i}}", \\ 'é' 🚰`,
          new Date(1_700_000_000_000 + i * 7),
          types.TimeUuid.fromDate(new Date(1_700_000_000_000 + i)),
          i % 2 === 0,
          i,
        ]),
      )
      const { finished } = await copy(table, to, { ring: { splits: 4 } })
      expect(finished.error).toBeUndefined()
      expect(finished).toMatchObject({ exitCode: 0, totals: { written: '60', proved: '4' } })
    },
  )

  test('a partition with static values only is quarantined and reported', { timeout: 60_000 }, async ({ skip }) => {
    const to = await place(skip)
    const table = `statics_${system}`
    await keyspace.cql(
      `CREATE TABLE ${table} (k text, c int, shared text static, v text, PRIMARY KEY (k, c))`,
      `INSERT INTO ${table} (k, shared) VALUES ('only static', 'nobody else has it')`,
      `INSERT INTO ${table} (k, c, shared, v) VALUES ('with a row', 1, 's', 'v')`,
    )
    const { finished, events } = await copy(table, to)
    expect(finished.error?.code).toBe('ROWS_ASIDE')
    expect(finished).toMatchObject({ exitCode: 1, totals: { read: '2', written: '1', quarantined: '1' } })
    const aside = events.filter((one) => one.type === 'row.aside')
    expect(aside).toMatchObject([{ key: ['only static', null], error: { code: 'VALUE_REFUSED' } }])
    expect(await to.rows(`SELECT k, c, shared FROM ${table}`)).toEqual([['with a row', '1', 's']])
  })

  test('parts of a ring, one after the other, with any number of ranges', { timeout: 90_000 }, async ({ skip }) => {
    const to = await place(skip)
    const table = `parts_${system}`
    await keyspace.cql(`CREATE TABLE ${table} (id int PRIMARY KEY, v text)`)
    await insert(
      table,
      'id, v',
      Array.from({ length: 1000 }, (_, i) => [i, `v${i}`]),
    )
    const tokens = (await keyspace.rows(`SELECT id, token(id) AS t FROM ${table}`)).map((row) => row.get('t') as bigint)
    const within = (low: bigint, high: bigint): number => tokens.filter((token) => token >= low && token <= high).length

    // The middle half.
    const middle = await copy(table, to, {
      ring: { splits: 7, min: '-4611686018427387904', max: '4611686018427387903' },
    })
    const half = within(-4611686018427387904n, 4611686018427387903n)
    expect(middle.finished).toMatchObject({
      exitCode: 0,
      totals: { written: String(half), chunks: '7', proved: '7' },
    })
    expect(notes(middle.events).join()).toContain('not the whole table')
    expect(await to.rows(`SELECT COUNT(*) FROM ${table}`)).toEqual([[String(half)]])

    // A sample of the whole ring continues where the middle half ended.
    const sample = await copy(table, to, { ring: { splits: 10, coverage: 30 } })
    expect(sample.finished.exitCode).toBe(0)
    expect(notes(sample.events).join()).toContain('first 30 %')
    const [[sampled]] = (await to.rows(`SELECT COUNT(*) FROM ${table}`)) as unknown as [[string]]
    expect(Number(sampled)).toBeGreaterThan(half)
    expect(Number(sampled)).toBeLessThan(1000)

    // A dry run knows that there is more to do.
    const planned = await copy(table, to, { ring: { splits: 3 } })
    expect(planned.finished).toMatchObject({ exitCode: 0, totals: { written: '1000' } })
    expect(notes(planned.events).join()).not.toContain('not the whole table')
    expect(await to.rows(`SELECT COUNT(*) FROM ${table}`)).toEqual([['1000']])

    const again = await copy(table, to, { ring: { splits: 64 } })
    expect(again.finished.exitCode).toBe(0)
    expect(count(again.events, 'chunk.started')).toBe(0)
  })

  test(
    'a stopped copy is resumed with other ranges, and works only on the requested ones',
    {
      timeout: 90_000,
    },
    async ({ skip }) => {
      const to = await place(skip)
      const table = `resumed_${system}`
      await keyspace.cql(`CREATE TABLE ${table} (id int PRIMARY KEY, v text)`)
      await insert(
        table,
        'id, v',
        Array.from({ length: 2000 }, (_, i) => [i, `v${i}`]),
      )
      const interrupter = new Interrupter()
      let done = 0
      const stopped = await perform(
        copyOf({ ...to, url: keyspace.url }, to, table, { ring: { splits: 40 }, workers: 1 }),
        {
          interrupt: interrupter,
          onEvent: ({ type }) => {
            if (type === 'chunk.done' && ++done === 5) interrupter.requestStop()
          },
        },
      )
      expect(stopped.finished.exitCode).toBe(75)

      // Less than an earlier range: the pending one is split, and its other part waits.
      const few = await copy(table, to, { ring: { splits: 2, min: '0', max: '1000000000000000' }, workers: 2 })
      expect(few.finished.exitCode).toBe(0)
      expect(count(few.events, 'chunk.started')).toBeLessThanOrEqual(4)
      expect(notes(few.events).join()).toContain('not the whole table')

      const rest = await copy(table, to, { ring: { splits: 3 } })
      expect(rest.finished).toMatchObject({ exitCode: 0, totals: { read: '2000', written: '2000' } })
      expect(await to.rows(`SELECT COUNT(*) FROM ${table}`)).toEqual([['2000']])
    },
  )
})

describe('refusals', () => {
  test('parts that a ring does not have, and tables without a ring', { timeout: 60_000 }, async () => {
    const to = await makePlace('sqlite', folder)
    await keyspace.cql(`CREATE TABLE refused (id int PRIMARY KEY, v text)`)
    for (const ring of [
      { min: '5', max: '4' },
      { max: '9223372036854775808' },
      { min: '1e5' },
      { coverage: 0 },
      { coverage: 101 },
      { splits: 0 },
    ]) {
      const { finished } = await copy('refused', to, { ring })
      expect(finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
    }
    const plain = await makePlace('sqlite', folder)
    await plain.sql('CREATE TABLE plain (id INTEGER PRIMARY KEY)')
    const { finished } = await perform(copyOf(plain, to, 'plain', { ring: { splits: 5 } }))
    expect(finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
  })

  test('several conditions in one, and conditions that CQL does not have', { timeout: 60_000 }, async () => {
    const to = await makePlace('sqlite', folder)
    await keyspace.cql(`CREATE TABLE conditions (id int, c int, v text, PRIMARY KEY (id, c))`)
    await insert(
      'conditions',
      'id, c, v',
      Array.from({ length: 90 }, (_, i) => [i % 10, i, `v${i}`]),
    )
    for (const where of ['v = 1 LIMIT 5', 'nosuch = 5', 'c > 5 OR c < 2', 'c >>> 5']) {
      const { finished } = await copy('conditions', to, { where })
      expect(finished.error?.code, where).toBe('BAD_PREDICATE')
    }
    const { finished } = await copy('conditions', to, { where: 'c >= 40' })
    expect(finished).toMatchObject({ exitCode: 0, totals: { written: '50' } })
    expect(await to.rows('SELECT COUNT(*), MIN(c) FROM conditions')).toEqual([['50', '40']])
  })

  test('patterns match tables of the keyspace, and none of the server', { timeout: 60_000 }, async () => {
    await using store = await openCassandraCopy(keyspace.url)
    const { signal } = new AbortController()
    const all = await store.tables('*', signal)
    expect(all.every(({ table }) => table.schema === keyspace.name)).toBe(true)
    expect(all.map(({ table }) => table.name)).toContain('refused')
    expect(await store.tables('*.schema_columns', signal)).toEqual([])
    expect(await store.tables('REFUSED', signal)).toEqual([])
    const [system] = await store.tables('system.local', signal)
    expect(system?.key).toEqual(['key'])
    await keyspace.cql(
      `CREATE TABLE shaped (b int, a text, z int, s text static, m int, PRIMARY KEY ((z, b), a)) WITH CLUSTERING ORDER BY (a DESC)`,
    )
    const [shaped] = await store.tables('shaped', signal)
    expect(shaped).toMatchObject({
      key: ['z', 'b', 'a'],
      primary: true,
      ring: { partitioner: 'murmur3', columns: 2, descending: ['a'] },
      partitioning: 'tokens of (z, b), rows by a desc',
      rows: 0n,
    })
    expect(shaped?.columns.map(({ name }) => name)).toEqual(['z', 'b', 'a', 's', 'm'])
    expect(shaped?.columns.map((column) => column.static ?? false)).toEqual([false, false, false, true, false])
  })
})

describe('a table that changes during a copy', () => {
  const changed = async (name: string, change: readonly string[]): Promise<Ran> => {
    const to = await makePlace('sqlite', folder)
    await keyspace.cql(`CREATE TABLE ${name} (id int PRIMARY KEY, v text, w text)`)
    await insert(
      name,
      'id, v, w',
      Array.from({ length: 500 }, (_, i) => [i, `v${i}`, 'w']),
    )
    const work: Promise<void>[] = []
    let done = 0
    const ran = await perform(copyOf({ ...to, url: keyspace.url }, to, name, { ring: { splits: 60 }, workers: 1 }), {
      onEvent: ({ type }) => {
        if (type === 'chunk.done' && ++done === 3) work.push(keyspace.cql(...change))
      },
    })
    await Promise.all(work)
    return ran
  }

  test.for([
    ['dropped', ['DROP TABLE dropped']],
    ['recreated', ['DROP TABLE recreated', 'CREATE TABLE recreated (id int PRIMARY KEY, v text, w text)']],
    ['lost', ['ALTER TABLE lost DROP w']],
    ['grown', ['ALTER TABLE grown ADD x int']],
  ] as const)('%s: the copy ends with an error', { timeout: 60_000 }, async ([name, change]) => {
    const { finished } = await changed(name, change)
    expect(finished.exitCode).not.toBe(0)
    expect(finished.error?.code).toBe('SOURCE_GONE')
  })
})
