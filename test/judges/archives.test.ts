/**
 * Archives read by outside readers: every version, row by row in both directions, with its schema, and again from the
 * checkpoint alone. The expected rows are those of sluice's log reader and DuckDB's Parquet reader; `verify` has proved
 * that they are the rows of the source.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sqlLiteral, type DuckDb } from '../../src/stores/duckdb/instance.ts'
import { ALL } from '../support/backend.ts'
import { missing } from '../support/copy-systems.ts'
import { ARCHIVES, OTHERS } from './archives.ts'
import { difference, expectedOf, rowsDatabase, type Expected } from './compared.ts'
import { Judge, JUDGES, JUDGES_MISSING } from './judge.ts'
import type { MadeArchive } from './made-archive.ts'

const why = JUDGES_MISSING || (await missing('postgresql'))
const DAY = Math.floor(Date.now() / 86_400_000)
/** One of OTHERS per day, and all with SLUICE_TEST_ALL. */
const OTHER = await Promise.all(
  Object.entries(OTHERS)
    .filter((_, i, { length }) => ALL || i === DAY % length)
    .map(async ([title, { system, make }]) => ({ title, make, why: await missing(system) })),
)
const NAMED = [
  ...Object.entries(ARCHIVES),
  ...OTHER.flatMap(({ title, make, why: without }) => (without === '' ? [[title, make] as const] : [])),
]
/** Spark is slow, so it reads one archive per day, and all with SLUICE_TEST_ALL. */
const TODAY = NAMED[DAY % NAMED.length]?.[0]

describe.each(NAMED)(`an archive of %s`, (title, make) => {
  let folder = ''
  let archive: MadeArchive
  let db: DuckDb
  let latest = 0
  const known = new Map<number, Expected>()
  beforeAll(async () => {
    if (why !== '') return
    folder = mkdtempSync(join(tmpdir(), 'sluice-judged-'))
    db = await rowsDatabase()
    archive = await make(folder)
    ;({ latest } = await expectedOf(db, archive.root, null))
  }, 180_000)
  afterAll(() => {
    if (folder === '') return
    db[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  const expectedAt = async (version: number): Promise<Expected> => {
    const expected = known.get(version) ?? (await expectedOf(db, archive.root, version))
    known.set(version, expected)
    return expected
  }

  describe.skipIf(why !== '').each(JUDGES.filter((name) => ALL || name !== 'delta-spark' || title === TODAY))(
    `%s ${why}`,
    (name) => {
      let judge: Judge
      beforeAll(async () => void (judge = await Judge.start(name)), 120_000)
      afterAll(() => judge[Symbol.asyncDispose]())

      const refusalAt = (version: number | null): RegExp | undefined => {
        const { said, from = 0 } = archive.refusals[name] ?? {}
        return version === null || version >= from ? said : undefined
      }

      /** @param version null for the newest, as for a reader that names no version */
      const judged = async (root: string, version: number | null): Promise<void> => {
        const expected = await expectedAt(version ?? latest)
        const reading = await judge.ask({ root, version })
        const refusal = refusalAt(version)
        if ('refused' in reading || refusal !== undefined) {
          // If a reader now reads what it refused before, docs/guides/archive.md must change.
          const said = 'refused' in reading ? reading.refused.split('\n\tat ')[0] : 'it is read'
          expect(said, `version ${version}`).toMatch(refusal ?? /^$/)
          return
        }
        const found = await difference(db, expected, reading)
        expect(found, `version ${version}`).toMatchObject({ lacks: [], more: [] })
        expect(found.count).toBeGreaterThan(0)
        const schema = expected.schema.map((field, i) => {
          const reported = reading.schema[i]?.nullable
          return { ...field, nullable: reported === null ? null : field.nullable }
        })
        expect(reading.schema).toEqual(schema)
        if (reading.partitionColumns !== null) expect(reading.partitionColumns).toEqual(expected.partitionColumns)
      }

      const isTurn = (version: number): boolean => ALL || name !== 'delta-spark' || version % 5 === 0

      test('every version is read with the expected rows', { timeout: 300_000 }, async () => {
        expect(latest).toBeGreaterThan(11)
        for (let version = archive.destroyed?.wholeFrom ?? 0; version < latest; version++) {
          if (isTurn(version)) await judged(archive.root, version)
        }
        await judged(archive.root, null)
      })

      test('destroyed rows are in no version', { timeout: 120_000 }, async (context) => {
        const { destroyed } = archive
        if (destroyed === undefined) return context.skip('nothing of it was destroyed')
        for (let version = 0; version < destroyed.wholeFrom; version++) {
          if (!isTurn(version)) continue
          const reading = await judge.ask({ root: archive.root, version })
          if ('refused' in reading) continue
          const found = await db.connection.run(
            `SELECT c0 FROM read_parquet(${sqlLiteral(reading.rows)}) WHERE c0 IN (${destroyed.ids.join(', ')})`,
          )
          expect(await found.getRows(), `version ${version} is read`).toEqual([])
        }
      })

      test('the checkpoint alone gives the same rows', { timeout: 120_000 }, async (context) => {
        context.skip(
          archive.destroyed !== undefined,
          'what was erased left no older commit: every look is through the checkpoint',
        )
        const copy = join(folder, 'later')
        rmSync(copy, { recursive: true, force: true })
        cpSync(archive.root, copy, { recursive: true })
        const log = join(copy, '_delta_log')
        const names = readdirSync(log)
        const at = Math.max(
          ...names.filter((one) => one.includes('.checkpoint.')).map((one) => Number.parseInt(one, 10)),
        )
        expect(at).toBeGreaterThan(0)
        for (const one of names) if (/^\d+\.json$/.test(one) && Number.parseInt(one, 10) < at) rmSync(join(log, one))
        for (const version of [at, at + 1, null]) await judged(copy, version)
      })

      test('one partition is read by its value', { timeout: 60_000 }, async () => {
        const { root, partition, rows, refusals } = archive
        const query = `SELECT count(*) AS n FROM t WHERE sluice_partition = '${partition}'`
        const reading = await judge.ask({ root, query })
        if ('refused' in reading || refusals[name] !== undefined) {
          expect('refused' in reading ? reading.refused : 'it is read').toMatch(refusals[name]?.said ?? /^$/)
          return
        }
        const sql = `SELECT c0::INTEGER FROM read_parquet(${sqlLiteral(reading.rows)})`
        expect(await (await db.connection.run(sql)).getRows()).toEqual([[rows]])
      })
    },
  )
})
