/** Programs that archive, drop and restore are killed at any of their steps, twice in a row: the same command ends as if nothing had happened. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, countOf, makeBookings, observe, type Archived } from '../support/archive-places.ts'
import type { Observer } from '../support/archive-observer.ts'
import { ALL } from '../support/backend.ts'
import { makePlace, missing } from '../support/copy-systems.ts'
import { startArchiver } from './archive-kit.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-archive-kill-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Plain rows go in so many transactions. */
const ROWS = 70
const STAGES = ['run', 'drop', 'restore'] as const
const END = { run: 'DETACHED', drop: 'DROPPED', restore: 'RESTORED' } as const
const WHEN = ['before', 'after', 'during'] as const

/** One command, killed at each of two steps of its own, and then left alone. */
async function survives(archived: Archived, observer: Observer, stage: (typeof STAGES)[number], steps: readonly (readonly [number, (typeof WHEN)[number]])[]): Promise<number> {
  const { [stage]: operation, query } = commandsOf(archived)
  let kills = 0
  for (const [step, when] of steps) {
    const where = `${archived.form} ${stage}: ${when} step ${step}`
    const { result, problems } = await observer.watch(startArchiver(operation, { step, when, rows: ROWS }).ended)
    expect(problems, where).toEqual([])
    if (result.signal === 'SIGKILL') kills++
    else expect(result.finished, where).toMatchObject({ exitCode: 0 })
    expect((await observer.look()).problems, where).toEqual([])
  }
  expect((await countedBy(query)).counted, JSON.stringify(steps)).toBe(countOf(observer.expected))
  const { result } = await observer.watch(startArchiver(operation, { rows: ROWS }).ended)
  const where = `${archived.form} ${stage}: again after ${JSON.stringify(steps)}`
  expect(result.finished, where).toMatchObject({ exitCode: 0 })
  const { problems, states } = await observer.look()
  expect(problems, where).toEqual([])
  expect(Object.values(states), where).toEqual([END[stage], END[stage]])
  return kills
}

describe.each([
  ['postgresql', 'native'],
  ['sqlite', 'plain'],
  ['postgresql', 'plain'],
] as const)('%s, %s', (system, form) => {
  test('killed twice at its steps', { timeout: ALL ? 1_800_000 : 60_000 }, async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    const fresh = async (): Promise<Archived> =>
      makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')))
    const whole = await fresh()
    const lengths: number[] = []
    for (const stage of STAGES) {
      const { finished, steps } = await startArchiver(commandsOf(whole)[stage], { rows: ROWS }).ended
      expect(finished, stage).toMatchObject({ exitCode: 0 })
      if (process.env['SHOW_STEPS']) console.log(stage, steps.map((s, i) => `${i + 1} ${s}`).join('\n'))
      lengths.push(steps.length)
    }
  })
})
