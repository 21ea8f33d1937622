/**
 * Programs that partition a table in place, or revert that, are killed at each of their steps: the same command has the
 * same result, and no row is lost.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PartitionInPlaceOperation } from '../../src/partition/operations/partition-in-place/declaration.ts'
import type { RunFinished } from '../../src/engine/run/operation.ts'
import { inPlace, marksLeft, shapeOf, SQL, stageTable } from '../real/in-place-kit.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

const PROGRAM = resolve(import.meta.dirname, 'in-place-child.mjs')
const ROWS = 400
const WHENS = ['before', 'during', 'after'] as const
type When = (typeof WHENS)[number]
/** Every point of every step takes a minute; by default one point per step. */
const EVERY = process.env['SLUICE_TEST_ALL'] !== undefined
const AT_ONCE = 3

const why = await missing('postgresql')

type End = { readonly killed: boolean; readonly finished?: RunFinished; readonly steps: readonly string[] }

async function child(operation: PartitionInPlaceOperation, more: { step?: number; when?: When } = {}): Promise<End> {
  const program = spawn(process.execPath, [PROGRAM], {
    env: { ...process.env, SLUICE_CHILD: JSON.stringify({ operation, ...more }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [said, complaint] = ['', '']
  program.stdout.on('data', (data: Buffer) => (said += data.toString()))
  program.stderr.on('data', (data: Buffer) => (complaint += data.toString()))
  await once(program, 'close')
  if (program.signalCode === null && program.exitCode !== 0) throw new Error(complaint)
  return {
    killed: program.signalCode !== null,
    ...(said === '' ? { steps: [] } : (JSON.parse(said) as Omit<End, 'killed'>)),
  }
}

async function staged(folder: string): Promise<Place> {
  const place = await makePlace('postgresql', folder)
  await stageTable(place, ROWS)
  // A foreign key to columns that the new table also keeps unique.
  await place.sql(
    `ALTER TABLE ${SQL} ADD CONSTRAINT seen UNIQUE (id, "At")`,
    `CREATE TABLE child (id bigint, "At" timestamptz, CONSTRAINT "to it" FOREIGN KEY (id, "At") REFERENCES ${SQL} (id, "At"))`,
    `INSERT INTO child SELECT id, "At" FROM ${SQL} LIMIT 100`,
  )
  return place
}

const rowsOf = ({ rows }: Place) => rows(`SELECT count(*), sum(id), sum(price) FROM ${SQL}`)

describe.skipIf(why !== '')(`partitioning in place${why}`, () => {
  let folder: Folder
  let steps: readonly string[]
  let back: readonly string[]
  let end: Awaited<ReturnType<typeof shapeOf>>
  let beginning: Awaited<ReturnType<typeof shapeOf>>
  let undone: Awaited<ReturnType<typeof shapeOf>>
  /** Errors of the programs that were not killed. */
  let ends: readonly unknown[]

  beforeAll(async () => {
    folder = temporaryFolder()
    const place = await staged(folder.path)
    beginning = await shapeOf(place)
    const there = await child(inPlace(place))
    steps = there.steps
    end = await shapeOf(place)
    const again = await child(inPlace(place, { revert: true }))
    back = again.steps
    undone = await shapeOf(place)
    ends = [there, again].map(({ finished }) => finished?.error)
  }, 120_000)

  afterAll(() => folder[Symbol.dispose]())

  test('is completed by the same command after a kill at each step', { timeout: 400_000 }, async () => {
    expect(ends).toEqual([undefined, undefined])
    expect(undone).toEqual(beginning)
    expect(steps.filter((sql) => sql.startsWith('CREATE UNIQUE INDEX CONCURRENTLY')).length).toBeGreaterThan(2)
    expect(steps.filter((sql) => sql === 'COMMIT').length).toBeGreaterThan(1)
    const moments = steps.flatMap((_, at) =>
      (EVERY ? WHENS : [WHENS[at % 3] ?? 'before']).map((when) => ({ step: at + 1, when })),
    )
    await atOnce(moments, async ({ step, when }) => {
      const place = await staged(folder.path)
      const before = await rowsOf(place)
      const first = await child(inPlace(place), { step, when })
      if (when !== 'during') expect(first.killed, `${when} ${steps[step - 1]}`).toBe(true)
      const { finished } = await perform(inPlace(place))
      expect(finished.error, `${when} ${steps[step - 1]}`).toBeUndefined()
      expect(await shapeOf(place), `${when} ${steps[step - 1]}`).toEqual(end)
      expect(await rowsOf(place)).toEqual(before)
      expect(await marksLeft(place)).toEqual([])
    })
  })

  test('can be reverted, also if the revert is killed first', { timeout: 200_000 }, async () => {
    const at = back.indexOf('COMMIT') + 1
    expect(at).toBeGreaterThan(0)
    await atOnce(WHENS, async (when) => {
      const place = await staged(folder.path)
      const before = await rowsOf(place)
      await perform(inPlace(place))
      await child(inPlace(place, { revert: true }), { step: at, when })
      const { finished } = await perform(inPlace(place, { revert: true }))
      expect(finished.error).toBeUndefined()
      expect(await shapeOf(place)).toEqual(beginning)
      expect(await rowsOf(place)).toEqual(before)
    })
  })

  test('separates a slice of a past period, also if the program is killed first', { timeout: 200_000 }, async () => {
    const now = new Date()
    const slice = `${now.getUTCFullYear()}-Q${Math.floor(now.getUTCMonth() / 3) + 1}`
    const ready = async (): Promise<Place> => {
      const place = await makePlace('postgresql', folder.path)
      await stageTable(place, ROWS)
      await perform(inPlace(place))
      return place
    }
    const place = await ready()
    const whole = await child(inPlace(place, { slice }))
    expect(whole.finished?.error).toBeUndefined()
    const shape = await shapeOf(place)
    const moments = whole.steps.flatMap((_, at) =>
      (EVERY ? WHENS : [WHENS[(at + 2) % 3] ?? 'after']).map((when) => ({ step: at + 1, when })),
    )
    expect(moments.length).toBeGreaterThan(2)
    await atOnce(moments, async ({ step, when }) => {
      const one = await ready()
      const before = await rowsOf(one)
      await child(inPlace(one, { slice }), { step, when })
      expect(await rowsOf(one)).toEqual(before)
      const { finished } = await perform(inPlace(one, { slice }))
      expect(finished.error).toBeUndefined()
      expect(await shapeOf(one), `${when} ${whole.steps[step - 1]}`).toEqual(shape)
      expect(await rowsOf(one)).toEqual(before)
    })
  })

  test('is undone if it was killed before the cutover', { timeout: 60_000 }, async () => {
    const place = await staged(folder.path)
    const at = steps.findIndex((sql) => sql.includes('VALIDATE')) + 1
    expect(at).toBeGreaterThan(0)
    expect((await child(inPlace(place), { step: at, when: 'before' })).killed).toBe(true)
    expect(await marksLeft(place)).not.toEqual([])
    const { finished } = await perform(inPlace(place, { revert: true }))
    expect(finished.error).toBeUndefined()
    expect(await shapeOf(place)).toEqual(beginning)
  })
})

async function atOnce<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = [...all]
  const lane = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await work(one)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}
