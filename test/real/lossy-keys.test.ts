/** Keys that lose something on their way, as --accept-lossy has it: rows are named by what stands at the source, and none is written over another. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-lossy-keys-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.for([
  ['mysql', 'postgresql'],
  ['postgresql', 'mysql'],
] as const)('%s to %s', { timeout: 60_000 }, async ([from, to], { skip }) => {
  for (const system of [from, to]) {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
  }
  const source = await makePlace(from, folder)
  const target = await makePlace(to, folder)
  await source.sql(
    'CREATE TABLE t (k DECIMAL(10,3) PRIMARY KEY, v VARCHAR(10))',
    "INSERT INTO t VALUES (1.231, 'a'), (1.234, 'b'), (2.5, 'c')",
  )
  await target.sql('CREATE TABLE t (k DECIMAL(10,2) PRIMARY KEY, v VARCHAR(10))')
  const { finished, events } = await perform(copyOf(source, target, 't', { acceptLossy: ['k'] }))
  expect(finished).toMatchObject({ exitCode: 1, totals: { written: '2', quarantined: '1' } })
  expect(events.flatMap((one) => (one.type === 'row.aside' ? [one.key] : []))).toEqual([['1.234']])
  const line = 'SELECT row_key FROM migration_quarantine WHERE replayed_ms IS NULL'
  expect(await target.rows(line)).toEqual([['["1.234"]']])

  const tried = await perform({ kind: 'retry-quarantine', to: target.url, from: source.url })
  expect(tried.finished).toMatchObject({ exitCode: 1, totals: { quarantined: '1', written: '0', gone: '0' } })
  expect((await target.rows('SELECT v FROM t ORDER BY k')).flat()).toEqual(['a', 'c'])
  expect(await target.rows(line)).toHaveLength(1)
})

test('columns of several tables, of which none has all', { timeout: 60_000 }, async ({ skip }) => {
  for (const system of ['mysql', 'postgresql'] as const) {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
  }
  const source = await makePlace('mysql', folder)
  const target = await makePlace('postgresql', folder)
  const made = (name: string, column: string, digits: number): string =>
    `CREATE TABLE ${name} (k INT PRIMARY KEY, ${column} DECIMAL(10,${digits}))`
  await source.sql(made('one', 'price', 3), made('two', 'cost', 3), made('three', 'price', 3))
  await source.sql('INSERT INTO one VALUES (1, 1.231)', 'INSERT INTO two VALUES (1, 1.231)')
  await target.sql(made('one', 'price', 2), made('two', 'cost', 2), made('three', 'price', 2))
  const copy = (...acceptLossy: string[]) =>
    perform(copyOf(source, target, 'one', { acceptLossy, tables: ['one', 'two', 'three'] }))

  const slip = await copy('price', 'cots')
  expect(slip.finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
  expect(slip.finished.error?.message).toContain('none of the 3 tables has a column cots')

  const some = await copy('one.price', 'cost')
  expect(some.finished).toMatchObject({ exitCode: 6 })
  const refused = some.events.flatMap((e) => (e.type === 'table.finished' && e.status === 'refused' ? [e.table] : []))
  expect(refused).toEqual([expect.stringContaining('three')])
  expect(await target.rows('SELECT count(*) FROM two')).toEqual([['1']])

  expect((await copy('price', 'cost')).finished).toMatchObject({ exitCode: 0 })
})
