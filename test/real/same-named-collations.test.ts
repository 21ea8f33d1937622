/** Two databases have different collations of one name: a key range of one is not a key range of the other. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-same-named-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const LETTERS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'å', 'ä', 'ö']
const KEYS = LETTERS.flatMap((one) => [one, one.toUpperCase(), `${one}1`, `${one.toUpperCase()}2`])
const VALUES = KEYS.map((key, i) => `('${key}', ${i})`).join(', ')
const cased = (locale: string): string => `CREATE COLLATION cased (provider = icu, locale = '${locale}')`

const keysOf = async ({ rows }: Place): Promise<readonly (string | null)[]> =>
  (await rows('SELECT k FROM t')).map(([key]) => key ?? null).toSorted()
const expectAll = async (target: Place): Promise<void> => expect(await keysOf(target)).toEqual(KEYS.toSorted())

describe('PostgreSQL', () => {
  const table = 'CREATE TABLE t (k text COLLATE cased PRIMARY KEY, v int)'
  test.for(['created by the user', 'created by the copy'])(
    'all rows are copied and compared; table %s',
    async (by, context) => {
      const why = await missing('postgresql')
      if (why !== '') return context.skip(why)
      const [source, target] = [await makePlace('postgresql', folder), await makePlace('postgresql', folder)]
      await source.sql(cased('sv-u-kf-upper'), table, `INSERT INTO t VALUES ${VALUES}`)
      await target.sql(cased('sv-u-kf-lower'), ...(by === 'created by the user' ? [table] : []))
      const more = { chunkRows: 3, onExisting: 'append' } as const
      expect((await perform(copyOf(source, target, 't', more))).finished.exitCode).toBe(0)
      await expectAll(target)
      expect((await perform(copyOf(source, target, 't', { ...more, again: true }))).finished.exitCode).toBe(0)
      await target.sql("DELETE FROM t WHERE k IN ('b', 'Ä')")
      const diff = { kind: 'diff', from: source.url, to: target.url, tables: ['t'], rename: {}, workers: 1, limit: 10, fix: true, deleteExtra: true } as Operation // prettier-ignore
      const { finished } = await perform(diff)
      expect(finished).toMatchObject({
        exitCode: 0,
        totals: { rows: String(KEYS.length), targetRows: String(KEYS.length - 2), missing: '2', fixed: '2' },
      })
      await expectAll(target)
    },
  )

  test('ranges of the target are not replaced', async (context) => {
    const why = await missing('postgresql')
    if (why !== '') return context.skip(why)
    const [source, target] = [await makePlace('postgresql', folder), await makePlace('postgresql', folder)]
    await source.sql(cased('sv-u-kf-upper'), table, `INSERT INTO t VALUES ${VALUES}`)
    await target.sql(cased('sv-u-kf-lower'), table, "INSERT INTO t VALUES ('a', 0)")
    const { finished } = await perform(copyOf(source, target, 't', { chunkRows: 3, onExisting: 'replace-range' }))
    expect(finished.error?.code).toBe('UNSUPPORTED_KEY')
    expect(await keysOf(target)).toEqual(['a'])
  })

  test('ranges of the target are replaced where both collations are defined alike', async (context) => {
    const why = await missing('postgresql')
    if (why !== '') return context.skip(why)
    const [source, target] = [await makePlace('postgresql', folder), await makePlace('postgresql', folder)]
    await source.sql(cased('sv-u-kf-upper'), table, `INSERT INTO t VALUES ${VALUES}`)
    await target.sql(cased('sv-u-kf-upper'), table, "INSERT INTO t VALUES ('a', 5), ('surplus', 0)")
    const { finished } = await perform(copyOf(source, target, 't', { chunkRows: 3, onExisting: 'replace-range' }))
    expect(finished.exitCode).toBe(0)
    await expectAll(target)
  })
})

// DuckDB compares É and é as equal, SQLite does not.
test('a copy of NOCASE of DuckDB to NOCASE of SQLite is compared as equal', async () => {
  const [source, target] = [await makePlace('duckdb', folder), await makePlace('sqlite', folder)]
  const keys = ['a', 'É', 'é', 'É1', 'ê', 'z', 'ZZ', 'ä', 'Ä', '_', '[', 'x', 'É2', 'é3', 'ä5']
  const values = keys.map((key, i) => `('${key}', ${i})`).join(', ')
  await source.sql('CREATE TABLE t (k VARCHAR COLLATE NOCASE PRIMARY KEY, v INTEGER)', `INSERT INTO t VALUES ${values}`)
  await target.sql('CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v INTEGER)')
  const more = { chunkRows: 2, onExisting: 'append' } as const
  expect((await perform(copyOf(source, target, 't', more))).finished).toMatchObject({ exitCode: 0 })
  const again = await perform(copyOf(source, target, 't', { ...more, again: true }))
  expect(again.finished).toMatchObject({ exitCode: 0 })
  expect(await keysOf(target)).toEqual(keys.toSorted())
})
