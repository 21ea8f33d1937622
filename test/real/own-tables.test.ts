/**
 * Creates every ledger, catalog and archive on every system: the tables are those of the register, each made by its
 * owner.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prepareCatalog } from '../../src/catalog/catalog.ts'
import { LOADED_RELATIONS } from '../../src/catalog/relations.ts'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { prepareArchiveLedger } from '../../src/archive/ledger/schema.ts'
import { LATE_TABLES, makeLateTable } from '../../src/engine/copy/ledger/late-tables.ts'
import { hasLedger, prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'
import { ledgerColumnNames } from '../../src/stores/common/ledger-tables.ts'
import { OWN_TABLES, type OwnTableOwner } from '../../src/stores/common/own-tables.ts'
import { makePlace, missing } from '../support/copy-systems.ts'
import { NEVER } from '../support/copy-zoo.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-own-tables-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SYSTEMS = ['sqlite', 'postgresql', 'mysql', 'duckdb', 'd1'] as const

function registered(system: string, ...owners: readonly OwnTableOwner[]): readonly string[] {
  return OWN_TABLES.filter(({ owner, only }) => owners.includes(owner) && (only ?? [system]).includes(system))
    .map(({ name }) => name)
    .toSorted()
}

async function tablesIn(store: CopyStore): Promise<readonly string[]> {
  return (await store.tables('*', NEVER)).map(({ table }) => table.name).toSorted()
}

/** A ledger that records its statements. */
function counted(ledger: LedgerDatabase, asked: string[]): LedgerDatabase {
  return {
    dialect: ledger.dialect,
    label: ledger.label,
    all: (sql, parameters) => {
      asked.push(sql)
      return ledger.all(sql, parameters)
    },
    batch: (statements) => {
      asked.push(...statements.map(({ sql }) => sql))
      return ledger.batch(statements)
    },
    endSession: (session) => ledger.endSession(session),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

test.for(SYSTEMS)('ledgers in %s match the register', { timeout: 60_000 }, async (system, { skip }) => {
  const why = await missing(system)
  skip(why !== '', `needs ${system}: ${why}`)
  const { url } = await makePlace(system, folder)
  await using store = await openCopyStore(url, { mode: 'write' })
  await using ledger = await store.ledger()
  const asked: string[] = []
  expect(await hasLedger(counted(ledger, asked))).toBe(false)
  // Each statement is a request to D1.
  expect(asked).toHaveLength(2)
  expect(await tablesIn(store)).toEqual([])

  await prepareLedger(ledger)
  const soon = OWN_TABLES.filter(({ owner, late }) => owner === 'copy' && late !== true)
  expect(await tablesIn(store)).toEqual(soon.map(({ name }) => name).toSorted())
  for (const name of LATE_TABLES) await makeLateTable(ledger, name)
  expect(await tablesIn(store)).toEqual(registered(system, 'copy'))

  await prepareArchiveLedger(ledger)
  expect(await tablesIn(store)).toEqual(registered(system, 'copy', 'archive'))
  const there = await ledgerColumnNames(ledger, registered(system, 'copy', 'archive'))
  for (const { name, marks, oneColumn } of OWN_TABLES) {
    const columns = there.get(name)
    if (columns === undefined) continue
    expect([name, marks.filter((mark) => !columns.has(mark))]).toEqual([name, []])
    expect([name, columns.size === 1]).toEqual([name, oneColumn === true])
  }
})

test.for(['sqlite', 'postgresql', 'mysql', 'duckdb'] as const)(
  'a catalog in %s has the tables and columns of the register',
  { timeout: 60_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
    const { url } = await makePlace(system, folder)
    {
      await using catalog = await openCatalogDatabase(url, 'write')
      await prepareCatalog(catalog, 0)
    }
    await using store = await openCopyStore(url, { mode: 'write' })
    // This partition of PostgreSQL belongs to its table.
    const there = (await tablesIn(store)).filter((name) => name !== 'delta_files_default')
    expect(there).toEqual(registered(system, 'catalog'))
    // Imports load, the validator compares and migrations create the same columns.
    for (const [name, columns] of Object.entries(LOADED_RELATIONS)) {
      const [table] = await store.tables(name, NEVER)
      expect([name, table?.columns.map((column) => column.name).toSorted()]).toEqual([name, columns.toSorted()])
    }
  },
)
