import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PartitionLedger } from '../../src/archive/ledger/partition-ledger.ts'
import type { PartitionClaim } from '../../src/archive/ledger/partition-facts.ts'
import { readArchive } from '../../src/archive/ledger/record.ts'
import { prepareArchiveLedger } from '../../src/archive/ledger/schema.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { newOwner } from '../../src/shared/owner.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'

const TABLE = { name: 'bookings' }
const OWNER = { ...newOwner('here'), runId: 1n }

describe('a held partition', () => {
  let folder: string
  let store: CopyStore
  let database: LedgerDatabase
  let ledger: PartitionLedger

  beforeAll(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-hold-'))
    const file = path.join(folder, 'source.db')
    new Database(file).exec('CREATE TABLE bookings (id INTEGER PRIMARY KEY)').close()
    store = await openCopyStore(`sqlite:///${file}`, { mode: 'write' })
    database = await store.ledger()
    await prepareArchiveLedger(database)
    ledger = new PartitionLedger(database, TABLE, OWNER)
    const stored = { columns: [], partitionColumn: 'p', mapped: false, sortBy: [] }
    await ledger.addTable(
      { archive: folder, archiveId: 'id', timeColumn: 'at', calendar: 'quarter', stored, graceMs: 0, origin: null },
      'test',
    )
  })

  afterAll(async () => {
    await database[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    fs.rmSync(folder, { recursive: true, force: true })
  })

  const published = async (label: string): Promise<PartitionClaim> => {
    await ledger.addPartition({ label, from: null, to: null, native: null })
    const held = await ledger.claim(label, null)
    if (held === null) throw new Error('it is held')
    await ledger.move(held, 'PLANNED', 'PUBLISHED', { version: 0, digest: { rows: 3n, sum: '0a' } })
    return held
  }
  const stateOf = async (label: string): Promise<string | undefined> =>
    (await readArchive(database, TABLE))?.partitions.find((one) => one.label === label)?.state

  test('does not leave, even if the run read its state before the hold was placed', async () => {
    const held = await published('A')
    await ledger.hold('A', 'lawsuit')
    await expect(ledger.move(held, 'PUBLISHED', 'DETACHED', { graceMs: 0 })).rejects.toMatchObject({
      code: 'LEASE_LOST',
    })
    expect(await stateOf('A')).toBe('PUBLISHED')
    await ledger.hold('A', null)
    await ledger.move(held, 'PUBLISHED', 'DETACHED', { graceMs: 0 })
    expect(await stateOf('A')).toBe('DETACHED')
  })

  test('loses no row, and may be restored', async () => {
    const held = await published('B')
    await ledger.move(held, 'PUBLISHED', 'DETACHED', { graceMs: 0 })
    await ledger.hold('B', 'lawsuit')
    const removed = { rows: 1n, sum: '01' }
    for (const to of ['DETACHED', 'DROPPED'] as const) {
      const closing = ledger.closing(held, 'DETACHED', to, { removed })
      expect(await database.all(closing.guard.sql, closing.guard.parameters)).toEqual([])
      const answers = await database.batch([...closing.statements, closing.landed])
      expect(answers.at(-1)).toEqual([])
    }
    expect(await stateOf('B')).toBe('DETACHED')
    await ledger.move(held, 'DETACHED', 'DETACHED', { restoring: true })
    await ledger.move(held, 'DETACHED', 'RESTORED', { restoring: false, removed: { rows: 0n, sum: '0' } })
    expect(await stateOf('B')).toBe('RESTORED')
  })
})
