/** Rows outside of all archives are named: those without a time, and late ones in the default partition. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandsOf, makeBookings, TABLE } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Ran } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const why = await missing('postgresql')
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-default-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const dry = (operation: Operation): Operation => ({ ...operation, dryRun: true }) as Operation
const notes = ({ events }: Ran): string =>
  events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n')

test.skipIf(why !== '')(`late rows in the default partition${why}`, { timeout: 120_000 }, async () => {
  const place = await makePlace('postgresql', folder)
  const archived = await makeBookings(place, 'native', mkdtempSync(join(folder, 'to-')), 20)
  // Attached by hand, with its columns in another order and with OIDs of the server only.
  const reversed = await place.rows(
    `SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END, ', ' ORDER BY CASE WHEN attnum <= 2 THEN attnum ELSE 9 - attnum END)
     FROM pg_attribute WHERE attrelid = '${TABLE}'::regclass AND attnum > 0`,
  )
  await place.sql(
    `CREATE TABLE ${TABLE}_rest (${String(reversed[0]?.[0])})`,
    `ALTER TABLE ${TABLE} ATTACH PARTITION ${TABLE}_rest DEFAULT`,
  )
  const { run, drop, verify, restore } = commandsOf(archived)
  expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
  expect((await perform({ ...drop, partitions: ['2020-Q2'] } as Operation)).finished).toMatchObject({ exitCode: 0 })
  expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
  await place.sql(
    `INSERT INTO ${TABLE} VALUES (90001, '2020-02-02', 'late', NULL), (90002, '2020-05-05', 'late', NULL), (100003, '2020-04-01 03:00:00', 'doubled', NULL)`,
  )
  const list: Operation = { kind: 'archive-list', from: place.url, tables: [], count: false }
  const surplus = (await perform(list)).events.flatMap((event) =>
    event.type === 'archived' ? [[event.partition, event.surplus]] : [],
  )
  expect(surplus).toEqual([
    ['2020-Q1', '1'],
    ['2020-Q2', '2'],
  ])
  const planned = await perform({ ...run, dryRun: true } as Operation)
  const planNotes = planned.events.flatMap((event) =>
    event.type === 'archive.planned' && event.state !== undefined ? [event.note] : [],
  )
  expect(planNotes).toEqual([
    expect.stringContaining('1 row more in the table than expected, by count'),
    expect.stringContaining('2 rows more in the table than expected, by count'),
  ])
  expect(notes(await perform(run))).toContain(
    `the default partition public.${TABLE}_rest holds 3 rows, which runs do not archive`,
  )
  const back = { ...restore, partitions: ['2020-Q1'] } as Operation
  const foretold = await perform({ ...back, dryRun: true } as Operation)
  expect(foretold.finished).toMatchObject({ exitCode: 0 })
  expect(foretold.events.flatMap((event) => (event.type === 'archive.planned' ? [event.note] : []))).toEqual([
    expect.stringContaining('1 late row of 2020-Q1 is in the default partition'),
  ])
  // A key that the archive has is named, and nothing is changed.
  const taken = { ...restore, partitions: ['2020-Q2'] } as Operation
  for (const dryRun of [true, false]) {
    const { finished } = await perform({ ...taken, dryRun } as Operation)
    expect(finished).toMatchObject({ error: { code: 'PARTITION_CHANGED' } })
    expect(finished.error?.message).toContain('100003')
  }
  const verified = await perform(verify)
  expect(verified.finished).toMatchObject({ exitCode: 1 })
  const found = verified.events.flatMap((event) =>
    event.type === 'archive.finding' ? [`${event.partition}: ${event.finding}: ${event.detail}`] : [],
  )
  const rest = `in public.${TABLE}_rest, the default partition`
  expect(found).toEqual([
    expect.stringContaining(`2020-Q1: late rows: 1 row ${rest}, but not in the archive: 90001, 2020-02-02`),
    expect.stringContaining(`2020-Q2: late rows: 1 row ${rest}, but not in the archive: 90002, 2020-05-05`),
    expect.stringContaining(`2020-Q2: late rows: 1 row ${rest}, with keys of archived rows`),
  ])
  await place.sql(`ALTER TABLE ${TABLE} ALTER id ADD GENERATED ALWAYS AS IDENTITY`)
  // A late row is moved, not deleted: triggers on DELETE do not run for it.
  const refuse = `LANGUAGE plpgsql AS $$BEGIN RAISE 'deleted'; END$$`
  await place.sql(
    `CREATE FUNCTION on_delete() RETURNS trigger ${refuse}`,
    `CREATE TRIGGER of_all BEFORE DELETE ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION on_delete()`,
    `CREATE TRIGGER of_rest AFTER DELETE ON ${TABLE}_rest FOR EACH STATEMENT EXECUTE FUNCTION on_delete()`,
    `ALTER TABLE ${TABLE}_rest ENABLE ALWAYS TRIGGER of_rest`,
  )
  // Subscribers would receive the removal of a late row, and never its return.
  for (const published of [
    `FOR TABLE ${TABLE} WITH (publish_via_partition_root = true)`,
    'FOR ALL TABLES',
    ...(
      await place.rows(
        `SELECT 'FOR TABLES IN SCHEMA public' WHERE current_setting('server_version_num')::int >= 150000`,
      )
    ).flat(),
  ]) {
    await place.sql(`CREATE PUBLICATION "their's" ${published}`)
    for (const dryRun of [true, false]) {
      const { finished } = await perform({ ...back, dryRun } as Operation)
      expect(finished).toMatchObject({ error: { code: 'TABLE_REFUSED' } })
      expect(finished.error?.reason).toContain(`the publication "their's" would send the DELETE of these rows`)
      expect(finished.error?.hint).toContain(`first create public.${TABLE}_rest_late at the subscribers`)
    }
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}_rest`)).toEqual([['3']])
    await place.sql(`DROP PUBLICATION "their's"`)
  }
  await place.sql(`CREATE VIEW ${TABLE}_0 AS SELECT 1`)
  for (const dryRun of [true, false]) {
    const { finished } = await perform({ ...back, dryRun } as Operation)
    expect(finished).toMatchObject({ error: { code: 'TABLE_REFUSED' } })
    expect(finished.error?.message).toContain(`the name public.${TABLE}_0 is already used`)
  }
  await place.sql(`DROP VIEW ${TABLE}_0`)
  expect((await perform(back)).finished).toMatchObject({ exitCode: 0 })
  const states = `SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = '${TABLE}_rest'::regclass AND tgconstrindid = 0 ORDER BY 1`
  expect(await place.rows(states)).toEqual([
    ['of_all', 'O'],
    ['of_rest', 'A'],
  ])
  await place.sql('DROP FUNCTION on_delete() CASCADE')
  expect(await place.rows(`SELECT count(*) FROM ${TABLE}_rest`)).toEqual([['2']])
  await place.sql(`DELETE FROM ${TABLE}_rest WHERE id = 100003`)
  expect((await perform(taken)).finished).toMatchObject({ exitCode: 0 })
  expect(await place.rows(`SELECT count(*) FROM ${TABLE}_rest`)).toEqual([['0']])
  expect(await place.rows(`SELECT count(*) FROM ${TABLE} WHERE at >= '2020-04-01' AND at < '2020-07-01'`)).toEqual([
    ['21'],
  ])
  expect(await place.rows(`SELECT * FROM ${TABLE} WHERE id = 90001`)).toEqual([
    ['90001', expect.stringContaining('2020-02-02'), 'late', null],
  ])
  expect(await place.rows(`SELECT count(*) FROM ${TABLE} WHERE at < '2020-04-01'`)).toEqual([['21']])
})

test.skipIf(why !== '')(
  `late rows below a default partition that is partitioned itself${why}`,
  { timeout: 60_000 },
  async () => {
    const place = await makePlace('postgresql', folder)
    const archived = await makeBookings(place, 'native', mkdtempSync(join(folder, 'to-')), 20)
    await place.sql(
      `CREATE TABLE ${TABLE}_rest PARTITION OF ${TABLE} DEFAULT PARTITION BY RANGE (id)`,
      `CREATE TABLE ${TABLE}_low PARTITION OF ${TABLE}_rest FOR VALUES FROM (MINVALUE) TO (100000)`,
      `CREATE TABLE ${TABLE}_high PARTITION OF ${TABLE}_rest FOR VALUES FROM (100000) TO (MAXVALUE)`,
    )
    const { run, restore } = commandsOf(archived)
    expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
    const before = await place.rows(`SELECT id FROM ${TABLE}`)
    await place.sql(
      `INSERT INTO ${TABLE} VALUES (90001, '2020-02-02', 'late', NULL)`,
      `CREATE TABLE photos (b_id bigint, b_at timestamp(0), CONSTRAINT of_low FOREIGN KEY (b_id, b_at) REFERENCES ${TABLE}_low ON DELETE CASCADE)`,
      `INSERT INTO photos VALUES (90001, '2020-02-02')`,
      `CREATE FUNCTION on_delete() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'deleted'; END$$`,
      `CREATE TRIGGER of_all AFTER DELETE ON ${TABLE} FOR EACH ROW EXECUTE FUNCTION on_delete()`,
      `CREATE TRIGGER of_low BEFORE DELETE ON ${TABLE}_low FOR EACH ROW EXECUTE FUNCTION on_delete()`,
      `ALTER TABLE ${TABLE}_low ENABLE ALWAYS TRIGGER of_low`,
    )
    const back = { ...restore, partitions: ['2020-Q1'] } as Operation
    const { error } = (await perform(back)).finished
    expect(error).toMatchObject({
      code: 'TABLE_REFUSED',
      reason: expect.stringContaining('foreign key of_low') as string,
    })
    expect(error?.hint).toContain('ALTER TABLE "public"."photos" DROP CONSTRAINT "of_low"')
    expect(await place.rows('SELECT count(*) FROM photos')).toEqual([['1']])
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}_low`)).toEqual([['1']])
    await place.sql('ALTER TABLE photos DROP CONSTRAINT of_low')
    expect((await perform(back)).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}_low`)).toEqual([['0']])
    expect(await place.rows(`SELECT id FROM ${TABLE}`)).toHaveLength(before.length + 21)
    expect(
      await place.rows(
        `SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = '${TABLE}_low'::regclass AND tgconstrindid = 0 ORDER BY 1`,
      ),
    ).toEqual([
      ['of_all', 'O'],
      ['of_low', 'A'],
    ])
  },
)

test('rows without a time', async () => {
  const place = await makePlace('sqlite', folder)
  await place.sql(
    'CREATE TABLE visits (id INTEGER PRIMARY KEY, at DATE)',
    "INSERT INTO visits VALUES (1, '2020-01-05'), (2, NULL), (3, NULL)",
  )
  const run: Operation = {
    kind: 'archive',
    from: place.url,
    tables: ['visits'],
    to: join(folder, 'visits'),
    by: 'at',
    olderThan: '8q',
    partitions: [],
    asText: [],
    detach: true,
    drop: false,
    dryRun: false,
  }
  for (const dryRun of [true, false]) {
    expect(notes(await perform({ ...run, dryRun }))).toContain(
      '2 rows have no value in at: they do not belong to a period, and runs do not archive them',
    )
  }
})

test.skipIf(why !== '')(`rows of infinity${why}`, async () => {
  const place = await makePlace('postgresql', folder)
  await place.sql(
    'CREATE TABLE visits (id int PRIMARY KEY, at timestamptz)',
    "INSERT INTO visits VALUES (1, '2020-01-05'), (2, 'infinity'), (3, NULL)",
  )
  const plan: Operation = {
    kind: 'archive',
    from: place.url,
    tables: ['visits'],
    to: join(folder, 'infinite'),
    by: 'at',
    olderThan: '8q',
    partitions: [],
    asText: [],
    detach: true,
    drop: false,
    dryRun: true,
  }
  expect(notes(await perform(plan))).toContain(
    '1 row has no value in at, some have infinity in at, and were not counted: they do not belong to a period, and runs do not archive them',
  )
})

test.skipIf(why !== '')(
  `rows of a table that was partitioned later return to the default partition, and the restore reports it${why}`,
  { timeout: 60_000 },
  async () => {
    const place = await makePlace('postgresql', folder)
    const archived = await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 20)
    const { run, drop, restore } = commandsOf(archived)
    for (const operation of [run, drop]) expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
    await place.sql(
      `ALTER TABLE ${TABLE} RENAME TO parked`,
      `CREATE TABLE ${TABLE} (LIKE parked, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
      `CREATE TABLE ${TABLE}_now PARTITION OF ${TABLE} FOR VALUES FROM ('2020-07-01') TO (MAXVALUE)`,
      `CREATE TABLE ${TABLE}_rest PARTITION OF ${TABLE} DEFAULT`,
      `INSERT INTO ${TABLE} SELECT * FROM parked`,
      'DROP TABLE parked',
    )
    const back = await perform({ ...restore, partitions: ['2020-Q1'] } as Operation)
    expect(back.finished).toMatchObject({ exitCode: 0 })
    const warned = back.events.filter((event) => event.type === 'log' && event.level === 'warn')
    expect(warned).toContainEqual(
      expect.objectContaining({
        message: `rows of 2020-Q1 were restored into the default partition public.${TABLE}_rest, which runs do not archive`,
        hint: expect.stringMatching(/^a partition from 2020-01-01.* to 2020-04-01.* lets runs archive them again/),
      }),
    )
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}_rest`)).toEqual([['20']])
  },
)

test.skipIf(why !== '').each(['date', 'timestamp', 'timestamptz'])(
  `partitions whose bounds are infinity, beside a default partition: %s${why}`,
  { timeout: 60_000 },
  async (type) => {
    const place = await makePlace('postgresql', folder)
    await place.sql(
      `CREATE TABLE ${TABLE} (id int, at ${type} NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
      `CREATE TABLE first PARTITION OF ${TABLE} FOR VALUES FROM ('-infinity') TO ('2020-01-01')`,
      `CREATE TABLE last PARTITION OF ${TABLE} FOR VALUES FROM ('2090-01-01') TO ('infinity')`,
      `CREATE TABLE rest PARTITION OF ${TABLE} DEFAULT`,
      `INSERT INTO ${TABLE} VALUES (1, '2018-05-05'), (2, '2019-05-05'), (3, '2090-05-05'), (4, 'infinity'), (5, '2050-01-01')`,
    )
    const rows = () => place.rows(`SELECT id, at::text, tableoid::regclass::text FROM ${TABLE} ORDER BY id`)
    const before = await rows()
    const places = commandsOf({ place, form: 'native', to: mkdtempSync(join(folder, 'to-')) })
    const partitions = ['first', 'last']
    const commands = {
      run: { ...places.run, olderThan: undefined, partitions },
      verify: places.verify,
      list: { kind: 'archive-list', from: place.url, tables: [], count: false },
      restore: { ...places.restore, partitions },
    } as unknown as Record<'run' | 'verify' | 'list' | 'restore', Operation>
    const looks = [commands.verify, commands.list, dry(commands.run), dry(commands.restore)]
    expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
    for (const look of looks) expect((await perform(look)).finished).toMatchObject({ exitCode: 0 })
    // A late row goes to the default partition, and is one of the first partition only.
    await place.sql(`INSERT INTO ${TABLE} VALUES (6, '2018-01-01')`)
    const listed = (await perform(commands.list)).events.flatMap((event) =>
      event.type === 'archived' ? [[event.partition, event.surplus]] : [],
    )
    expect(listed).toEqual([
      ['first', '1'],
      ['last', undefined],
    ])
    expect((await perform(commands.restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await rows()).toEqual([...before, ['6', expect.stringMatching(/^2018-01-01/), 'first']])
  },
)
