/**
 * Rows arrive late, and programs that archive, drop and restore are killed, in any order: every row counts once, and at
 * the end each row is in one part.
 */
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
  type Form,
} from '../support/archive-places.ts'
import { ALL } from '../support/backend.ts'
import type { Observer } from '../support/archive-observer.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import { startArchiver, type ArchiverEnd, type ArchiverOptions } from './archive-kit.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-archive-parts-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SYSTEMS: readonly System[] = ['sqlite', 'postgresql']
const PLACES: readonly (readonly [System, Form])[] = [
  ['sqlite', 'plain'],
  ['postgresql', 'plain'],
  ['postgresql', 'native'],
  ['postgresql', 'divided'],
]
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))
/** Another history every day; a failure prints the seed. */
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

  /** A random integer from 0 up to, but without, `many`. */
  random(many: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * many)
  }

  async late(): Promise<string> {
    const ids = Array.from({ length: 1 + this.random(3) }, (_, i) => this.#next + i)
    this.#next += ids.length
    const days = ids.map(() => this.#day(QUARTERS[this.random(QUARTERS.length)]?.[0] ?? ''))
    const made: string[] = []
    for (const [i, id] of ids.entries()) {
      const day = days[i] ?? ''
      const row = `INSERT INTO ${TABLE} VALUES (${id}, '${day} 23:00:00', 'late ${id}', NULL)`
      if (this.archived.form !== 'plain') made.push(...(await this.#room(day)))
      await this.archived.place.sql(row)
    }
    await this.observer.expectAlso(ids)
    return `late ${ids.map((id, i) => `${id} ${days[i]}`).join(', ')}${made.map((one) => `, ${one} made`).join('')}`
  }

  /** The first day of a quarter, or of one of its months if partitions may be smaller than the quarter. */
  #day(first: string): string {
    return this.archived.form === 'plain' ? first : monthAfter(first, this.random(3))
  }

  /**
   * Creates a partition for a day that has none: for the whole quarter if no other partition is in it, or for the
   * month.
   */
  async #room(day: string): Promise<readonly string[]> {
    const { place } = this.archived
    const [from = '', to = ''] = QUARTERS.find(([first, last]) => first <= day && day < last) ?? []
    const standing = async (low: string, high: string): Promise<boolean> => {
      const bounds = `SELECT regexp_matches(pg_get_expr(c.relpartbound, c.oid), '''(.{10}).*''(.{10})') AS b FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '${TABLE}'::regclass`
      const [[count] = []] = await place.rows(
        `SELECT count(*) FROM (${bounds}) AS p WHERE b[1] < '${high}' AND b[2] > '${low}'`,
      )
      return count !== '0'
    }
    const [low, high] = [day, monthAfter(day, 1)]
    if (await standing(low, high)) return []
    const [first, last] = this.random(2) === 0 && !(await standing(from, to)) ? [from, to] : [low, high]
    const name = `${TABLE}_late_${this.#next}_${day.slice(5, 7)}`
    const made = `CREATE TABLE ${name} PARTITION OF ${TABLE} FOR VALUES FROM ('${first}') TO ('${last}')`
    if (this.archived.form === 'native') await place.sql(made)
    else {
      const below = [0, 1].map(
        (n) => `CREATE TABLE ${name}_${n} PARTITION OF ${name} FOR VALUES WITH (MODULUS 2, REMAINDER ${n})`,
      )
      await place.sql(`${made} PARTITION BY HASH (id); ${below.join('; ')}`)
    }
    return [`${first} to ${last}`]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.observer[Symbol.asyncDispose]()
  }
}

function monthAfter(first: string, months: number): string {
  const [year = 0, month = 0] = first.split('-').map(Number)
  return new Date(Date.UTC(year, month - 1 + months, 1)).toISOString().slice(0, 10)
}

async function whole({ observer, archived }: History, where: string): Promise<void> {
  expect((await observer.look()).problems, where).toEqual([])
  const { query } = commandsOf(archived)
  expect((await countedBy(query)).counted, where).toBe(countOf(observer.expected))
}

/** What is not killed needs no process of its own. */
async function ran(operation: Operation, options: ArchiverOptions): Promise<Pick<ArchiverEnd, 'finished' | 'signal'>> {
  const isKilled = options.at !== undefined || options.step !== undefined
  if (isKilled) return await startArchiver(operation, { ...options, rows: 30 }).ended
  return { finished: (await perform(operation)).finished, signal: null }
}

async function killed(
  history: History,
  operation: Operation,
  options: ArchiverOptions,
  where: string,
): Promise<boolean> {
  const { result, problems } = await history.observer.watch(ran(operation, options))
  expect(problems, where).toEqual([])
  await whole(history, where)
  if (result.signal === 'SIGKILL') return true
  // Expected refusals: a part that is being restored keeps the others in the table, and a restored part is not archived
  // again.
  const error = result.finished?.error
  const isPartly = history.archived.form !== 'plain' && /has no partition for some rows of/.test(JSON.stringify(error))
  expect(
    [undefined, 'PARTITIONS_BLOCKED', ...(isPartly ? [error?.code] : [])],
    `${where}: ${JSON.stringify(result.finished)}`,
  ).toContain(error?.code)
  return false
}

async function historyOf(system: System, form: Form, seed: number): Promise<History> {
  const place = await makePlace(system, folder)
  const archived = await makeBookings(place, form, mkdtempSync(join(folder, 'to-')), 100)
  return new History(archived, await observe(archived), seed)
}

describe.each(SYSTEMS)('%s', (system) => {
  const why = WITHOUT.get(system) ?? ''

  test.skipIf(why !== '')(
    `a part is archived without loss if it is killed at each of its steps${why}`,
    { timeout: 240_000 },
    async () => {
      await using made = await historyOf(system, 'plain', SEED)
      const { run, drop, verify } = commandsOf(made.archived)
      expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
      await made.late()
      // Archived rows are removed by key, because late rows are between them.
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
    },
  )
})

/** One form of PostgreSQL per day; all forms with SLUICE_TEST_ALL. */
const FORMS = PLACES.filter(([system]) => system === 'postgresql').map(([, form]) => form)
const TODAY = PLACES.filter(([system, form]) => ALL || system === 'sqlite' || form === FORMS[SEED % FORMS.length])

describe.each(TODAY)('%s, %s', (system, form) => {
  const why = WITHOUT.get(system) ?? ''

  test.skipIf(why !== '')(
    `every row counts once after a random history, seed ${SEED}${why}`,
    { timeout: 400_000 },
    async () => {
      await using made = await historyOf(system, form, SEED)
      const { run, drop, restore, verify } = commandsOf(made.archived)
      const named = (operation: Operation): Operation =>
        ({ ...operation, partitions: [made.random(2) === 0 ? '2020-Q1' : '2020-Q2'] }) as Operation
      expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
      const reported: string[] = []
      const begun: Operation[] = []
      for (let i = 0; i < 10; i++) {
        reported.push(await made.late())
        const choice = made.random(8)
        const operation = choice < 3 ? run : choice < 6 ? drop : choice === 6 ? named(restore) : named(run)
        const options =
          made.random(3) === 0
            ? {}
            : ({ step: 1 + made.random(60), when: made.random(2) === 0 ? 'before' : 'after' } as const)
        reported.push(`${choice} ${JSON.stringify(options)}`)
        const isKilled = await killed(made, operation, options, `seed ${SEED}: ${reported.join('; ')}`)
        if (isKilled && choice === 6) begun.push(operation)
      }
      // Until a restore completes, its period stays as it is, with the rows that arrived late.
      for (const operation of begun) await killed(made, operation, {}, `seed ${SEED}: ${reported.join('; ')}; restored`)
      // A restored period is not archived again, and its rows stay in the table.
      for (const operation of [run, drop, run, drop, run, drop])
        await killed(made, operation, {}, `seed ${SEED}: ${reported.join('; ')}; end`)
      const verified = await perform({ ...verify, deep: true } as Operation)
      expect(verified.finished, `seed ${SEED}: ${reported.join('; ')}`).toMatchObject({ exitCode: 0 })
    },
  )
})
