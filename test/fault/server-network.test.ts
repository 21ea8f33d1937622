/**
 * The line between the tool and its server fails: cut or silent in the middle of a load, around COMMIT, and for so long that somebody else has
 * taken the table over.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { prepareCatalog, readableTable } from '../../src/catalog/catalog.ts'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { holderOf, importInto } from '../support/catalog-kit.ts'
import { dumpAt, expectNoSecret, expectWholeVersions, openCatalogAt, undisturbed, variant } from './server-kit.ts'
import { onEverySystem } from './server-stage.ts'
import { inLoad, isCommit, onStatement } from './server-line.ts'

const BATCH = 300
const QUICK = { response_timeout: 1, connect_timeout: 2, retry_seconds: 60 }

onEverySystem('a line that fails', { history: [4, 300, 600], shared: true }, (stage, system) => {
  let expected: string
  let half: number
  let commits: number
  let names = 0
  beforeAll(async () => {
    const clean = await stage.server.room('clean')
    const { sizes } = inLoad(stage.proxy, system.statementOfLoad, null, () => undefined)
    expected = await undisturbed(variant(clean, {}, stage.proxy.port), stage.table, BATCH)
    half = (sizes[1] ?? 0) / 2
    const counted = onStatement(stage.proxy, isCommit, () => undefined, Infinity)
    await undisturbed(variant(await stage.server.room('counted'), {}, stage.proxy.port), stage.table, BATCH)
    commits = counted.seen()
    stage.proxy.onClientData(null)
  })

  /** Imports through the proxy and expects what an undisturbed run leaves. */
  async function expectSurvives(disturb: () => { readonly happened: () => boolean }): Promise<void> {
    const url = await stage.server.room(`line_${++names}`)
    await using database = await openCatalogAt(variant(url, QUICK, stage.proxy.port))
    const { happened } = disturb()
    expect(await importInto(database, stage.table, { batchSize: BATCH })).toMatchObject({
      status: 'completed',
      version: 3,
    })
    expect(happened()).toBe(true)
    await expectWholeVersions(url)
    expect(await dumpAt(url)).toBe(expected)
    await expectNoSecret(stage.server, [], url)
  }

  test('cut in the middle of a load', async () => {
    expect(half).toBeGreaterThan(50_000)
    for (const load of [1, 2]) {
      await expectSurvives(() => {
        const { acted } = inLoad(stage.proxy, system.statementOfLoad, { load, bytes: half }, () => stage.proxy.cut())
        return { happened: acted }
      })
    }
  })

  test('silent in the middle of a load, and back after some seconds', { timeout: 60_000 }, async () => {
    await expectSurvives(() => {
      const { acted } = inLoad(stage.proxy, system.statementOfLoad, { load: 2, bytes: half }, () => {
        stage.proxy.freeze()
        void sleep(2_500).then(() => stage.proxy.thaw())
      })
      return { happened: acted }
    })
  })

  test.each([
    ['COMMIT does not arrive', 'drop'],
    ['COMMIT arrives, its answer does not', undefined],
  ] as const)('cut at every COMMIT: %s', { timeout: 120_000 }, async (_, answer) => {
    const url = await stage.server.room(`line_${++names}`)
    await using database = await openCatalogDatabase(variant(url, QUICK, stage.proxy.port), 'write')
    const attempts = new Map<number, number>()
    const write = database.write.bind(database)
    let writes = 0
    database.write = async (body, landed) => {
      const mine = ++writes
      // New sessions have a COMMIT of their own before any body runs.
      let running = false
      const { seen } = onStatement(
        stage.proxy,
        (data) => running && isCommit(data),
        (connection) => {
          connection.cut()
          return answer
        },
      )
      const result = await write(async (transaction) => {
        running = true
        attempts.set(mine, (attempts.get(mine) ?? 0) + 1)
        return await body(transaction)
      }, landed)
      expect(seen()).toBeGreaterThan(0)
      return result
    }
    await prepareCatalog(database, 0)
    await importInto(database, stage.table, { batchSize: BATCH })
    expect(writes).toBeGreaterThan(6)
    // An import may end in an empty batch, which nothing tells from the one before it; nothing depends on it either.
    if (answer === 'drop') expect([...attempts].filter(([, count]) => count < 2).length).toBeLessThan(2)
    await expectWholeVersions(url)
    expect(await dumpAt(url)).toBe(expected)
  })

  test('silent after a COMMIT that arrived', { timeout: 60_000 }, async () => {
    expect(commits).toBeGreaterThan(6)
    let muted = false
    await expectSurvives(() => {
      onStatement(
        stage.proxy,
        isCommit,
        (connection) => {
          // What came so far still gets to the server, and nothing comes back.
          muted = true
          setImmediate(() => connection.mute())
        },
        Math.ceil(commits / 2),
      )
      return { happened: () => muted }
    })
  })

  test(
    'silent for longer than the lease: the table is somebody else’s, and the one who wakes up writes nothing',
    { timeout: 60_000 },
    async () => {
      const url = await stage.server.room(`line_${++names}`)
      await using old = await openCatalogAt(variant(url, {}, stage.proxy.port))
      await using other = await openCatalogAt(url)
      let batches = 0
      let frozen: () => void = () => undefined
      const isFrozen = new Promise<void>((resolve) => (frozen = resolve))
      const oldImport = importInto(old, stage.table, {
        batchSize: BATCH,
        holder: holderOf('import old', { machine: 'elsewhere', host: 'elsewhere' }),
        // Between two transactions: a batch of which the server holds half would hold its rows too.
        whilePaused: async () => {
          if (++batches !== 2) return
          stage.proxy.freeze()
          frozen()
        },
      }).then(
        () => null,
        (error: unknown) => error,
      )
      await isFrozen
      const locked: unknown = await importInto(other, stage.table, { batchSize: BATCH }).catch(
        (error: unknown) => error,
      )
      expect(locked).toMatchObject({ code: 'TABLE_LOCKED', where: expect.stringContaining('elsewhere') as string })
      // Half a minute later there is still nothing that tells a quiet line from a dead one; only the lease ends.
      const expire = 'UPDATE catalog_leases SET expires_at = ? WHERE table_id = ?'
      const now = await other.now()
      await other.write((transaction) => transaction.run(expire, [now - 1, 't']))
      expect(await importInto(other, stage.table, { batchSize: BATCH })).toMatchObject({
        status: 'completed',
        resumed: true,
      })
      expect(await dumpAt(url)).toBe(expected)
      stage.proxy.thaw()
      const lost = await oldImport
      expect(lost).toMatchObject({ code: 'LEASE_LOST' })
      expect(await readableTable(other, { tableId: 't' })).toMatchObject({ version: 3 })
      expect(await dumpAt(url)).toBe(expected)
      await expectNoSecret(stage.server, [locked, lost], url)
    },
  )
})
