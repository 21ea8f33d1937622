/**
 * `copy --again` is killed at any of its steps: the same command completes it, and one `diff --undo` undoes both runs.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'
import { startCopy, type Step } from './copy-kit.ts'

let folder = ''
let source: Place
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-again-kill-'))
  source = await makePlace('sqlite', folder)
  const rows = Array.from({ length: 60 }, (_, i) => `(${i + 1}, 'row ${i + 1}')`)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)', `INSERT INTO t VALUES ${rows.join(', ')}`)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SYSTEMS: readonly System[] = ALL
  ? ['sqlite', 'postgresql', 'mysql', 'duckdb', 'd1']
  : ['sqlite', 'postgresql', 'd1']
const WHEN = ['before', 'during', 'after'] as const
const SELECT = 'SELECT id, name FROM t ORDER BY id'
const rowsOf = (place: Place): Promise<unknown> => place.rows(SELECT)
const undo = (target: Place, { events }: Pick<Ran, 'events'>): Promise<Ran> =>
  perform({ kind: 'diff-undo', runId: events[0]?.runId ?? '', to: target.url, tables: [] })

/** For SQLite, the fastest, eight points of the run; for other systems two; every step with SLUICE_TEST_ALL. */
function pointsOf(system: System, steps: readonly Step[]): readonly number[] {
  const all = steps.map((_, i) => i + 1)
  if (ALL) return all
  const every = Math.ceil(all.length / (system === 'sqlite' ? 8 : 2))
  return all.filter((step) => step % every === every - 1)
}

describe.each(SYSTEMS)('into %s', (system) => {
  test(
    'a run after a kill has the same result, and can be undone',
    { timeout: ALL ? 600_000 : 90_000 },
    async (context) => {
      const why = await missing(system)
      context.skip(why !== '', why)
      const target = await makePlace(system, folder)
      const copy = copyOf(source, target, 't', { chunkRows: 20, workers: 1 })
      expect((await perform(copy)).finished.exitCode).toBe(0)
      await target.sql(
        'DELETE FROM t WHERE id BETWEEN 5 AND 9',
        "UPDATE t SET name = 'other' WHERE id IN (30, 31)",
        "INSERT INTO t VALUES (0, 'below'), (100, 'above')",
      )
      const changed = await rowsOf(target)
      const wanted = await rowsOf(source)
      const again = { ...copy, again: true, deleteExtra: true } as const
      const { finished, steps, events } = await startCopy(again).ended
      expect(finished).toMatchObject({ exitCode: 0, totals: { mended: '7', removed: '2', extra: '0' } })
      expect(await rowsOf(target)).toEqual(wanted)
      expect((await undo(target, { events })).finished).toMatchObject({ exitCode: 0, totals: { undone: '9' } })
      expect(await rowsOf(target)).toEqual(changed)

      const points = pointsOf(system, steps)
      let killed = 0
      for (const step of points) {
        const when = WHEN[step % 3] ?? 'before'
        const where = `${when} step ${step} of ${steps.length}`
        const child = await startCopy(again, { step, when }).ended
        if (child.signal !== null) killed++
        const after = await perform(again)
        expect(after.finished.error, where).toBeUndefined()
        expect(after.finished, where).toMatchObject({ exitCode: 0, totals: { read: '60', extra: '0', proved: '3' } })
        expect(await rowsOf(target), where).toEqual(wanted)
        const both = await undo(target, after)
        // A run that was killed after its last statement is complete, so it is undone by its own id.
        const ended = both.finished.error?.code === 'NO_SUCH_TABLE'
        const undone = ended ? await undo(target, child) : both
        expect(undone.finished.error, where).toBeUndefined()
        expect(ended && step < steps.length - 4, where).toBe(false)
        expect(await rowsOf(target), where).toEqual(changed)
        // The repairs of a killed run belong to the run that continues it: all are undone.
        const stand = await target.rows('SELECT COUNT(*) FROM migration_repairs WHERE undone_ms IS NULL')
        expect(stand, where).toEqual([['0']])
      }
      expect(killed).toBeGreaterThanOrEqual(Math.floor(points.length / 2))
    },
  )
})
