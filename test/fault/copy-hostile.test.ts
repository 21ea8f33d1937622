/**
 * Names and values that are known to break programs. What a target cannot store is quarantined with its cause, and
 * everything else arrives.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL, someOf } from '../support/backend.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'
import { ledgerProblems } from '../support/copy-ledger.ts'
import { expectNothingToDo, of } from './copy-kit.ts'

const SYSTEMS: readonly System[] = ['postgresql', 'sqlite', 'mysql', 'd1']
const TABLE = `o"ne 'q'; DROP TABLE t; --\n😀 \\ ? $1`
const COLUMNS = ['i"d', "na\nme 'q'", '😀?', 'b\\s $1', '; DROP TABLE t; --'] as const

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-hostile-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function place(system: System, context: { skip(condition: boolean, why: string): void }): Promise<Place> {
  const why = await missing(system)
  context.skip(why !== '', why)
  return makePlace(system, folder)
}

function expectAside({ events }: Ran, keys: readonly string[]): void {
  const named = of(events, 'row.aside').map(({ key }) => key[0])
  expect(named.toSorted()).toEqual([...keys].toSorted())
}

/** A diff reports unreadable values as errors, and refused rows as missing; everything else is equal. */
async function expectUnread(copy: ReturnType<typeof copyOf>, aside: number): Promise<void> {
  const { finished } = await perform({ ...copy, kind: 'diff', limit: 50, fix: false, deleteExtra: false })
  expect(finished).toMatchObject({ exitCode: aside === 0 ? 0 : 1, totals: { different: '0', extra: '0' } })
  const { errors = '0', missing: notThere = '0' } = finished.totals
  if (aside > 0) expect(Number(errors)).toBeGreaterThan(0)
  expect(Number(errors) + Number(notThere)).toBe(aside)
}

/** A diff reports only the quarantined rows as missing, and no other difference. */
async function expectOnlyAside(copy: ReturnType<typeof copyOf>, ran: Ran, keys: readonly string[]): Promise<void> {
  expectAside(ran, keys)
  const compared = await perform({ ...copy, kind: 'diff', limit: 50, fix: false, deleteExtra: false })
  const named = of(compared.events, 'difference')
  expect(named.map(({ key, difference }) => [key[0], difference]).toSorted()).toEqual(
    keys.map((key) => [key, 'missing']).toSorted(),
  )
  expect(compared.finished.exitCode).toBe(keys.length === 0 ? 0 : 1)
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
const mysqlName = (name: string): string => `\`${name.replaceAll('`', '``')}\``

const FROM: readonly System[] = ['postgresql', 'sqlite', 'mysql']

describe('difficult names', () => {
  async function filled(source: Place, plain: (name: string) => string): Promise<string> {
    const name = (text: string): string => (source.system === 'mysql' ? mysqlName : quoted)(plain(text))
    const [id, ...others] = COLUMNS
    const rows = Array.from({ length: 30 }, (_, i) => `(${i}, ${others.map((__, j) => `'${i} ${j}'`).join(', ')})`)
    await source.sql(
      `CREATE TABLE ${name(TABLE)} (${name(id)} INTEGER PRIMARY KEY, ${others.map((one) => `${name(one)} VARCHAR(30)`).join(', ')})`,
      `INSERT INTO ${name(TABLE)} VALUES ${rows.join(', ')}`,
    )
    return plain(TABLE)
  }

  test.for(
    someOf(
      FROM.flatMap((from) => SYSTEMS.map((to) => [from, to] as const)),
      4,
    ),
  )('are copied from %s into %s', { timeout: 60_000 }, async ([from, to], context) => {
    const [source, target] = [await place(from, context), await place(to, context)]
    const table = await filled(source, (name) =>
      from === 'mysql' || to === 'mysql' ? name.replaceAll('😀', '☃') : name,
    )
    const copy = copyOf(source, target, table, { chunkRows: 7 })
    const ran = await perform(copy)
    expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: '30' } })
    await expectOnlyAside(copy, ran, [])
    expect(await ledgerProblems(target, table, 30)).toEqual([])
    await expectNothingToDo(copy)
  })

  test(
    'with characters that MySQL does not support are refused with its reason',
    { timeout: 60_000 },
    async (context) => {
      const [source, target] = [await makePlace('sqlite', folder), await place('mysql', context)]
      const table = await filled(source, (name) => name)
      const { finished } = await perform(copyOf(source, target, table))
      expect(finished).toMatchObject({
        exitCode: 4,
        error: { code: 'TABLE_REFUSED', message: expect.stringMatching(/MySQL does not accept a table named .*😀/s) },
      })
      expect(
        await target.rows(
          'SHOW TABLES WHERE Tables_in_' + new URL(target.url).pathname.slice(1) + " NOT LIKE 'migration%'",
        ),
      ).toEqual([])
    },
  )
})

/** Rows by key; each has one difficult value. */
const VALUES: readonly (readonly [key: string, column: string, value: string])[] = [
  ['1', 'whole', '9223372036854775807'],
  ['2', 'whole', '-9223372036854775808'],
  ['3', 'real', "'NaN'"],
  ['4', 'real', "'Infinity'"],
  ['5', 'real', "'-Infinity'"],
  ['6', 'real', '5e-324'],
  ['7', 'real', '-1.7976931348623157e308'],
  ['8', 'exact', "'NaN'"],
  ['9', 'exact', `-${'9'.repeat(60)}.${'7'.repeat(5)}`],
  ['10', 'words', `'a' || chr(1) || chr(31) || chr(127) || E'\\\\N \\t\\r\\n' || chr(1114111) || '"'';--'`],
  ['11', 'words', `repeat('é😀x', 714286)`],
  ['12', 'bytes', `decode(repeat('00ff5c0a', 1000), 'hex')`],
  ['13', 'words', `''`],
  ['14', 'words', 'NULL'],
  ['15', 'moment', `'-infinity'`],
  ['16', 'moment', `'4713-01-01 00:00:00 BC'`],
  ['17', 'moment', `'294276-12-31 23:59:59.999999'`],
  ['18', 'real', `'-0'`],
]

/** Keys of the rows that other systems cannot store. */
const ASIDE: Readonly<Record<string, readonly string[]>> = {
  postgresql: [],
  sqlite: ['3', '18'],
  mysql: ['3', '4', '5', '15', '16', '17', '18'],
  d1: ['3', '11', '18'],
}

/**
 * Values that only MySQL can store, by key: invalid dates, times longer than a day, an ENUM value outside of its list.
 */
const OF_MYSQL: readonly (readonly [key: string, column: string, value: string])[] = [
  ['1', 'd', "'0000-00-00'"],
  ['2', 'd', "'2024-00-15'"],
  ['3', 'd', "'9999-12-31'"],
  ['4', 'm', "'0000-00-00 00:00:00'"],
  ['5', 'm', "'9999-12-31 23:59:59.999999'"],
  ['6', 'c', "'838:59:59'"],
  ['7', 'c', "'-838:59:59'"],
  ['8', 'y', '0'],
  ['9', 'y', '2155'],
  ['10', 'u', '18446744073709551615'],
  ['11', 'e', "'nonsense'"],
]
const MYSQL_ASIDE: Readonly<Record<string, readonly string[]>> = {
  postgresql: ['1', '2', '4', '6', '7'],
  sqlite: ['1', '2', '4'],
  d1: ['1', '2', '4'],
}

describe.each(SYSTEMS)('difficult values, into %s', (system) => {
  test('from postgresql: copied or quarantined', { timeout: 60_000 }, async (context) => {
    const [source, target] = [await place('postgresql', context), await place(system, context)]
    await source.sql(
      'CREATE TABLE v (id int PRIMARY KEY, whole bigint, real double precision, exact numeric, words text, bytes bytea, moment timestamp)',
      ...VALUES.map(([key, column, value]) => `INSERT INTO v (id, ${column}) VALUES (${key}, ${value})`),
    )
    const lossy = system === 'postgresql' ? [] : ['exact', 'real', 'moment']
    const copy = copyOf(source, target, 'v', { chunkRows: 5, acceptLossy: lossy })
    const ran = await perform(copy)
    const aside = ASIDE[system] ?? []
    expect(ran.finished).toMatchObject({
      exitCode: aside.length === 0 ? 0 : 1,
      totals: {
        read: String(VALUES.length),
        written: String(VALUES.length - aside.length),
        quarantined: String(aside.length),
      },
    })
    await expectOnlyAside(copy, ran, aside)
    for (const { error } of of(ran.events, 'row.aside')) expect(error.code).toMatch(/^(?:VALUE|ROW)_REFUSED$/)
    expect(await ledgerProblems(target, 'v', VALUES.length - aside.length)).toEqual([])
  })

  test(
    'from sqlite: U+0000, invalid UTF-8, 5 MB of text are copied or quarantined',
    { timeout: 60_000 },
    async (context) => {
      const [source, target] = [await makePlace('sqlite', folder), await place(system, context)]
      await source.sql(
        'CREATE TABLE v (id INTEGER PRIMARY KEY, words TEXT, n INTEGER)',
        `INSERT INTO v (id, words) VALUES (1, 'plain'), (2, 'a' || char(0) || 'b'), (3, char(0)), (4, hex(zeroblob(2500000))), (5, 'last'),
         (6, CAST(x'ff41' AS TEXT)), (7, CAST(x'c3' AS TEXT)), (8, CAST(x'eda080' AS TEXT)), (9, x'00ff')`,
        "INSERT INTO v (id, n) VALUES (10, 'word'), (11, 1.5), (12, 9223372036854775807), (13, -9223372036854775808)",
      )
      const copy = copyOf(source, target, 'v', { chunkRows: 4 })
      const ran = await perform(copy)
      const aside = [...({ postgresql: ['2', '3'], d1: ['4'] }[system as string] ?? []), '6', '7', '8', '9', '10', '11']
      expect(ran.finished).toMatchObject({
        totals: { read: '13', written: String(13 - aside.length), quarantined: String(aside.length) },
      })
      expectAside(ran, aside)
      await expectUnread(copy, aside.length)
      expect(await ledgerProblems(target, 'v', 13 - aside.length)).toEqual([])
    },
  )

  test.runIf(ALL || system === 'mysql')('from mysql: copied or quarantined', { timeout: 60_000 }, async (context) => {
    const [source, target] = [await place('mysql', context), await place(system, context)]
    await source.sql(
      "SET sql_mode = ''",
      "CREATE TABLE v (id INT PRIMARY KEY, d DATE, m DATETIME(6), c TIME, y YEAR, u BIGINT UNSIGNED, e ENUM('a', 'b'))",
      ...OF_MYSQL.map(([key, column, value]) => `INSERT INTO v (id, ${column}) VALUES (${key}, ${value})`),
    )
    const copy = copyOf(source, target, 'v', { chunkRows: 4, acceptLossy: ['d', 'm', 'c', 'y', 'u', 'e'] })
    const ran = await perform(copy)
    const aside = MYSQL_ASIDE[system] ?? []
    expect(ran.finished).toMatchObject({
      exitCode: aside.length === 0 ? 0 : 1,
      ...(aside.length === 0 ? {} : { error: { code: 'ROWS_ASIDE' } }),
      totals: { read: '11', written: String(11 - aside.length), quarantined: String(aside.length) },
    })
    expectAside(ran, aside)
    await expectUnread(copy, aside.length)
    expect(await ledgerProblems(target, 'v', 11 - aside.length)).toEqual([])
    expect(await target.rows('SELECT y, u FROM v WHERE id IN (8, 9, 10) ORDER BY id')).toEqual([
      ['0', null],
      ['2155', null],
      [null, system === 'd1' ? expect.any(String) : '18446744073709551615'],
    ])
    if (system === 'mysql') expect(await target.rows('SELECT e, e + 0 FROM v WHERE id = 11')).toEqual([['', '0']])
  })

  // The search for a bad row is the same on all systems, and the rollback of a batch differs; both have their own
  // tests.
  test.runIf(ALL || system === 'sqlite' || system === 'postgresql')(
    'every 97th of a thousand rows is refused: the others arrive, and these do once they are repaired',
    { timeout: 60_000 },
    async (context) => {
      const [source, target] = [await makePlace('sqlite', folder), await place(system, context)]
      const bad = Array.from({ length: 10 }, (_, i) => String((i + 1) * 97))
      await source.sql(
        'CREATE TABLE v (id INTEGER PRIMARY KEY, n INTEGER)',
        'WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 1000) INSERT INTO v SELECT n, n % 97 FROM i',
      )
      await target.sql('CREATE TABLE v (id BIGINT NOT NULL PRIMARY KEY, n BIGINT CHECK (n > 0))')
      const copy = copyOf(source, target, 'v', { chunkRows: 400 })
      const ran = await perform(copy)
      expect(ran.finished).toMatchObject({
        exitCode: 1,
        error: { code: 'ROWS_ASIDE' },
        totals: { read: '1000', written: '990', quarantined: '10' },
      })
      await expectOnlyAside(copy, ran, bad)
      expect(await ledgerProblems(target, 'v', 990)).toEqual([])
      await source.sql('UPDATE v SET n = 97 WHERE n = 0')
      const repaired = await perform({ kind: 'retry-quarantine', from: source.url, to: target.url })
      expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { written: '10', quarantined: '0' } })
      expect(await ledgerProblems(target, 'v', 1000)).toEqual([])
      await expectNothingToDo(copy)
      await expectOnlyAside(copy, { ...ran, events: [] }, [])
    },
  )
})
