/** Keys with an enum or a set of MySQL are divided, found and stored by the numbers of their members, for any texts. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

const why = await missing('mysql')
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-member-keys-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Rows with each number of `numbers` again and again; 0 is no member. */
async function source(type: string, numbers: readonly number[], alone = false): Promise<Place> {
  const place = await makePlace('mysql', folder)
  const rows = Array.from({ length: alone ? numbers.length : 14 }, (_, i) => {
    const number = numbers[i % numbers.length] ?? 0
    return `(${number}, ${i}, 'v${i}')`
  })
  await place.sql(
    `SET sql_mode = ''`,
    `CREATE TABLE t (k ${type}, n int, v varchar(20), PRIMARY KEY (${alone ? 'k' : 'k, n'}))`,
    `INSERT INTO t VALUES ${rows.join(', ')}`,
  )
  return place
}

/** Number of the key, `n` and `v` of each row, in the order of `n`. */
const numbered = (place: Place): Promise<unknown> => place.rows('SELECT k + 0, n, v FROM t ORDER BY n')

const ENUMS = {
  'number 0 alone': [`enum('zebra', 'apple', 'mango')`, [1, 2, 3, 0]],
  'the empty text as a member': [`enum('zebra', 'apple', 'mango', '')`, [1, 2, 3, 4]],
  both: [`enum('zebra', '', 'apple', 'mango')`, [1, 2, 3, 4, 0]],
  'members called as numbers are': [`enum('2', '1', '0', '')`, [1, 2, 3, 4, 0]],
  'members that a collation takes for one': [`enum('b', 'A', 'a', 'ä') COLLATE utf8mb4_bin`, [1, 2, 3, 4]],
  'a set': [`set('b', 'a', 'c')`, [0, 1, 2, 3, 7, 4]],
  'a set with the empty text': [`set('b', '', 'a')`, [0, 1, 2, 3, 7, 4]],
} as const

describe.skipIf(why !== '')(`MySQL${why}`, { timeout: 30_000 }, () => {
  describe.each(Object.entries(ENUMS))('%s', (_, [type, numbers]) => {
    test.each(['sqlite', 'mysql'] as const)('is copied into %s', async (system) => {
      const from = await source(type, numbers)
      const to = await makePlace(system, folder)
      const first = await perform(copyOf(from, to, 't', { chunkRows: 3 }))
      expect(first.finished.error).toBeUndefined()
      expect(first.finished.exitCode).toBe(0)
      if (system === 'mysql') expect(await numbered(to)).toEqual(await numbered(from))
      else {
        const texts = new Map<string, Set<string>>()
        const there = new Map((await to.rows('SELECT n, k FROM t')).map(([n, k]) => [n, k]))
        for (const [number, n] of (await from.rows('SELECT k + 0, n FROM t')) as [string, string][]) {
          texts.set(number, (texts.get(number) ?? new Set()).add(String(there.get(n))))
        }
        // One text for each number, and different texts for different numbers.
        expect([...texts.values()].map((some) => some.size)).toEqual([...texts].map(() => 1))
        expect(new Set([...texts.values()].flatMap((some) => [...some])).size).toBe(texts.size)
      }
      const again = await perform(copyOf(from, to, 't', { chunkRows: 3, again: true }))
      expect([again.finished.error, again.finished.exitCode]).toEqual([undefined, 0])
    })
  })

  test.each(Object.entries(ENUMS))('%s as the whole key', async (_, [type, numbers]) => {
    const from = await source(type, numbers, true)
    const to = await makePlace('mysql', folder)
    const { finished } = await perform(copyOf(from, to, 't', { chunkRows: 1 }))
    expect([finished.error, finished.exitCode]).toEqual([undefined, 0])
    expect(await numbered(to)).toEqual(await numbered(from))
  })

  test.each(Object.entries(ENUMS))('%s: different rows are repaired', async (_, [type, numbers]) => {
    for (const alone of [false, true]) {
      const from = await source(type, numbers, alone)
      const to = await makePlace('mysql', folder)
      expect((await perform(copyOf(from, to, 't'))).finished.error).toBeUndefined()
      await to.sql(`UPDATE t SET v = 'other'`)
      const diff = { kind: 'diff', from: from.url, to: to.url, tables: ['t'], rename: {}, limit: 1 } as const
      const fixed = await perform({ ...diff, fix: true, deleteExtra: false, workers: 1 })
      expect([fixed.finished.error, await numbered(to)]).toEqual([undefined, await numbered(from)])
      await to.sql(`UPDATE t SET v = 'other'`)
      const again = await perform(copyOf(from, to, 't', { again: true }))
      expect([again.finished.error, await numbered(to)]).toEqual([undefined, await numbered(from)])
    }
  })

  test('members with equal texts are refused by name', async () => {
    const from = await source(`enum('a', 'b', 'a')`, [1, 2, 3])
    const { finished } = await perform(copyOf(from, await makePlace('sqlite', folder), 't', { chunkRows: 3 }))
    expect(finished.error).toMatchObject({ code: 'UNSUPPORTED_KEY' })
    expect(finished.error?.message).toBe(
      `t cannot be copied by its key k: different values of this column have the same text`,
    )
  })
})
