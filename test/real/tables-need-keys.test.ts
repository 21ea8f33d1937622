/**
 * Servers that refuse tables without a key: PostgreSQL where a publication has every table, MariaDB where the
 * administrator requires primary keys. Ledgers, archives, copies and queues work there as elsewhere.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openQueue } from '../../src/app/share/queues.ts'
import { commandsOf, makeBookings, TABLE, type Archived, type Form } from '../support/archive-places.ts'
import { copyOf, makePlace, missing, perform, placeOn, type Place } from '../support/copy-systems.ts'
import { MARIADB_AVAILABLE, startMariadb } from '../support/servers/mariadb.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-keys-'))
const PUBLISHED = 'CREATE PUBLICATION everything FOR ALL TABLES'

/** Each step of an archive, an erasure in it, and a copy of what is left that is planned again. */
async function works(place: Place, form: Form): Promise<void> {
  const bookings: Archived = await makeBookings(place, form, mkdtempSync(join(folder, 'to-')), 40)
  const { run, drop, restore, verify } = commandsOf(bookings)
  const erase = {
    kind: 'archive-erase',
    from: place.url,
    table: TABLE,
    where: 'id = 7',
    reason: 'TICKET-1',
    confirm: TABLE,
    dryRun: false,
  } as const
  const source = await makePlace('sqlite', folder)
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT)', `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
  const copy = copyOf(source, place, 't')
  for (const operation of [
    run,
    drop,
    erase,
    restore,
    verify,
    copy,
    { ...copy, restart: true, onExisting: 'upsert' },
  ] as const) {
    const { finished } = await perform(operation)
    expect([operation.kind, finished.error ?? null, finished.exitCode]).toEqual([operation.kind, null, 0])
  }
  expect(await place.rows('SELECT COUNT(*) FROM t')).toEqual([['2']])
  expect(await place.rows(`SELECT COUNT(*) FROM ${TABLE}`)).toEqual([['119']])
}

test.for(['native', 'plain'] as const)('PostgreSQL, every table published: %s', async (form, { skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const place = await makePlace('postgresql', folder)
  await place.sql(PUBLISHED)
  await works(place, form)
})

test('PostgreSQL, every table published: a queue', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const place = await makePlace('postgresql', folder)
  await place.sql(PUBLISHED)
  await (await openQueue(place.url, 'work'))[Symbol.asyncDispose]()
  const versions = await place.rows('SELECT COUNT(*) FROM sluice_queue.sluice_queue_version')
  expect(versions).toEqual([['1']])
})

test('PostgreSQL: rows of a published table without an identity are refused by name', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const place = await makePlace('postgresql', folder)
  const bookings = await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 40)
  await place.sql(
    `ALTER TABLE ${TABLE} DROP CONSTRAINT ${TABLE}_pkey`,
    `CREATE UNIQUE INDEX by_id ON ${TABLE} (id)`,
    PUBLISHED,
  )
  const { run, drop } = commandsOf(bookings)
  expect((await perform(run)).finished.error ?? null).toBeNull()
  const said = JSON.stringify((await perform(drop)).events)
  expect(said).toMatch(/TABLE_REFUSED.*ALTER TABLE … REPLICA IDENTITY FULL/)
  await place.sql(`ALTER TABLE ${TABLE} REPLICA IDENTITY FULL`)
  expect((await perform(drop)).finished.error ?? null).toBeNull()
  expect(await place.rows(`SELECT COUNT(*) FROM ${TABLE}`)).toEqual([['40']])
})

test.skipIf(!MARIADB_AVAILABLE)('MariaDB that requires primary keys', async () => {
  await using server = await startMariadb({ more: ['--innodb-force-primary-key=ON'] })
  await server.createDatabase('keyed')
  await works(await placeOn('mysql', server.url('keyed')), 'plain')
})
