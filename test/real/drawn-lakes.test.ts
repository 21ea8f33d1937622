/**
 * Queries of randomly generated tables: conditions on the log, on catalogs and on the exported log return each file
 * with a matching row; `fsck --deep` and `validate` find nothing in a healthy table. The reference is DuckDB over the
 * rows themselves; other readers are queried where they are installed. `SLUICE_DRAWN_SEED` and `SLUICE_DRAWN_LAKES`
 * choose other tables.
 */
import { copyFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { openDuckDb } from '../../src/stores/duckdb/instance.ts'
import { sqlLiteral } from '../../src/shared/sql-text.ts'
import { Judge, JUDGES, JUDGES_MISSING } from '../judges/judge.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { drawnLake, LakeMaker, type DrawnLake } from '../support/drawn-lake.ts'
import { fsckOf, importOf, perform, validateOf, type Performed } from './operation-kit.ts'

const SEED = Number(process.env['SLUICE_DRAWN_SEED'] ?? 40)
const LAKES = Number(process.env['SLUICE_DRAWN_LAKES'] ?? 3)
const drawn = fc.sample(drawnLake, { seed: SEED, numRuns: LAKES })

const work = temporaryFolder()
let maker: LakeMaker
const judges: Judge[] = []
/** Conditions that other readers are asked about; they take longer than all else. */
const JUDGED = 3
let judged = 0
beforeAll(async () => {
  maker = await LakeMaker.open()
  if (JUDGES_MISSING !== '') return
  for (const name of JUDGES) if (name !== 'delta-spark') judges.push(await Judge.start(name))
})
afterAll(async () => {
  maker[Symbol.dispose]()
  for (const judge of judges) await judge[Symbol.asyncDispose]()
  work[Symbol.dispose]()
})

function saidOf({ finished, events, notes }: Performed): string {
  const found = events.flatMap((event) =>
    event.type === 'fsck.finding' || event.type === 'verify.mismatch' ? [JSON.stringify(event)] : [],
  )
  return [JSON.stringify(finished.error), ...found, ...notes].join('\n')
}

async function filesOf(table: string, catalog: string | undefined, where: string): Promise<ReadonlySet<string>> {
  const operation: Operation = { kind: 'files', table, asOf: {}, where, ...(catalog === undefined ? {} : { catalog }) }
  const ran = await perform(operation)
  expect(ran.finished.status, `${where}: ${saidOf(ran)}`).toBe('ok')
  return new Set(ran.events.flatMap((event) => (event.type === 'file' ? [event.path] : [])))
}

/** Rows that another reader counts; null if it refuses the table or the condition. */
async function counted(judge: Judge, root: string, where: string): Promise<number | null> {
  const answer = await judge.ask({ root, query: `SELECT count(*) AS n FROM t WHERE ${where}` })
  if ('refused' in answer) return null
  using db = await openDuckDb({ threads: 1, memoryLimit: '128MB' })
  const result = await db.connection.runAndReadAll(`SELECT * FROM read_parquet(${sqlLiteral(answer.rows)})`)
  return Number(result.getRows()[0]?.[0])
}

async function askAll(root: string, lake: DrawnLake): Promise<void> {
  const active = await maker.make(root, lake)
  const fsck = await perform(fsckOf(root, { deep: true }))
  expect(fsck.finished.status, saidOf(fsck)).toBe('ok')
  const catalogs = [`sqlite:///${root}.sqlite`, `duckdb:///${root}.duckdb`]
  for (const catalog of catalogs) {
    const imported = await perform(importOf(root, catalog))
    expect(imported.finished.status, saidOf(imported)).toBe('ok')
    const validated = await perform(validateOf(root, catalog))
    expect(validated.finished.status, saidOf(validated)).toBe('ok')
  }
  const exported = await Promise.all(
    (['base', 'latest'] as const).map(async (checkpoint) => {
      const to = `${root}-${checkpoint}`
      const ran = await perform({ kind: 'export-log', table: root, catalog: catalogs[0] as string, to, checkpoint })
      expect(ran.finished.status, saidOf(ran)).toBe('ok')
      for (const name of readdirSync(root))
        if (name.endsWith('.parquet')) copyFileSync(join(root, name), join(to, name))
      return to
    }),
  )
  const sides = [
    [root, undefined],
    ...catalogs.map((one) => [root, one]),
    ...exported.map((one) => [one, undefined]),
  ] as const
  for (const [no, condition] of lake.conditions.entries()) {
    const expected = await maker.matching(condition)
    for (const [table, catalog] of sides) {
      const left = await filesOf(table as string, catalog, condition.shown)
      const where = `${condition.shown} of ${catalog ?? table}`
      for (const name of expected.files) expect(left.has(name), `${where}: ${name} is left out`).toBe(true)
      for (const name of left) expect(active, where).toContain(name)
    }
    for (const judge of no < JUDGED ? judges : []) {
      const ours = await counted(judge, root, condition.shown)
      // A reader whose count of the original is not that of its rows treats the type in another way.
      if (ours !== expected.rows) continue
      judged++
      for (const to of exported) expect(await counted(judge, to, condition.shown), `${judge.name}: ${condition.shown} of ${to}`).toBe(ours) // prettier-ignore
    }
  }
}

describe('a generated lake', { timeout: 240_000 }, () => {
  test.each(drawn.map((lake, no) => ({ no, form: lake.form, lake })))('$no of seed: $form', async ({ no, lake }) => {
    await askAll(join(work.path, `lake-${no}`), lake)
  })

  test.skipIf(JUDGES_MISSING !== '')(`other readers have read the lakes ${JUDGES_MISSING}`, () => {
    expect(judged).toBeGreaterThan(LAKES * JUDGED)
  })
})
