/**
 * Late rows of an archived period of a plain table are archived as a further part of it; all rows count at any time.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ArchivedEvent, ArchivePlanEvent } from '../../src/model/archive/events.ts'
import type { Event } from '../../src/model/run/event.ts'
import { commandsOf, countedBy, makeBookings, TABLE, type Archived, type Form } from '../support/archive-places.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const SYSTEMS = ['sqlite', 'postgresql', 'mysql'] as const
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

type Bookings = Archived & { readonly ids: Set<number> }

async function bookings(system: System, form: Form = 'plain'): Promise<Bookings> {
  const place = await makePlace(system, folder.path)
  const made = await makeBookings(place, form, join(folder.path, `archive-${randomBytes(4).toString('hex')}`), 20)
  return { ...made, ids: new Set([0, 1, 2].flatMap((i) => Array.from({ length: 20 }, (_, n) => i * 100_000 + n))) }
}

const row = (id: number, day = '2020-02-02'): string =>
  `INSERT INTO ${TABLE} VALUES (${id}, '${day} 03:04:05', 'late', NULL)`

async function late({ place, ids }: Bookings, ...some: readonly number[]): Promise<void> {
  for (const id of some) {
    await place.sql(row(id))
    ids.add(id)
  }
}

async function done(operation: Operation): Promise<Ran> {
  const ran = await perform(operation)
  expect(ran.finished, JSON.stringify(ran.finished.error)).toMatchObject({ exitCode: 0 })
  return ran
}

/** Each row is counted once, whether the table or the archive has it. */
async function whole(made: Bookings): Promise<void> {
  const { query } = commandsOf(made)
  const wanted = `${made.ids.size} ${[...made.ids].reduce((sum, id) => sum + id, 0)}`
  expect((await countedBy(query)).counted).toBe(wanted)
}

/** A trigger that moves a row into the first quarter when the ledger sets a partition to EXPORTING. */
function atExport(system: Exclude<System, 'sqlite'>, label: string, id: number): readonly string[] {
  const move = `UPDATE ${TABLE} SET at = '2020-02-02 03:04:05' WHERE id = ${id}`
  const when = `NEW.state = 'EXPORTING' AND NEW.partition_name = '${label}'`
  const on = 'CREATE TRIGGER moving AFTER UPDATE ON migration_archive_partitions FOR EACH ROW'
  if (system === 'mysql') return [`${on} IF ${when} THEN ${move}; END IF`]
  return [
    `CREATE FUNCTION moving() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${move}; RETURN NULL; END $$`,
    `${on} WHEN (${when}) EXECUTE FUNCTION moving()`,
  ]
}

const planOf = (run: Operation, more: object = {}): Operation => ({ ...run, dryRun: true, ...more }) as Operation
const named = (operation: Operation, ...partitions: readonly string[]): Operation =>
  ({ ...operation, partitions }) as Operation
const planned = ({ events }: Ran): readonly ArchivePlanEvent[] =>
  events.filter((event): event is Event & ArchivePlanEvent => event.type === 'archive.planned')

async function listed(place: Pick<Place, 'url'>): Promise<readonly string[]> {
  const { events } = await done({ kind: 'archive-list', from: place.url, tables: [], count: true })
  return events
    .filter((event): event is Event & ArchivedEvent => event.type === 'archived')
    .map(
      ({ partition, state, rows, surplus }) =>
        `${partition} ${state} ${rows ?? '-'}${surplus === undefined ? '' : ` ${surplus}`}`,
    )
}

describe.each(SYSTEMS)('a plain table of %s', (system) => {
  const why = WITHOUT.get(system) ?? ''

  it.skipIf(why !== '')(`archives a period in three parts${why}`, { timeout: 120_000 }, async () => {
    const made = await bookings(system)
    const { run, drop, verify } = commandsOf(made)
    await done(run)
    await late(made, 50_001, 50_002)
    await whole(made)
    // While its rows are in the table, there is no further part.
    const [first] = planned(await done(planOf(run)))
    expect(first).toMatchObject({ partition: '2020-Q1', status: 'done' })
    expect(first?.note).toMatch(
      /2 rows more in the table than expected, by count; late rows are archived as a further part after this one is dropped/,
    )
    const dropped = await done(drop)
    expect(dropped.events.flatMap((event) => (event.type === 'log' ? [event.message] : []))).toContain(
      '2020-Q1: 2 late rows stay in the table, and can be archived as a further part of 2020-Q1',
    )
    await whole(made)
    expect(await listed(made.place)).toEqual(['2020-Q1 DROPPED 20 2', '2020-Q2 DROPPED 20'])
    const further = planned(await done(planOf(run)))
    expect(further.map(({ partition, status, rows, note }) => [partition, status, rows, note])).toEqual([
      ['2020-Q1', 'done', '20', '2 rows more in the table than expected, by count'],
      ['2020-Q1.part2', 'due', '2', '2 rows added after 2020-Q1 was archived'],
      ['2020-Q2', 'done', '20', undefined],
    ])
    await done(named(run, '2020-Q1.part2'))
    await whole(made)
    expect(await listed(made.place)).toEqual(['2020-Q1 DROPPED 20', '2020-Q1.part2 DETACHED 2', '2020-Q2 DROPPED 20'])
    await done({ ...verify, deep: true } as Operation)
    await late(made, 50_003)
    await whole(made)
    const found = await perform(verify)
    expect(found.finished).toMatchObject({ exitCode: 1 })
    expect(found.events.flatMap((event) => (event.type === 'archive.finding' ? [event] : []))).toMatchObject([
      { finding: 'late rows', partition: '2020-Q1.part2', detail: '1 row in the table but not in the archive: 50003' },
    ])
    await done(drop)
    await done(run)
    await done(drop)
    await whole(made)
    expect(await listed(made.place)).toEqual([
      '2020-Q1 DROPPED 20',
      '2020-Q1.part2 DROPPED 2',
      '2020-Q1.part3 DROPPED 1',
      '2020-Q2 DROPPED 20',
    ])
    expect(await made.place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['20']])
    const verified = await done({ ...verify, deep: true } as Operation)
    expect(verified.events.flatMap((event) => (event.type === 'log' ? [event.message] : []))).toContainEqual(
      expect.stringMatching(/^2020-Q1: 23 rows with the checksum [0-9a-f]{16} are the sum of 3 parts/),
    )
    expect(
      await made.place.rows(
        'SELECT partition_name, period, part FROM migration_archive_partitions WHERE part > 1 ORDER BY part',
      ),
    ).toEqual([
      ['2020-Q1.part2', '2020-Q1', '2'],
      ['2020-Q1.part3', '2020-Q1', '3'],
    ])
  })

  it.skipIf(why !== '')(
    `archives no row that was moved out of a detached period${why}`,
    { timeout: 120_000 },
    async () => {
      const made = await bookings(system)
      const { run, drop } = commandsOf(made)
      await done(named(run, '2020-Q1'))
      await done(named(drop, '2020-Q1'))
      await done(named(run, '2020-Q2'))
      const moved = 100_007
      await made.place.sql(`UPDATE ${TABLE} SET at = '2020-02-02 03:04:05' WHERE id = ${moved}`)
      // It counts once, with the archived value.
      await whole(made)
      const { ran } = await countedBy({
        ...commandsOf(made).query,
        query: `SELECT strftime(s."at", '%Y-%m-%d %H:%M:%S') FROM ${TABLE} s WHERE id = ${moved}`,
      } as Operation)
      expect(ran.events.flatMap((event) => (event.type === 'row' ? event.values.map(String) : []))).toEqual([
        expect.stringMatching(/^2020-04-01.07:00:00/),
      ])
      const { events } = (await countedBy(commandsOf(made).query)).ran
      expect(events.find((event) => event.type === 'query.sources')).toMatchObject({ leftOut: '19', moved: '1' })
      const refused = await perform(named(run, '2020-Q1.part2'))
      expect(refused.finished.error).toMatchObject({
        code: 'PARTITION_CHANGED',
        message: expect.stringMatching(/: 1 row has a key that is already archived: 100007$/) as string,
        reason: expect.stringContaining('a row of 2020-Q2 would be in the archive twice') as string,
      })
      expect(await made.place.rows(`SELECT count(*) FROM ${TABLE} WHERE id = ${moved}`)).toEqual([['1']])
      // The restore of its own period reports the move; after that it is a late row.
      await done({ ...commandsOf(made).restore, partitions: ['2020-Q2'], asChanged: true, confirm: TABLE } as Operation)
      await done(named(run, '2020-Q1'))
      await done(named(drop, '2020-Q1'))
      await whole(made)
      expect(await listed(made.place)).toContain('2020-Q1.part2 DROPPED 1')
    },
  )

  // SQLite with a trigger on the ledger is refused.
  it.skipIf(why !== '' || system === 'sqlite')(
    `archives no row that is moved out of a detached period during its export${why}`,
    { timeout: 120_000 },
    async () => {
      if (system === 'sqlite') return
      const made = await bookings(system)
      const { run, drop } = commandsOf(made)
      await done(named(run, '2020-Q1'))
      await done(named(drop, '2020-Q1'))
      await done(named(run, '2020-Q2'))
      await late(made, 50_001)
      const moved = 100_007
      // Between the inspection of the table and the snapshot of the export.
      await made.place.sql(...atExport(system, '2020-Q1.part2', moved))
      const refused = await perform(named(run, '2020-Q1.part2'))
      expect(await made.place.rows(`SELECT at < '2020-03-01' FROM ${TABLE} WHERE id = ${moved}`)).toHaveLength(1)
      expect(refused.finished.error).toMatchObject({
        code: 'PARTITION_CHANGED',
        message: expect.stringMatching(/: 1 row has a key that is already archived: 100007$/) as string,
        reason: expect.stringContaining('a row of 2020-Q2 would be in the archive twice') as string,
      })
      expect(await listed(made.place)).toContain('2020-Q1.part2 FAILED 2')
      await done({ ...commandsOf(made).restore, partitions: ['2020-Q2'], asChanged: true, confirm: TABLE } as Operation)
      await done(named(run, '2020-Q1'))
      await done(named(drop, '2020-Q1'))
      await whole(made)
      expect(await listed(made.place)).toContain('2020-Q1.part2 DROPPED 2')
    },
  )

  it.skipIf(why !== '')(`drops an empty part while there are late rows${why}`, { timeout: 120_000 }, async () => {
    const made = await bookings(system)
    const { run, drop } = commandsOf(made)
    await done(run)
    await done(drop)
    await made.place.sql(row(7))
    expect((await perform(named(run, '2020-Q1'))).finished.error).toMatchObject({ code: 'PARTITION_CHANGED' })
    await made.place.sql(`DELETE FROM ${TABLE} WHERE id = 7`)
    await done(run)
    expect(await listed(made.place)).toContain('2020-Q1.part2 DETACHED 0')
    await late(made, 50_001)
    await done(drop)
    expect(await listed(made.place)).toContain('2020-Q1.part2 DROPPED 0 1')
    await whole(made)
  })

  it.skipIf(why !== '')(`archives no row whose key is in the archive${why}`, { timeout: 120_000 }, async () => {
    const made = await bookings(system)
    const { run, drop } = commandsOf(made)
    await done(run)
    await done(drop)
    await made.place.sql(row(7), row(50_001))
    const refused = await perform(named(run, '2020-Q1'))
    expect(refused.finished.error).toMatchObject({
      code: 'PARTITION_CHANGED',
      message: expect.stringMatching(/^2020-Q1\.part2 of .*: 1 row has a key that is already archived: 7$/) as string,
    })
    expect(await listed(made.place)).toContain('2020-Q1.part2 FAILED -')
    await made.place.sql(`DELETE FROM ${TABLE} WHERE id = 7`)
    made.ids.add(50_001)
    await done(run)
    await whole(made)
    expect(await listed(made.place)).toContain('2020-Q1.part2 DETACHED 1')
  })

  it.skipIf(why !== '')(
    `archives no row that was moved out of a detached period${why}`,
    { timeout: 120_000 },
    async () => {
      const made = await bookings(system)
      const { run } = commandsOf(made)
      await done(named(run, '2020-Q1'))
      await made.place.sql(`UPDATE ${TABLE} SET at = '2020-05-05 03:04:05' WHERE id = 5`)
      const { finished } = await perform(named(run, '2020-Q2'))
      expect(finished.error).toMatchObject({
        code: 'PARTITION_CHANGED',
        message: expect.stringMatching(/1 row has a key that is already archived: 5$/) as string,
        hint: expect.stringContaining('--partition 2020-Q1 --as-changed') as string,
      })
      await whole(made)
      expect(await listed(made.place)).toEqual(['2020-Q1 DETACHED 20 -1', '2020-Q2 FAILED -'])
      await made.place.sql(`UPDATE ${TABLE} SET at = '2020-02-02 03:04:05' WHERE id = 5`)
      await done(named(run, '2020-Q2'))
      await whole(made)
    },
  )

  it.skipIf(why !== '')(`restores a period as a whole${why}`, { timeout: 120_000 }, async () => {
    const made = await bookings(system)
    const { run, drop, restore, verify } = commandsOf(made)
    await done(run)
    await done(drop)
    await late(made, 50_001)
    await done(run)
    await done(drop)
    await late(made, 50_002)
    await done(named(restore, '2020-Q1.part2'))
    await whole(made)
    expect(await listed(made.place)).toEqual(['2020-Q1 DROPPED 20', '2020-Q1.part2 RESTORED 1', '2020-Q2 DROPPED 20'])
    await done({ ...verify, deep: true } as Operation)
    await done(named(restore, '2020-Q1'))
    await whole(made)
    expect(await made.place.rows(`SELECT count(*) FROM ${TABLE} WHERE id < 60000`)).toEqual([['22']])
    // Archived again, they are one part.
    await done(named(run, '2020-Q1'))
    await whole(made)
    expect(await listed(made.place)).toEqual(['2020-Q1 DETACHED 22', '2020-Q1.part2 RESTORED -', '2020-Q2 DROPPED 20'])
    await done(drop)
    await late(made, 50_003)
    await done(run)
    await whole(made)
    expect(await listed(made.place)).toEqual([
      '2020-Q1 DROPPED 22',
      '2020-Q1.part2 RESTORED -',
      '2020-Q1.part3 DETACHED 1',
      '2020-Q2 DROPPED 20',
    ])
    await done({ ...verify, deep: true } as Operation)
  })
})

describe('a period in parts', () => {
  it('reports which of its parts has expired', { timeout: 120_000 }, async () => {
    const made = await bookings('sqlite')
    const { run, drop, restore } = commandsOf(made)
    for (const operation of [run, drop]) await done(operation)
    await late(made, 50_001)
    for (const operation of [run, drop]) await done(operation)
    await done({
      kind: 'archive-expire',
      from: made.place.url,
      table: TABLE,
      confirm: TABLE,
      olderThan: '2y',
      partitions: ['2020-Q1.part2'],
      retentionMs: 86_400_000,
      dryRun: false,
    })
    for (const dryRun of [true, false]) {
      const { events } = await done({ ...named(restore, '2020-Q1'), dryRun } as Operation)
      expect(events.flatMap((event) => (event.type === 'log' ? [event.message] : []))).toContain(
        '2020-Q1.part2, 1 row, has expired and is not restored with the others: run the same restore again to restore it, as long as its files exist',
      )
    }
    // A restored part has this status.
    expect(planned(await done(planOf(run))).find(({ partition }) => partition === '2020-Q1')).toMatchObject({
      status: 'restored',
    })
    await done(named(restore, '2020-Q1'))
    await whole(made)
  })

  it('reports which of its parts are in the table', { timeout: 120_000 }, async () => {
    const made = await bookings('sqlite')
    const { run, drop, restore, verify } = commandsOf(made)
    const said = ({ events }: Ran): readonly string[] =>
      events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
    for (const operation of [run, drop]) await done(operation)
    for (const id of [50_001, 50_002]) {
      await late(made, id)
      for (const operation of [run, drop]) await done(operation)
    }
    await done(named(restore, '2020-Q1.part2'))
    expect(said(await done(verify))).toContainEqual(
      expect.stringMatching(
        /^2020-Q1: 21 rows .* are the sum of 2 parts .*; 2020-Q1\.part2 was restored, and those rows are in the table, not in this sum$/,
      ),
    )
    // The first of the others is restored while that one is in the table, and the last while both are.
    const back = said(await done(named(restore, '2020-Q1')))
    expect(back).toContainEqual(
      expect.stringMatching(
        /^2020-Q1: .*1 more row is in the table, of 2020-Q1\.part2, which was restored, or later \(50001\)/,
      ),
    )
    expect(back.find((text) => text.startsWith('2020-Q1.part3: '))).toMatch(
      /21 more rows are in the table, of 2020-Q1, 2020-Q1\.part2, which were restored, or later/,
    )
    expect(back.join()).not.toContain('added later')
    await whole(made)
  })

  it('is held, released, erased and adopted as a whole', { timeout: 180_000 }, async () => {
    const made = await bookings('sqlite')
    const { run, drop, verify } = commandsOf(made)
    const held = (partition: string, reason: string | null): Operation => ({
      kind: 'archive-hold',
      from: made.place.url,
      table: TABLE,
      partitions: [partition],
      reason,
    })
    const holds = (): Promise<readonly (readonly (string | null)[])[]> =>
      made.place.rows(
        "SELECT partition_name, hold_reason FROM migration_archive_partitions WHERE partition_name LIKE '2020-Q1%' ORDER BY 1",
      )
    await done(run)
    await done(drop)
    await done(held('2020-Q1', 'audit'))
    await late(made, 50_001)
    // A plan reports it as held, and later parts are held with the period.
    expect(planned(await done(planOf(run))).find(({ partition }) => partition === '2020-Q1.part2')).toMatchObject({
      status: 'held',
      note: 'audit',
    })
    await done(held('2020-Q1', null))
    await done(run)
    await done(held('2020-Q1', 'audit'))
    expect(await holds()).toEqual([
      ['2020-Q1', 'audit'],
      ['2020-Q1.part2', 'audit'],
    ])
    expect((await perform(drop)).events.some((event) => event.type === 'archive.state')).toBe(false)
    await done(held('2020-Q1.part2', null))
    expect(await holds()).toEqual([
      ['2020-Q1', 'audit'],
      ['2020-Q1.part2', null],
    ])
    await done(drop)
    await done(held('2020-Q1', null))
    expect(await listed(made.place)).toContain('2020-Q1.part2 DROPPED 1')
    await done({ kind: 'archive-adopt', from: made.place.url, table: TABLE, confirm: TABLE, accept: [], dryRun: false })
    await done({
      kind: 'archive-erase',
      from: made.place.url,
      table: TABLE,
      where: 'id IN (3, 50001)',
      reason: 'T-1',
      confirm: TABLE,
      dryRun: false,
    })
    made.ids.delete(3)
    made.ids.delete(50_001)
    await whole(made)
    expect(await listed(made.place)).toEqual(['2020-Q1 DROPPED 19', '2020-Q1.part2 DROPPED 0', '2020-Q2 DROPPED 20'])
    await done({ ...verify, deep: true } as Operation)
  })
})

describe('partitions of PostgreSQL', () => {
  const why = WITHOUT.get('postgresql') ?? ''
  /** Partitions that a user creates in the place of archived ones. */
  const again = (name: string, from: string, to: string): string =>
    `CREATE TABLE ${TABLE}_${name} PARTITION OF ${TABLE} FOR VALUES FROM ('${from}') TO ('${to}')`

  it.skipIf(why !== '')(`in the place of archived ones are further parts${why}`, { timeout: 180_000 }, async () => {
    const made = await bookings('postgresql', 'native')
    const { run, drop, verify } = commandsOf(made)
    await done(run)
    await made.place.sql(again('late', '2020-01-01', '2020-04-01'))
    await late(made, 50_001, 50_002)
    await whole(made)
    expect(planned(await done(planOf(run))).map(({ partition, status, note }) => [partition, status, note])).toEqual([
      ['2020-Q1', 'done', expect.stringContaining('rows of the detached table')],
      ['2020-Q1.part2', 'due', 'it has rows that were added after 2020-Q1 was archived'],
      ['2020-Q2', 'done', expect.stringContaining('rows of the detached table')],
      ['bookings_2', 'later', undefined],
    ])
    await made.place.sql(`INSERT INTO ${TABLE} VALUES (7, '2020-01-01 07:00:00', 'twice', NULL)`)
    expect((await perform(named(run, '2020-Q1'))).finished.error).toMatchObject({
      code: 'PARTITION_CHANGED',
      message: expect.stringMatching(/1 row has a key that is already archived: 7, 2020-01-01 07:00:00$/) as string,
    })
    await made.place.sql(`DELETE FROM ${TABLE} WHERE id = 7`)
    await done(run)
    await whole(made)
    expect(await listed(made.place)).toEqual(['2020-Q1 DETACHED 20', '2020-Q1.part2 DETACHED 2', '2020-Q2 DETACHED 20'])
    // Partitions of a part of the bounds.
    await made.place.sql(again('jan', '2020-01-01', '2020-02-01'), again('feb', '2020-02-01', '2020-03-01'))
    await late(made, 50_003)
    await made.place.sql(row(50_004, '2020-01-03'))
    made.ids.add(50_004)
    await done(run)
    await whole(made)
    expect(await listed(made.place)).toEqual([
      '2020-Q1 DETACHED 20',
      '2020-Q1.part2 DETACHED 2',
      '2020-Q1.part3 DETACHED 1',
      '2020-Q1.part4 DETACHED 1',
      '2020-Q2 DETACHED 20',
    ])
    const verified = await done({ ...verify, deep: true } as Operation)
    expect(verified.events.flatMap((event) => (event.type === 'log' ? [event.message] : []))).toContainEqual(
      expect.stringMatching(
        /^2020-Q1: 24 rows with the checksum [0-9a-f]{16} are the sum of 4 parts \(.*\), each proved separately, and no key is in two of them$/,
      ),
    )
    await done(drop)
    await whole(made)
    await made.place.sql(again('more', '2020-03-01', '2020-07-01'))
    await made.place.sql(row(50_005, '2020-03-15'))
    made.ids.add(50_005)
    const across = planned(await done(planOf(run))).find(({ partition }) => partition === 'bookings_more')
    expect(across).toMatchObject({
      status: 'blocked',
      note: expect.stringMatching(
        /^its bounds overlap those of 2020-Q1, which was detached: split it at 2020-04-01 00:00:00$/,
      ) as string,
    })
    await whole(made)
  })

  it.skipIf(why !== '')(`without a key cannot be archived as a further part${why}`, { timeout: 120_000 }, async () => {
    const made = await bookings('postgresql', 'native')
    const { run } = commandsOf(made)
    await made.place.sql(`ALTER TABLE ${TABLE} DROP CONSTRAINT ${TABLE}_pkey`)
    await done(run)
    await made.place.sql(again('late', '2020-01-01', '2020-04-01'))
    await late(made, 50_001)
    const refused = await perform(named(run, '2020-Q1.part2'))
    expect(refused.finished.error).toMatchObject({
      code: 'PARTITIONS_BLOCKED',
      reason: expect.stringContaining('without a key, late rows of 2020-Q1') as string,
    })
    await whole(made)
    const { restore } = commandsOf(made)
    expect((await perform(named(restore, '2020-Q1'))).finished.error).toMatchObject({ code: 'UNSUPPORTED_KEY' })
    // Late rows are moved to the default partition by hand.
    await made.place.sql(
      `ALTER TABLE ${TABLE} DETACH PARTITION ${TABLE}_late`,
      `CREATE TABLE ${TABLE}_rest PARTITION OF ${TABLE} DEFAULT`,
      `INSERT INTO ${TABLE} SELECT * FROM ${TABLE}_late`,
    )
    expect((await perform(named(restore, '2020-Q1'))).finished.error).toMatchObject({
      code: 'TABLE_REFUSED',
      hint: expect.stringContaining(`DELETE FROM "public"."${TABLE}_rest" WHERE "at"`) as string,
    })
    await whole(made)
  })

  it.skipIf(why !== '')(`are restored while others are in their place${why}`, { timeout: 180_000 }, async () => {
    const made = await bookings('postgresql', 'native')
    const { run, drop, restore, verify } = commandsOf(made)
    await done(run)
    await done({ ...drop, partitions: ['2020-Q2'] } as Operation)
    await made.place.sql(again('late', '2020-01-01', '2020-04-01'), again('half', '2020-04-01', '2020-04-01 10:00'))
    await late(made, 50_001)
    await whole(made)
    // A partition with a part of the bounds can take a part of the rows only.
    const partly = await perform(named(restore, '2020-Q2'))
    expect(partly.finished.error).toMatchObject({ code: 'TABLE_REFUSED' })
    expect(partly.finished.error?.message).toMatch(/has no partition for some rows of 2020-Q2/)
    await made.place.sql(again('rest', '2020-04-01 10:00', '2020-07-01'))
    await made.place.sql(`INSERT INTO ${TABLE} VALUES (7, '2020-01-01 07:00:00', 'taken', NULL)`)
    for (const dryRun of [true, false]) {
      const refused = await perform({ ...named(restore, '2020-Q1'), dryRun } as Operation)
      expect(refused.finished.error).toMatchObject({ code: 'PARTITION_CHANGED' })
      expect(refused.finished.error?.message).toMatch(/1 of its keys is taken in the table: 7, 2020-01-01 07:00:00$/)
    }
    await made.place.sql(`DELETE FROM ${TABLE} WHERE id = 7`)
    await whole(made)
    // One is detached, one dropped.
    const back = await done(named(restore, '2020-Q1', '2020-Q2'))
    expect(back.events.flatMap((event) => (event.type === 'log' ? [event.message] : []))).toContainEqual(
      expect.stringMatching(
        /^2020-Q1: its rows are restored into public\.bookings_late, which is now within its bounds/,
      ),
    )
    await whole(made)
    expect(await made.place.rows(`SELECT count(*) FROM ${TABLE}_late`)).toEqual([['21']])
    expect(await made.place.rows(`SELECT count(*) FROM ${TABLE}_half`)).toEqual([['10']])
    expect(await made.place.rows("SELECT count(*) FROM pg_tables WHERE schemaname = 'sluice_archived'")).toEqual([
      ['0'],
    ])
    expect(await listed(made.place)).toEqual(['2020-Q1 RESTORED 20', '2020-Q2 RESTORED 20'])
    await done({ ...verify, deep: true } as Operation)
    await done(named(run, '2020-Q1'))
    await whole(made)
    expect(await listed(made.place)).toEqual(['2020-Q1 DETACHED 21', '2020-Q2 RESTORED 20'])
  })

  it.skipIf(why !== '')(`of a period in two parts are restored together${why}`, { timeout: 180_000 }, async () => {
    const made = await bookings('postgresql', 'native')
    const { run, drop, restore, verify } = commandsOf(made)
    await done(run)
    await made.place.sql(again('late', '2020-01-01', '2020-04-01'))
    await late(made, 50_001)
    await done(run)
    await done(drop)
    await whole(made)
    await done(named(restore, '2020-Q1'))
    await whole(made)
    expect(await made.place.rows(`SELECT count(*) FROM ${TABLE} WHERE at < '2020-04-01'`)).toEqual([['21']])
    await done({ ...verify, deep: true } as Operation)
  })
})

/**
 * The table as `sluice cutover` leaves it: partitioned by time ranges, with all remaining rows, under the same name.
 */
async function partitioned(
  { place }: Bookings,
  ranges: readonly (readonly [name: string, from: string, to: string])[],
): Promise<void> {
  await place.sql(
    `ALTER TABLE ${TABLE} RENAME TO ${TABLE}_old`,
    `CREATE TABLE ${TABLE} (LIKE ${TABLE}_old, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
    ...ranges.map(
      ([name, from, to]) =>
        `CREATE TABLE ${TABLE}_${name} PARTITION OF ${TABLE} FOR VALUES FROM ('${from}') TO ('${to}')`,
    ),
    `INSERT INTO ${TABLE} SELECT * FROM ${TABLE}_old`,
    `DROP TABLE ${TABLE}_old`,
  )
}

describe.skipIf(WITHOUT.get('postgresql') !== '')('a plain table that is partitioned later', () => {
  const q1 = ['q1', '2020-01-01', '2020-04-01'] as const
  const q2 = ['q2', '2020-04-01', '2020-07-01'] as const
  const now = ['now', '2090-01-01', '2091-01-01'] as const

  it(
    'continues in the same archive: archived rows and archived partitions are one table',
    { timeout: 120_000 },
    async () => {
      const made = await bookings('postgresql')
      const { run, drop, restore, verify } = commandsOf(made)
      await done(named(run, '2020-Q1'))
      await done(named(drop, '2020-Q1'))
      await late(made, 50_001)
      await partitioned(made, [q1, q2, now])
      await whole(made)
      const plan = planned(await done(planOf(run)))
      expect(plan.map(({ partition, status, note }) => [partition, status, note])).toEqual([
        ['2020-Q1', 'done', '1 row more in the table than expected, by count'],
        ['2020-Q1.part2', 'due', 'it has rows that were added after 2020-Q1 was archived'],
        ['2020-Q2', 'due', undefined],
        [`${TABLE}_now`, 'later', undefined],
      ])
      // The job still passes --by.
      await done(run)
      await whole(made)
      await done(drop)
      await whole(made)
      expect(await listed(made.place)).toEqual(['2020-Q1 DROPPED 20', '2020-Q1.part2 DROPPED 1', '2020-Q2 DROPPED 20'])
      await done({ ...verify, deep: true } as Operation)
      expect(await made.place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['20']])
      await done(named(restore, '2020-Q2'))
      await whole(made)
      await done(named(restore, '2020-Q1.part2'))
      await whole(made)
      await done(named(restore, '2020-Q1'))
      await whole(made)
      expect(await made.place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['61']])
    },
  )

  it('unfinished periods are completed by rows, and their partitions wait for that', { timeout: 120_000 }, async () => {
    const made = await bookings('postgresql')
    const { run, drop } = commandsOf(made)
    await done(named(run, '2020-Q1', '2020-Q2'))
    await partitioned(made, [['jan', '2020-01-01', '2020-02-01'], ['rest', '2020-02-01', '2020-04-01'], q2, now])
    await whole(made)
    const plan = planned(await done(planOf(run)))
    expect(plan.map(({ partition, status, note }) => [partition, status, note])).toEqual([
      ['2020-Q1', 'done', undefined],
      ['2020-Q2', 'done', undefined],
      [`${TABLE}_jan`, 'blocked', '2020-Q1 is not finished: archive it to DROPPED, or restore it first'],
      [`${TABLE}_rest`, 'blocked', expect.stringContaining('2020-Q1 is not finished')],
      [`${TABLE}_now`, 'later', undefined],
    ])
    await done(drop)
    await whole(made)
    expect(await made.place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['20']])
    // A lost ledger is rebuilt.
    const before = await listed(made.place)
    await made.place.sql(
      'DROP TABLE migration_archives, migration_archive_partitions, migration_archive_heads, migration_archive_history, migration_archive_ledger',
    )
    const adopt = {
      kind: 'archive-adopt',
      from: made.place.url,
      table: TABLE,
      confirm: TABLE,
      accept: [],
      to: made.archive,
      dryRun: false,
    } as const
    await done(adopt)
    expect(await listed(made.place)).toEqual(before)
    await whole(made)
  })

  it('partitioned by another column, rows leave by time as before', { timeout: 120_000 }, async () => {
    const made = await bookings('postgresql')
    const { run, drop } = commandsOf(made)
    await done(named(run, '2020-Q1'))
    await made.place.sql(
      `ALTER TABLE ${TABLE} RENAME TO ${TABLE}_old`,
      `CREATE TABLE ${TABLE} (LIKE ${TABLE}_old, PRIMARY KEY (id)) PARTITION BY RANGE (id)`,
      `CREATE TABLE ${TABLE}_all PARTITION OF ${TABLE} FOR VALUES FROM (0) TO (1000000)`,
      `INSERT INTO ${TABLE} SELECT * FROM ${TABLE}_old`,
      `DROP TABLE ${TABLE}_old`,
    )
    await done(run)
    await done(drop)
    await whole(made)
    expect(await listed(made.place)).toEqual(['2020-Q1 DROPPED 20', '2020-Q2 DROPPED 20'])
    expect(await made.place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['20']])
  })
})
