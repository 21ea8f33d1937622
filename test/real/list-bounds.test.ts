/** Lists of PostgreSQL that do not begin at 1: other systems would renumber them, so their rows are quarantined. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-list-bounds-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.for(['duckdb', 'sqlite'] as const)('into %s', { timeout: 120_000 }, async (system, { skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', why)
  const [source, target] = [await makePlace('postgresql', folder), await makePlace(system, folder)]
  const lists = ['{a,b}', '[0:1]={a,b}', '{}', '[1:2]={a,b}', '[-1:-1]={"]=x"}', '{"[0:1]={"}']
  const rows = lists.map((list, k) => `(${k}, '${list}')`)
  await source.sql('CREATE TABLE t (k int PRIMARY KEY, a text[])', `INSERT INTO t VALUES ${rows.join(', ')}, (6, NULL)`)
  const { finished, events } = await perform(copyOf(source, target, 't'))
  expect(finished.totals).toMatchObject({ written: '5', quarantined: '2' })
  const aside = events.flatMap((one) => (one.type === 'row.aside' ? [[one.key, one.error.message]] : []))
  expect(aside).toEqual([
    [['1'], expect.stringContaining('[0:1]={a,b}')],
    [['4'], expect.stringContaining('[-1:-1]=')],
  ])
  expect((await target.rows('SELECT k FROM t ORDER BY k')).flat()).toEqual(['0', '2', '3', '5', '6'])
})
