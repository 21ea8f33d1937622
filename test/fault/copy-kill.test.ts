/**
 * A copy is killed at any of its steps and run again, with other sizes and more workers: the result is that of an
 * uninterrupted copy.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL, firstAndToday } from '../support/backend.ts'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'
import { startProxy } from '../support/servers/proxy.ts'
import { expectDone, startCopy, type Step } from './copy-kit.ts'
import { inLoad } from './server-line.ts'

const ROWS = 400

let folder = ''
let source: Place

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-kill-'))
  source = await makePlace('sqlite', folder)
  const rows = Array.from({ length: ROWS }, (_, i) => `(${i * 3 + 1}, 'row ${i}')`)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)', `INSERT INTO t VALUES ${rows.join(', ')}`)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SYSTEMS: readonly System[] = ['sqlite', 'postgresql', 'mysql', 'duckdb', 'd1']
const WHEN = ['before', 'during', 'after'] as const

type Point = readonly [step: number, when: (typeof WHEN)[number]]

/**
 * Points at which a program is killed, counted with one worker: right before and during the statement that closes a
 * chunk in the middle, during the next statement, and after one of the first; half of these for slow systems. With
 * SLUICE_TEST_ALL every step, also with two workers.
 */
function pointsOf(system: System, steps: readonly Step[]): readonly Point[] {
  if (ALL) return steps.map((_, i) => [i + 1, WHEN[i % 3] ?? 'before'])
  const closes = steps.flatMap((step, i) => (step === 'close' ? [i + 1] : []))
  const middle = closes[closes.length >> 1] ?? 0
  const points: readonly Point[] = [
    [middle, 'before'],
    [middle + 1, 'during'],
    [middle, 'during'],
    [Math.ceil(steps.length / 5), 'after'],
  ]
  return system === 'sqlite' || system === 'postgresql' ? points : points.slice(0, 2)
}

describe.each(firstAndToday(SYSTEMS))('into %s', (system) => {
  test(
    'a copy killed at every kind of step completes with another chunk size',
    { timeout: ALL ? 600_000 : 60_000 },
    async (context) => {
      const why = await missing(system)
      context.skip(why !== '', why)
      const sizes = { chunkRows: 100, workers: ALL ? 2 : 1 }
      const { finished, steps } = await startCopy(copyOf(source, await makePlace(system, folder), 't', sizes)).ended
      expect(finished?.exitCode).toBe(0)
      expect(steps.filter((step) => step === 'close').length).toBeGreaterThan(3)
      const points = pointsOf(system, steps)
      let killed = 0
      for (const [step, when] of points) {
        const where = `${when} step ${step} of ${steps.length}`
        const target = await makePlace(system, folder)
        const copy = copyOf(source, target, 't', sizes)
        // Two workers may execute the steps in another order, so that there may be one step less.
        if ((await startCopy(copy, { step, when }).ended).signal !== null) killed++
        const again = await perform({ ...copy, chunkRows: 70, workers: 4 })
        expect(again.finished, where).toMatchObject({
          exitCode: 0,
          totals: { written: String(ROWS), quarantined: '0' },
        })
        await expectDone({ copy, source, target, table: 't', select: 'SELECT id, name FROM t ORDER BY id' }, where)
      }
      expect(killed).toBeGreaterThanOrEqual(ALL ? points.length / 2 : points.length)
    },
  )
})

test('a copy killed in the middle of the rows of a COPY completes', { timeout: 60_000 }, async (context) => {
  const why = await missing('postgresql')
  context.skip(why !== '', why)
  const from = await makePlace('postgresql', folder)
  await from.sql(
    'CREATE TABLE t (id int PRIMARY KEY, name text)',
    'INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 2000) i',
  )
  const target = await makePlace('postgresql', folder)
  const { port } = new URL(target.url)
  await using proxy = await startProxy(Number(port))
  const through = { ...target, url: target.url.replace(`:${port}/`, `:${proxy.port}/`) }
  const copy = copyOf(from, target, 't', { chunkRows: 1000, workers: 1 })
  const child = startCopy({ ...copy, to: through.url })
  const load = inLoad(proxy, 'COPY "public"."t"', { load: 2, bytes: 300_000 }, () => child.process.kill('SIGKILL'))
  expect((await child.ended).signal).toBe('SIGKILL')
  expect(load.acted()).toBe(true)
  expect(await target.rows('SELECT count(*) FROM t')).toEqual([['1000']])
  const again = await perform({ ...copy, chunkRows: 300 })
  expect(again.finished).toMatchObject({ exitCode: 0, totals: { written: '2000', chunks: '5' } })
  await expectDone({ copy, source: from, target, table: 't', select: 'SELECT id, name FROM t ORDER BY id' })
})
