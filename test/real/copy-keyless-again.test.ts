/**
 * An interrupted copy of a table without a key begins again: no row is in the target twice, and no row of another
 * program is removed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

const ROWS = 200

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-keyless-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A copy that was stopped after three chunks. */
async function stopped(target: Place): Promise<() => Promise<Ran>> {
  const source = await makePlace('sqlite', folder)
  const rows = Array.from({ length: ROWS }, (_, at) => `(${at}, 'v${at}')`)
  await source.sql('CREATE TABLE t (id INTEGER, v TEXT)', `INSERT INTO t VALUES ${rows.join(', ')}`)
  const copy = copyOf(source, target, 't', { chunkRows: 30, workers: 1 })
  const stop = new AbortController()
  let done = 0
  await perform(copy, {
    interrupt: { stop: stop.signal, abort: new AbortController().signal },
    onEvent: ({ type }) => {
      if (type === 'chunk.done' && ++done === 3) stop.abort()
    },
  })
  expect(await countOf(target)).toBeLessThan(ROWS)
  return () => perform(copy)
}

async function countOf(target: Place): Promise<number> {
  return Number((await target.rows('SELECT count(*) FROM t'))[0]?.[0])
}

describe.each(['sqlite', 'duckdb', 'postgresql', 'mysql'] as const)('%s', (system) => {
  test('rows of another program are not removed', { timeout: 60_000 }, async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const target = await makePlace(system, folder)
    const again = await stopped(target)
    await target.sql("INSERT INTO t VALUES (9999, 'of another program')")
    const refused = await again()
    expect(refused.events).toContainEqual(
      expect.objectContaining({
        type: 'table.finished',
        error: expect.objectContaining({ code: 'TARGET_NOT_EMPTY' }) as unknown,
      }),
    )
    expect(await target.rows('SELECT id FROM t WHERE id > 1000')).toEqual([['9999']])
    await target.sql('DELETE FROM t WHERE id > 1000')
    expect((await again()).finished.exitCode).toBe(0)
    expect(await countOf(target)).toBe(ROWS)
  })

  test('a run that ended after it emptied the target is repeated', { timeout: 60_000 }, async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const target = await makePlace(system, folder)
    const again = await stopped(target)
    await target.sql('DELETE FROM t')
    expect((await again()).finished.exitCode).toBe(0)
    expect(await countOf(target)).toBe(ROWS)
  })
})

test('a run that could not empty the target duplicates no row afterwards', { timeout: 60_000 }, async () => {
  const target = await makePlace('sqlite', folder)
  const again = await stopped(target)
  await target.sql("CREATE TRIGGER g BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'not now'); END")
  expect((await again()).finished.exitCode).not.toBe(0)
  await target.sql('DROP TRIGGER g')
  expect((await again()).finished.exitCode).toBe(0)
  expect(await countOf(target)).toBe(ROWS)
})
