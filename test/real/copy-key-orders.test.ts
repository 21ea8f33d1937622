/**
 * Keys whose order differs between systems, or seems to: each row is copied and found again, or the table is refused by
 * name. No copy may end with a proof that fails because of a different order.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

const reasons = new Map<System, string>()
let folder = ''
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-key-orders-'))
  for (const system of ['postgresql', 'mysql', 'sqlite', 'duckdb', 'd1'] as const)
    reasons.set(system, await missing(system))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Case = {
  readonly type: string
  /** Different keys, as literals of the source. */
  readonly keys: readonly string[]
  readonly before?: readonly string[]
  /** Table definition after the columns. */
  readonly more?: string
}

const days = (type: string): readonly string[] =>
  ['2024-01-01', '2024-01-02', '1000-12-31', '1001-01-01', '9999-12-31'].map((day) => `${type} '${day}'`)

const CASES: Readonly<Partial<Record<System, Readonly<Record<string, Case>>>>> = {
  postgresql: {
    timestamptz: {
      type: 'timestamptz',
      keys: [...days('timestamptz'), `'10000-01-01'`, `'0044-03-15 BC'`, `'infinity'`, `'-infinity'`],
    },
    timestamp: { type: 'timestamp', keys: [...days('timestamp'), `'10000-01-01'`] },
    'date before Christ': { type: 'date', keys: [...days('date'), `'0044-03-15 BC'`] },
    'infinite date': { type: 'date', keys: [...days('date'), `'infinity'`, `'-infinity'`] },
    timetz: { type: 'timetz', keys: [`'12:00+00'`, `'12:00+05'`, `'24:00-15'`, `'00:00+15'`] },
    time: { type: 'time', keys: [`'00:00'`, `'24:00'`, `'12:00:00.000001'`] },
    interval: { type: 'interval', keys: [`'1 mon'`, `'29 days'`, `'-1 day'`, `'100 hours'`] },
    uuid: { type: 'uuid', keys: ['00', '7f', '80', 'ff'].map((hex) => `'${hex}000000-0000-0000-0000-000000000001'`) },
    'numeric NaN': { type: 'numeric', keys: [`'NaN'`, `'Infinity'`, '-1', '10', '9'] },
    bytea: { type: 'bytea', keys: [`''`, `'\\x00'`, `'\\x7f'`, `'\\x80'`, `'\\xff00'`] },
    'bit string': { type: 'bit(3)', keys: [`B'000'`, `B'101'`, `B'111'`] },
    '"char"': { type: '"char"', keys: [`'a'`, `'B'`, `'_'`, `(-56)::"char"`, `(-1)::"char"`] },
    name: { type: 'name', keys: [`'a'`, `'B'`, `'_'`, `'é'`] },
    bpchar: { type: 'char(3)', keys: [`'a'`, `E'a\\t'`, `'ab'`, `'B'`] },
    'nondeterministic text': {
      before: [`CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`],
      type: 'text COLLATE ci',
      keys: [`'a'`, `'B'`, `'c'`, `'_'`, `'É'`],
    },
    'language text': { type: 'text COLLATE "und-x-icu"', keys: [`'a'`, `'B'`, `'c'`, `'_'`, `'É'`, `'Z'`] },
    enum: {
      before: [
        `CREATE TYPE mood AS ENUM ('b', 'z')`,
        `ALTER TYPE mood ADD VALUE 'y' BEFORE 'b'`,
        `ALTER TYPE mood ADD VALUE 'a'`,
      ],
      type: 'mood',
      keys: [`'a'`, `'b'`, `'y'`, `'z'`],
    },
    boolean: { type: 'boolean', keys: ['true', 'false'] },
    inet: { type: 'inet', keys: [`'10.0.0.2'`, `'9.0.0.1'`, `'::1'`, `'10.0.0.0/8'`] },
    pg_lsn: { type: 'pg_lsn', keys: [`'0/A'`, `'0/9'`, `'1/0'`] },
    array: { type: 'int[]', keys: [`'{10}'`, `'{9}'`, `'{9,1}'`, `'{}'`] },
  },
  mysql: {
    time: { type: 'time', keys: [`'-10:00:00'`, `'-09:00:00'`, `'12:00:00'`, `'100:00:00'`, `'23:59:59'`] },
    bit: { type: 'bit(64)', keys: [`b'1'`, `b'0'`, '0xffffffffffffffff', '0x8000000000000000'] },
    year: { type: 'year', keys: ['1901', '0', '2155', '2024'] },
    'bigint unsigned': { type: 'bigint unsigned', keys: ['0', '18446744073709551615', '9223372036854775808', '1'] },
    'zero date': {
      type: 'date',
      keys: [`'0000-00-00'`, `'2024-00-00'`, `'2024-01-01'`, `'9999-12-31'`, `'0001-01-01'`],
    },
    datetime: {
      type: 'datetime(6)',
      keys: [`'0001-01-01'`, `'9999-12-31 23:59:59.999999'`, `'2024-01-01 00:00:00.1'`, `'2024-01-01'`],
    },
    binary: { type: 'binary(2)', keys: [`X'0000'`, `X'7f00'`, `X'80ff'`] },
    'folded text': { type: 'varchar(9) COLLATE utf8mb4_general_ci', keys: [`'a'`, `'B'`, `'c'`, `'_'`, `'é'`, `'ß'`] },
    'padded text': { type: 'varchar(9) COLLATE utf8mb4_bin', keys: [`'a'`, `'a\\t'`, `'ab'`, `'B'`, `''`] },
    set: { type: `set('b', 'a', 'c')`, keys: [`''`, `'b'`, `'a'`, `'a,b'`, `'c'`, `'c,b'`] },
    decimal: { type: 'decimal(20, 2)', keys: ['-1', '10', '9', '-10.5', '0'] },
    uuid: {
      type: 'uuid',
      keys: ['00', '7f', '80', 'ff'].map((hex, i) => `'${hex}000000-0000-1000-8000-00000000000${9 - i}'`),
    },
  },
  sqlite: {
    'classes of one column': { type: 'TEXT', keys: [`'a'`, `'10'`, `'9'`, `X'61'`, `''`] },
    'a column without a type': { type: '', keys: [`'a'`, '10', '9', '1.5', `X'61'`, `'10'`] },
    'a text among numbers': { type: 'INTEGER', keys: ['10', '9', `'x'`, '-1'] },
    'another spelling of times': {
      type: 'DATETIME',
      keys: [`'2024-01-02 00:00:00'`, `'2024-01-01T10:00:00'`, `'2024-01-01 11:00:00'`],
    },
    NOCASE: { type: 'TEXT COLLATE NOCASE', keys: [`'a'`, `'B'`, `'c'`, `'_'`] },
  },
}

const TARGETS = ['sqlite', 'd1', 'postgresql', 'mysql', 'duckdb'] as const
/** Errors before a row is copied, or for a row with its key. */
const BY_NAME = new Set(['UNSUPPORTED_KEY', 'UNSUPPORTED_TYPE', 'LOSSY_TYPE', 'TABLE_REFUSED', 'VALUE_REFUSED'])

for (const [system, cases] of Object.entries(CASES) as [System, Readonly<Record<string, Case>>][]) {
  describe.each(TARGETS)(`keys of ${system} in %s`, (target) => {
    test.each(Object.entries(cases))('%s', { timeout: 60_000 }, async (name, { type, keys, before = [] }) => {
      if (reasons.get(system) !== '' || reasons.get(target) !== '') return
      const from = await makePlace(system, folder)
      const to = await makePlace(target, folder)
      await from.sql(
        ...(system === 'mysql' ? [`SET sql_mode = ''`] : []),
        ...before,
        `CREATE TABLE t (k ${type}, n int, v varchar(20), PRIMARY KEY (k, n))`,
        ...keys.map((key, i) => `INSERT INTO t VALUES (${key}, ${i}, 'v${i}')`),
      )
      const copy = copyOf(from, to, 't', { chunkRows: 2 })
      const { finished, events } = await perform(copy)
      const failures = events.flatMap((event) =>
        (event.type === 'table.finished' || event.type === 'chunk.failed') && event.error !== undefined
          ? [event.error.code]
          : [],
      )
      const aside = Number(finished.totals?.['quarantined'] ?? 0)
      const [first = 'ROWS_ASIDE'] = failures
      if (first !== 'ROWS_ASIDE') {
        expect([name, failures, BY_NAME.has(first)]).toEqual([name, failures, true])
        return
      }
      expect([name, finished.exitCode]).toEqual([name, aside > 0 ? 1 : 0])
      const there = (await to.rows('SELECT n, v FROM t ORDER BY n')).map(([n]) => Number(n))
      expect([name, there.length + aside]).toEqual([name, keys.length])
      if (aside > 0) return
      const again = await perform({ ...copy, again: true })
      expect([name, again.finished.error, again.finished.exitCode]).toEqual([name, undefined, 0])
    })
  })
}

test('keys of an enum whose values are in another order in the target', { timeout: 60_000 }, async ({ skip }) => {
  skip(reasons.get('postgresql') !== '', 'needs postgresql')
  const [from, to] = [await makePlace('postgresql', folder), await makePlace('postgresql', folder)]
  await from.sql(
    `CREATE TYPE mood AS ENUM ('a', 'b', 'c')`,
    'CREATE TABLE t (k mood, n int, PRIMARY KEY (k, n))',
    `INSERT INTO t SELECT k::mood, n FROM unnest(ARRAY['a', 'b', 'c']) AS k, generate_series(1, 9) AS n`,
  )
  await to.sql(`CREATE TYPE mood AS ENUM ('a', 'c', 'b')`)
  const copy = copyOf(from, to, 't', { chunkRows: 4 })
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '27' } })
  expect((await perform({ ...copy, again: true })).finished).toMatchObject({ exitCode: 0, totals: { differed: '0' } })
})

describe('a time in a key of PostgreSQL', () => {
  /** Number of scans of the table that the plan of a copy causes, as the server counts them. */
  async function scansOf(from: Place, table: string): Promise<number> {
    const to = await makePlace('sqlite', folder)
    const { finished } = await perform(copyOf(from, to, table, { dryRun: true }))
    expect(finished).toMatchObject({ exitCode: 0 })
    // A session reports its scans at its end.
    await vi.waitFor(async () => {
      const others =
        'SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()'
      expect(await from.rows(others)).toEqual([['0']])
    })
    const [[scans] = []] = await from.rows(
      `SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = '${table}'`,
    )
    expect(Number(scans)).toBeGreaterThan(0)
    return Number(scans)
  }

  async function tables(): Promise<Place> {
    const from = await makePlace('postgresql', folder)
    await from.sql(
      ...['behind (n int, k date, PRIMARY KEY (n, k))', 'before (k date, n int, PRIMARY KEY (k, n))'].map(
        (columns) => `CREATE TABLE ${columns}`,
      ),
      'CREATE TABLE numbers (n int, k int, PRIMARY KEY (n, k))',
      `INSERT INTO behind SELECT g, date '2024-01-01' + g FROM generate_series(1, 100) g`,
      `INSERT INTO before SELECT date '2024-01-01' + g, g FROM generate_series(1, 100) g`,
      `INSERT INTO numbers SELECT g, g FROM generate_series(1, 100) g`,
    )
    return from
  }

  test('is searched for values that sort differently only if an index can find them', async () => {
    if (reasons.get('postgresql') !== '') return
    const from = await tables()
    const plain = await scansOf(from, 'numbers')
    expect(await scansOf(from, 'behind')).toBe(plain)
    expect(await scansOf(from, 'before')).toBeGreaterThan(plain)
  })

  test('after other key columns is searched if ranges are to be replaced', async () => {
    if (reasons.get('postgresql') !== '') return
    const from = await tables()
    const to = await makePlace('sqlite', folder)
    const copy = copyOf(from, to, 'behind', { onExisting: 'replace-range' })
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
    expect(await to.rows('SELECT count(*) FROM behind')).toEqual([['100']])
    await from.sql(`INSERT INTO behind VALUES (7, 'infinity')`)
    const { events } = await perform({ ...copy, restart: true })
    expect(events.find(({ type }) => type === 'table.finished')).toMatchObject({ error: { code: 'UNSUPPORTED_KEY' } })
  })
})
