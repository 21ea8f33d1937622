/** Values whose text does not identify them: copies refuse them by name, and change none of them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-fields-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const TYPES = ['place', 'place[]', 'trip', 'there'] as const
const ORDERS = { same: '(lat float8, lon float8)', other: '(lon float8, lat float8)' }

async function placeOf(fields: string, ...more: readonly string[]): Promise<Place> {
  const place = await makePlace('postgresql', folder)
  await place.sql(
    `CREATE TYPE place AS ${fields}`,
    'CREATE TYPE trip AS (name text, stop place)',
    'CREATE DOMAIN there AS place',
    ...more,
  )
  return place
}

test.for(TYPES)('a composite type with other fields is refused: %s', async (type, { skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', why)
  const table = `CREATE TABLE t (id int PRIMARY KEY, p ${type})`
  const source = await placeOf(ORDERS.same, table, 'INSERT INTO t VALUES (1, NULL)')
  for (const more of [[], [table]]) {
    const other = await perform(copyOf(source, await placeOf(ORDERS.other, ...more), 't'))
    expect(other.finished.exitCode).not.toBe(0)
    expect(other.finished.error?.message).toContain('has other fields in the target')
    const same = await perform(copyOf(source, await placeOf(ORDERS.same, ...more), 't'))
    expect(same.finished, JSON.stringify(same.finished)).toMatchObject({ exitCode: 0 })
  }
})

test('a VARIANT of DuckDB is refused', async () => {
  const source = await makePlace('duckdb', folder)
  const made = await source
    .sql('CREATE TABLE t (id int PRIMARY KEY, v VARIANT)', 'INSERT INTO t VALUES (1, 42::VARIANT)')
    .then(
      () => true,
      () => false,
    )
  // Files of an older storage version do not have the type.
  if (!made) return
  const { finished } = await perform(copyOf(source, await makePlace('duckdb', folder), 't'))
  expect(finished.error).toMatchObject({ code: 'UNSUPPORTED_TYPE' })
})
