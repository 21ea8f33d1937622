/**
 * Copies of texts that the target's column takes for one key, and its unique index does not: each spelling is a row,
 * and is read back as one.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-loose-keys-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const TARGETS: Partial<Record<System, readonly string[]>> = {
  sqlite: ['CREATE TABLE t (k TEXT COLLATE NOCASE NOT NULL, v INT)', 'CREATE UNIQUE INDEX u ON t (k COLLATE BINARY)'],
  d1: ['CREATE TABLE t (k TEXT COLLATE NOCASE NOT NULL, v INT)', 'CREATE UNIQUE INDEX u ON t (k COLLATE BINARY)'],
  duckdb: ['CREATE TABLE t (k VARCHAR COLLATE NOCASE PRIMARY KEY, v INT)'],
  postgresql: [
    "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    'CREATE TABLE t (k text COLLATE loose NOT NULL, v int)',
    'CREATE UNIQUE INDEX u ON t (k COLLATE "C")',
  ],
}

describe.each(Object.entries(TARGETS) as [System, readonly string[]][])('%s', async (system, statements) => {
  const why = await missing(system)

  test.skipIf(why !== '')(`each spelling of a key is a row, in one chunk and in several${why}`, async () => {
    const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
    await source.sql(
      'CREATE TABLE t (k TEXT PRIMARY KEY NOT NULL, v INT)',
      `INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
       SELECT 'Key' || i, i FROM n UNION ALL SELECT 'kEY' || i, -i FROM n`,
    )
    await target.sql(...statements)
    const { finished, events } = await perform(copyOf(source, target, 't', { chunkRows: 10 }))
    expect([finished.exitCode, events.filter(({ type }) => type === 'chunk.failed')]).toEqual([0, []])
    expect(await target.rows('SELECT count(*) FROM t')).toEqual([['80']])
  })
})
