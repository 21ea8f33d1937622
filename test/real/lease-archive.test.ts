/**
 * Leases of partitions: no program takes that of a live program elsewhere, and that of a dead one of this machine is
 * taken at once.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PartitionLedger } from '../../src/archive/ledger/partition-ledger.ts'
import type { ArchiveOwner } from '../../src/archive/ledger/partition-facts.ts'
import { readArchive, type ArchivedPartition } from '../../src/archive/ledger/record.ts'
import { prepareArchiveLedger } from '../../src/archive/ledger/schema.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { newOwner, type Owner } from '../../src/shared/owner.ts'
import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'
import { makePlace, missing } from '../support/copy-systems.ts'
import { LEASE_CASES, NOBODYS_PID } from '../support/lease-owners.ts'

const TABLE = { name: 'bookings' }
const PARTITION = { label: 'A', from: null, to: null, native: null }
const STORED = { columns: [], partitionColumn: 'p', mapped: false, sortBy: [] }
const ARCHIVE = { archive: '/a', archiveId: 'id', timeColumn: 'at', calendar: 'quarter', graceMs: 0, origin: null }

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-lease-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ledgerOf = (database: LedgerDatabase, owner: Owner): PartitionLedger =>
  new PartitionLedger(database, TABLE, { ...owner, runId: 1n } satisfies ArchiveOwner)

async function run(database: LedgerDatabase, sql: string): Promise<void> {
  await database.batch([{ sql, parameters: [] }])
}

/** A ledger in which an owner has claimed the only partition. */
async function heldBy(database: LedgerDatabase, owner: Owner): Promise<PartitionLedger> {
  await prepareArchiveLedger(database)
  await run(database, 'DELETE FROM migration_archive_partitions')
  const ledger = ledgerOf(database, owner)
  await ledger.addTable({ ...ARCHIVE, stored: STORED }, 'test')
  await ledger.addPartition(PARTITION)
  expect(await ledger.claim('A', null)).toMatchObject({ fence: 1n })
  return ledger
}

async function partition(database: LedgerDatabase): Promise<ArchivedPartition> {
  const [found] = (await readArchive(database, TABLE))?.partitions ?? []
  if (found === undefined) throw new Error('there is no partition')
  return found
}

describe.each(['sqlite', 'postgresql'] as const)('leases of an archive in %s', (system) => {
  async function opened<T>(body: (database: LedgerDatabase) => Promise<T>): Promise<T> {
    const place = await makePlace(system, folder)
    await using store = await openCopyStore(place.url, { mode: 'write' })
    await using database = await store.ledger()
    return await body(database)
  }

  test.for(LEASE_CASES)('%s', async ([, owner, ended], context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    await opened(async (database) => {
      const theirs = await heldBy(database, owner())
      const mine = newOwner('here')
      const ledger = ledgerOf(database, mine)
      const { holder } = await partition(database)
      // Only a partition without a live owner can be planned again.
      await ledger.addPartition({ ...PARTITION, from: '2' }, holder)
      expect((await partition(database)).from).toBe(ended ? '2' : null)
      let held = await ledger.claim('A', holder)
      expect(held !== null).toBe(ended)
      if (held === null) {
        await run(database, 'UPDATE migration_archive_partitions SET lease_until = 1')
        held = await ledger.claim('A', holder)
      }
      expect(held).toMatchObject({ fence: 2n })
      expect((await partition(database)).holder).toMatchObject({ id: mine.id, host: 'here', pid: process.pid })
      await expect(theirs.move({ label: 'A', fence: 1n }, 'PLANNED', 'EXPORTED')).rejects.toMatchObject({
        code: 'LEASE_LOST',
      })
      await ledger.release({ label: 'A' })
      expect((await partition(database)).holder).toBeNull()
    })
  })

  test.each([
    ['ended', NOBODYS_PID, 'here', true],
    ['runs', process.pid, 'here', false],
    ['runs elsewhere', NOBODYS_PID, 'elsewhere', false],
  ] as const)('a lease of an earlier version that %s', async (_, pid, host, ended) => {
    await opened(async (database) => {
      await heldBy(database, newOwner('here'))
      // The columns that only this version has keep the values of an earlier owner.
      await run(
        database,
        `UPDATE migration_archive_partitions SET owner = '17/${host}', host = '${host}', pid = ${pid}`,
      )
      const { holder } = await partition(database)
      expect((await ledgerOf(database, newOwner('here')).claim('A', holder)) !== null).toBe(ended)
    })
  })
})
