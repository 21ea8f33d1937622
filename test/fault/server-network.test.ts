/**
 * The connection between the tool and its server fails: cut or silent in the middle of a load, around COMMIT, and for
 * so long that another importer has taken over the table.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { prepareCatalog, readableTable } from '../../src/catalog/catalog.ts'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import type { ImportOptions } from '../../src/catalog/import/options.ts'
import { Interrupter } from '../../src/shared/abort.ts'
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

  /** Imports through the proxy, and expects the catalog of an undisturbed run. */
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

  /** Ends an import before the end of the log. Its rows already name removals of later versions. */
  async function importBeginning(url: string): Promise<void> {
    await using database = await openCatalogAt(url)
    const interrupt = new Interrupter()
    const onProgress: ImportOptions['onProgress'] = ({ version }) => {
      if (version !== null) interrupt.requestStop()
    }
    const { status } = await importInto(database, stage.table, { batchSize: BATCH, interrupt, onProgress })
    expect(status).toBe('stopped')
  }

  test('an import survives a cut in the middle of a load', async () => {
    expect(half).toBeGreaterThan(50_000)
    for (const load of [1, 2]) {
      await expectSurvives(() => {
        const { acted } = inLoad(stage.proxy, system.statementOfLoad, { load, bytes: half }, () => stage.proxy.cut())
        return { happened: acted }
      })
    }
  })

  test('an import survives a silence of some seconds in the middle of a load', { timeout: 60_000 }, async () => {
    await expectSurvives(() => {
      const { acted } = inLoad(stage.proxy, system.statementOfLoad, { load: 2, bytes: half }, () => {
        stage.proxy.freeze()
        void sleep(2_500).then(() => stage.proxy.thaw())
      })
      return { happened: acted }
    })
  })

  test.each([
    ['COMMIT does not arrive', 'drop', 'from the start'],
    ['COMMIT arrives, its answer does not', undefined, 'from the start'],
    ['COMMIT does not arrive', 'drop', 'after a stop'],
  ] as const)('an import survives a cut at every COMMIT: $0, $2', { timeout: 120_000 }, async (_, answer, begins) => {
    const url = await stage.server.room(`line_${++names}`)
    if (begins === 'after a stop') await importBeginning(url)
    await using database = await openCatalogDatabase(variant(url, QUICK, stage.proxy.port), 'write')
    const attempts = new Map<number, number>()
    const write = database.write.bind(database)
    let writes = 0
    database.write = async (body, landed) => {
      const mine = ++writes
      // New sessions execute their own COMMIT before the body of any transaction runs.
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
    if (answer === 'drop') expect([...attempts].filter(([, count]) => count < 2)).toEqual([])
    await expectWholeVersions(url)
    expect(await dumpAt(url)).toBe(expected)
  })

  test('an import survives a silence after a COMMIT that arrived', { timeout: 60_000 }, async () => {
    expect(commits).toBeGreaterThan(6)
    let muted = false
    await expectSurvives(() => {
      onStatement(
        stage.proxy,
        isCommit,
        (connection) => {
          // Data sent so far still reaches the server, and no answer comes back.
          muted = true
          setImmediate(() => connection.mute())
        },
        Math.ceil(commits / 2),
      )
      return { happened: () => muted }
    })
  })

  test(
    'silent until its lease has expired, an importer loses its table and writes nothing afterwards',
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
        // Between two transactions: otherwise the server would keep locks of an unfinished batch.
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
      // Half a minute later a quiet connection still looks like a dead one; only the lease expires.
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
