/**
 * Property: a copy that ends at any point, in any way, and is run again with other sizes and numbers of workers, has
 * the same result.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OnExisting } from '../../src/model/copy/plan.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { ALL } from '../support/backend.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { expectDone, startCopy, type Copied } from './copy-kit.ts'

/**
 * Each property has few runs by default, with new random choices each time; a failure prints the seed that repeats it.
 */
const ROWS = 250

/** Tables by the kind of their key; their rows are in random order. */
const TABLES: Readonly<Record<string, string>> = {
  numbers: "SELECT (i * 7919 % 1009) * (1 - 2 * (i % 2)) AS id, 'number ' || i AS v FROM n",
  texts: "SELECT char(97 + i % 26, 65 + i % 23) || ' ' || i AS id, 'text ' || i AS v FROM n",
  pairs: "SELECT i % 5 AS a, 'b' || i AS b, 'pair ' || i AS v FROM n",
}
const KEYS: Readonly<Record<string, string>> = { numbers: 'id', texts: 'id', pairs: 'a, b' }
const MODES: readonly OnExisting[] = ['refuse', 'upsert', 'replace-range', 'append']

let folder = ''
let source: Place

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-random-'))
  source = await makePlace('sqlite', folder)
  const types: Readonly<Record<string, string>> = { numbers: 'INTEGER', texts: 'TEXT' }
  for (const [name, select] of Object.entries(TABLES)) {
    const columns = name === 'pairs' ? 'a INTEGER NOT NULL, b TEXT NOT NULL' : `id ${types[name]} NOT NULL`
    await source.sql(
      `CREATE TABLE ${name} (${columns}, v TEXT, PRIMARY KEY (${KEYS[name]}))`,
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) INSERT INTO ${name} ${select}`,
    )
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const sizes = fc.record({
  chunkRows: fc.integer({ min: 3, max: 120 }),
  workers: fc.integer({ min: 1, max: 4 }),
  batchRows: fc.integer({ min: 1, max: 60 }),
})
const fault = fc.record({
  sizes,
  how: fc.constantFrom('abort', 'abort', 'stop'),
  at: fc.integer({ min: 1, max: 90 }),
})
/** Ranges of text keys can be replaced only if both sides are known to sort them alike. */
const task = fc
  .record({ name: fc.constantFrom(...Object.keys(TABLES)), onExisting: fc.constantFrom(...MODES) })
  .map(({ name, onExisting }) => ({ name: onExisting === 'replace-range' ? 'numbers' : name, onExisting }))

function doneOf(
  target: Place,
  { name, onExisting }: { readonly name: string; readonly onExisting: OnExisting },
): Copied {
  const copy = copyOf(source, target, name, { onExisting })
  return { copy, source, target, table: name, select: `SELECT * FROM ${name} ORDER BY v` }
}

async function expectEnds(done: Copied, last: typeof sizes extends fc.Arbitrary<infer S> ? S : never): Promise<void> {
  const { finished } = await perform({ ...done.copy, ...last })
  expect(finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS), quarantined: '0' } })
  await expectDone(done)
}

describe.each([
  ['sqlite', ALL ? 300 : 8],
  ['postgresql', ALL ? 100 : 2],
  ['mysql', ALL ? 50 : 1],
  ['duckdb', ALL ? 30 : 1],
  ['d1', ALL ? 30 : 1],
] as const)('into %s', (system, numRuns) => {
  test('a copy that is stopped at any of its events completes', { timeout: 600_000 }, async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    await fc.assert(
      fc.asyncProperty(task, fc.array(fault, { minLength: 1, maxLength: 3 }), sizes, async (wanted, faults, last) => {
        const done = doneOf(await makePlace(system, folder), wanted)
        for (const { sizes: some, how, at } of faults) {
          const interrupt = new Interrupter()
          let seen = 0
          const { finished } = await perform(
            { ...done.copy, ...some },
            {
              interrupt,
              onEvent: () => {
                if (++seen !== at) return
                if (how === 'abort') interrupt.requestAbort()
                else interrupt.requestStop()
              },
            },
          )
          expect([0, 75]).toContain(finished.exitCode)
        }
        await expectEnds(done, last)
      }),
      { numRuns },
    )
  })
})

describe.each([
  ['sqlite', ALL ? 100 : 6],
  ['postgresql', ALL ? 100 : 1],
  ['mysql', ALL ? 30 : 0],
  ['duckdb', ALL ? 30 : 0],
  ['d1', ALL ? 30 : 0],
] as const)('into %s', (system, numRuns) => {
  test('a copy that is killed at any of its statements completes', { timeout: 600_000 }, async (context) => {
    context.skip(numRuns === 0, 'only with SLUICE_TEST_ALL')
    const why = await missing(system)
    context.skip(why !== '', why)
    const kill = fc.record({
      sizes,
      step: fc.integer({ min: 1, max: 120 }),
      when: fc.constantFrom('before', 'during', 'after'),
    })
    await fc.assert(
      fc.asyncProperty(task, fc.array(kill, { minLength: 1, maxLength: 2 }), sizes, async (wanted, kills, last) => {
        const done = doneOf(await makePlace(system, folder), wanted)
        for (const { sizes: some, step, when } of kills) {
          const { signal, finished } = await startCopy({ ...done.copy, ...some }, { step, when }).ended
          if (signal === null) expect(finished?.exitCode).toBe(0)
        }
        await expectEnds(done, last)
      }),
      { numRuns },
    )
  })
})
