/**
 * How repairs and undos change the row counts that later runs of a copy expect: a repaired row is no longer a
 * difference, and after an undo it is one again.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-surplus-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ROWS = 400
/** Numbers that no row of the source has: three in the range of chunk 1, one in that of chunk 2. */
const FREE = new Set([45, 46, 47, 95])

type Stage = { readonly source: Place; readonly target: Place; readonly copy: CopyOperation }

/** A finished copy of 8 chunks of 50 numbers; `there` are rows that the target had before. */
async function copied(system: System, there = '', more: Partial<CopyOperation> = {}): Promise<Stage> {
  const [source, target] = [await makePlace(system, folder), await makePlace(system, folder)]
  const rows = Array.from({ length: ROWS }, (_, i) => (FREE.has(i + 1) ? [] : [`(${i + 1}, 'row ${i + 1}')`])).flat()
  const table = 'CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(50))'
  await source.sql(table, `INSERT INTO t VALUES ${rows.join(', ')}`)
  await target.sql(table, ...(there === '' ? [] : [`INSERT INTO t VALUES ${there}`]))
  const copy = copyOf(source, target, 't', { chunkRows: 50, ...more })
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { chunks: '8' } })
  return { source, target, copy }
}

function fixOf({ from, to, tables, rename, workers }: CopyOperation, deleteExtra = false): DiffOperation {
  return { kind: 'diff', from, to, tables, rename, workers, limit: 10, fix: true, deleteExtra }
}

const undo = (target: Place, { events }: Ran): Promise<Ran> =>
  perform({ kind: 'diff-undo', runId: events[0]?.runId ?? '', to: target.url, tables: [] })

/** What the next run of the copy reports about the chunks that it skips. */
async function saidOf(copy: CopyOperation): Promise<string> {
  const { finished } = await perform(copy)
  expect(finished.totals).toMatchObject({ proved: '0', looked: finished.totals['chunks'] })
  return finished.error === undefined ? `exit ${finished.exitCode}` : finished.error.message
}

describe.each(['sqlite', 'postgresql'] as const)('%s', { timeout: 60_000 }, (system) => {
  test('lost rows are restored by a repair, and removed again by its undo', async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const { target, copy } = await copied(system)
    await target.sql('DELETE FROM t WHERE id BETWEEN 11 AND 20')
    expect(await saidOf(copy)).toMatch(/chunk 1 \(.*\): expected 47, found 37$/)
    const repaired = await perform(fixOf(copy))
    expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { fixed: '10' } })
    expect(await saidOf(copy)).toBe('exit 0')
    expect((await undo(target, repaired)).finished).toMatchObject({ exitCode: 0, totals: { undone: '10' } })
    expect(await saidOf(copy)).toMatch(/chunk 1 \(.*\): expected 47, found 37$/)
  })

  test('surplus rows of the target are expected for as long as they exist', async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    // Three in the range of chunk 1, one in that of chunk 2, and one in no range.
    const there = "(45, 'own'), (46, 'own'), (47, 'own'), (95, 'own'), (9000, 'own')"
    const { target, copy } = await copied(system, there, { onExisting: 'append' })
    expect(await saidOf(copy)).toBe('exit 0')
    await target.sql('DELETE FROM t WHERE id IN (2, 3)')
    // Without --delete-extra, surplus rows stay and are expected as before.
    const some = await perform(fixOf(copy))
    expect(some.finished).toMatchObject({ exitCode: 1, totals: { fixed: '2', extra: '5' } })
    expect(await saidOf(copy)).toBe('exit 0')
    const all = await perform(fixOf(copy, true))
    expect(all.finished).toMatchObject({ exitCode: 0, totals: { fixed: '5' } })
    expect(await saidOf(copy)).toBe('exit 0')
    expect((await undo(target, all)).finished).toMatchObject({ exitCode: 0, totals: { undone: '5' } })
    expect(await saidOf(copy)).toBe('exit 0')
    expect((await undo(target, some)).finished).toMatchObject({ exitCode: 0, totals: { undone: '2' } })
    expect(await saidOf(copy)).toMatch(/chunk 1 \(.*\): expected 50 \(.*\), found 48$/)
  })
})

test('an accepted loss ends when its rows are back, and is accepted again after the undo', async () => {
  const { target, copy } = await copied('sqlite')
  await target.sql('DELETE FROM t WHERE id BETWEEN 11 AND 20 OR id = 101')
  expect(await saidOf({ ...copy, acceptDifference: ['t'] })).toBe('exit 0')
  const repaired = await perform(fixOf(copy))
  expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { fixed: '11' } })
  expect(await saidOf(copy)).toBe('exit 0')
  // A row that is lost later was never accepted.
  await target.sql('DELETE FROM t WHERE id = 101')
  expect(await saidOf(copy)).toMatch(/chunk 3 \(.*\): expected 50, found 49$/)
  await target.sql("INSERT INTO t VALUES (101, 'row 101')")
  expect((await undo(target, repaired)).finished).toMatchObject({ exitCode: 0, totals: { undone: '11' } })
  expect(await saidOf(copy)).toBe('exit 0')
})

test('surplus rows that were added later are not expected, even if a repair has reported them', async () => {
  const { target, copy } = await copied('sqlite')
  await target.sql("INSERT INTO t VALUES (45, 'new'), (46, 'new')", 'DELETE FROM t WHERE id = 101')
  expect((await perform(fixOf(copy))).finished).toMatchObject({ exitCode: 1, totals: { fixed: '1', extra: '2' } })
  expect(await saidOf(copy)).toMatch(/: chunk 1 \(.*\): expected 47, found 49$/)
})

test('rows that --again repaired are expected as before after an undo', async () => {
  const { target, copy } = await copied('sqlite', "(45, 'own')", { onExisting: 'append' })
  await target.sql('DELETE FROM t WHERE id = 101')
  expect(await saidOf({ ...copy, acceptDifference: ['t'] })).toBe('exit 0')
  const again = await perform({ ...copy, again: true, deleteExtra: true })
  expect(again.finished).toMatchObject({ exitCode: 0, totals: { mended: '1', removed: '1' } })
  expect(await saidOf(copy)).toBe('exit 0')
  expect((await undo(target, again)).finished).toMatchObject({ exitCode: 0, totals: { undone: '2' } })
  expect(await saidOf(copy)).toBe('exit 0')
  await target.sql('DELETE FROM t WHERE id = 1')
  expect(await saidOf(copy)).toMatch(/chunk 1 \(.*\): expected 48 \(.*\), found 47$/)
})

test('a comparison of other rows than those of the copy does not change its expected counts', async () => {
  const { target, copy } = await copied('sqlite')
  await target.sql('DELETE FROM t WHERE id IN (2, 3)')
  expect(await saidOf({ ...copy, acceptDifference: ['t'] })).toBe('exit 0')
  await target.sql('DELETE FROM t WHERE id = 4')
  const some = await perform({ ...fixOf(copy), where: 'id <> 2 AND id <> 3' })
  expect(some.finished).toMatchObject({ exitCode: 0, totals: { fixed: '1' } })
  expect(await saidOf(copy)).toBe('exit 0')
})

test('a table that is only counted as a whole has one expected count', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  // The key has no order that both sides share: NOCASE sorts in another way.
  const rows = Array.from({ length: ROWS }, (_, i) => `('k${i + 1}', ${i})`)
  await source.sql(
    'CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, n INTEGER)',
    `INSERT INTO t VALUES ${rows.join(', ')}`,
  )
  await target.sql('CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, n INTEGER)')
  const copy = copyOf(source, target, 't', { chunkRows: 50 })
  expect((await perform(copy)).finished.exitCode).toBe(0)
  await target.sql("DELETE FROM t WHERE id IN ('k7', 'k8')")
  expect(await saidOf({ ...copy, acceptDifference: ['t'] })).toBe('exit 0')
  const repaired = await perform(fixOf(copy))
  expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { fixed: '2' } })
  expect(await saidOf(copy)).toBe('exit 0')
  await target.sql("DELETE FROM t WHERE id = 'k9'")
  expect(await saidOf(copy)).toMatch(/the table: expected 400, found 399$/)
  await target.sql("INSERT INTO t VALUES ('k9', 8)")
  expect((await undo(target, repaired)).finished.exitCode).toBe(0)
  expect(await saidOf(copy)).toBe('exit 0')
})

test('a quarantined row that a repair has written is expected in the source by later runs', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)',
    "INSERT INTO t VALUES (1, 'a'), (2, 'bad'), (3, 'c'), (4, 'bad')",
  )
  await target.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT CHECK (name <> 'bad'))")
  const copy = copyOf(source, target, 't')
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 1, error: { code: 'ROWS_ASIDE' } })
  await source.sql("UPDATE t SET name = 'good' WHERE id = 2")
  expect((await perform(fixOf(copy))).finished).toMatchObject({ exitCode: 1, totals: { fixed: '1' } })
  // Row 4 was never written, so both counts lose it. Once it is written, only the source loses it.
  await source.sql('DELETE FROM t WHERE id = 4')
  const gone = await perform(copy)
  expect(gone.finished).toMatchObject({ exitCode: 0, totals: { quarantined: '0', read: '3' } })
  await source.sql("INSERT INTO t VALUES (4, 'bad')")
  expect((await perform({ ...copy, again: true })).finished.error?.code).toBe('ROWS_ASIDE')
  await source.sql("UPDATE t SET name = 'good' WHERE id = 4")
  expect((await perform(fixOf(copy))).finished).toMatchObject({ exitCode: 0, totals: { fixed: '1' } })
  await source.sql('DELETE FROM t WHERE id = 4')
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 1, error: { code: 'COUNTS_DIFFER' } })
})
