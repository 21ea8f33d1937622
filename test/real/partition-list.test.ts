/** `partition list` and `partition ensure` for users: states with an archive, gaps, names, alarms, several tables. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import type { PartitionAlarmEvent, PartitionEvent, PartitionMadeEvent } from '../../src/model/partition/events.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { commandsOf, makeBookings } from '../support/archive-places.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { psql } from './copy-postgresql-kit.ts'

const why = await missing('postgresql')
const noMysql = await missing('mysql')

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

const list = ({ url }: Pick<Place, 'url'>, ...tables: readonly string[]): Operation => ({
  kind: 'partition-list',
  from: url,
  tables,
  calendar: {},
  olderThan: '8q',
  ahead: 1,
  count: true,
})

const ensure = (
  { url }: Pick<Place, 'url'>,
  tables: readonly string[],
  more: { dryRun?: boolean; ahead?: number } = {},
): Operation => ({
  kind: 'partition-ensure',
  from: url,
  tables,
  calendar: {},
  ahead: 1,
  patienceMs: 100,
  budgetMs: 20_000,
  dryRun: false,
  ...more,
})

const partitions = (events: readonly Event[]): readonly PartitionEvent[] =>
  events.filter((event) => event.type === 'partition')
const alarms = (events: readonly Event[]): readonly PartitionAlarmEvent[] =>
  events.filter((event) => event.type === 'partition.alarm')
const made = (events: readonly Event[]): readonly PartitionMadeEvent[] =>
  events.filter((event) => event.type === 'partition.made')

const year = new Date().getUTCFullYear()

/** A table of months: some of last year, this year except for those left out, none of the next. */
async function months(place: Place, name: string, left: readonly number[] = [], withDefault = false): Promise<void> {
  await place.sql(`CREATE TABLE ${name} (id bigint, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`)
  for (let month = 0; month < 12; month++) {
    if (left.includes(month)) continue
    const [from, to] = [month, month + 1].map((n) => new Date(Date.UTC(year, n, 1)).toISOString().slice(0, 10))
    await place.sql(
      `CREATE TABLE ${name}_${year}_${String(month + 1).padStart(2, '0')} PARTITION OF ${name} FOR VALUES FROM ('${from}') TO ('${to}')`,
    )
  }
  if (withDefault) await place.sql(`CREATE TABLE ${name}_rest PARTITION OF ${name} DEFAULT`)
}

describe.skipIf(why !== '')(`partitions of PostgreSQL${why}`, () => {
  it('have the states that the table and its archive give together', async () => {
    const place = await makePlace('postgresql', folder.path)
    const archived = await makeBookings(place, 'native', join(folder.path, 'archive'))
    const hold: Operation = {
      kind: 'archive-hold',
      from: place.url,
      table: 'bookings',
      partitions: ['2020-Q2'],
      reason: 'audit',
    }
    const first = { ...commandsOf(archived).run, partitions: ['2020-Q1'] } as Operation
    expect((await perform(first)).finished.exitCode).toBe(0)
    expect((await perform(hold)).finished.exitCode).toBe(0)
    const { events, finished } = await perform(list(place, 'bookings'))
    expect(finished.exitCode).toBe(0)
    expect(partitions(events).map(({ label, state, rows, note }) => [label, state, rows, note])).toEqual([
      ['2020-Q1', 'archived', '300', 'DETACHED'],
      ['2020-Q2', 'held', '300', 'held: audit'],
      // It covers a year, which is no quarter.
      [undefined, 'future', '300', undefined],
    ])
  })

  it('of an unreadable archive are listed, and the end reports that it was not inspected, and why', async () => {
    const place = await makePlace('postgresql', folder.path)
    const archived = await makeBookings(place, 'native', join(folder.path, 'unread'))
    expect((await perform(commandsOf(archived).run)).finished.exitCode).toBe(0)
    const read = await perform(list(place, 'bookings'))
    expect(read.finished.notChecked ?? '').not.toContain('archive')
    await place.sql('UPDATE migration_archive_ledger SET version = 99')
    for (const operation of [list(place, 'bookings'), ensure(place, ['bookings'], { dryRun: true })]) {
      const { finished } = await perform(operation)
      expect(finished.notChecked).toMatch(/archive of public.bookings: LEDGER_NEWER .*version 99/)
    }
  })

  it('that were restored after a drop are no longer due, and are held once they have a hold', async () => {
    const place = await makePlace('postgresql', folder.path)
    const archived = await makeBookings(place, 'native', join(folder.path, 'restored'))
    const { run, drop, restore } = commandsOf(archived)
    const hold = { kind: 'archive-hold', from: place.url, table: 'bookings', reason: 'audit' } as const
    for (const operation of [run, drop, { ...restore, partitions: ['2020-Q1'] } as Operation])
      expect((await perform(operation)).finished.exitCode).toBe(0)
    const seen = async (): Promise<unknown> =>
      partitions((await perform(list(place, 'bookings'))).events)
        .slice(0, 2)
        .map(({ label, state, note }) => [label, state, note])
    expect(await seen()).toEqual([
      ['2020-Q1', 'hot', 'archive: RESTORED'],
      ['2020-Q2', 'archived', 'DROPPED'],
    ])
    expect((await perform({ ...hold, partitions: ['2020-Q1', '2020-Q2'] })).finished.exitCode).toBe(0)
    // A hold of a period also applies to late rows, as the plan reports.
    await place.sql("CREATE TABLE late PARTITION OF bookings FOR VALUES FROM ('2020-04-01') TO ('2020-07-01')")
    await place.sql("INSERT INTO bookings (id, at) VALUES (7, '2020-05-05')")
    expect(await seen()).toEqual([
      ['2020-Q1', 'held', 'held: audit'],
      ['2020-Q2', 'archived', 'DROPPED; held: audit'],
    ])
    const { events } = await perform(list(place, 'bookings'))
    expect(partitions(events).find(({ partition }) => partition === 'public.late')).toMatchObject({ state: 'held' })
  })

  it('that are archived and dropped, but have late rows, are reported with their label', async () => {
    const place = await makePlace('postgresql', folder.path)
    const archived = await makeBookings(place, 'native', join(folder.path, 'late'))
    expect(
      (await perform({ ...commandsOf(archived).run, partitions: ['2020-Q1'] } as Operation)).finished.exitCode,
    ).toBe(0)
    await place.sql(
      'CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT',
      `INSERT INTO bookings SELECT (jsonb_populate_record(b, jsonb_build_object('id', 900001, 'at', '2020-01-09'))).* FROM bookings b LIMIT 1`,
    )
    const { events } = await perform({ ...list(place, 'bookings'), calendar: { unit: 'quarter' } } as Operation)
    expect(alarms(events).filter(({ alarm }) => alarm === 'rows in the default')).toMatchObject([
      {
        rows: '1',
        detail:
          'late rows of 2020-Q1 are in the default partition: that period is archived, and no longer in the table',
      },
    ])
  })

  it('are due, current and missing in time order, and the missing ones are created under their names', async () => {
    const place = await makePlace('postgresql', folder.path)
    await months(place, 'events')
    const before = await perform(list(place, 'events'))
    const now = new Date()
    const next = new Date(Date.UTC(year, now.getUTCMonth() + 1, 1))
    const isDecember = next.getUTCFullYear() !== year
    const states = partitions(before.events).map(({ state }) => state)
    expect(states.filter((state) => state === 'current')).toHaveLength(1)
    expect(states.includes('missing')).toBe(isDecember)

    const far = 14
    const planned = await perform(ensure(place, ['events'], { dryRun: true, ahead: far }))
    expect(planned.finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITIONS_MISSING' } })
    const ran = await perform(ensure(place, ['events'], { ahead: far }))
    expect(ran.finished).toMatchObject({ exitCode: 0, totals: { alarms: '0' } })
    expect(made(ran.events).map(({ partition }) => partition)).toEqual(
      made(planned.events).map(({ partition }) => partition),
    )
    expect(made(ran.events)[0]).toMatchObject({
      partition: `public.events_${year + 1}_01`,
      label: `${year + 1}-01`,
      status: 'made',
    })
    const again = await perform(ensure(place, ['events'], { ahead: far }))
    expect(again.finished).toMatchObject({ exitCode: 0, totals: { made: '0', alarms: '0' } })
    const after = await perform(list(place, 'events'))
    expect(partitions(after.events).map(({ from }) => from)).toEqual(
      partitions(after.events)
        .map(({ from }) => from)
        .toSorted(),
    )
  })

  it('of which one is missing between others raise an alarm, and rows of it in the default prevent its creation', async () => {
    const place = await makePlace('postgresql', folder.path)
    await months(place, 'holes', [2], true)
    const found = await perform(ensure(place, ['holes'], { ahead: 0 }))
    expect(found.finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_GAP' } })
    expect(alarms(found.events)).toMatchObject([{ alarm: 'gap', from: `${year}-03-01`, to: `${year}-04-01` }])
    const rows = partitions((await perform(list(place, 'holes'))).events)
    expect(rows.slice(1, 4).map(({ label, state, note }) => [label, state, note])).toEqual([
      [`${year}-02`, expect.any(String), undefined],
      [`${year}-03`, 'missing', 'gap'],
      [`${year}-04`, expect.any(String), undefined],
    ])
    await place.sql(`INSERT INTO holes VALUES (1, '${year}-03-05'), (2, '${year - 30}-03-05')`)
    const repaired = await perform(ensure(place, ['holes'], { ahead: 0 }))
    expect(made(repaired.events)).toMatchObject([{ partition: `public.holes_${year}_03`, moved: '1' }])
    expect(repaired.finished).toMatchObject({ exitCode: 1, error: { code: 'ROWS_IN_DEFAULT' } })
    expect(alarms(repaired.events)).toMatchObject([
      { alarm: 'rows in the default', rows: '1', from: `${year - 30}-03-05` },
    ])
  })

  it('of hours match no calendar: gaps, rows in the default and a missing current one are alarms all the same', async () => {
    const place = await makePlace('postgresql', folder.path)
    await place.sql(
      'CREATE TABLE hours (at timestamptz NOT NULL) PARTITION BY RANGE (at)',
      `CREATE TABLE hours_1 PARTITION OF hours FOR VALUES FROM ('${year}-01-05 00:00+00') TO ('${year}-01-05 06:00+00')`,
      `CREATE TABLE hours_2 PARTITION OF hours FOR VALUES FROM ('${year}-01-05 12:00+00') TO ('${year}-01-05 18:00+00')`,
      'CREATE TABLE hours_rest PARTITION OF hours DEFAULT',
      `INSERT INTO hours VALUES ('${year}-01-05 07:00+00'), (now())`,
    )
    const { events, finished } = await perform(list(place, 'hours'))
    expect(alarms(events).map(({ alarm, from, rows }) => [alarm, from, rows])).toEqual([
      ['none ahead', undefined, undefined],
      ['gap', `${year}-01-05 06:00:00+00`, undefined],
      ['rows in the default', `${year}-01-05 07:00:00+00`, '2'],
    ])
    expect(finished).toMatchObject({ exitCode: 0, notChecked: expect.stringContaining('public.hours') as string })
  })

  it('of days up to the end of time are inspected quickly, and missed ones are created before later ones', async () => {
    const place = await makePlace('postgresql', folder.path)
    const day = (n: number): string => new Date(Date.now() + n * 86_400_000).toISOString().slice(0, 10)
    await place.sql('CREATE TABLE daily (at date NOT NULL) PARTITION BY RANGE (at)')
    for (const n of [-4, -3]) {
      await place.sql(
        `CREATE TABLE daily_${day(n).replaceAll('-', '')} PARTITION OF daily FOR VALUES FROM ('${day(n)}') TO ('${day(n + 1)}')`,
      )
    }
    await place.sql(
      `CREATE TABLE daily_first PARTITION OF daily FOR VALUES FROM ('0001-01-01') TO ('0001-01-02')`,
      `CREATE TABLE daily_far PARTITION OF daily FOR VALUES FROM ('9999-12-31') TO ('10000-01-01')`,
      `CREATE TABLE daily_end PARTITION OF daily FOR VALUES FROM ('5874897-12-31') TO (MAXVALUE)`,
      'CREATE TABLE daily_rest PARTITION OF daily DEFAULT',
    )
    const began = performance.now()
    const days = { unit: 'day' } as const
    const rows = partitions((await perform({ ...list(place, 'daily'), calendar: days } as Operation)).events)
    expect(performance.now() - began).toBeLessThan(4000)
    expect(rows.map(({ label, state, note }) => (state === 'missing' ? [label, note] : state))).toEqual([
      'due',
      'hot',
      'hot',
      [day(-2), 'it is not there'],
      [day(-1), 'it is not there'],
      [day(0), 'it is not there'],
      [day(1), 'it is not there'],
      'future',
      'future',
      'default',
    ])
    const ensured = await perform({ ...ensure(place, ['daily']), calendar: days } as Operation)
    expect(made(ensured.events).map(({ from }) => from)).toEqual([day(-2), day(-1), day(0), day(1)])
  })

  it('of which one holds all future rows are reported; those by days that are written as numbers are refused', async () => {
    const place = await makePlace('postgresql', folder.path)
    await place.sql(
      'CREATE TABLE whole (at date NOT NULL) PARTITION BY RANGE (at)',
      `CREATE TABLE whole_all PARTITION OF whole FOR VALUES FROM (MINVALUE) TO ('${year + 2}-01-01')`,
      `CREATE TABLE whole_${year + 2}_01 PARTITION OF whole FOR VALUES FROM ('${year + 2}-01-01') TO ('${year + 2}-02-01')`,
      'CREATE TABLE numbers (day int NOT NULL) PARTITION BY RANGE (day)',
      `CREATE TABLE numbers_q1 PARTITION OF numbers FOR VALUES FROM (${year}0101) TO (${year}0401)`,
    )
    const { events, finished } = await perform(ensure(place, ['whole']))
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_OVERLAP' } })
    expect(alarms(events)).toMatchObject([{ alarm: 'overlap', partition: 'public.whole_all', to: `${year + 2}-01-01` }])
    const numbers = await perform({ ...ensure(place, ['numbers']), calendar: { unit: 'quarter' } } as Operation)
    expect(numbers.finished).toMatchObject({
      exitCode: 6,
      error: { reason: expect.stringContaining('YYYYMMDD') as string },
    })
  })

  it('that other sessions lock are waited for no longer than the run may take, which is reported', async () => {
    const place = await makePlace('postgresql', folder.path)
    await months(place, 'taken', [], true)
    const other = await psql(place.url)
    try {
      await other.run('BEGIN; LOCK TABLE taken_rest')
      for (const dryRun of [true, false]) {
        const { finished } = await perform({ ...ensure(place, ['taken'], { dryRun }), budgetMs: 300 } as Operation)
        expect(finished).toMatchObject({ exitCode: 4, error: { code: 'TARGET_BUSY' } })
      }
    } finally {
      await other.close()
    }
  })

  it('of a pattern are those of tables by time ranges; a table that is named must be one', async () => {
    const place = await makePlace('postgresql', folder.path)
    await months(place, 'a')
    await place.sql(
      'CREATE TABLE plain (id int)',
      'CREATE TABLE lists (id int) PARTITION BY LIST (id)',
      'CREATE TABLE texts (id text) PARTITION BY RANGE (id)',
      'CREATE TABLE decimals (id numeric) PARTITION BY RANGE (id)',
      'CREATE TABLE pairs (id int, at date) PARTITION BY RANGE (id, at)',
      'CREATE TABLE numbers (id bigint) PARTITION BY RANGE (id)',
      'CREATE TABLE numbers_1 PARTITION OF numbers FOR VALUES FROM (0) TO (1000000)',
      'CREATE TABLE numbers_2 PARTITION OF numbers FOR VALUES FROM (1000000) TO (2000000)',
    )
    const all = await perform(list(place, 'public.*'))
    expect(all.finished).toMatchObject({ exitCode: 0, totals: { tables: '1', passedOver: '5' } })
    const notes = all.events.filter((event) => event.type === 'log')
    expect(notes.map(({ table, message }) => [table, message.replace(/;.*/, '')])).toEqual([
      ['public.decimals', 'skipped: public.decimals is partitioned by ranges of id, which is not a time'],
      ['public.lists', 'skipped: public.lists is partitioned by LIST (id), which sluice does not support'],
      ['public.numbers', 'skipped: public.numbers is partitioned by ranges of id, which is not a time'],
      ['public.pairs', 'skipped: public.pairs is partitioned by RANGE (id, at), which sluice does not support'],
      ['public.texts', 'skipped: public.texts is partitioned by ranges of id, which is not a time'],
    ])
    const one = await perform(ensure(place, ['public.list*']))
    expect(one.events).toContainEqual(
      expect.objectContaining({
        type: 'log',
        level: 'warn',
        message: 'no table that matches public.list* is partitioned by ranges of one time column',
      }),
    )
    expect(one.finished).toMatchObject({ exitCode: 0, totals: { tables: '0', passedOver: '1' } })
    for (const name of ['plain', 'lists', 'texts', 'decimals', 'numbers']) {
      expect((await perform(list(place, name))).finished).toMatchObject({
        exitCode: 6,
        error: { code: 'UNSUPPORTED_TYPE' },
      })
    }
    expect((await perform(list(place, 'numbers_1'))).finished).toMatchObject({
      exitCode: 6,
      error: { message: 'public.numbers_1 is a partition of public.numbers' },
    })
    expect((await perform(list(place, 'nobody'))).finished).toMatchObject({
      exitCode: 2,
      error: { code: 'NO_SUCH_TABLE' },
    })
  })

  it('that cover a part of a coming period are an overlap, and none is created across them', async () => {
    const place = await makePlace('postgresql', folder.path)
    await months(place, 'parts')
    await place.sql(
      `CREATE TABLE parts_odd PARTITION OF parts FOR VALUES FROM ('${year + 1}-01-10') TO ('${year + 1}-01-20')`,
    )
    const { events, finished } = await perform({
      ...ensure(place, ['parts'], { ahead: 13 }),
      calendar: { unit: 'month' },
    } as Operation)
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_OVERLAP' } })
    expect(alarms(events)).toMatchObject([
      { alarm: 'overlap', partition: 'public.parts_odd', from: `${year + 1}-01-01` },
    ])
  })

  it('whose name a view has are refused by a dry run, too', async () => {
    const place = await makePlace('postgresql', folder.path)
    await months(place, 'named')
    await place.sql(`CREATE VIEW named_${year + 1}_01 AS SELECT 1 AS one`)
    const { events, finished } = await perform(ensure(place, ['named'], { dryRun: true, ahead: 12 }))
    expect(finished).toMatchObject({ exitCode: 4, error: { code: 'TABLE_REFUSED' } })
    expect(made(events)).toEqual([])
  })

  it('of a zone that is neither set nor given need --zone, which the hint proposes', async () => {
    const place = await makePlace('postgresql', folder.path)
    await place.sql('CREATE TABLE abroad (at timestamptz NOT NULL) PARTITION BY RANGE (at)')
    for (let month = 1; month <= 12; month++) {
      const [from, to] = [month, month + 1].map(
        (n) => `make_timestamptz(${n > 12 ? year + 1 : year}, ${n > 12 ? 1 : n}, 1, 0, 0, 0, 'Europe/Berlin')`,
      )
      await place.sql(
        `DO $$ BEGIN EXECUTE format('CREATE TABLE abroad_${year}_${String(month).padStart(2, '0')} PARTITION OF abroad FOR VALUES FROM (%L) TO (%L)', ${from}, ${to}); END $$`,
      )
    }
    const operation = ensure(place, ['abroad'], { ahead: 0 })
    const refused = await perform(operation)
    expect(refused.finished).toMatchObject({
      exitCode: 2,
      error: { code: 'BAD_FLAG', hint: expect.stringContaining('--zone, such as Europe/Berlin, ') as string },
    })
    const named = await perform({ ...operation, calendar: { zone: 'Europe/Berlin' } } as Operation)
    expect(named.finished).toMatchObject({ exitCode: 0, totals: { made: '0', alarms: '0' } })
  })

  it('of which the last has no end are one overlap, however many are ahead', async () => {
    const place = await makePlace('postgresql', folder.path)
    await months(place, 'endless')
    await place.sql(
      `CREATE TABLE endless_future PARTITION OF endless FOR VALUES FROM ('${year + 1}-01-01') TO (MAXVALUE)`,
    )
    const { events, finished } = await perform(ensure(place, ['endless'], { ahead: 15 }))
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_OVERLAP' }, totals: { made: '0' } })
    expect(events.find(({ type }) => type === 'partition.table')).toMatchObject({ isOpen: true })
    expect(alarms(events)).toMatchObject([
      { alarm: 'overlap', partition: 'public.endless_future', from: `${year + 1}-01-01` },
    ])
  })

  it('with rows of later periods in the default are reported with what takes them', async () => {
    const place = await makePlace('postgresql', folder.path)
    await months(place, 'partly', [], true)
    await place.sql(`INSERT INTO partly VALUES (1, '${year + 1}-05-05'), (2, '${year + 1}-06-05')`)
    const now = new Date()
    // Up to February of the next year.
    const ahead = 13 - now.getUTCMonth()
    const { events } = await perform(ensure(place, ['partly'], { ahead }))
    expect(alarms(events)).toEqual([
      expect.objectContaining({
        alarm: 'rows in the default',
        rows: '2',
        hint: expect.stringContaining(`--ahead ${ahead + 4} creates these partitions`) as string,
      }),
    ])
    const all = await perform(ensure(place, ['partly'], { ahead: ahead + 4 }))
    expect(all.finished).toMatchObject({ exitCode: 0, totals: { moved: '2' } })
  })

  it('with objects of a killed run are cleaned up, even if none is missing', async () => {
    const place = await makePlace('postgresql', folder.path)
    await months(place, 'broken')
    await place.sql(
      `DO $$ DECLARE parent oid := 'broken'::regclass; BEGIN
         EXECUTE format('CREATE TABLE %I (id bigint, at date, CONSTRAINT %I CHECK (true))', 'sluice_aside_' || parent || '_old', 'sluice_aside_of_' || parent);
       END $$`,
    )
    const dry = await perform(ensure(place, ['broken'], { dryRun: true, ahead: 0 }))
    expect(dry.finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_LEFT_OVER' } })
    const ran = await perform(ensure(place, ['broken'], { ahead: 0 }))
    expect(ran.finished).toMatchObject({ exitCode: 0, totals: { made: '0', alarms: '0' } })
    expect(ran.events).toContainEqual(
      expect.objectContaining({
        type: 'log',
        message: expect.stringMatching(/^removed .*sluice_aside_\d+_old$/) as string,
      }),
    )
    const listed = await perform({ ...list(place, 'broken'), ahead: 0 } as Operation)
    expect(listed.finished).toMatchObject({ exitCode: 0, totals: { alarms: '0' } })
  })

  it('whose rows cannot be moved are refused by a dry run, too, with the alarms', async () => {
    const place = await makePlace('postgresql', folder.path)
    await months(place, 'keyless', [], true)
    await place.sql(
      'ALTER TABLE keyless DROP CONSTRAINT keyless_pkey',
      `INSERT INTO keyless VALUES (1, '${year + 1}-01-05')`,
    )
    for (const dryRun of [true, false]) {
      const { events, finished } = await perform(ensure(place, ['keyless'], { dryRun, ahead: 14 }))
      expect(finished).toMatchObject({ exitCode: 4, error: { code: 'TABLE_REFUSED' } })
      expect(alarms(events).map(({ alarm }) => alarm)).toEqual(['none ahead', 'rows in the default'])
      const from = made(events).map((one) => one.from)
      expect(from).toContain(`${year + 1}-02-01`)
      expect(from).not.toContain(`${year + 1}-01-01`)
    }
  })
})

describe.skipIf(noMysql !== '')(`partitions of MySQL${noMysql}`, () => {
  it('whose rows are in the archive, or were restored, are no longer due', async () => {
    const place = await makePlace('mysql', folder.path)
    await place.sql(
      `CREATE TABLE bookings (id int, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE COLUMNS (at) (
         PARTITION q1 VALUES LESS THAN ('2020-04-01'), PARTITION q2 VALUES LESS THAN ('2020-07-01'),
         PARTITION q3 VALUES LESS THAN ('2020-10-01'), PARTITION q4 VALUES LESS THAN ('2021-01-01'),
         PARTITION far VALUES LESS THAN ('2091-01-01'))`,
      `INSERT INTO bookings VALUES (1, '2020-01-05'), (2, '2020-05-05'), (3, '2020-08-05'), (4, '2020-11-05'), (9, '2090-05-05')`,
    )
    const { run, restore } = commandsOf({ place, form: 'plain', to: join(folder.path, 'mysql') })
    const some = { ...run, partitions: ['2020-Q2', '2020-Q3'] } as Operation
    const hold = { kind: 'archive-hold', from: place.url, table: 'bookings', reason: 'audit' } as const
    for (const operation of [
      some,
      { ...some, drop: true, confirm: 'bookings' } as Operation,
      { ...restore, partitions: ['2020-Q2'] } as Operation,
      { ...hold, partitions: ['2020-Q4'] },
    ])
      expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
    const { events } = await perform({ ...list(place, 'bookings'), calendar: { unit: 'quarter' } } as Operation)
    expect(partitions(events).map(({ partition, state, note }) => [partition, state, note])).toEqual([
      ['q1', 'open', undefined],
      ['q2', 'hot', 'archive: RESTORED'],
      ['q3', 'hot', 'archive: DROPPED'],
      ['q4', 'held', 'held: audit'],
      ['far', 'current', undefined],
    ])
  })
})
