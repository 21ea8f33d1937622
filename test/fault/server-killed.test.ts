/**
 * kill -9 of the database server at every durable step of an import, and a server that is down for seconds under the
 * real program: the import survives by itself and ends in the catalog of an undisturbed run.
 */
import { beforeAll, expect, test } from 'vitest'
import { prepareCatalog } from '../../src/catalog/catalog.ts'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { ALL } from '../support/backend.ts'
import { ENDED, holderOf, importInto } from '../support/catalog-kit.ts'
import { dumpAt, expectNoSecret, expectWholeVersions, undisturbed, variant } from './server-kit.ts'
import { onEverySystem } from './server-stage.ts'

const VERSIONS = 4
const BATCH = 8

onEverySystem('kill -9 of the server in an import', { history: [VERSIONS, 6] }, (stage) => {
  let expected: string
  beforeAll(async () => {
    expected = await undisturbed(await stage.server.room('clean'), stage.table, BATCH)
  })

  test.each([
    ['before', 'right before each COMMIT'],
    ['during', 'while each COMMIT is under way'],
    ['after', 'right after each COMMIT'],
  ] as const)('%s a COMMIT does not stop the import: %s', { timeout: 120_000 }, async (when, _said) => {
    const url = variant(await stage.server.room(when), { retry_seconds: 60, connect_timeout: 5 })
    let restarted: Promise<void> = Promise.resolve()
    const killAndStart = async (): Promise<void> => {
      await restarted
      await stage.server.kill9()
      restarted = stage.server.restart()
    }
    let writes = 0
    let kills: Promise<void>[] = []
    await using database = await openCatalogDatabase(url, 'write')
    const write = database.write.bind(database)
    database.write = async (body, landed) => {
      writes++
      // The state right after one COMMIT is that right before the next, so the two alternate.
      const isMoment = ALL || (writes % 2 === 0) === (when === 'after')
      let killed = false
      const result = await write(async (transaction) => {
        const value = await body(transaction)
        if (killed) return value
        killed = true
        if (when === 'before' && isMoment) await killAndStart()
        // Another delay at each write, as far as timers are that exact.
        if (when === 'during') kills.push(later(writes % 4, killAndStart))
        return value
      }, landed)
      if (when === 'after' && isMoment) await killAndStart()
      await Promise.all(kills)
      kills = []
      return result
    }
    await prepareCatalog(database, 0)
    const result = await importInto(database, stage.table, { batchSize: BATCH })
    expect(result).toMatchObject({ status: 'completed', version: VERSIONS - 1 })
    expect(writes).toBeGreaterThan(8)
    await restarted
    await expectWholeVersions(url)
    expect(await dumpAt(url)).toBe(expected)
    await expectNoSecret(stage.server, [], url)
  })

  test('a lock that is requested while the server restarts is waited for', async () => {
    const url = await stage.server.room('lock_waits')
    await using database = await openCatalogDatabase(url, 'write')
    await stage.server.kill9()
    const restarted = later(300, () => stage.server.restart())
    const lock = await database.lock?.('some table')
    expect(lock?.held).toBe(true)
    await lock?.[Symbol.asyncDispose]()
    await restarted
  })

  test('a server that stays down is reported by name, and the same import resumes once it is up', async () => {
    const url = await stage.server.room('stays_down')
    const hasty = variant(url, { retry_seconds: 1, connect_timeout: 2 })
    await using database = await openCatalogDatabase(hasty, 'write')
    await prepareCatalog(database, 0)
    let batches = 0
    const failure: unknown = await importInto(database, stage.table, {
      batchSize: BATCH,
      // Its end cannot be recorded.
      holder: holderOf('gives up', ENDED),
      whilePaused: async () => {
        if (++batches === 2) await stage.server.kill9()
      },
    }).catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: expect.stringMatching(/^CONNECT(?:ION_LOST|_FAILED)$/) as string,
      retryable: true,
    })
    await stage.server.restart()
    await expectNoSecret(stage.server, [failure], url)
    await expectWholeVersions(url)
    await using again = await openCatalogDatabase(url, 'write')
    const result = await importInto(again, stage.table, { batchSize: BATCH })
    expect(result).toMatchObject({ status: 'completed', resumed: true })
    expect(await dumpAt(url)).toBe(expected)
  })
})

async function later(ms: number, act: () => Promise<void>): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
  await act()
}
