/**
 * A repair, or its undo, is killed at any of its steps: the copy never reports lost rows as complete, and the same
 * command completes the repair.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import { ALL } from '../support/backend.ts'
import { copyOf, makePlace, perform, type Place, type Ran } from '../support/copy-systems.ts'
import { startCopy, type Child } from './copy-kit.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-diff-kill-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const WHEN = ['before', 'during', 'after'] as const
const SELECT = 'SELECT id, name FROM t ORDER BY id'
const fileOf = ({ url }: Pick<Place, 'url'>): string => url.slice('sqlite:///'.length)

/** A copy of the place for each fault, so that the original stays unchanged. */
async function like(place: Place): Promise<Place> {
  const other = await makePlace('sqlite', folder)
  cpSync(fileOf(place), fileOf(other))
  // Another file has another identity: without the recorded one, the existing table is accepted, as after a restore.
  await other.sql('UPDATE migration_plans SET target_mark = NULL')
  return other
}

/**
 * A finished copy of three chunks: in the first, the target has two rows of its own from before; in the second, three
 * rows were lost unnoticed; in the third, two were lost, and that was accepted.
 */
async function lossy(): Promise<{ readonly source: Place; readonly target: Place; readonly copy: CopyOperation }> {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  const rows = Array.from({ length: 60 }, (_, i) => i + 1).filter((id) => id !== 5 && id !== 6)
  const table = 'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)'
  await source.sql(table, `INSERT INTO t VALUES ${rows.map((id) => `(${id}, 'row ${id}')`).join(', ')}`)
  await target.sql(table, "INSERT INTO t VALUES (5, 'own'), (6, 'own')")
  const copy = copyOf(source, target, 't', { chunkRows: 20, workers: 1, onExisting: 'append' })
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { chunks: '3' } })
  await target.sql('DELETE FROM t WHERE id IN (50, 51)')
  expect((await perform({ ...copy, acceptDifference: ['t'] })).finished.exitCode).toBe(0)
  await target.sql('DELETE FROM t WHERE id IN (30, 31, 32)')
  return { source, target, copy }
}

const fixOf = ({ from, tables, rename, workers }: CopyOperation, to: Place): DiffOperation => {
  return { kind: 'diff', from, to: to.url, tables, rename, workers, limit: 10, fix: true, deleteExtra: true }
}
const undoOf = (target: Place, { events }: Pick<Ran, 'events'>) =>
  ({ kind: 'diff-undo', runId: events[0]?.runId ?? '', to: target.url, tables: [] }) as const

/** A copy reports nothing only if the rows are there; the lost rows of the second chunk must be reported. */
async function expectNoSilence(copy: CopyOperation, target: Place, where: string): Promise<string> {
  const { finished } = await perform({ ...copy, to: target.url })
  const [[lost] = []] = await target.rows('SELECT 3 - COUNT(*) FROM t WHERE id IN (30, 31, 32)')
  if (finished.exitCode === 0) expect(lost, where).toBe('0')
  else expect(finished.error?.code, where).toBe('COUNTS_DIFFER')
  return finished.error?.message ?? ''
}

function points(steps: number): readonly number[] {
  const all = Array.from({ length: steps }, (_, i) => i + 1)
  const every = Math.ceil(steps / 5)
  return ALL ? all : all.filter((step) => step % every === every - 1)
}

async function killed(child: Child): Promise<number> {
  return (await child.ended).signal === null ? 0 : 1
}

test('a repair that is killed is completed by the same command', { timeout: 90_000 }, async () => {
  const { source, target, copy } = await lossy()
  const wanted = await source.rows(SELECT)
  const { finished, steps } = await startCopy(fixOf(copy, await like(target))).ended
  expect(finished).toMatchObject({ exitCode: 0, totals: { fixed: '7' } })
  let kills = 0
  for (const step of points(steps.length)) {
    const when = WHEN[step % 3] ?? 'before'
    const where = `${when} step ${step} of ${steps.length}`
    const place = await like(target)
    kills += await killed(startCopy(fixOf(copy, place), { step, when }))
    await expectNoSilence(copy, place, where)
    const ended = await perform(fixOf(copy, place))
    expect(ended.finished.error, where).toBeUndefined()
    expect(await place.rows(SELECT), where).toEqual(wanted)
    expect(await expectNoSilence(copy, place, where), where).toBe('')
  }
  expect(kills).toBeGreaterThanOrEqual(Math.floor(points(steps.length).length / 2))
})

test('an undo that is killed is completed by the same command', { timeout: 90_000 }, async () => {
  const { target, copy } = await lossy()
  const before = await target.rows(SELECT)
  const repaired = await like(target)
  const run = await perform(fixOf(copy, repaired))
  expect(run.finished.exitCode).toBe(0)
  const { finished, steps } = await startCopy(undoOf(await like(repaired), run)).ended
  expect(finished).toMatchObject({ exitCode: 0, totals: { undone: '7' } })
  for (const step of points(steps.length)) {
    const when = WHEN[step % 3] ?? 'before'
    const where = `${when} step ${step} of ${steps.length}`
    const place = await like(repaired)
    await startCopy(undoOf(place, run), { step, when }).ended
    await expectNoSilence(copy, place, where)
    const ended = await perform(undoOf(place, run))
    expect([undefined, 'NO_SUCH_TABLE'], where).toContain(ended.finished.error?.code)
    expect(await place.rows(SELECT), where).toEqual(before)
    // Known and accepted losses have that state again; the lost rows do not.
    expect(await expectNoSilence(copy, place, where), where).toMatch(/into it: chunk 2 \(.*\): expected 20, found 17$/)
  }
})
