/**
 * Rows that share one key: a comparison goes by keys, and never reports two tables as equal that have different numbers
 * of rows.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import { copyOf, makePlace, missing, perform, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-doubled-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ROWS = Array.from({ length: 300 }, (_, i) => `('Key ${i}', ${i})`).join(', ')
const KEYED = 'CREATE TABLE t (id VARCHAR(20) NOT NULL PRIMARY KEY, v INTEGER)'
const FREE = 'CREATE TABLE t (id VARCHAR(20) NOT NULL, v INTEGER)'

const PAIRS = [
  ['sqlite', 'sqlite', 'by ranges'],
  ['mysql', 'sqlite', 'by keys'],
] as const satisfies readonly (readonly [System, System, string])[]

for (const [from, to, how] of PAIRS) {
  const absent = await missing(from)
  describe.skipIf(absent !== '')(`${from} and ${to}, ${how} ${absent}`, () => {
    test.each([
      ['the target', KEYED, FREE, { rows: '300', targetRows: '302' }],
      ['the source', FREE, KEYED, { rows: '302', targetRows: '300' }],
    ])('two rows of one key in %s are never reported as equal', async (where, here, there, counts) => {
      const [source, target] = [await makePlace(from, folder), await makePlace(to, folder)]
      await source.sql(here, `INSERT INTO t VALUES ${ROWS}`)
      await target.sql(there, `INSERT INTO t VALUES ${ROWS}`)
      const copy = copyOf(source, target, 't', { key: ['id'] })
      const diff: DiffOperation = { kind: 'diff', from: copy.from, to: copy.to, tables: copy.tables, rename: copy.rename, key: ['id'], limit: 10, fix: false, deleteExtra: false, workers: 1 } // prettier-ignore
      const before = await perform(diff)
      expect(before.finished, JSON.stringify(before.finished.error)).toMatchObject({ exitCode: 0 })
      await (where === 'the target' ? target : source).sql(
        "INSERT INTO t SELECT id, v FROM t WHERE id IN ('Key 7', 'Key 8')",
      )
      const { finished } = await perform(diff)
      expect(finished).toMatchObject({ exitCode: 1, error: { code: 'DIFFERENCES' } })
      expect(finished.totals).toMatchObject({ ...counts, different: '2' })
      // A key does not identify one of the two rows, so neither is repaired, whatever the options.
      const fixed = await perform({ ...diff, fix: true })
      expect(fixed.finished).toMatchObject({
        exitCode: 1,
        totals: { ...counts, different: '2', fixed: '0' },
        error: { hint: expect.stringContaining('the log names rows that cannot be repaired') },
      })
    })
  })
}

test('for rows without a key, diff reports both counts and only that at least one row differs', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  for (const place of [source, target]) await place.sql(FREE, `INSERT INTO t VALUES ${ROWS}`)
  await target.sql('UPDATE t SET v = -1 WHERE v < 3')
  const diff = { ...copyOf(source, target, 't'), kind: 'diff', limit: 10, fix: false, deleteExtra: false } as const
  const { finished, events } = await perform(diff)
  expect(finished).toMatchObject({
    exitCode: 1,
    error: { code: 'DIFFERENCES', message: 'rows without a usable key differ' },
  })
  const said = events.flatMap((event) => (event.type === 'log' && event.level === 'error' ? [event.message] : []))
  expect(said).toEqual([
    expect.stringMatching(/: 300 rows in the source and 300 in the target; at least one of them differs, and/),
  ])
})
