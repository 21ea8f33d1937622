/**
 * A ledger or a catalog that has lost one of its tables, as after a DROP or a restore of some tables: the missing one
 * is named, and nothing is created in its place.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prepareArchiveLedger, refuseNewer } from '../../src/archive/ledger/schema.ts'
import { withCatalog } from '../../src/engine/lake/catalog-session.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { redactUrl } from '../../src/shared/redact.ts'
import { add, METADATA, PROTOCOL, writeLog } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-lacks-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.for([
  ['postgresql', 'migration_runs'],
  ['mysql', 'migration_plans'],
  ['sqlite', 'migration_checkpoints'],
  ['duckdb', 'migration_quarantine'],
  ['d1', 'migration_tokens'],
] as const)('a ledger in %s that lacks %s', { timeout: 60_000 }, async ([system, table], { skip }) => {
  const why = await missing(system)
  skip(why !== '', `needs ${system}: ${why}`)
  const source = await makePlace('sqlite', folder)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY)', 'INSERT INTO t VALUES (1)')
  const target = await makePlace(system, folder)
  expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
  await target.sql(`DROP TABLE ${table}`)
  for (const operation of [copyOf(source, target, 't'), { kind: 'copy-runs', to: target.url, limit: 10 } as const]) {
    const { finished } = await perform(operation)
    expect(finished.error).toMatchObject({ code: 'LEDGER_DAMAGED' })
    expect(finished.error?.message).toContain(` ${table}`)
    expect(finished.error?.hint).toContain('backup')
    expect(finished.error?.where).toBe(redactUrl(target.url))
    // Its information_schema shows only tables that the login has rights on.
    if (system === 'mysql') {
      expect(finished.error?.reason).toContain('no right')
      expect(finished.error?.reason).not.toContain('dropped')
    }
  }
})

test.for(['postgresql', 'mysql', 'sqlite', 'duckdb'] as const)('%s: archives are refused', async (system, { skip }) => {
  const why = await missing(system)
  skip(why !== '', `needs ${system}: ${why}`)
  const place = await makePlace(system, folder)
  const inLedger = async (body: typeof prepareArchiveLedger | typeof refuseNewer): Promise<void> => {
    await using store = await openCopyStore(place.url, { mode: 'write' })
    await using database = await store.ledger()
    await body(database)
  }
  await inLedger(prepareArchiveLedger)
  await place.sql('DROP TABLE migration_archive_erasures')
  for (const body of [prepareArchiveLedger, refuseNewer]) {
    await expect(inLedger(body)).rejects.toMatchObject({
      code: 'LEDGER_DAMAGED',
      message: expect.stringContaining(' migration_archive_erasures') as string,
      hint: expect.stringMatching(
        /drop the remaining tables \(.*\bmigration_archive_ledger\b.*\bmigration_archives\b.*\) and .*`sluice archive adopt --table TABLE --confirm=TABLE`/,
      ) as string,
    })
  }
})

test.for([
  ['postgresql', 'delta_commits'],
  ['mysql', 'delta_txns'],
  ['sqlite', 'catalog_fsck'],
  ['duckdb', 'delta_range_zones'],
] as const)('%s: a catalog without %s is refused by name', async ([system, table], { skip }) => {
  const why = await missing(system)
  skip(why !== '', `needs ${system}: ${why}`)
  const place = await makePlace(system, folder)
  const log = join(folder, `log-${system}`)
  writeLog(log, [[PROTOCOL, METADATA, add('f')]])
  const again = { kind: 'import', table: log, catalog: place.url, dryRun: false, resume: true, batchSize: 1, verbose: false, allowRefused: false, waitMs: 0 } as const // prettier-ignore
  expect((await perform(again)).finished.error).toBeUndefined()
  await place.sql(`DROP TABLE ${table}${system === 'postgresql' ? ' CASCADE' : ''}`)
  const damaged = {
    code: 'LEDGER_DAMAGED',
    message: expect.stringContaining(` ${table}`) as string,
    hint: expect.stringContaining('import') as string,
  }
  expect((await perform(again)).finished.error).toMatchObject(damaged)
  // The import has closed the file, which DuckDB opens once at a time.
  await expect(withCatalog(place.url, async () => undefined)).rejects.toMatchObject(damaged)
})
