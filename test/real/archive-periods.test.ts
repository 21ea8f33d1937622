/** How rows of archived periods that are still in a plain table are counted, and how uncounted ones are reported. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { readdirSync, rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import type { ArchivedEvent, ArchivePlanEvent } from '../../src/model/archive/events.ts'
import type { Event } from '../../src/model/run/event.ts'
import type { PeriodStore } from '../../src/model/archive/port.ts'
import { commandsOf, makeBookings, TABLE, type Archived } from '../support/archive-places.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const SYSTEMS = ['sqlite', 'postgresql', 'mysql'] as const
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))
const NEVER = new AbortController().signal

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

async function archived(system: System): Promise<Archived> {
  const place = await makePlace(system, folder.path)
  const made = await makeBookings(place, 'plain', join(folder.path, `archive-${randomBytes(4).toString('hex')}`), 60)
  expect((await perform(commandsOf(made).run)).finished.exitCode).toBe(0)
  return made
}

const listOf = (place: Pick<Place, 'url'>, count = false): Operation => ({
  kind: 'archive-list',
  from: place.url,
  tables: [],
  count,
})

async function listed(operation: Operation): Promise<readonly ArchivedEvent[]> {
  const { events } = await perform(operation)
  return events.filter((event): event is Event & ArchivedEvent => event.type === 'archived')
}

/**
 * As a table of 30 million rows. PostgreSQL uses the rows and blocks of its last ANALYZE, which autovacuum may run at
 * any time.
 */
const LARGE = `UPDATE pg_class SET reltuples = 30000000, relpages = pg_relation_size(oid) / current_setting('block_size')::int WHERE oid = '${TABLE}'::regclass`
/** As a table that was never analyzed. */
const UNKNOWN = `DELETE FROM pg_statistic WHERE starelid = '${TABLE}'::regclass`

describe.each(SYSTEMS)('%s counts rows of periods', (system) => {
  const why = WITHOUT.get(system) ?? ''

  it.skipIf(why !== '')(`by an index or in one pass, and reports which${why}`, async () => {
    const place = await makePlace(system, folder.path)
    const rows = Array.from({ length: 400 }, (_, i) => `(${i}, '20${20 + Math.floor(i / 100)}-03-01')`)
    const type = system === 'sqlite' ? 'DATE' : 'date'
    await place.sql(
      `CREATE TABLE t (id integer PRIMARY KEY, day ${type} NOT NULL)`,
      `INSERT INTO t VALUES ${rows.join(', ')}`,
      ...(system === 'mysql' ? ['ANALYZE TABLE t'] : system === 'postgresql' ? ['ANALYZE t'] : []),
    )
    await using store = await openCopyStore(place.url, { mode: 'read' })
    const [table] = await store.tables('t', NEVER)
    const column = table?.columns.find(({ name }) => name === 'day')
    if (table === undefined || column === undefined) throw new Error('no table')
    const periods = store.offers.periods as PeriodStore
    const conditions = ['2019', '2020', '2021'].map(
      (year) => store.offers.times?.condition(column, `${year}-01-01`, `${Number(year) + 1}-01-01`) ?? '',
    )
    const wanted = [0n, 100n, 100n]
    expect(await periods.scanCost(table, conditions, NEVER)).toMatchObject({ by: 'scan', rows: 400n })
    for (const by of ['index', 'scan'] as const)
      expect(await periods.counts(table, conditions, by, NEVER)).toEqual(wanted)
    await place.sql('CREATE INDEX by_day ON t (day)', ...(system === 'mysql' ? ['ANALYZE TABLE t'] : []))
    // For a period without rows, each planner uses the index if there is one.
    const effort = await periods.scanCost(table, conditions.slice(0, 1), NEVER)
    expect(effort.by).toBe(system === 'postgresql' && effort.rows === 400n ? 'scan' : 'index')
    expect(await periods.counts(table, conditions, 'index', NEVER)).toEqual(wanted)
  })
})

describe('PostgreSQL: a large table', () => {
  const why = WITHOUT.get('postgresql') ?? ''

  it.skipIf(why !== '')(`is not read for a list if it has no index${why}`, async () => {
    const made = await archived('postgresql')
    const { place } = made
    // ANALYZE would count the rows, and make the planner expect a quarter to be half of the table.
    await place.sql(`ALTER TABLE ${TABLE} SET (autovacuum_enabled = false)`, UNKNOWN, LARGE)
    const unread = expect.stringMatching(
      /^rows in the table: no index on at finds them, and it has about \d+0000000 rows; sluice archive list --count counts them$/,
    )
    for (const one of await listed(listOf(place))) {
      expect(one.counted).toBeUndefined()
      expect(one.notLooked).toEqual([unread])
    }
    const { events, finished } = await perform({ ...commandsOf(made).run, dryRun: true } as Operation)
    const notes = events.flatMap((event) =>
      event.type === 'archive.planned' ? [(event as ArchivePlanEvent).note] : [],
    )
    expect(notes).toEqual([expect.stringContaining('not inspected: rows in the table'), notes[0]])
    expect(finished).toMatchObject({
      notChecked: expect.stringContaining('2 not at all (rows in the table: no index on at'),
    })
    // One row less in one period and one more in another: the total is unchanged.
    await place.sql(
      `DELETE FROM ${TABLE} WHERE id = 5`,
      `INSERT INTO ${TABLE} VALUES (900001, '2020-04-05', 'late', 1)`,
    )
    expect((await listed(listOf(place, true))).map(({ counted, surplus }) => [counted, surplus])).toEqual([
      ['59', '-1'],
      ['61', '1'],
    ])
    // With an index it is counted.
    await place.sql(`CREATE INDEX by_at ON ${TABLE} (at)`, LARGE)
    expect((await listed(listOf(place))).map(({ counted }) => counted)).toEqual(['59', '61'])
  })
})

test('SQLite: verify continues after a missing file, and after a row that no archive can store', async () => {
  const made = await archived('sqlite')
  const { verify } = commandsOf(made)
  await made.place.sql(`UPDATE ${TABLE} SET amount = x'00' WHERE id = 100005`)
  const parts = readdirSync(made.archive, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.includes('2020-Q1/part'),
  )
  for (const part of parts) rmSync(join(made.archive, part))
  for (const deep of [false, true]) {
    const { events, finished } = await perform({ ...verify, deep } as Operation)
    expect(finished.error?.code).toBe('PROOF_FAILED')
    const found = events.flatMap((event) =>
      event.type === 'archive.finding' ? [[event.finding, event.partition]] : [],
    )
    expect(found).toEqual([['missing file', '2020-Q1'], ...(deep ? [['differs from the source', '2020-Q2']] : [])])
  }
})

describe.each(['sqlite', 'postgresql'] as const)('%s: one late row and one deleted row', (system) => {
  const why = WITHOUT.get(system) ?? ''

  it.skipIf(why !== '')(`are found by verify, and a list reports that it only counted${why}`, async () => {
    const made = await archived(system)
    const { place } = made
    const { verify } = commandsOf(made)
    const whole = await perform(verify)
    expect(whole.finished).toMatchObject({
      exitCode: 0,
      notChecked: expect.stringMatching(/searched for them: 2 by key, not by value\. sluice archive verify --deep/),
    })
    await place.sql(
      `DELETE FROM ${TABLE} WHERE id = 5`,
      `INSERT INTO ${TABLE} VALUES (900001, '2020-01-05 00:00:00', 'late', 1)`,
    )
    expect((await listed(listOf(place))).map(({ counted, surplus }) => [counted, surplus])).toEqual([
      ['60', undefined],
      ['60', undefined],
    ])
    const { finished, events } = await perform(verify)
    expect(finished.exitCode).toBe(1)
    const found = events.flatMap((event) => (event.type === 'archive.finding' ? [[event.finding, event.detail]] : []))
    expect(found).toEqual([
      ['late rows', '1 row in the table but not in the archive: 900001'],
      ['deleted rows', '1 row in the archive but gone from the table: 5'],
    ])
    // Other values under the same keys: only --deep compares them, and the final line says so.
    await place.sql(
      `DELETE FROM ${TABLE} WHERE id = 900001`,
      `INSERT INTO ${TABLE} VALUES (5, '2020-01-01 05:00:00', 'other', 1)`,
    )
    expect((await perform(verify)).finished).toMatchObject({
      exitCode: 0,
      notChecked: expect.stringContaining('not by value'),
    })
    const deep = await perform({ ...verify, deep: true } as Operation)
    expect(deep.finished.exitCode).toBe(1)
    expect(deep.finished.notChecked).toBeUndefined()
  })
})

test('SQLite: plan --exact names columns with values of another type', async () => {
  const place = await makePlace('sqlite', folder.path)
  const made = await makeBookings(place, 'plain', join(folder.path, 'exact'), 20)
  await place.sql(
    `UPDATE ${TABLE} SET amount = x'00' WHERE id IN (3, 4)`,
    `UPDATE ${TABLE} SET note = x'ff' WHERE id = 5`,
  )
  const { events } = await perform({ ...commandsOf(made).run, dryRun: true, exact: true } as Operation)
  const warned = events.flatMap((event) => (event.type === 'log' && event.level === 'warn' ? [event.message] : []))
  expect(warned).toEqual([
    expect.stringContaining(
      'a run would be refused: 2020-Q1 has 2 values in amount that are not valid for its type (TEXT)',
    ),
    expect.stringContaining('2020-Q1 has 1 value in note that is not valid for its type (TEXT)'),
  ])
})

test('SQLite: a refused table of a pattern is named, and the other tables are archived', async () => {
  const place = await makePlace('sqlite', folder.path)
  const made = await makeBookings(place, 'plain', join(folder.path, 'pattern'), 20)
  await place.sql(
    'CREATE TABLE bookings_a (id INTEGER, at DATETIME)',
    "INSERT INTO bookings_a VALUES (1, '2020-02-02 00:00:00')",
  )
  const { run } = commandsOf(made)
  const several = { ...run, tables: ['bookings*'] } as Operation & { kind: 'archive' }
  for (const dryRun of [true, false]) {
    const { finished, events } = await perform({ ...several, dryRun })
    expect(finished).toMatchObject({ exitCode: 6, error: { code: 'UNSUPPORTED_KEY', where: 'bookings_a' } })
    const named = events.flatMap((event) =>
      event.type === 'log' && event.level === 'error' ? [[event.table, event.message]] : [],
    )
    expect(named).toEqual([
      ['bookings_a', expect.stringContaining('it is skipped: rows of bookings_a cannot be distinguished')],
    ])
    if (!dryRun) expect(finished.totals).toMatchObject({ detached: '2', failed: '0' })
  }
  expect((await perform({ ...several, tables: ['bookings_a'] })).finished.error).toMatchObject({
    code: 'UNSUPPORTED_KEY',
  })
})

test.for(['postgresql', 'mysql'] as const)(
  '%s: the error for a restored row whose parent row is missing advises to restore the parent row',
  { timeout: 60_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const place = await makePlace(system, folder.path)
    const made = await makeBookings(place, 'plain', join(folder.path, `parent-${system}`), 5)
    const { run, drop, restore } = commandsOf(made)
    await place.sql(
      'CREATE TABLE parents (id bigint PRIMARY KEY)',
      `INSERT INTO parents SELECT id FROM ${TABLE}`,
      `ALTER TABLE ${TABLE} ADD CONSTRAINT fk FOREIGN KEY (id) REFERENCES parents (id)`,
    )
    const only = { partitions: ['2020-Q1'] }
    for (const one of [run, drop]) expect((await perform({ ...one, ...only })).finished).toMatchObject({ exitCode: 0 })
    await place.sql('DELETE FROM parents WHERE id = 2')
    const { finished } = await perform({ ...restore, ...only })
    expect(finished.error).toMatchObject({
      code: 'ROW_REFUSED',
      hint: expect.stringMatching(/write that row first, or drop the foreign key/),
    })
    expect(finished.error?.hint).not.toContain('archive or delete those first')
    await place.sql('INSERT INTO parents VALUES (2)')
    expect((await perform({ ...restore, ...only })).finished).toMatchObject({ exitCode: 0 })
  },
)

test(
  'PostgreSQL: a column that was dropped and added again is a different one, which is reported',
  { timeout: 60_000 },
  async ({ skip }) => {
    const why = await missing('postgresql')
    skip(why !== '', why)
    const place = await makePlace('postgresql', folder.path)
    const made = await makeBookings(place, 'plain', join(folder.path, 'again'), 5)
    const { run, drop, restore } = commandsOf(made)
    const only = { partitions: ['2020-Q1'] }
    for (const one of [run, drop]) expect((await perform({ ...one, ...only })).finished).toMatchObject({ exitCode: 0 })
    await place.sql(`ALTER TABLE ${TABLE} DROP COLUMN note`, `ALTER TABLE ${TABLE} ADD COLUMN note varchar(400)`)
    const plan = await perform({ ...run, dryRun: true } as Operation)
    const notes = plan.events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
    expect(notes).toEqual([expect.stringContaining('note was dropped and added again, so it is another column')])
    const { finished } = await perform({ ...restore, ...only })
    expect(finished.error?.message).toContain(
      'its column note was dropped, and the present column note of the table was added later',
    )
    expect((await perform({ ...restore, ...only, without: ['note'] } as Operation)).finished).toMatchObject({
      exitCode: 0,
    })
  },
)
