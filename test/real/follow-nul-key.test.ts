/** A key that PostgreSQL cannot store is in no row of it: a stream names its row, and continues once it is removed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-nul-key-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a removed row whose key has a NUL character does not end a stream into PostgreSQL', async (context) => {
  const why = await missing('postgresql')
  if (why !== '') return context.skip(why)
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('postgresql', folder)]
  await source.sql('PRAGMA journal_mode = WAL', 'CREATE TABLE t (k TEXT PRIMARY KEY NOT NULL, v INT)')
  const run = async () => (await perform(copyOf(source, target, 't', { follow: { cdc: 'trigger', until: 'caught-up' } }))).finished // prettier-ignore
  expect((await run()).error).toBeUndefined()
  await source.sql("INSERT INTO t VALUES ('a', 1), ('n' || char(0) || 'x', 2), ('z', 3)")
  const { error } = await run()
  expect([error?.code, error?.message]).toEqual(['ROW_REFUSED', expect.stringMatching(/^t, row \(n/)])
  expect(error?.hint).not.toContain('--resync')
  await source.sql('DELETE FROM t WHERE v = 2')
  expect((await run()).error).toBeUndefined()
  expect(await target.rows('SELECT k, v FROM t ORDER BY k')).toEqual([
    ['a', '1'],
    ['z', '3'],
  ])
})
