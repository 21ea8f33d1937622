/**
 * Commits at or below the base that the log has lost and the catalog still has: history, not a difference, and not to
 * be lost silently.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  add,
  METADATA,
  openCatalog,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'
import { checkpointOf, dropCommits, writeCheckpoint } from '../support/cleaned-log.ts'
import { POSTGRES_AVAILABLE, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { importOf, perform, validateOf, type Performed } from './operation-kit.ts'

const BASE = 6

const COMMITS: readonly (readonly Line[])[] = Array.from({ length: 9 }, (_, v) => [
  { commitInfo: { timestamp: 1_700_000_000_000 + v * 1000, operation: 'WRITE', engineInfo: 'writer-1' } },
  ...(v === 0 ? [PROTOCOL, METADATA] : []),
  ...(v === 4 ? [METADATA, { txn: { appId: 'app', version: v } }] : []),
  ...(v > 1 ? [remove(`f${v - 1}`)] : []),
  add(`f${v}`),
])

/** An imported log that begins with checkpoint 6, and still has the commits from 3 on. */
async function held(work: string, catalog: string): Promise<string> {
  const table = join(work, 'table')
  writeLog(table, COMMITS)
  writeCheckpoint(table, BASE, checkpointOf(COMMITS, BASE))
  dropCommits(table, 0, 2)
  expect((await perform(importOf(table, catalog))).finished).toMatchObject({ status: 'ok' })
  const before = await perform(validateOf(table, catalog))
  expect(before.finished).toMatchObject({ exitCode: 0, totals: { differences: '0' } })
  return table
}

const rollbackOf = (table: string, catalog: string, more: object = {}) =>
  ({ kind: 'rollback', table, catalog, checkFiles: 'none', dryRun: false, confirm: table, ...more }) as const

const mismatches = ({ events }: Performed): readonly unknown[] =>
  events.filter(({ type }) => type === 'verify.mismatch')

describe.each(['sqlite', 'duckdb', 'postgresql'].filter((system) => system !== 'postgresql' || POSTGRES_AVAILABLE))(
  'a catalog of %s',
  (system) => {
    let server: PostgresServer | null = null
    beforeAll(async () => {
      if (system === 'postgresql') server = await startPostgres()
    })
    afterAll(async () => server?.[Symbol.asyncDispose]())
    let databases = 0

    async function catalogIn(folder: string): Promise<string> {
      if (server === null) return `${system}:///${folder}/catalog.db`
      const name = `held_${++databases}`
      await server.createDatabase(name)
      return server.url(name)
    }

    test.each([
      ['below the base', 5, 'only the catalog has commits 3 to 5'],
      ['up to the base', 6, 'only the catalog has commits 3 to 6'],
      ['in part', 3, 'only the catalog has commit 3'],
    ])('commits %s', async (_name, to, alone) => {
      using work = temporaryFolder()
      const catalog = await catalogIn(work.path)
      const table = await held(work.path, catalog)
      expect((await perform({ ...rollbackOf(table, catalog), dryRun: true })).finished.exitCode).toBe(0)
      dropCommits(table, 3, to)

      const validated = await perform(validateOf(table, catalog))
      expect(mismatches(validated)).toEqual([])
      expect(validated.finished).toMatchObject({ exitCode: 0, totals: { differences: '0' } })
      expect(validated.notes).toContainEqual(expect.stringContaining(alone))

      const asked = [
        await perform({ kind: 'verify-rollback', table, catalog, checkFiles: 'none' }),
        await perform(rollbackOf(table, catalog)),
      ]
      for (const { finished, events } of asked) {
        expect(finished).toMatchObject({
          exitCode: 1,
          error: { code: 'NOT_SAFE', message: expect.stringContaining(alone) },
        })
        expect(finished.error?.hint).toMatch(/sluice export-log .*--forget/)
        const check = events.find((event) => event.type === 'verify.check' && event.check === 'commits as imported')
        expect(check).toMatchObject({ equal: false, catalog: alone })
      }
      const forgotten = await perform(rollbackOf(table, catalog, { forget: true }))
      expect(forgotten.finished).toMatchObject({ exitCode: 0, proof: 'none' })
      expect(forgotten.notes).toContainEqual(expect.stringMatching(`^removing .* may lose data: .*${alone}`))
    })
  },
)

test('a damaged commit below the base is still a difference', async () => {
  using work = temporaryFolder()
  const file = join(work.path, 'catalog.db')
  const catalog = `sqlite:///${file}`
  const table = await held(work.path, catalog)
  dropCommits(table, 3, 3)
  const database = await openCatalog(file)
  await database.write((tx) => tx.run(`DELETE FROM delta_actions WHERE version = 4 AND kind = 'txn'`))
  await database.close()
  const { finished } = await perform(validateOf(table, catalog))
  expect(finished).toMatchObject({ exitCode: 1, error: { code: 'DIFFERENCES' } })
})
