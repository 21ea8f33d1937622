/**
 * Rows that share a key are compared as a group: a comparison never reports two tables as equal whose checksums differ.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-equal-keys-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const TABLE = 'CREATE TABLE t (k VARCHAR(20) NOT NULL, v VARCHAR(20))'
/** More rows than one batch of keys. */
const FILL = Array.from({ length: 1200 }, (_, i) => `('n${i}', 'x')`).join(', ')

const diffOf = (source: Place, target: Place, more: Partial<DiffOperation> = {}): DiffOperation => {
  const { from, to, tables, rename } = copyOf(source, target, 't')
  return { kind: 'diff', from, to, tables, rename, key: ['k'], limit: 10, fix: false, deleteExtra: false, workers: 1, ...more } // prettier-ignore
}

const PAIRS = [
  ['sqlite', 'sqlite'],
  ['duckdb', 'duckdb'],
  ['postgresql', 'postgresql'],
  ['mysql', 'sqlite'],
  ['sqlite', 'mysql'],
] as const satisfies readonly (readonly [System, System])[]

for (const [from, to] of PAIRS) {
  const absent = (await missing(from)) || (await missing(to))
  describe.skipIf(absent !== '')(`${from} and ${to} ${absent}`, () => {
    const both = async (source: readonly string[], target: readonly string[]): Promise<[Place, Place]> => {
      const places: [Place, Place] = [await makePlace(from, folder), await makePlace(to, folder)]
      await places[0].sql(TABLE, ...source.map((one) => `INSERT INTO t VALUES ${one}`))
      await places[1].sql(TABLE, ...target.map((one) => `INSERT INTO t VALUES ${one}`))
      return places
    }

    test.each([
      ['one after the other', ["('a', '1'), ('a', '2')", FILL], ["('a', '9'), ('a', '2')", FILL]],
      ['far apart', ["('a', '1')", FILL, "('a', '2')"], ["('a', '1')", FILL, "('a', '3')"]],
      ['twice and once', ["('a', '1')", FILL, "('a', '1')", "('b', '2')"], ["('a', '1')", FILL, "('b', '2')", "('b', '2')"]],
    ] as const)('diff reports different rows of a shared key, %s', async (_, source, target) => {
      const { finished } = await perform(diffOf(...(await both(source, target))))
      expect(finished.exitCode, JSON.stringify(finished)).toBe(1)
      const fixed = await perform(diffOf(...(await both(source, target)), { fix: true }))
      expect(fixed.finished.exitCode, JSON.stringify(fixed.finished)).not.toBe(0)
    }) // prettier-ignore

    test('the same rows of an equal key in another order are equal', async () => {
      const rows = ["('a', '1')", FILL, "('a', '2')", "('a', '2')"]
      const { finished } = await perform(diffOf(...(await both(rows, rows.toReversed()))))
      expect(finished, JSON.stringify(finished)).toMatchObject({ exitCode: 0 })
    })
  })
}

test('a difference that no row explains is reported with its range', async (context) => {
  const why = await missing('mysql')
  context.skip(why !== '', why)
  const [source, target] = [await makePlace('mysql', folder), await makePlace('sqlite', folder)]
  // The two rows of this key are in different batches of the source, so each batch sees one row on both sides.
  await source.sql(TABLE, ...["('a', '1')", FILL, "('a', '1')"].map((one) => `INSERT INTO t VALUES ${one}`))
  await target.sql(TABLE, ...["('a', '1')", FILL].map((one) => `INSERT INTO t VALUES ${one}`))
  const { finished } = await perform(diffOf(source, target))
  expect(finished).toMatchObject({ exitCode: 1, error: { code: 'PROOF_FAILED' } })
  expect(finished.error?.message).toMatch(/the checksums of both sides differ \(start–end\)/)
})

describe.each([
  ['sqlite', 'sqlite'],
  ['mysql', 'sqlite'],
] as const)('copy --again from %s to %s fails', (from, to) => {
  test.for([
    ["UPDATE t SET v = '9' WHERE v = '1'", 'another row of a shared key'],
    ["INSERT INTO t VALUES ('b', '3')", 'one row more of a key'],
  ] as const)('for %s', async ([change], { skip }) => {
    const why = await missing(from)
    skip(why !== '', why)
    const [source, target] = [await makePlace(from, folder), await makePlace(to, folder)]
    await source.sql(TABLE, "INSERT INTO t VALUES ('a', '1'), ('a', '2'), ('b', '3')")
    await target.sql(TABLE)
    const copy = copyOf(source, target, 't', { key: ['k'] })
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '3' } })
    const same = await perform({ ...copy, again: true })
    expect(same.finished, JSON.stringify(same.finished)).toMatchObject({ exitCode: 0 })
    await target.sql(change)
    const { finished } = await perform({ ...copy, again: true })
    expect(finished.exitCode, JSON.stringify(finished)).not.toBe(0)
  })
})
