/**
 * Each type of Cassandra into PostgreSQL and back, and types of PostgreSQL into Cassandra: proved, and equal in a diff.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE } from '../support/servers/cassandra.ts'
import { newKeyspace } from '../support/servers/cassandra-kit.ts'

let folder = ''
let noPostgres = ''

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-cql-types-'))
  noPostgres = await missing('postgresql')
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ZOO = `CREATE TABLE zoo (id int, at timestamp, a ascii, b bigint, raw blob, yes boolean, d decimal, f double, g float, ip inet, t text,
  v varint, u uuid, tu timeuuid, l list<text>, s set<int>, m map<text, decimal>, n map<int, timestamp>, o frozen<place>, p frozen<tuple<int, text>>,
  PRIMARY KEY (id, at))`

const ROWS = [
  `INSERT INTO zoo (id, at, a, b, raw, yes, d, f, g, ip, t, v, u, tu, l, s, m, n, o, p) VALUES (1, '2024-02-29 23:59:59.999+0000', 'abc',
     -9223372036854775808, 0x00ff, true, 1.50, -0.0, 0.1, '10.0.0.1', 'ü "x"', 123456789012345678901234567890, a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,
     50554d6e-29bb-11e5-b345-feff819cdc9f, ['b', 'a'], {3, -1}, {'k': 1.10, '': -3}, {5: '1969-12-31 00:00:00+0000'}, {street: 'Main', no: 7}, (1, null))`,
  `INSERT INTO zoo (id, at, raw, t, f, g, ip, l) VALUES (1, '1900-01-01 00:00:00.5+0000', 0x, '', NaN, Infinity, '2001:db8::1', ['']) `,
  `INSERT INTO zoo (id, at, d, f) VALUES (2, '9999-12-31 00:00:00+0000', 1E+3, 5e-324)`,
  `INSERT INTO zoo (id, at) VALUES (-3, 0)`,
]

describe.runIf(CASSANDRA_AVAILABLE)('types of Cassandra', () => {
  test('into PostgreSQL and back', { timeout: 120_000 }, async ({ skip }) => {
    skip(noPostgres !== '', noPostgres)
    await using keyspace = await newKeyspace()
    await keyspace.cql('CREATE TYPE place (street text, no int)', ZOO, ...ROWS)
    const target = await makePlace('postgresql', folder)
    const copy = copyOf(keyspace, target, 'zoo')
    const first = await perform(copy)
    expect(first.finished.error).toBeUndefined()
    expect(first.finished).toMatchObject({ exitCode: 0, totals: { read: '4', written: '4', quarantined: '0' } })
    const types = await target.rows(
      `SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attname) FROM pg_attribute
       WHERE attrelid = 'zoo'::regclass AND attnum > 0`,
    )
    expect(types[0]?.[0]).toMatchInlineSnapshot(
      `"a text, at timestamp(3) with time zone, b bigint, d numeric, f double precision, g real, id integer, ip inet, l jsonb, m jsonb, n jsonb, o jsonb, p jsonb, raw bytea, s jsonb, t text, tu uuid, u uuid, v numeric, yes boolean"`,
    )
    expect(await target.rows('SELECT * FROM zoo ORDER BY id, at')).toMatchSnapshot()
    const compared = await perform({ ...copy, kind: 'diff', limit: 10, fix: false, deleteExtra: false })
    expect(compared.finished).toMatchObject({ exitCode: 0, totals: { missing: '0', extra: '0', different: '0' } })

    await keyspace.cql(ZOO.replace('zoo', 'back'))
    const back = await perform(copyOf(target, keyspace, 'zoo', { toTable: 'back' }))
    expect(back.finished.error).toBeUndefined()
    expect(back.finished).toMatchObject({ exitCode: 0, totals: { written: '4' } })
    const again = await perform(copyOf(keyspace, target, 'back'))
    expect(again.finished).toMatchObject({ exitCode: 0, totals: { written: '4' } })
    const sorted = (table: string) => target.rows(`SELECT * FROM ${table} ORDER BY id, at`)
    expect(await sorted('back')).toEqual(await sorted('zoo'))
  })

  test('between two tables of Cassandra, byte by byte', { timeout: 120_000 }, async () => {
    await using keyspace = await newKeyspace()
    await keyspace.cql('CREATE TYPE place (street text, no int)', ZOO, ...ROWS)
    const made = await perform(copyOf(keyspace, keyspace, 'zoo', { toTable: 'twin' }))
    expect(made.finished.error).toBeUndefined()
    const shown =
      'id, at, asciiAsBlob(a), bigintAsBlob(b), raw, booleanAsBlob(yes), decimalAsBlob(d), doubleAsBlob(f), inetAsBlob(ip), varintAsBlob(v), m, o, p'
    const [one, other] = await Promise.all(
      ['zoo', 'twin'].map((table) => keyspace.rows(`SELECT ${shown} FROM ${table}`)),
    )
    expect(other).toEqual(one)
  })

  test('what PostgreSQL has, into tables that are made', { timeout: 120_000 }, async ({ skip }) => {
    skip(noPostgres !== '', noPostgres)
    await using keyspace = await newKeyspace()
    const source = await makePlace('postgresql', folder)
    await source.sql(
      `CREATE TABLE things (id bigint PRIMARY KEY, s smallint, r real, f double precision, n numeric, whole numeric(20,0), yes boolean,
         t text, c char(5), b bytea, u uuid, j jsonb, ints int[], day date, clock time, wall timestamp, at timestamptz(3), ip inet, gap interval)`,
      `INSERT INTO things VALUES (1, -5, 0.1, 'NaN', 12345678901234567890.12345, 18446744073709551615, true, 'a', 'b', '\\x00ff',
         'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"b": [1, 2.50], "a": null}', '{1,NULL,3}', '0044-03-15 BC', '24:00', '2024-01-01 12:00:00.123456',
         '2024-01-01 12:00:00.123+02', '10.0.0.0/8', '1 month 2 days')`,
      'INSERT INTO things (id) VALUES (-9223372036854775808)',
    )
    const made = await perform(copyOf(source, keyspace, 'things'))
    expect(made.finished.error).toBeUndefined()
    expect(made.finished).toMatchObject({ exitCode: 0, totals: { written: '2', quarantined: '0' } })
    const [row] = await keyspace.rows('SELECT * FROM things WHERE id = ?', [1n])
    expect(row).toMatchObject({
      t: 'a',
      ints: '[1,null,3]',
      j: '{"a":null,"b":[1,2.5]}',
      wall: '2024-01-01 12:00:00.123456',
      ip: '10.0.0.0/8',
    })
    expect(String(row?.['n'])).toBe('12345678901234567890.12345')
    expect(String(row?.['whole'])).toBe('18446744073709551615')
    expect((row?.['at'] as Date | undefined)?.toISOString()).toBe('2024-01-01T10:00:00.123Z')
  })
})
