/** What the plan of a copy says of keys and types that cannot be used. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

let folder: Folder
beforeAll(() => void (folder = temporaryFolder()))
afterAll(() => folder[Symbol.dispose]())

test.each(['postgresql', 'mysql'] as const)('a key of JSON into %s is refused by the plan', async (system) => {
  if ((await missing(system)) !== '') return
  const [source, target] = [await makePlace('sqlite', folder.path), await makePlace(system, folder.path)]
  await source.sql('CREATE TABLE t (j JSON PRIMARY KEY NOT NULL, v INTEGER)', `INSERT INTO t VALUES ('{"a": 1}', 1)`)
  for (const dryRun of [true, false]) {
    const ran = JSON.stringify(await perform(copyOf(source, target, 't', { dryRun })))
    expect(ran).toMatch(/"UNSUPPORTED_KEY","message":"[^"]*t cannot have the key j, which is json"/)
    expect(ran).toContain('name other unique columns with --key')
  }
})

test('a type that cannot become another one is refused with its table', async () => {
  const [source, target] = [await makePlace('sqlite', folder.path), await makePlace('duckdb', folder.path)]
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)')
  await target.sql('CREATE TABLE t (id BIGINT PRIMARY KEY, v BIGINT)')
  const ran = JSON.stringify(await perform(copyOf(source, target, 't')))
  expect(ran).toMatch(/"message":"v \(BLOB\) cannot become v \(BIGINT\)"[^}]*"where":"main\.t"/)
})

test.each([
  [`v = 'a' || v = 'b'`, 'OR between conditions'],
  [String.raw`v = 'a\\b'`, 'CHAR(92)'],
])('a condition whose meaning depends on sql_mode is refused: %s', async (where, instead) => {
  if ((await missing('mysql')) !== '') return
  const [source, target] = [await makePlace('mysql', folder.path), await makePlace('sqlite', folder.path)]
  await source.sql('CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9))', `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
  const ran = JSON.stringify(await perform(copyOf(source, target, 't', { where })))
  expect(ran).toContain('"BAD_PREDICATE"')
  expect(ran).toContain(instead)
})

test('a condition with the same signs within texts and names is copied', async () => {
  if ((await missing('mysql')) !== '') return
  const [source, target] = [await makePlace('mysql', folder.path), await makePlace('sqlite', folder.path)]
  await source.sql('CREATE TABLE t (id INT PRIMARY KEY, `v"` VARCHAR(9))', `INSERT INTO t VALUES (1, '5"||'), (2, 'b')`)
  const { finished } = await perform(copyOf(source, target, 't', { where: '`v"` = \'5"||\' AND "id" > 0 -- a || b' }))
  expect(finished.error).toBeUndefined()
  expect(await target.rows('SELECT id FROM t')).toEqual([['1']])
})

describe.each(['sqlite', 'postgresql', 'mysql', 'duckdb', 'd1'] as const)('%s', (system) => {
  test('a floating point key is named as not used', { timeout: 60_000 }, async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const [source, target] = [await makePlace(system, folder.path), await makePlace('sqlite', folder.path)]
    const type = system === 'postgresql' ? 'float8' : 'DOUBLE'
    await source.sql(
      `CREATE TABLE f (k ${type} NOT NULL, v INTEGER, PRIMARY KEY (k))`,
      'CREATE TABLE g (k INTEGER, v INTEGER)',
    )
    const note = 'it has no key but k, a floating point number, which is not used: an interrupted copy of it restarts'
    const planned = JSON.stringify(await perform(copyOf(source, target, 'f', { dryRun: true })))
    expect(planned).toContain(note)
    expect(planned).toContain('left behind: the key with k')
    const other = JSON.stringify(await perform(copyOf(source, target, 'g', { dryRun: true })))
    if (system !== 'sqlite' && system !== 'd1') expect(other).toContain('it has no key: an interrupted copy')
    expect(other).not.toContain('floating')
  })
})

test('a stream of a SQLite table with a floating point key is refused with the cause', async () => {
  const [source, target] = [await makePlace('sqlite', folder.path), await makePlace('sqlite', folder.path)]
  await source.sql('PRAGMA journal_mode = WAL', 'CREATE TABLE f (k REAL PRIMARY KEY NOT NULL, v INTEGER)')
  const follow = { cdc: 'trigger', until: 'caught-up' } as const
  const ran = JSON.stringify(await perform(copyOf(source, target, 'f', { follow })))
  expect(ran).toContain('f has no key but k, a floating point number')
  expect(ran).not.toContain('add a primary key')
})
