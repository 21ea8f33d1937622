/** Rows come late, programs that archive, drop and restore are killed, in any order: every row counts once, and in the end each is in one part. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  commandsOf,
  countedBy,
  countOf,
  makeBookings,
  observe,
  QUARTERS,
  TABLE,
  type Archived,
} from '../support/archive-places.ts'
import type { Observer } from '../support/archive-observer.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import { startArchiver, type ArchiverWishes } from './archive-kit.ts'
import type { Operation } from '../../src/engine/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-archive-parts-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SYSTEMS: readonly System[] = ['sqlite', 'postgresql']
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))
/** Another history every day; a failure names it. */
const SEED = Number(process.env['SLUICE_SEED'] ?? Math.floor(Date.now() / 86_400_000))

class History {
  readonly archived: Archived
  readonly observer: Observer
  #state: number
  #next = 50_000

  constructor(archived: Archived, observer: Observer, seed: number) {
    this.archived = archived
    this.observer = observer
    this.#state = seed
  }

  /** From 0 up to below `many`. */
  random(many: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * many)
  }

  async late(): Promise<string> {
    const ids = Array.from({ length: 1 + this.random(3) }, (_, i) => this.#next + i)
    this.#next += ids.length
    const days = ids.map(() => QUARTERS[this.random(QUARTERS.length)]?.[0] ?? '')
    const rows = ids.map((id, i) => `(${id}, '${days[i]} 23:00:00', 'late ${id}', NULL)`)
    await this.archived.place.sql(`INSERT INTO ${TABLE} VALUES ${rows.join(', ')}`)
    await this.observer.expectAlso(ids)
    return `late ${ids.join(', ')}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.observer[Symbol.asyncDispose]()
  }
}

async function whole({ observer, archived }: History, where: string): Promise<void> {
  expect((await observer.look()).problems, where).toEqual([])
  const { query } = commandsOf(archived)
  expect((await countedBy(query)).counted, where).toBe(countOf(observer.expected))
}

async function killed(history: History, operation: Operation, wishes: ArchiverWishes, where: string): Promise<boolean> {
  const { result, problems } = await history.observer.watch(startArchiver(operation, { ...wishes, rows: 30 }).ended)
  expect(problems, where).toEqual([])
  await whole(history, where)
  if (result.signal === 'SIGKILL') return true
  // A part on its way keeps a restored one in the table, and a restored one is left alone.
  const code = result.finished?.error?.code
  expect([undefined, 'PARTITIONS_BLOCKED'], `${where}: ${JSON.stringify(result.finished)}`).toContain(code)
  return false
}

async function begun(system: System, seed: number): Promise<History> {
  const place = await makePlace(system, folder)
  const archived = await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 100)
  return new History(archived, await observe(archived), seed)
}

describe.each(SYSTEMS)('%s', (system) => {
  const why = WITHOUT.get(system) ?? ''

  test.skipIf(why !== '')(`a part is killed at each of its steps${why}`, { timeout: 240_000 }, async () => {
    await using made = await begun(system, SEED)
    const { run, drop, verify } = commandsOf(made.archived)
    expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
    await made.late()
    // Rows leave beside late ones, by their keys.
    for (const point of [
      { at: 'COMMIT state DETACHED', when: 'before' },
      { at: 'COMMIT state DETACHED', when: 'after' },
      { at: 'COMMIT state DROPPED', when: 'before' },
    ] as const) {
      expect(await killed(made, drop, point, JSON.stringify(point)), JSON.stringify(point)).toBe(true)
      await made.late()
    }
    expect(await killed(made, drop, {}, 'drop')).toBe(false)
    for (const point of [
      { at: 'parquet', when: 'during' },
      { at: 'COMMIT state EXPORTED', when: 'after' },
      { at: 'COMMIT state VERIFIED', when: 'after' },
      { at: 'link ', when: 'after' },
      { at: 'COMMIT state PUBLISHED', when: 'after' },
      { at: 'COMMIT state DETACHED', when: 'before' },
    ] as const) {
      expect(await killed(made, run, point, JSON.stringify(point)), JSON.stringify(point)).toBe(true)
      await made.late()
    }
    expect(await killed(made, run, {}, 'run')).toBe(false)
    expect(await killed(made, drop, {}, 'drop of the second parts')).toBe(false)
    expect((await perform({ ...verify, deep: true } as Operation)).finished).toMatchObject({ exitCode: 0 })
  })

  test.skipIf(why !== '')(`any history, seed ${SEED}${why}`, { timeout: 400_000 }, async () => {
    await using made = await begun(system, SEED)
    const { run, drop, restore, verify } = commandsOf(made.archived)
    const named = (operation: Operation): Operation =>
      ({ ...operation, partitions: [made.random(2) === 0 ? '2020-Q1' : '2020-Q2'] }) as Operation
    expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
    const told: string[] = []
    for (let i = 0; i < 10; i++) {
      told.push(await made.late())
      const choice = made.random(8)
      const operation = choice < 3 ? run : choice < 6 ? drop : choice === 6 ? named(restore) : named(run)
      const wishes =
        made.random(3) === 0
          ? {}
          : ({ step: 1 + made.random(60), when: made.random(2) === 0 ? 'before' : 'after' } as const)
      told.push(`${choice} ${JSON.stringify(wishes)}`)
      await killed(made, operation, wishes, `seed ${SEED}: ${told.join('; ')}`)
    }
    // What was restored is left alone, and its rows stay in the table.
    for (const operation of [run, drop, run, drop, run, drop])
      await killed(made, operation, {}, `seed ${SEED}: ${told.join('; ')}; end`)
    const verified = await perform({ ...verify, deep: true } as Operation)
    expect(verified.finished, `seed ${SEED}: ${told.join('; ')}`).toMatchObject({ exitCode: 0 })
  })
})
