/** A limit of rows per second, for rows that are forwarded as bytes without a count. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-rate-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a rate applies to a table that takes much more space than its rows', { timeout: 60_000 }, async ({ skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', `needs postgresql: ${why}`)
  const source = await makePlace('postgresql', folder)
  const target = await makePlace('postgresql', folder)
  await source.sql(
    'CREATE TABLE t (id int PRIMARY KEY, v int) WITH (fillfactor = 10)',
    'INSERT INTO t SELECT i, i FROM generate_series(1, 20000) i',
    'ANALYZE t',
  )
  const { events, finished } = await perform(copyOf(source, target, 't', { workers: 1, chunkRows: 5000, rate: 5000 }))
  expect(finished).toMatchObject({ exitCode: 0, totals: { written: '20000' } })
  const at = (type: string): readonly number[] => events.flatMap((e) => (e.type === type ? [Date.parse(e.ts)] : []))
  const started = at('chunk.started')[0] ?? 0
  const done = at('chunk.done').at(-1) ?? 0
  // The rows of one second are sent at once, and nothing waits after the last chunk. At 5,000 rows per second, at least
  // 10,000 rows had to wait.
  expect(done - started).toBeGreaterThan(1900)
})
