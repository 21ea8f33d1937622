/**
 * Leases of catalog tables: no program takes that of a live program elsewhere, and that of a dead one of this machine
 * is taken at once.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  acquireLease,
  leaseHolder,
  CATALOG_LEASE_MS,
  releaseLease,
  renewLease,
  type CatalogLeaseHolder,
} from '../../src/catalog/lease.ts'
import { dialectOf } from '../../src/catalog/dialect.ts'
import { OWNERS_VERSION } from '../../src/catalog/migration-5.ts'
import { newOwner } from '../../src/shared/owner.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { BACKEND } from '../support/backend.ts'
import { holderOf, openCatalog, temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { LEASE_CASES, NOBODYS_PID } from '../support/lease-owners.ts'

let folder: Folder
let database: SqlDatabase
beforeAll(async () => {
  folder = temporaryFolder()
  database = await openCatalog(join(folder.path, 'c.db'))
})
afterAll(async () => {
  await database.close()
  folder[Symbol.dispose]()
})

let tables = 0
const table = (): string => `table ${++tables}`

async function run(sql: string, ...parameters: (string | number)[]): Promise<void> {
  await database.write((transaction) => transaction.run(sql, parameters))
}

/** Takes a lease and leaves it without its session, like a program that others cannot check. */
async function heldBy(tableId: string, holder: CatalogLeaseHolder): Promise<void> {
  const { lock } = await acquireLease(database, tableId, holder)
  await lock?.[Symbol.asyncDispose]()
}

describe(`leases in ${BACKEND}`, () => {
  test.each(LEASE_CASES)('%s', async (_, owner, ended) => {
    const tableId = table()
    const theirs = { ...owner(), command: 'sluice import' }
    const { lock, ...lease } = await acquireLease(database, tableId, theirs)
    const mine = holderOf('mine')
    const attempt = await acquireLease(database, tableId, mine).catch((error: unknown) => error)
    if (!ended) {
      expect(attempt).toMatchObject({
        code: 'TABLE_LOCKED',
        where: expect.stringContaining('on here, since') as string,
      })
      expect(await leaseHolder(database, tableId, await database.now())).toMatchObject({ id: theirs.id })
      await run('UPDATE catalog_leases SET expires_at = 1 WHERE table_id = ?', tableId)
      await lock?.[Symbol.asyncDispose]()
      const taken = await acquireLease(database, tableId, mine)
      expect(taken.fence).toBe(2)
      await releaseLease(database, taken)
    } else expect(attempt).toMatchObject({ id: mine.id, fence: 2 })
    const late = database.write(async (transaction) => renewLease(transaction, { ...lease, lock }, Date.now()))
    await expect(late).rejects.toMatchObject({ code: 'LEASE_LOST' })
    await lock?.[Symbol.asyncDispose]()
  })

  test('the lost session of a program elsewhere shows that it is gone, if the database watches sessions', async () => {
    const tableId = table()
    await heldBy(tableId, holderOf('gone', { machine: 'boot/2', pid: NOBODYS_PID }))
    const attempt = await acquireLease(database, tableId, holderOf('mine')).catch((error: unknown) => error)
    expect(attempt).toMatchObject(database.lock === undefined ? { code: 'TABLE_LOCKED' } : { fence: 2 })
  })

  test('a live program of this machine keeps its lease without its session', async () => {
    const tableId = table()
    await heldBy(tableId, holderOf('restarted server'))
    await expect(acquireLease(database, tableId, holderOf('mine'))).rejects.toMatchObject({ code: 'TABLE_LOCKED' })
  })

  test.each([
    ['ended', NOBODYS_PID, true],
    ['runs', process.pid, false],
  ] as const)('a lease of an earlier version that %s', async (_, pid, ended) => {
    const tableId = table()
    await heldBy(tableId, holderOf('new'))
    // The columns that only this version has keep the values of an earlier owner.
    await run('UPDATE catalog_leases SET owner = ?, host = ?, pid = ? WHERE table_id = ?', `17/${tableId}`, 'here', pid, tableId) // prettier-ignore
    const attempt = await acquireLease(database, tableId, holderOf('mine')).catch((error: unknown) => error)
    expect(attempt).toMatchObject(ended ? { fence: 2 } : { code: 'TABLE_LOCKED' })
  })

  test('two workers of one run are two owners: the second is refused', async () => {
    const tableId = table()
    const me = holderOf('lanes')
    await heldBy(tableId, me)
    await expect(acquireLease(database, tableId, me)).rejects.toMatchObject({ code: 'TABLE_LOCKED' })
  })

  test('a lease whose COMMIT got no answer is found by its owner, and no other lease is mistaken for it', async () => {
    const lost = (landing: 'landed' | 'another'): SqlDatabase =>
      new Proxy(database, {
        get: (of, name) => {
          const value = of[name as 'all']
          if (name !== 'write') return typeof value === 'function' ? value.bind(of) : value
          return async (...[body, landed]: Parameters<SqlDatabase['write']>) => {
            const result = await of.write(body)
            if (landing === 'another') await run('UPDATE catalog_leases SET owner = ?', newOwner().id)
            if (await landed?.(of)) return result
            throw new Error('it is not there')
          }
        },
      })
    const tableId = table()
    const lease = await acquireLease(lost('landed'), tableId, holderOf('mine'))
    expect(lease.fence).toBe(1)
    await releaseLease(database, lease)
    await expect(acquireLease(lost('another'), tableId, holderOf('mine'))).rejects.toThrow(/not there|being written/)
  })

  test('a catalog without the columns reports its lease owner, and gets the columns with the next write', async () => {
    using room = temporaryFolder()
    const file = join(room.path, 'old.db')
    {
      await using old = await openCatalog(file)
      await old.write(async (transaction) => {
        for (const name of ['machine', 'process_started'])
          await transaction.script(`ALTER TABLE catalog_leases DROP COLUMN ${name}`)
        await transaction.run('DELETE FROM catalog_migrations WHERE version >= ?', [OWNERS_VERSION])
        const now = await old.now()
        await transaction.run(
          "INSERT INTO catalog_leases (table_id, fence, owner, host, pid, command, acquired_at, expires_at) VALUES ('old', 4, '17/old', 'here', ?, 'c', 1, ?)",
          [NOBODYS_PID, now + CATALOG_LEASE_MS],
        )
      })
      const holder = await leaseHolder(old, 'old', await old.now())
      expect(holder).toMatchObject({ id: '17/old', host: 'here', pid: NOBODYS_PID, machine: null, started: null })
    }
    await using catalog = await openCatalog(file)
    const versions = await catalog.all('SELECT version FROM catalog_migrations ORDER BY version')
    expect(versions.flat()).toEqual(dialectOf(catalog).migrations.map(({ version }) => version))
    expect(await acquireLease(catalog, 'old', holderOf('mine'))).toMatchObject({ fence: 5 })
  })
})
