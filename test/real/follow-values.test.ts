/** Values that a stream cannot copy as the source has them: refused before it begins, or named when they halt it. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace } from '../support/copy-systems.ts'
import { caughtUp, stageOf, startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

// Streams on a busy machine need more time.
vi.setConfig({ testTimeout: 120_000 })

let server: PostgresServer
let folder: Folder
beforeAll(async () => {
  folder = temporaryFolder()
  if (POSTGRES_OWN) server = await startFollowServer()
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

describe.skipIf(!POSTGRES_OWN)(`values of a stream ${POSTGRES_MISSING}`, () => {
  test('a key that two rows share in the target does not identify rows', async () => {
    const stage = await stageOf(server, ['CREATE TABLE t (k timestamp PRIMARY KEY, v int)'], ['t'])
    await stage.target.sql('CREATE TABLE t (k timestamp(3) PRIMARY KEY, v int)')
    const { finished } = await caughtUp({ ...stage, copy: { ...stage.copy, acceptLossy: ['k'] } })
    expect(finished).toMatchObject({ exitCode: 6, error: { code: 'NOT_FOLLOWABLE' } })
    expect(finished.error?.message).toContain('k, by which the source identifies rows of public.t, loses data')
  })

  test('lists of two dimensions do not become lists of texts', async () => {
    const target = await makePlace('duckdb', folder.path)
    const made = [
      'CREATE TABLE t (k int PRIMARY KEY, a text[], n int[])',
      `INSERT INTO t VALUES (1, '{a,"[b"}', '{1}')`,
    ]
    const stage = await stageOf(server, made, ['t'], 1000, target)
    expect((await caughtUp(stage)).finished.exitCode).toBe(0)
    const held = () => target.rows('SELECT k, a[1], a[2], n[1] FROM t ORDER BY k')
    expect(await held()).toEqual([['1', 'a', '[b', '1']])
    for (const set of [`a = '{{a,b},{c,d}}'`, `n = '{{1,2},{3,4}}'`]) {
      await stage.source.sql(`UPDATE t SET ${set} WHERE k = 1`)
      const { finished } = await caughtUp(stage)
      expect(finished.exitCode).not.toBe(0)
      expect(finished.error?.message).toMatch(/t\.[an], row 1: DuckDB would change this value: \[\[/)
      // A refused row is missing until its source is corrected.
      expect(await held()).toEqual([])
      await stage.source.sql(`UPDATE t SET a = '{a,"[b"}', n = '{1}' WHERE k = 1`)
      expect((await caughtUp(stage)).finished.exitCode).toBe(0)
      expect(await held()).toEqual([['1', 'a', '[b', '1']])
    }
  })
})
