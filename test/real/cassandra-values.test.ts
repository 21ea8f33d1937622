/** Values of a real Cassandra: the driver's own binding and our encoder store the same bytes. */
import type { types } from 'cassandra-driver'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import type { Cell } from '../../src/model/copy/rows.ts'
import { cassandraDecoder } from '../../src/stores/cassandra/copy/decode.ts'
import { cassandraEncoder } from '../../src/stores/cassandra/copy/encode.ts'
import { columnTypeOf, cqlText, cqlTypeOf, freezesTypes, isBefore } from '../../src/stores/cassandra/copy/types.ts'
import { OLD_NAMES, SINGLES, single } from '../support/cql-values.ts'
import { CASSANDRA_AVAILABLE } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'

const native: ColumnType = { kind: 'native', name: 'x' }

/** The columns of a table, as a store reads and writes them. */
async function columnsOf(keyspace: TestKeyspace, table: string, as: ColumnType | 'own') {
  const { link, name } = keyspace
  const found = await link.client.metadata.getTable(name, table)
  return found.columns.map((column) => {
    const type = cqlTypeOf(column.type, freezesTypes(link.release))
    const how = as === 'own' ? columnTypeOf(type) : as
    return { name: column.name, type, decode: cassandraDecoder(type, how), encode: cassandraEncoder(type, how) }
  })
}

type Columns = Awaited<ReturnType<typeof columnsOf>>

function cellsOf(columns: Columns, row: types.Row): Record<string, Cell> {
  return Object.fromEntries(columns.map(({ name, decode }) => [name, decode(row[name])]))
}

async function insert(keyspace: TestKeyspace, table: string, values: Readonly<Record<string, unknown>>): Promise<void> {
  const present = Object.entries(values).filter(([, value]) => value !== null)
  const names = present.map(([name]) => `"${name.replaceAll('"', '""')}"`).join(', ')
  await keyspace.link.client.execute(
    `INSERT INTO ${table} (${names}) VALUES (${present.map(() => '?').join(', ')})`,
    present.map(([, value]) => value),
    { prepare: true },
  )
}

describe.runIf(CASSANDRA_AVAILABLE)('values of a real Cassandra', () => {
  it('single values: the bytes that the driver binds and ours are the same', { timeout: 120_000 }, async () => {
    await using keyspace = await newKeyspace()
    const isNew = !isBefore(keyspace.link.release, 3, 10)
    for (const name of isNew ? Object.keys(SINGLES) : OLD_NAMES) {
      const table = `v_${name}`
      await keyspace.cql(`CREATE TABLE ${table} (id int PRIMARY KEY, theirs ${name}, ours ${name})`)
      const columns = await columnsOf(keyspace, table, native)
      const column = columns.find(({ name: found }) => found === 'ours')
      const { values } = single(name)
      for (const [id, value] of fc.sample(values, { numRuns: 25, seed: 5 }).entries()) {
        await insert(keyspace, table, { id, theirs: value })
        const [read] = await keyspace.rows(`SELECT theirs FROM ${table} WHERE id = ?`, [id])
        const cell = column?.decode(read?.['theirs']) ?? null
        await insert(keyspace, table, { id, ours: column?.encode(cell) ?? null })
        const shown = (one: string) => (name === 'blob' ? one : `${name}AsBlob(${one})`)
        const [same] = await keyspace.rows(
          `SELECT ${shown('theirs')} AS a, ${shown('ours')} AS b FROM ${table} WHERE id = ?`,
          [id],
        )
        expect(same?.['b'], `${name} ${String(cell)}`).toEqual(same?.['a'])
      }
      await keyspace.cql(`DROP TABLE ${table}`)
    }
  })

  it('collections, tuples and types of users, nested as far as 2.1 nests them', { timeout: 60_000 }, async () => {
    await using keyspace = await newKeyspace()
    await keyspace.cql(
      `CREATE TYPE "In ner" ("A b" text, amounts list<decimal>, seen map<timestamp, boolean>, pair frozen<tuple<int, blob>>)`,
      `CREATE TYPE outer_one (note text, deep frozen<"In ner">, tags set<text>)`,
      `CREATE TABLE many (
        id int PRIMARY KEY, l list<double>, s set<timeuuid>, u set<uuid>, m map<inet, bigint>, t map<text, varint>,
        tup frozen<tuple<int, text, float>>, one frozen<"In ner">, two frozen<outer_one>,
        ll list<frozen<outer_one>>, mm map<frozen<tuple<int, text>>, frozen<"In ner">>, d map<decimal, text>)`,
    )
    const literal = `{"A b": 'x "quoted" ü ''', amounts: [1.50, -0.05, 3E+2], seen: {'1969-12-31 23:59:59.999+0000': true}, pair: (7, 0x00ff)}`
    await keyspace.cql(
      `INSERT INTO many (id, l, s, u, m, t, tup, one, two, ll, mm, d) VALUES (1, [1.5, -0.0, NaN, Infinity],
        {50554d6e-29bb-11e5-b345-feff819cdc9f, 00000000-29bb-11e5-8000-feff819cdc9f},
        {a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11, 50554d6e-29bb-11e5-b345-feff819cdc9f, 00000000-0000-0000-0000-000000000000},
        {'10.0.0.1': -9223372036854775808, '2001:db8::1': 9223372036854775807}, {'b': 1234567890123456789012345678901234567890, 'a': 0, 'ﬀ': 1, '😀': 2},
        (null, 'x', 0.1), ${literal}, {note: null, deep: ${literal}, tags: {}}, [{note: 'n'}, {deep: {"A b": ''}}],
        {(2, 'b'): {"A b": 'v'}, (2, 'a'): {amounts: []}}, {1.5: 'x', -10: 'y', 2: 'z'})`,
      `INSERT INTO many (id, l) VALUES (2, [])`,
    )
    for (const [id, as] of [
      [3, native],
      [4, 'own'],
    ] as const) {
      const columns = await columnsOf(keyspace, 'many', as)
      const [row, empty] = await keyspace.rows('SELECT * FROM many WHERE id IN (1, 2)')
      if (row === undefined || empty === undefined) throw new Error('the rows are not there')
      const cells = cellsOf(columns, row)
      expect(cells).toMatchSnapshot()
      expect(Object.values(cellsOf(columns, empty)).filter((cell) => cell !== null)).toEqual(['2'])
      const bytes = Object.fromEntries(columns.map(({ name, encode }) => [name, encode(cells[name] ?? null)]))
      await insert(keyspace, 'many', { ...bytes, id })
      const [copy] = await keyspace.rows(`SELECT * FROM many WHERE id = ${id}`)
      if (copy === undefined) throw new Error('the copy is not there')
      expect(cellsOf(columns, copy)).toEqual({ ...cells, id: String(id) })
    }
    // Bytes of tuples and user-defined types as stored, which a blob function cannot show.
    const shown = 'two, ll, mm, tup, one'
    const raw = await Promise.all(
      [1, 3].map(async (id) => (await keyspace.rows(`SELECT ${shown} FROM many WHERE id = ${id}`))[0]),
    )
    expect(JSON.stringify(raw[1])).toBe(JSON.stringify(raw[0]))
  })

  it('a value older than a field of its type keeps its length', async () => {
    await using keyspace = await newKeyspace()
    await keyspace.cql(
      'CREATE TYPE grown (a int, b text)',
      'CREATE TABLE t (id int, k frozen<grown>, PRIMARY KEY (id, k))',
      `INSERT INTO t (id, k) VALUES (1, {a: 1, b: 'x'})`,
      'ALTER TYPE grown ADD c int',
    )
    const columns = await columnsOf(keyspace, 't', native)
    const [row] = await keyspace.rows('SELECT * FROM t')
    if (row === undefined) throw new Error('no row')
    const { k } = cellsOf(columns, row)
    expect(k).toBe('{"a":1,"b":"x"}')
    const bytes = columns.find(({ name }) => name === 'k')?.encode(k ?? null)
    await insert(keyspace, 't', { id: 1, k: bytes })
    expect(await keyspace.rows('SELECT * FROM t')).toHaveLength(1)
    const own = (await columnsOf(keyspace, 't', 'own')).find(({ name }) => name === 'k')
    expect(own?.decode(row['k'])).toBe('{"a":1,"b":"x","c":null}')
  })

  it('types are declared by the text that is read', async () => {
    await using keyspace = await newKeyspace()
    await keyspace.cql('CREATE TYPE "Ty""pe" (a int)')
    const texts = [
      'ascii',
      'text',
      'list<int>',
      'map<text, varint>',
      'set<frozen<"Ty""pe">>',
      'frozen<"Ty""pe">',
      'frozen<tuple<int, frozen<"Ty""pe">, list<int>>>',
      'map<frozen<tuple<int, text>>, frozen<tuple<int, map<int, text>>>>',
    ]
    for (const [at, text] of texts.entries()) {
      await keyspace.cql(`CREATE TABLE t${at} (id int PRIMARY KEY, v ${text})`)
      const column = (await columnsOf(keyspace, `t${at}`, 'own')).find(({ name }) => name === 'v')
      expect(column === undefined ? null : cqlText(column.type)).toBe(text)
    }
  })

  it('moments beyond what a program counts are refused, and the first and last of them kept', async () => {
    await using keyspace = await newKeyspace()
    await keyspace.cql('CREATE TABLE t (id int PRIMARY KEY, v timestamp)')
    const all = [
      '8640000000000000',
      '-8640000000000000',
      '-62135596800001',
      '8640000000000001',
      '-1',
      '253402300800000',
    ]
    for (const [id, ms] of all.entries()) await keyspace.cql(`INSERT INTO t (id, v) VALUES (${id}, ${ms})`)
    const column = (await columnsOf(keyspace, 't', 'own')).find(({ name }) => name === 'v')
    const rows = (await keyspace.rows('SELECT * FROM t')).toSorted((a, b) => Number(a['id']) - Number(b['id']))
    const cells = rows.map((row) => {
      try {
        return column?.decode(row['v'])
      } catch (error) {
        return (error as { code: string }).code
      }
    })
    expect(cells).toEqual([
      '275760-09-13 00:00:00',
      '271822-04-20 00:00:00 BC',
      '0001-12-31 23:59:59.999 BC',
      'VALUE_REFUSED',
      '1969-12-31 23:59:59.999',
      '10000-01-01 00:00:00',
    ])
    for (const id of [0, 1, 2, 4, 5]) {
      await insert(keyspace, 't', { id: id + 10, v: column?.encode(cells[id] ?? null) })
      const [row] = await keyspace.rows('SELECT timestampAsBlob(v) AS v FROM t WHERE id = ?', [id + 10])
      expect(BigInt.asIntN(64, BigInt(`0x${(row?.['v'] as Buffer | undefined)?.toString('hex')}`))).toBe(
        BigInt(all[id] ?? ''),
      )
    }
  })
})
