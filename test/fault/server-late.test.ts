/**
 * An importer that is asleep until after its lease has expired, before any of its writes, and wakes up when another one
 * has finished the table: it must detect this before it changes anything.
 */
import { beforeAll, expect, test } from 'vitest'
import { readableTable } from '../../src/catalog/catalog.ts'
import type { CatalogLeaseHolder } from '../../src/catalog/lease.ts'
import { deleteTable } from '../../src/catalog/rollback.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { ALL } from '../support/backend.ts'
import { newOwner } from '../../src/shared/owner.ts'
import { dumpCatalog, importInto } from '../support/catalog-kit.ts'
import { openCatalogAt, undisturbed } from './server-kit.ts'
import { onEverySystem } from './server-stage.ts'

const VERSIONS = 3
const BATCH = 8

onEverySystem('an importer that wakes up late', { history: [VERSIONS, 6], shared: true }, (stage, system) => {
  let expected: string
  beforeAll(async () => {
    expected = rowsOf(await undisturbed(await stage.server.room('clean'), stage.table, BATCH))
  })

  test.each([
    ['a first import', 'fresh'],
    ['an import that clears away the rest of a manual rollback', 'broken'],
  ] as const)('changes nothing: %s', { timeout: 120_000 }, async (_, kind) => {
    const url = await stage.server.room(kind)
    // Every second write, and other writes for each system.
    const step = ALL ? 1 : 2
    let at = ALL || system.title === 'PostgreSQL' ? 2 : 3
    for (let slept = true; slept; at += step) {
      await using database = await openCatalogAt(url)
      await database.write((transaction) => deleteTable(transaction, 't'))
      if (kind === 'broken') {
        await importInto(database, stage.table, { batchSize: BATCH })
        await database.write((transaction) => transaction.run('DELETE FROM migration_status'))
      }
      await using late = await openCatalogAt(url)
      const { asleep, wake } = sleepBefore(late, at)
      const outcome = importInto(late, stage.table, { batchSize: BATCH, holder: holderOf('late') }).then(
        ({ status }) => status,
        (error: unknown) => error,
      )
      slept = await Promise.race([asleep, outcome.then(() => false)])
      if (!slept) break
      const now = await database.now()
      await database.write((transaction) =>
        transaction.run('UPDATE catalog_leases SET expires_at = ? WHERE expires_at > 0', [now - 1]),
      )
      await importInto(database, stage.table, { batchSize: BATCH, holder: holderOf('second') })
      expect(rowsOf(await dumpCatalog(database))).toBe(expected)
      wake()
      const end = await outcome
      const when = `slept before write ${at}, ended with ${String(end)}`
      // An importer that has only indexes left to write need not detect it.
      if (end !== 'completed') expect(end, when).toMatchObject({ code: 'LEASE_LOST' })
      expect(rowsOf(await dumpCatalog(database)), when).toBe(expected)
      expect(await readableTable(database, { tableId: 't' })).toMatchObject({ version: VERSIONS - 1 })
    }
    expect(at).toBeGreaterThan(6)
  })
})

/** Holds back the writes of an import from the nth one on, until `wake`. */
function sleepBefore(
  database: SqlDatabase,
  nth: number,
): { readonly asleep: Promise<true>; readonly wake: () => void } {
  let wake: () => void = () => undefined
  const woken = new Promise<void>((resolve) => (wake = resolve))
  let fallAsleep: (asleep: true) => void = () => undefined
  const asleep = new Promise<true>((resolve) => (fallAsleep = resolve))
  const write = database.write.bind(database)
  let writes = 0
  database.write = async (body, landed) => {
    if (++writes === nth) {
      fallAsleep(true)
      await woken
    }
    return await write(body, landed)
  }
  return { asleep, wake }
}

function holderOf(owner: string): CatalogLeaseHolder {
  return { ...newOwner(owner), machine: owner, command: `import by ${owner}` }
}

/** A dump without its last line, because indexes that a late importer dropped are created again by the next import. */
function rowsOf(dump: string): string {
  return dump.slice(0, dump.lastIndexOf('\n'))
}
