/**
 * Programs that archive, drop and restore are killed at any of their steps, twice in a row: the same command then
 * completes the work.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  askedMeanwhile,
  commandsOf,
  countOf,
  makeBookings,
  observe,
  type Archived,
  type Form,
} from '../support/archive-places.ts'
import type { Observer } from '../support/archive-observer.ts'
import { ALL } from '../support/backend.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import { startArchiver } from './archive-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-archive-kill-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Rows per transaction of a plain table. */
const ROWS = 70
const STAGES = ['run', 'drop', 'restore'] as const
type Stage = (typeof STAGES)[number]
const END = { run: 'DETACHED', drop: 'DROPPED', restore: 'RESTORED' } as const
const WHEN = ['before', 'after', 'during'] as const

type Point =
  | { readonly step: number; readonly when: (typeof WHEN)[number] }
  | { readonly at: string; readonly when: (typeof WHEN)[number] }

/** Runs one command, killed at each of two of its steps, and then to its end. */
async function survives(
  archived: Archived,
  observer: Observer,
  stage: Stage,
  points: readonly Point[],
): Promise<number> {
  const { [stage]: operation, query, sweep } = commandsOf(archived)
  let kills = 0
  for (const point of points) {
    const where = `${archived.form} ${stage}: ${JSON.stringify(point)} of ${JSON.stringify(points)}`
    const { result, problems } = await observer.watch(startArchiver(operation, { ...point, rows: ROWS }).ended)
    expect(problems, where).toEqual([])
    if (result.signal === 'SIGKILL') kills++
    else expect(result.finished, where).toMatchObject({ exitCode: 0 })
    expect((await observer.look()).problems, where).toEqual([])
  }
  const work = perform(operation)
  const asked = askedMeanwhile(query, countOf(observer.expected), work)
  const { result, problems: during } = await observer.watch(work)
  const where = `${archived.form} ${stage}: again after ${JSON.stringify(points)}`
  expect(result.finished, where).toMatchObject({ exitCode: 0 })
  expect(during, where).toEqual([])
  expect(await asked, where).toEqual([])
  // A sweep removes only what the killed programs left.
  expect((await perform(sweep)).finished, where).toMatchObject({ exitCode: 0 })
  const { problems, states } = await observer.look()
  expect(problems, where).toEqual([])
  expect(Object.values(states), where).toEqual([END[stage], END[stage]])
  return kills
}

/** Steps by name, so that their numbers need not be counted first; two of each list are tested per day, in rotation. */
const POINTS: Readonly<Record<Form, Readonly<Record<Stage, readonly Point[]>>>> = {
  native: {
    run: [
      { at: 'parquet', when: 'during' },
      { at: 'link ', when: 'after' },
      { at: 'COMMIT state EXPORTED', when: 'before' },
      { at: 'DETACH PARTITION', when: 'after' },
      { at: 'COMMIT state DETACHING', when: 'before' },
      { at: 'COMMIT state DETACHING', when: 'after' },
      { at: 'SET SCHEMA', when: 'after' },
      { at: 'COMMIT state DETACHED', when: 'before' },
      { at: 'rename ', when: 'after' },
      { at: 'COMMIT state PUBLISHED', when: 'before' },
      { at: 'COMMIT state VERIFIED', when: 'after' },
      { at: 'COMMIT state DETACHED', when: 'after' },
    ],
    drop: [
      { at: 'DROP TABLE', when: 'after' },
      { at: 'COMMIT state DROPPED', when: 'after' },
    ],
    restore: [
      { at: 'ADD CONSTRAINT', when: 'after' },
      { at: 'COMMIT state RESTORED', when: 'after' },
      { at: 'ATTACH PARTITION', when: 'after' },
      { at: 'link ', when: 'after' },
    ],
  },
  divided: {
    run: [
      { at: 'DETACH PARTITION', when: 'after' },
      { at: 'SET SCHEMA', when: 'during' },
      { at: 'TABLE "side"."low" SET SCHEMA', when: 'after' },
      { at: 'COMMIT state DETACHING', when: 'before' },
      { at: 'COMMIT state DETACHING', when: 'after' },
      { at: 'COMMIT state DETACHED', when: 'before' },
    ],
    drop: [
      { at: 'DROP TABLE', when: 'after' },
      { at: 'COMMIT state DROPPED', when: 'after' },
    ],
    restore: [
      { at: 'CREATE TABLE', when: 'after' },
      { at: 'ATTACH PARTITION', when: 'after' },
      { at: 'COMMIT state RESTORED', when: 'after' },
    ],
  },
  plain: {
    run: [
      { at: 'COMMIT state VERIFIED', when: 'before' },
      { at: 'COMMIT state DETACHED', when: 'before' },
    ],
    drop: [
      { at: 'DELETE FROM', when: 'after' },
      { at: 'COMMIT state DETACHED', when: 'after' },
      { at: 'COMMIT state DROPPED', when: 'before' },
    ],
    restore: [
      { at: 'COMMIT state DETACHED', when: 'after' },
      { at: 'INSERT INTO "bookings"', when: 'after' },
      { at: 'COMMIT state RESTORED', when: 'after' },
      { at: 'link ', when: 'before' },
    ],
  },
}
const DAY = Math.floor(Date.now() / 86_400_000)

function pointsOf(system: System, form: Form, stage: Stage, workers: number): readonly Point[] {
  // PostgreSQL inserts rows by COPY, so it has no INSERT step.
  const all = POINTS[form][stage].filter((one) => system === 'sqlite' || !('at' in one && one.at.startsWith('INSERT')))
  const first = (DAY * 2 + (workers - 1) * 5) % all.length
  return [first, (first + 1) % all.length].flatMap((i) => all[i] ?? [])
}

describe.each([
  ['postgresql', 'native', 1],
  ['postgresql', 'native', 2],
  ['postgresql', 'divided', 1],
  ['sqlite', 'plain', 1],
  ['postgresql', 'plain', 1],
  ['postgresql', 'plain', 2],
] as const)('%s, %s, workers: %i', (system, form, workers) => {
  const fresh = async (): Promise<Archived> => ({
    ...(await makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')))),
    workers,
  })

  test.skipIf(system === 'postgresql' && form === 'plain' && workers === 1)(
    'each command completes after it was killed twice',
    { timeout: 180_000 },
    async (context) => {
      const why = await missing(system)
      context.skip(why !== '', why)
      const archived = await fresh()
      await using observer = await observe(archived)
      for (const stage of STAGES) {
        // Up to the detach, plain tables take the same steps as partitions.
        const points = form === 'plain' && stage === 'run' ? [] : pointsOf(system, form, stage, workers)
        const kills = await survives(archived, observer, stage, points)
        // Of two parallel workers, both may be past the second point when the first one is killed.
        expect(kills, stage).toBeGreaterThanOrEqual(workers === 1 ? points.length : Math.min(1, points.length))
      }
      expect(await observer.live()).toEqual(observer.expected)
    },
  )

  test.skipIf(!ALL)(
    'each command completes after it was killed twice at every step',
    { timeout: 3_600_000 },
    async (context) => {
      const why = await missing(system)
      context.skip(why !== '', why)
      const whole = await fresh()
      const lengths: number[] = []
      for (const stage of STAGES) {
        const { finished, steps } = await startArchiver(commandsOf(whole)[stage], { rows: ROWS }).ended
        expect(finished, stage).toMatchObject({ exitCode: 0 })
        lengths.push(steps.length)
      }
      const every = Number(process.env['SLUICE_TEST_EVERY'] ?? 2)
      for (let at = 1; at <= Math.max(...lengths); at += every) {
        const archived = await fresh()
        await using observer = await observe(archived)
        for (const [i, stage] of STAGES.entries()) {
          const length = lengths[i] ?? 1
          const step = ((at - 1) % length) + 1
          const when = (by: number): Point['when'] => WHEN[(at + i + by) % 3] ?? 'before'
          await survives(archived, observer, stage, [
            { step, when: when(0) },
            { step: step + 1, when: when(1) },
          ])
        }
        expect(await observer.live(), `step ${at}`).toEqual(observer.expected)
      }
    },
  )
})

test(
  'PostgreSQL: a partition that a killed program has recreated can be archived again at once',
  { timeout: 60_000 },
  async (context) => {
    const why = await missing('postgresql')
    context.skip(why !== '', why)
    const archived = await makeBookings(
      await makePlace('postgresql', folder),
      'native',
      mkdtempSync(join(folder, 'to-')),
      60,
    )
    await using observer = await observe(archived)
    const { run, drop, restore } = commandsOf(archived)
    for (const operation of [run, drop]) expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
    const killed = await startArchiver(restore, { at: 'COMMIT state RESTORED', when: 'after' }).ended
    expect(killed.signal).toBe('SIGKILL')
    // The ledger still names the killed program and the former table.
    const again = await perform({ ...run, partitions: ['2020-Q1'] } as Operation)
    expect(again.finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
    expect((await observer.look()).problems).toEqual([])
  },
)
