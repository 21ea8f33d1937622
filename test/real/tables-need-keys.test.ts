/**
 * Servers that refuse tables without a key: PostgreSQL if a publication has every table, MariaDB if the administrator
 * requires primary keys. Ledgers, archives, copies and queues work there as elsewhere.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { openQueue } from '../../src/app/share/queues.ts'
import { commandsOf, makeBookings, TABLE, type Archived, type Form } from '../support/archive-places.ts'
import { add, METADATA, PROTOCOL, remove, writeLog } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, placeOn, type Place } from '../support/copy-systems.ts'
import { importOf } from './operation-kit.ts'
import { MARIADB_AVAILABLE, startMariadb } from '../support/servers/mariadb.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-keys-'))
const PUBLISHED = 'CREATE PUBLICATION everything FOR ALL TABLES'

/** Each step of an archive, an erasure in it, and a copy of the rest that is planned again. */
async function stepsOf(
  place: Place,
  form: Form,
): Promise<{ readonly source: Place; readonly operations: readonly Operation[] }> {
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
  const again = { ...copy, restart: true, onExisting: 'upsert' } as const
  return { source, operations: [run, drop, erase, restore, verify, copy, again] }
}

async function done(operation: Operation): Promise<void> {
  const { finished } = await perform(operation)
  expect([operation.kind, finished.error ?? null, finished.exitCode]).toEqual([operation.kind, null, 0])
}

async function works(place: Place, form: Form): Promise<void> {
  for (const operation of (await stepsOf(place, form)).operations) await done(operation)
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

/** Tables of ledgers without a primary key. */
const KEYLESS = {
  postgresql: `SELECT relname FROM pg_class c WHERE relname LIKE 'migration_%' AND relkind = 'r' AND relnamespace = current_schema()::regnamespace
    AND NOT EXISTS (SELECT 1 FROM pg_index WHERE indrelid = c.oid AND indisprimary) ORDER BY 1`,
  mysql: `SELECT table_name FROM information_schema.tables t WHERE table_schema = DATABASE() AND table_name LIKE 'migration_%'
    AND NOT EXISTS (SELECT 1 FROM information_schema.table_constraints k WHERE k.table_schema = t.table_schema AND k.table_name = t.table_name
      AND k.constraint_type = 'PRIMARY KEY') ORDER BY 1`,
}
/** Their primary keys; an older program made these tables without them. */
const YOUNGER = {
  migration_ledger: 'PRIMARY KEY',
  migration_archive_ledger: 'PRIMARY KEY',
  migration_archive_history: 'PRIMARY KEY',
  migration_chunk_history: 'COLUMN history_id',
}

test.for([
  ['postgresql', 'as it was'],
  ['postgresql', 'of an older version'],
  ['mysql', 'as it was'],
] as const)('%s: a ledger without keys, %s, gets them', { timeout: 120_000 }, async ([system, version], { skip }) => {
  const why = await missing(system)
  if (why !== '') skip(why)
  const place = await makePlace(system, folder)
  const form = system === 'mysql' ? 'plain' : 'native'
  const { source, operations } = await stepsOf(place, form)
  for (const operation of operations.slice(0, 2)) await done(operation)
  await done(copyOf(source, place, 't'))
  const old = Object.entries(YOUNGER).map(([name, key]) =>
    system === 'mysql' || key !== 'PRIMARY KEY'
      ? `ALTER TABLE ${name} DROP ${key}`
      : `ALTER TABLE ${name} DROP CONSTRAINT ${name}_pkey`,
  )
  await place.sql(...old)
  if (version !== 'as it was')
    await place.sql('UPDATE migration_ledger SET version = 3', 'UPDATE migration_archive_ledger SET version = 10')
  if (system === 'postgresql') await place.sql(PUBLISHED)
  expect(await place.rows(KEYLESS[system])).toHaveLength(4)
  for (const operation of operations.slice(2)) await done(operation)
  expect(await place.rows(KEYLESS[system])).toEqual([])
})

test('PostgreSQL: rows of an old ledger that are equal prevent its key, and are refused by name', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const place = await makePlace('postgresql', folder)
  const { operations } = await stepsOf(place, 'native')
  for (const operation of operations.slice(0, 2)) await done(operation)
  const history = 'migration_archive_history'
  await place.sql(
    `ALTER TABLE ${history} DROP CONSTRAINT ${history}_pkey`,
    `INSERT INTO ${history} SELECT * FROM ${history}`,
    PUBLISHED,
  )
  const { finished } = await perform(operations[2] as Operation)
  expect(finished.error).toMatchObject({ code: 'TABLE_REFUSED', message: expect.stringContaining(history) })
  await place.sql(`ALTER TABLE ${history} REPLICA IDENTITY FULL`)
  await done(operations[2] as Operation)
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

/** Partitions of `delta_files` without a replica identity. */
const UNIDENTIFIED = `SELECT i.inhrelid::regclass::text FROM pg_inherits i WHERE i.inhparent = 'delta_files'::regclass
  AND NOT EXISTS (SELECT 1 FROM pg_index x WHERE x.indrelid = i.inhrelid AND x.indisreplident)`

test.for(['new', 'old'] as const)('PostgreSQL, every table published: a catalog, %s', async (age, { skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const place = await makePlace('postgresql', folder)
  const catalog = place.url
  const [small, large] = [mkdtempSync(join(folder, 'small-')), mkdtempSync(join(folder, 'large-'))]
  writeLog(small, [[PROTOCOL, METADATA, add('a'), add('b')]])
  // Enough files for a partition of their own.
  writeLog(large, [[PROTOCOL, METADATA, ...Array.from({ length: 100_001 }, (_, i) => add(`f${i}`))]])
  for (const table of [small, large]) await done(importOf(table, catalog))
  if (age === 'old')
    await place.sql(
      'DELETE FROM catalog_migrations WHERE version > 6',
      `DO $$ DECLARE one text; BEGIN
         FOR one IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'delta_files'::regclass
         LOOP EXECUTE format('ALTER TABLE %s REPLICA IDENTITY DEFAULT', one); END LOOP; END $$`,
    )
  await place.sql(PUBLISHED)
  writeLog(small, [[remove('a')]], 1)
  writeLog(large, [[remove('f7')]], 1)
  for (const table of [small, large]) await done(importOf(table, catalog))
  expect(await place.rows(UNIDENTIFIED)).toEqual([])
  for (const table of [small, large, small, large])
    await done(
      (await place.rows(`SELECT 1 FROM delta_tables WHERE location LIKE '%${table}'`)).length === 0
        ? importOf(table, catalog)
        : { kind: 'rollback', table, catalog, confirm: table, checkFiles: 'none', dryRun: false },
    )
  expect(await place.rows(UNIDENTIFIED)).toEqual([])
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
