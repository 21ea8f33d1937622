/**
 * kill -9 of the tool at points that only servers have: in the middle of COPY or LOAD DATA, between the statements that
 * create a catalog, while indexes are built, and with another machine that continues.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { dialectOf } from '../../src/catalog/dialect.ts'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { add, importInto, METADATA, PROTOCOL, writeLog } from '../support/catalog-kit.ts'
import { dumpAt, expectNoSecret, expectWholeVersions, openCatalogAt, undisturbed, variant } from './server-kit.ts'
import { onEverySystem } from './server-stage.ts'
import { inLoad, onStatement } from './server-line.ts'

const CHILD = resolve(import.meta.dirname, 'server-child.mjs')
const BATCH = 500

type Work = {
  readonly url: string
  readonly table?: string
  readonly batchSize?: number
  readonly host?: string
  readonly when?: string
  readonly at?: number
}

type Child = { readonly process: ChildProcess; readonly ended: Promise<'killed' | 'done'> }

function start(work: Work): Child {
  const env = { ...process.env, SLUICE_CHILD: JSON.stringify(work) }
  const child = spawn(process.execPath, [CHILD], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (data: Buffer) => (complaint += data.toString()))
  const ended = once(child, 'close').then(() => {
    if (child.signalCode === 'SIGKILL') return 'killed'
    if (child.exitCode === 0) return 'done'
    throw new Error(complaint)
  })
  return { process: child, ended }
}

onEverySystem('kill -9 of the tool', { history: [4, 500, 600], shared: true }, (stage, system) => {
  let expected: string

  const through = (url: string): string => variant(url, {}, stage.proxy.port)

  test('in the middle of a load: the next import completes', { timeout: 120_000 }, async () => {
    const clean = await stage.server.room('clean')
    const { sizes } = inLoad(stage.proxy, system.statementOfLoad, null, () => undefined)
    expected = await undisturbed(through(clean), stage.table, BATCH)
    expect(sizes.length).toBeGreaterThan(2)
    for (const load of [1, 3]) {
      const url = await stage.server.room(`load_${load}`)
      const bytes = (sizes[load - 1] ?? 0) / 2
      expect(bytes).toBeGreaterThan(100_000)
      const child = start({ url: through(url), table: stage.table, batchSize: BATCH })
      const middle = inLoad(stage.proxy, system.statementOfLoad, { load, bytes }, () => child.process.kill('SIGKILL'))
      expect(await child.ended).toBe('killed')
      expect(middle.acted()).toBe(true)
      expect(middle.sizes).toHaveLength(load)
      await expectWholeVersions(url)
      await using again = await openCatalogAt(url)
      expect(await importInto(again, stage.table, { batchSize: BATCH })).toMatchObject({
        resumed: load > 1,
      })
      expect(await dumpAt(url), `killed in load ${load}`).toBe(expected)
      await expectNoSecret(stage.server, [], url)
    }
  })

  test('on another machine: the next importer takes over at once', { timeout: 60_000 }, async () => {
    const url = await stage.server.room('elsewhere')
    const child = start({ url, table: stage.table, batchSize: BATCH, host: 'elsewhere', when: 'before', at: 6 })
    expect(await child.ended).toBe('killed')
    await using again = await openCatalogAt(url)
    const begun = performance.now()
    // The server notices quickly that the session has ended.
    const result = await importInto(again, stage.table, { batchSize: BATCH, waitMs: 20_000 })
    expect(result).toMatchObject({ status: 'completed', resumed: true })
    expect(performance.now() - begun).toBeLessThan(20_000)
    expect(await dumpAt(url)).toBe(expected)
  })

  test('between the statements that create a catalog: the next one creates it', { timeout: 120_000 }, async () => {
    const isDdl = (data: Buffer): boolean => data.includes('CREATE ')
    const whole = await stage.server.room('ddl_whole')
    const { seen } = onStatement(stage.proxy, isDdl, () => undefined, Infinity)
    expect(await start({ url: through(whole) }).ended).toBe('done')
    const names = await namesAt(whole)
    const statements = seen()
    expect(statements).toBeGreaterThan(1)
    const step = Math.max(1, Math.floor(statements / 5))
    for (let nth = 1; nth <= statements; nth += step) {
      const url = await stage.server.room(`ddl_${nth}`)
      const child = start({ url: through(url) })
      onStatement(stage.proxy, isDdl, () => void child.process.kill('SIGKILL'), nth)
      expect(await child.ended).toBe('killed')
      if (system.title === 'PostgreSQL') {
        // The server rolls back when it notices; nothing of it may stay.
        await expect.poll(() => namesAt(url).then(({ length }) => length === 0 || length === names.length)).toBe(true)
      }
      await using again = await openCatalogAt(url)
      expect(await namesAt(url)).toEqual(names)
      await importInto(again, stage.table, { batchSize: BATCH })
      expect(await dumpAt(url), `killed at statement ${nth} of ${statements}`).toBe(expected)
    }
  })

  test.skipIf(system.title !== 'PostgreSQL')(
    'while the indexes of a partition are built: the next import builds them',
    async () => {
      const large = join(stage.folder, 'large')
      const lines = Array.from({ length: 100_200 }, (_, i) => add(`${i}.parquet`, { size: 1 }))
      writeLog(large, [[PROTOCOL, METADATA], lines.slice(0, 50_000), lines.slice(50_000)])
      const url = await stage.server.room('indexes')
      const child = start({ url: through(url), table: large, batchSize: 20_000 })
      let open = 0
      onStatement(
        stage.proxy,
        (data) => data.includes('catalog_file_partition_index(NULL)'),
        () =>
          void sleep(20).then(() => {
            open = stage.proxy.connections
            child.process.kill('SIGKILL')
          }),
      )
      expect(await child.ended).toBe('killed')
      expect(open).toBeGreaterThan(0)
      await expectWholeVersions(url)
      await using again = await openCatalogAt(url)
      const partition =
        "c.relname LIKE 'delta\\_files\\_%' AND c.relname NOT LIKE '%default%' AND c.relnamespace = current_schema()::regnamespace"
      const indexes = `SELECT count(*) FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indrelid WHERE ${partition}`
      const [before] = await again.all(indexes)
      // The replica identity exists from the start.
      expect(before).toEqual([1])
      expect(await importInto(again, large)).toMatchObject({ status: 'current' })
      expect(await again.all(indexes)).toEqual([[4]])
      expect(await again.all('SELECT count(*), count(DISTINCT path) FROM delta_active_files')).toEqual([
        [100_200, 100_200],
      ])
    },
    120_000,
  )
})

async function namesAt(url: string): Promise<readonly string[]> {
  await using database = await openCatalogDatabase(url, 'read')
  return (await database.all(dialectOf(database).objectNames)).map(([name]) => String(name)).toSorted()
}
