/** A comparison without --rename and --columns compares the columns as the ledger says that they were copied. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import { of } from '../fault/copy-kit.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-renamed-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.for(['sqlite', 'duckdb', 'postgresql', 'mysql'] as const)('%s', { timeout: 60_000 }, async (system, { skip }) => {
  const why = await missing(system)
  skip(why !== '', why)
  const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
  const named = 'CREATE TABLE crossed (k INTEGER PRIMARY KEY, a VARCHAR(9), b VARCHAR(9), c VARCHAR(9))'
  await source.sql(named, "INSERT INTO crossed VALUES (1, 'a1', 'b1', 'c1'), (2, 'a2', 'b2', 'c2')")
  await target.sql(named)
  const { tables, from, to } = copyOf(source, target, 'crossed')
  const rename = { a: 'b', b: 'a' }
  const copied = await perform(copyOf(source, target, 'crossed', { rename, onExisting: 'append' }))
  expect(copied.finished, JSON.stringify(copied.finished.error)).toMatchObject({ exitCode: 0 })
  const diff = async (more: Partial<DiffOperation> = {}) =>
    await perform({ kind: 'diff', from, to, tables, rename: {}, limit: 9, fix: false, deleteExtra: false, workers: 1, ...more }) // prettier-ignore
  const plain = await diff()
  expect(plain.finished, JSON.stringify(plain.finished.error)).toMatchObject({ exitCode: 0 })
  expect(of(plain.events, 'table.finished')[0]?.notes?.join()).toContain(
    'compared as they were copied: a with b, b with a',
  )
  expect((await diff({ rename })).finished).toMatchObject({ exitCode: 0 })
  // Other pairs are compared if they are given.
  expect((await diff({ rename: { a: 'a', b: 'b' } })).finished.totals).toMatchObject({ different: '2' })
  await target.sql("UPDATE crossed SET b = 'other' WHERE k = 2")
  expect((await diff({ fix: true })).finished).toMatchObject({ exitCode: 0, totals: { fixed: '1' } })
  expect(await target.rows('SELECT a, b, c FROM crossed ORDER BY k')).toEqual([
    ['b1', 'a1', 'c1'],
    ['b2', 'a2', 'c2'],
  ])
})

test.for(['sqlite', 'postgresql'] as const)(
  'columns that --columns left out: %s',
  { timeout: 60_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
    const table = (columns: string): string => `CREATE TABLE chosen (k INTEGER PRIMARY KEY, a VARCHAR(9)${columns})`
    await source.sql(table(', b VARCHAR(9), c VARCHAR(9)'), "INSERT INTO chosen VALUES (1, 'a1', 'b1', 'c1')")
    await target.sql(table(', b VARCHAR(9)'))
    const { tables, from, to } = copyOf(source, target, 'chosen')
    const copied = await perform(copyOf(source, target, 'chosen', { columns: ['k', 'a'], onExisting: 'append' }))
    expect(copied.finished, JSON.stringify(copied.finished.error)).toMatchObject({ exitCode: 0 })
    const diff = async (more: Partial<DiffOperation> = {}) =>
    await perform({ kind: 'diff', from, to, tables, rename: {}, limit: 9, fix: false, deleteExtra: false, workers: 1, ...more }) // prettier-ignore
    const plain = await diff()
    expect(plain.finished, JSON.stringify(plain.finished.error)).toMatchObject({ exitCode: 0 })
    expect(of(plain.events, 'table.finished')[0]?.notes).toContain(
      'not compared, because the copy left them out: b, c (--columns compares them)',
    )
    expect((await diff({ fix: true })).finished).toMatchObject({ exitCode: 0 })
    expect(await target.rows('SELECT k, a, b FROM chosen')).toEqual([['1', 'a1', null]])
    // Others are compared if they are named.
    expect((await diff({ columns: ['k', 'a', 'b'] })).finished.totals).toMatchObject({ different: '1' })
    await source.sql("UPDATE chosen SET a = 'a2'")
    expect((await diff()).finished.totals).toMatchObject({ different: '1' })
  },
)
