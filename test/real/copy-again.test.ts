/** `copy --again`: what was copied is compared with the source as it is now, and what differs is written, as `diff --fix` does. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/event.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-again-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Of<T extends Event['type']> = Extract<Event, { type: T }>
const all = <T extends Event['type']>({ events }: Ran, type: T): readonly Of<T>[] =>
  events.filter((one): one is Of<T> => one.type === type)

const runIdOf = ({ events }: Ran): string => events[0]?.runId ?? ''
const undo = (target: Place, run: Ran): Promise<Ran> =>
  perform({ kind: 'diff-undo', runId: runIdOf(run), to: target.url, tables: [] })

const rowsOf = (place: Place): Promise<unknown> => place.rows('SELECT id, name, n FROM t ORDER BY id')
const values = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => `(${from + i}, 'näme ${from + i}', ${(from + i) * 3})`).join(', ')

const PAIRS = [
  ['postgresql', 'postgresql'],
  ['postgresql', 'sqlite'],
  ['sqlite', 'sqlite'],
  ['sqlite', 'mysql'],
  ['mysql', 'postgresql'],
  ['sqlite', 'duckdb'],
  ['sqlite', 'd1'],
] as const

describe.each(PAIRS)('%s to %s', (from, to) => {
  test('a finished copy is compared, mended, and proved now', { timeout: 60_000 }, async (context) => {
    for (const system of [from, to]) {
      const why = await missing(system)
      context.skip(why !== '', why)
    }
    const source = await makePlace(from, folder)
    const target = await makePlace(to, folder)
    await source.sql(
      'CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(50) NOT NULL, n INTEGER)',
      `INSERT INTO t VALUES ${values(1, 1000)}`,
    )
    const copy = copyOf(source, target, 't', { chunkRows: 100 })
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { chunks: '10' } })

    // Nothing has changed: everything is read, and nothing written.
    const same = await perform({ ...copy, again: true })
    expect(same.finished).toMatchObject({
      exitCode: 0,
      totals: {
        chunks: '10',
        proved: '10',
        read: '1000',
        written: '0',
        skipped: '1000',
        compared: '10',
        differed: '0',
      },
    })
    expect(all(same, 'chunk.done')).toHaveLength(10)
    expect(all(same, 'chunk.skipped')).toHaveLength(0)

    const before = await rowsOf(target)
    await target.sql(
      'DELETE FROM t WHERE id BETWEEN 11 AND 210',
      "UPDATE t SET name = 'other' WHERE id = 500",
      "INSERT INTO t VALUES (5000, 'only here', 1)",
    )
    await source.sql('DELETE FROM t WHERE id = 700', `INSERT INTO t VALUES ${values(1001, 1010)}`)
    const changed = await rowsOf(target)
    const again = await perform({ ...copy, again: true })
    expect(again.finished.error).toBeUndefined()
    // 5000 stands where new rows of the source were going to be written: that chunk is compared, too.
    expect(again.finished).toMatchObject({
      exitCode: 0,
      totals: { read: '1009', written: '211', compared: '11', differed: '5', mended: '211', removed: '0', extra: '2' },
    })
    expect(all(again, 'table.finished')[0]?.notes?.join('\n')).toContain('2 rows of the target are not in the source')
    expect(await target.rows('SELECT COUNT(*) FROM t')).toEqual([['1011']])

    const clean = await perform({ ...copy, again: true, deleteExtra: true })
    expect(clean.finished).toMatchObject({ exitCode: 0, totals: { written: '0', removed: '2', extra: '0' } })
    expect(await rowsOf(target)).toEqual(await rowsOf(source))
    const compared = await perform({ ...copy, kind: 'diff', limit: 10, fix: false, deleteExtra: false })
    expect(compared.finished.exitCode).toBe(0)

    // Both runs are taken back, the last one first.
    expect((await undo(target, clean)).finished).toMatchObject({ exitCode: 0, totals: { undone: '2' } })
    expect((await undo(target, again)).finished).toMatchObject({ exitCode: 0, totals: { undone: '211' } })
    expect(await rowsOf(target)).toEqual(changed)
    expect(before).not.toEqual(changed)
  })
})
