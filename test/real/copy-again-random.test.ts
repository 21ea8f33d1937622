/**
 * After random edits of both sides `copy --again --delete-extra` makes them equal, and `diff`, the reference
 * implementation, finds no difference.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-again-random-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** mulberry32 */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const WORDS = ['a', 'B', 'ä', '', "it's", 'Z z', '🚰', '-1', 'ß', 'null']
const text = (word: string): string => `'${word.replaceAll("'", "''")}'`

/** Statements that change random rows, also with the smallest and the largest keys. */
function edits(random: (below: number) => number): readonly string[] {
  const key = (): string => `k = ${text(WORDS[random(WORDS.length)] ?? '')} AND n = ${random(30) - 5}`
  return Array.from({ length: 4 + random(30) }, () => {
    const word = text(WORDS[random(WORDS.length)] ?? '')
    const value = random(4) === 0 ? 'NULL' : text(WORDS[random(WORDS.length)] ?? '')
    switch (random(4)) {
      case 0:
        return `DELETE FROM t WHERE ${key()}`
      case 1:
        return `UPDATE t SET v = ${value} WHERE ${key()}`
      case 2:
        return `DELETE FROM t WHERE n BETWEEN ${random(20)} AND ${random(20)} AND k = ${word}`
      default:
        return `INSERT INTO t VALUES (${word}, ${random(40) - 10}, ${value}) ON CONFLICT (k, n) DO UPDATE SET v = excluded.v`
    }
  })
}

const rowsOf = async (place: Place): Promise<readonly string[]> =>
  (await place.rows('SELECT k, n, v FROM t')).map((row) => JSON.stringify(row)).toSorted()

const PAIRS = [
  { from: 'sqlite', to: 'sqlite', k: 'TEXT', seeds: ALL ? 40 : 4 },
  // Texts of this column sort by a language: a range of one side is not a range of the other.
  { from: 'postgresql', to: 'sqlite', k: 'TEXT COLLATE "en-x-icu"', seeds: ALL ? 12 : 1 },
  ...(ALL ? ([{ from: 'sqlite', to: 'postgresql', k: 'TEXT', seeds: 12 }] as const) : []),
] as const

describe.each(PAIRS)('$from to $to', ({ from, to, k, seeds }) => {
  test('both sides are equal after the copy', { timeout: ALL ? 300_000 : 60_000 }, async (context) => {
    for (const system of [from, to]) {
      const why = await missing(system)
      context.skip(why !== '', why)
    }
    const source = await makePlace(from, folder)
    const target = await makePlace(to, folder)
    await source.sql(`CREATE TABLE t (k ${k} NOT NULL, n INTEGER NOT NULL, v TEXT, PRIMARY KEY (k, n))`)
    await source.sql(
      ...WORDS.flatMap((word) =>
        Array.from({ length: 20 }, (_, n) => `INSERT INTO t VALUES (${text(word)}, ${n}, ${text(word)})`),
      ),
    )
    const copy = copyOf(source, target, 't', { chunkRows: 23 })
    expect((await perform(copy)).finished.error).toBeUndefined()
    for (let seed = 1; seed <= seeds; seed++) {
      const random = randomOf(seed)
      await source.sql(...edits(random))
      await target.sql(...edits(random))
      const changed = await rowsOf(target)
      const again = await perform({ ...copy, again: true, deleteExtra: true, workers: 1 + random(3) })
      const where = `seed ${seed}`
      expect(again.finished.error, where).toBeUndefined()
      expect(again.finished.exitCode, where).toBe(0)
      expect(await rowsOf(target), where).toEqual(await rowsOf(source))
      const reference = await perform({ ...copy, kind: 'diff', limit: 10, fix: false, deleteExtra: false })
      expect(reference.finished, where).toMatchObject({
        exitCode: 0,
        totals: { missing: '0', extra: '0', different: '0' },
      })
      if (seed % 2 === 0) continue
      // Undone, and copied again: rows of new chunks stay, because they are not repairs.
      const undone = await perform({
        kind: 'diff-undo',
        runId: again.events[0]?.runId ?? '',
        to: target.url,
        tables: [],
      })
      expect([undefined, 'NO_SUCH_TABLE'], where).toContain(undone.finished.error?.code)
      const back = new Set(await rowsOf(target))
      expect(
        changed.filter((row) => !back.has(row)),
        where,
      ).toEqual([])
      expect((await perform({ ...copy, again: true, deleteExtra: true })).finished.exitCode, where).toBe(0)
      expect(await rowsOf(target), where).toEqual(await rowsOf(source))
    }
  })
})
