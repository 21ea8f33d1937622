/** Several programs use one catalog at the same time: each table ends as if its program had been alone. */
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { runOperation } from '../../src/app/run.ts'
import { prepareCatalog } from '../../src/catalog/catalog.ts'
import type { RunFinished } from '../../src/engine/run/operation.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { ALL } from '../support/backend.ts'
import { dumpCatalog, holderOf, importInto } from '../support/catalog-kit.ts'
import { dumpAt, expectNoSecret, expectWholeVersions, openCatalogAt, undisturbed, writeHistory } from './server-kit.ts'
import { onEverySystem } from './server-stage.ts'

/** Each round is another race, with another batch size. */
const ROUNDS = ALL ? 2 : 1

onEverySystem('several programs at once', { history: [12, 15], shared: true }, (stage) => {
  let second: string
  let expected: string
  beforeAll(async () => {
    second = join(stage.folder, 'second')
    writeHistory(second, 9, 25)
    expected = await undisturbed(await stage.server.room('clean'), stage.table, 40)
  })

  test('create one catalog', async () => {
    for (let round = 1; round <= ROUNDS; round++) {
      const url = await stage.server.room(`made_${round}`)
      await Promise.all(
        [1, 2, 3].map(async () => {
          await using database = await openCatalogDatabase(url, 'write')
          await prepareCatalog(database, 0)
        }),
      )
      await using database = await openCatalogAt(url)
      await importInto(database, stage.table)
      expect(await dumpCatalog(database)).toBe(expected)
    }
  })

  test('import different tables without affecting each other', { timeout: 120_000 }, async () => {
    const url = await stage.server.room('both')
    await using one = await openCatalogAt(url)
    await importInto(one, stage.table)
    await importInto(one, second, { tableId: 'u' })
    const alone = await dumpCatalog(one)
    for (let round = 1; round <= ROUNDS; round++) {
      const at = await stage.server.room(`both_${round}`)
      const sizes = [1 + Math.floor(Math.random() * 60), 1 + Math.floor(Math.random() * 60)] as const
      await using left = await openCatalogAt(at)
      await using right = await openCatalogAt(at)
      await Promise.all([
        importInto(left, stage.table, { batchSize: sizes[0] }),
        importInto(right, second, { batchSize: sizes[1], tableId: 'u' }),
      ])
      await expectWholeVersions(at)
      expect(await dumpAt(at), `batches of ${sizes.join(' and ')}`).toBe(alone)
    }
  })

  test(
    'import one table: one completes, the other is refused meanwhile, or finds it current',
    { timeout: 120_000 },
    async () => {
      for (let round = 1; round <= 2; round++) {
        const url = await stage.server.room(`same_${round}`)
        await using one = await openCatalogAt(url)
        await using two = await openCatalogAt(url)
        const waitMs = round % 2 === 0 ? 30_000 : 0
        const size = 1 + Math.floor(Math.random() * 60)
        const ends = await Promise.allSettled(
          [one, two].map((at) => importInto(at, stage.table, { batchSize: size, waitMs })),
        )
        const how = ends.map((end) => (end.status === 'fulfilled' ? end.value.status : codeOf(end.reason))).toSorted()
        // One with waitMs 0 that begins after the other has completed finds the table current, too.
        const other = how.find((end) => end !== 'completed') ?? 'completed twice'
        expect(how, `batches of ${size}`).toEqual(['completed', other].toSorted())
        expect(waitMs === 0 ? ['TABLE_LOCKED', 'current'] : ['current'], `batches of ${size}`).toContain(other)
        expect(await dumpAt(url)).toBe(expected)
        await expectNoSecret(
          stage.server,
          ends.map((end) => (end.status === 'rejected' ? (end.reason as unknown) : '')),
          url,
        )
      }
    },
  )

  test('an import that begins during another one of the same table is refused', async () => {
    const url = await stage.server.room('same_second')
    await using one = await openCatalogAt(url)
    await using two = await openCatalogAt(url)
    let refused: unknown = null
    await importInto(one, stage.table, {
      batchSize: 40,
      whilePaused: async () => {
        refused ??= await importInto(two, stage.table, { batchSize: 40, waitMs: 0 }).catch((error: unknown) => error)
      },
    })
    expect(refused).toMatchObject({ code: 'TABLE_LOCKED' })
    expect(await dumpAt(url)).toBe(expected)
  })

  const rollback = (url: string, onEvent: (type: string) => void = () => undefined): Promise<RunFinished> =>
    runOperation(
      { kind: 'rollback', table: 't', catalog: url, confirm: 't', checkFiles: 'none', dryRun: false },
      {
        interrupt: NEVER,
        clock: systemClock,
        tool: 'test',
        actor: 'test',
        host: 'here',
        commandLine: 'sluice rollback t',
        onEvent: ({ type }) => onEvent(type),
      },
    )

  test('a rollback that begins during an import is refused', async () => {
    const url = await stage.server.room('rollback_second')
    await using database = await openCatalogAt(url)
    let refused: RunFinished | null = null
    await importInto(database, stage.table, {
      batchSize: 40,
      holder: holderOf('import'),
      whilePaused: async () => {
        refused ??= await rollback(url)
      },
    })
    expect(refused).toMatchObject({ status: 'refused', error: { code: 'TABLE_LOCKED' } })
    expect(await dumpAt(url)).toBe(expected)
    await expectNoSecret(stage.server, [refused], url)
  })

  test('an import that begins during a rollback is refused, and starts from nothing afterwards', async () => {
    const url = await stage.server.room('rollback_first')
    await using database = await openCatalogAt(url)
    await using other = await openCatalogAt(url)
    await importInto(database, stage.table)
    let letGo: () => void = () => undefined
    const held = new Promise<void>((resolve) => (letGo = resolve))
    let isHeld: () => void = () => undefined
    const holding = new Promise<void>((resolve) => (isHeld = resolve))
    // A locked row of the table makes the rollback wait in the middle of its transaction.
    const holder = other.write(async (transaction) => {
      await transaction.run('UPDATE delta_tables SET updated_at = updated_at WHERE table_id = ?', ['t'])
      isHeld()
      await held
    })
    await holding
    let begun: () => void = () => undefined
    const verifying = new Promise<void>((resolve) => (begun = resolve))
    const rolledBack = rollback(url, (type) => type === 'verify.check' && begun())
    await verifying
    const locked: unknown = await importInto(database, stage.table).catch((error: unknown) => error)
    letGo()
    await holder
    expect(locked).toMatchObject({ code: 'TABLE_LOCKED' })
    expect(await rolledBack).toMatchObject({ status: 'ok' })
    expect(await database.all('SELECT count(*) FROM delta_files')).toEqual([[0]])
    expect(await importInto(database, stage.table, { batchSize: 40 })).toMatchObject({
      status: 'completed',
      resumed: false,
    })
    expect(await dumpAt(url)).toBe(expected)
  })

  test('an import and a rollback that begin at the same time leave whole versions', { timeout: 60_000 }, async () => {
    for (let round = 1; round <= ROUNDS; round++) {
      const url = await stage.server.room(`race_${round}`)
      await using database = await openCatalogAt(url)
      const stop = new AbortController()
      const begun = await importInto(database, stage.table, {
        batchSize: 40,
        interrupt: { stop: stop.signal, abort: NEVER.abort },
        whilePaused: async () => stop.abort(),
      })
      expect(begun.status).toBe('stopped')
      const importing = importInto(database, stage.table, { batchSize: 7 }).then(
        ({ status }) => status,
        (error: unknown) => codeOf(error),
      )
      const [imported, rolledBack] = await Promise.all([importing, rollback(url)])
      const ended = rolledBack.error?.code ?? rolledBack.status
      const how = `import ${imported}, rollback ${ended}`
      expect(['completed', 'TABLE_LOCKED'], how).toContain(imported)
      expect(['ok', 'TABLE_LOCKED', 'NOT_SAFE'], how).toContain(ended)
      await expectWholeVersions(url)
      await importInto(database, stage.table)
      expect(await dumpAt(url), how).toBe(expected)
    }
  })
})

function codeOf(error: unknown): string {
  return (error as { readonly code?: string }).code ?? String(error)
}
