/** Rows of other tables that refer to archived rows: the plan names them, and no step deletes them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, TABLE } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const noPostgres = await missing('postgresql')
const noMysql = await missing('mysql')
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-referred-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const messages = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
const planned = ({ events }: Ran): Readonly<Record<string, string>> =>
  Object.fromEntries(
    events.flatMap((event) =>
      event.type === 'archive.planned' ? [[event.partition, `${event.status}: ${event.note ?? ''}`]] : [],
    ),
  )
const only = (operation: Operation, label: string): Operation => ({ ...operation, partitions: [label] }) as Operation
const dry = (operation: Operation): Operation => ({ ...operation, dryRun: true }) as Operation

describe.skipIf(noPostgres !== '')(`partitions of PostgreSQL${noPostgres}`, { timeout: 90_000 }, () => {
  const KEY = `photos_b_id_b_at_fkey`

  async function withPhotos(onDelete: string, form: 'native' | 'divided' = 'native') {
    const place = await makePlace('postgresql', folder)
    const archived = await makeBookings(place, form, mkdtempSync(join(folder, 'to-')), 20)
    await place.sql(
      `CREATE TABLE photos (id int PRIMARY KEY, b_id bigint, b_at timestamp(0), FOREIGN KEY (b_id, b_at) REFERENCES ${TABLE} ON DELETE ${onDelete}) PARTITION BY HASH (id)`,
      'CREATE TABLE photos_0 PARTITION OF photos FOR VALUES WITH (MODULUS 1, REMAINDER 0)',
      `INSERT INTO photos VALUES (1, 100003, '2020-04-01 03:00'), (2, 200001, '2090-01-01 01:00'), (3, NULL, NULL)`,
    )
    return { place, archived, commands: commandsOf(archived) }
  }
  test('a restore names the missing row that its rows refer to', async () => {
    const { place, commands } = await withPhotos('NO ACTION')
    await place.sql(
      'CREATE TABLE owners (id bigint PRIMARY KEY)',
      `INSERT INTO owners SELECT id FROM ${TABLE}`,
      `ALTER TABLE ${TABLE} ADD FOREIGN KEY (id) REFERENCES owners`,
    )
    const { drop, restore, run } = commands
    expect((await perform(only(run, '2020-Q1'))).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(only(drop, '2020-Q1'))).finished).toMatchObject({ exitCode: 0 })
    await place.sql('DELETE FROM owners WHERE id = 3')
    const refused = await perform(only(restore, '2020-Q1'))
    expect(refused.finished.error?.hint).toContain('refer to a missing row')
    await place.sql('INSERT INTO owners VALUES (3)')
    expect((await perform(only(restore, '2020-Q1'))).finished).toMatchObject({ exitCode: 0 })
  })

  const photos = (place: Place) => place.rows('SELECT id, b_id FROM photos ORDER BY id')

  test.each(['native', 'divided'] as const)(
    'the plan names key and row that hold a partition; all others are archived: %s',
    async (form) => {
      const { place, commands } = await withPhotos('CASCADE', form)
      const { run, drop, restore, query, verify } = commands
      const before = await photos(place)
      const counted = (await countedBy(query)).counted
      const plan = await perform(dry(run))
      expect(messages(plan).join('')).toEqual(
        `foreign key ${KEY}: public.photos (b_id, b_at) refers to (id, at), ON DELETE CASCADE: a partition with referenced rows cannot be detached`,
      )
      const held = `public.photos (b_id, b_at) = (100003, 2020-04-01 03:00:00) refers to it (foreign key ${KEY})`
      expect(planned(plan)).toMatchObject({
        '2020-Q1': expect.stringMatching(/^due: /),
        '2020-Q2': expect.stringContaining(`blocked: ${held}`),
      })
      const ran = await perform(run)
      expect(ran.finished).toMatchObject({ exitCode: 0 })
      expect(messages(ran).join('\n')).toContain(`it stays: 2020-Q2: ${held}`)
      expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
      expect(await place.rows(`SELECT extract(month FROM at), count(*) FROM ${TABLE} GROUP BY 1 ORDER BY 1`)).toEqual([
        ['1', '20'],
        ['4', '20'],
      ])
      expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
      expect((await countedBy(query)).counted).toBe(counted)
      // Without the referring row the partition leaves, too.
      await place.sql('UPDATE photos SET b_id = NULL, b_at = NULL WHERE id = 1')
      expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
      expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
      expect((await countedBy(query)).counted).toBe(counted)
      expect(await place.rows('SELECT count(*) FROM photos')).toEqual([[String(before.length)]])
      // The foreign key applies to the restored rows.
      await expect(
        place.sql(`DELETE FROM ${TABLE} WHERE id = 3; INSERT INTO photos VALUES (9, 3, '2020-01-01 03:00')`),
      ).rejects.toThrow(KEY)
    },
  )

  test('a referring row added after the plan keeps the partition in its table', async () => {
    const { place, commands } = await withPhotos('CASCADE')
    const { run } = commands
    expect((await perform({ ...only(run, '2020-Q1'), detach: false } as Operation)).finished).toMatchObject({
      exitCode: 0,
    })
    await place.sql(`INSERT INTO photos VALUES (4, 5, '2020-01-01 05:00')`)
    const before = await photos(place)
    expect(planned(await perform(dry(run)))['2020-Q1']).toContain('resume: public.photos (b_id, b_at) = (5, ')
    const ran = await perform(only(run, '2020-Q1'))
    expect(ran.finished).toMatchObject({ exitCode: 4 })
    expect(JSON.stringify(ran.events)).toContain('rows of another table refer to these')
    expect(await photos(place)).toEqual(before)
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}_0`)).toEqual([['20']])
  })

  test('the server searches for referring rows only as long as the lock timeout allows', async () => {
    const { place, commands } = await withPhotos('RESTRICT')
    await place.sql(`INSERT INTO photos SELECT n, 200001, '2090-01-01 01:00' FROM generate_series(10, 50000) n`)
    const run = { ...only(commands.run, '2020-Q1'), patienceMs: 1 } as Operation
    const hasty = await perform(run)
    expect(JSON.stringify(hasty.events)).toContain('the search for rows that refer to')
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}_0`)).toEqual([['20']])
    expect((await perform({ ...run, patienceMs: 20_000 } as Operation)).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows(`SELECT to_regclass('${TABLE}_0')`)).toEqual([[null]])
  })

  test.each(['CASCADE', 'SET NULL', 'NO ACTION'])('late rows with referring rows, ON DELETE %s', async (onDelete) => {
    const { place, commands } = await withPhotos(onDelete)
    const { run, restore } = commands
    await place.sql(`CREATE TABLE ${TABLE}_rest PARTITION OF ${TABLE} DEFAULT`)
    expect((await perform(only(run, '2020-Q1'))).finished).toMatchObject({ exitCode: 0 })
    await place.sql(
      `INSERT INTO ${TABLE} VALUES (90001, '2020-02-02', 'late', NULL)`,
      `INSERT INTO photos VALUES (5, 90001, '2020-02-02')`,
    )
    const before = await photos(place)
    const { finished } = await perform(only(restore, '2020-Q1'))
    expect(finished.error).toMatchObject({ code: 'TABLE_REFUSED' })
    expect(finished.error?.message).toContain(
      'public.photos (b_id, b_at) = (90001, 2020-02-02 00:00:00) refers to a late row',
    )
    expect(await photos(place)).toEqual(before)
    // The statements of the hint work.
    const [, away, add] =
      /drop the foreign key first: (.*?); run the same command again; then (.*)$/.exec(finished.error?.hint ?? '') ?? []
    await place.sql(away ?? '')
    expect((await perform(only(restore, '2020-Q1'))).finished).toMatchObject({ exitCode: 0 })
    await place.sql(add ?? '')
    expect(await photos(place)).toEqual(before)
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}_0`)).toEqual([['21']])
  })
})

test.skipIf(noPostgres !== '')(`a plain table of PostgreSQL${noPostgres}`, { timeout: 60_000 }, async () => {
  const place = await makePlace('postgresql', folder)
  const { run, drop } = commandsOf(await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 20))
  await place.sql(
    `CREATE TABLE photos (id int PRIMARY KEY, b_id bigint REFERENCES ${TABLE} ON DELETE CASCADE)`,
    `ALTER TABLE ${TABLE} ADD before bigint REFERENCES ${TABLE}`,
    `UPDATE ${TABLE} SET before = 3 WHERE id IN (4, 100001)`,
    'INSERT INTO photos VALUES (1, 100003), (2, 200001)',
  )
  const plan = await perform(dry(run))
  expect(messages(plan)).toEqual([
    `foreign key ${TABLE}_before_fkey: public.${TABLE} (before) refers to (id), ON DELETE NO ACTION`,
    'foreign key photos_b_id_fkey: public.photos (b_id) refers to (id), ON DELETE CASCADE: rows are not removed while the foreign key exists',
  ])
  expect(planned(plan)).toEqual({
    '2020-Q1': `due: public.${TABLE}.before = 3 refers to it (foreign key ${TABLE}_before_fkey)`,
    '2020-Q2': 'due: public.photos.b_id = 100003 refers to it (foreign key photos_b_id_fkey)',
  })
  expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
  expect(planned(await perform(dry(drop)))['2020-Q2']).toContain('drop: public.photos.b_id = 100003 refers to it')
  expect((await perform(drop)).finished).toMatchObject({ exitCode: 1 })
  expect(await place.rows('SELECT count(*) FROM photos')).toEqual([['2']])
  expect(await place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['60']])
})

test.skipIf(noMysql !== '')(`MySQL${noMysql}`, { timeout: 60_000 }, async () => {
  const place = await makePlace('mysql', folder)
  const { run, drop } = commandsOf(await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 20))
  await place.sql(
    `CREATE TABLE photos (id int PRIMARY KEY, b_id bigint, CONSTRAINT of_b FOREIGN KEY (b_id) REFERENCES ${TABLE} (id))`,
    `CREATE TABLE notes (id int PRIMARY KEY, b_id bigint, CONSTRAINT on_b FOREIGN KEY (b_id) REFERENCES ${TABLE} (id) ON DELETE CASCADE)`,
    'INSERT INTO photos VALUES (1, 100003), (2, 200001)',
    'INSERT INTO notes VALUES (1, 3)',
  )
  const plan = await perform(dry(run))
  expect(messages(plan)).toEqual([
    expect.stringMatching(
      /^foreign key on_b: \S+notes \(b_id\) refers to \(id\), ON DELETE CASCADE: rows are not removed/,
    ),
    expect.stringMatching(/^foreign key of_b: \S+photos \(b_id\) refers to \(id\), ON DELETE (?:RESTRICT|NO ACTION)$/),
  ])
  expect(planned(plan)).toEqual({
    '2020-Q1': expect.stringMatching(/^due: \S+notes\.b_id = 3 refers to it \(foreign key on_b\)$/),
    '2020-Q2': expect.stringMatching(/^due: \S+photos\.b_id = 100003 refers to it \(foreign key of_b\)$/),
  })
  expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
  expect((await perform(drop)).finished).toMatchObject({ exitCode: 1 })
  await place.sql('DROP TABLE notes')
  // Rows with referring rows stay; the other period leaves.
  expect((await perform(drop)).finished).toMatchObject({ exitCode: 1 })
  expect(await place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['40']])
  expect(await place.rows('SELECT count(*) FROM photos')).toEqual([['2']])
})

test.skipIf(noMysql !== '')(
  `a column that the login of MySQL may not read${noMysql}`,
  { timeout: 60_000 },
  async () => {
    const place = await makePlace('mysql', folder)
    const archived = await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 20)
    const narrow = new URL(place.url)
    const shop = narrow.pathname.slice(1)
    Object.assign(narrow, { username: 'reads_some', password: 'word' })
    await place.sql(
      `ALTER TABLE ${TABLE} ADD secret varchar(9) DEFAULT 's'`,
      'DROP USER IF EXISTS reads_some',
      "CREATE USER reads_some IDENTIFIED BY 'word'",
      `GRANT CREATE, INDEX ON ${shop}.* TO reads_some`,
      `GRANT SELECT (id, at, note, amount), DELETE ON ${shop}.${TABLE} TO reads_some`,
    )
    expect((await perform(only(commandsOf(archived).run, '2020-Q1'))).finished).toMatchObject({ exitCode: 0 })
    const ledger = await place.rows(
      "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'migration%'",
    )
    await place.sql(...ledger.map(([name]) => `GRANT ALL ON ${shop}.${name} TO reads_some`))
    const { run, drop, restore } = commandsOf({ ...archived, place: { url: narrow.href } })
    for (const command of [dry(run), run, only(drop, '2020-Q1'), only(restore, '2020-Q1')]) {
      const { finished } = await perform(command)
      expect(finished.error).toMatchObject({ code: 'SOURCE_DENIED' })
      expect(finished.error?.hint).toContain(`GRANT SELECT ON ${shop}.${TABLE}`)
    }
    expect(await place.rows(`SELECT count(secret) FROM ${TABLE}`)).toEqual([['60']])
  },
)

test('SQLite: a row whose parent row is missing is restored, with a warning', { timeout: 60_000 }, async () => {
  const place = await makePlace('sqlite', folder)
  const { run, drop, restore } = commandsOf(await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 20))
  await place.sql(
    'CREATE TABLE owners (k TEXT COLLATE NOCASE PRIMARY KEY)',
    "INSERT INTO owners VALUES ('A'), ('B')",
    `ALTER TABLE ${TABLE} ADD owner TEXT REFERENCES owners`,
    `UPDATE ${TABLE} SET owner = 'a' WHERE id IN (3, 4)`,
    `UPDATE ${TABLE} SET owner = 'b' WHERE id IN (5, 200003)`,
  )
  expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
  expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
  await place.sql("DELETE FROM owners WHERE k = 'A'")
  const back = await perform(only(restore, '2020-Q1'))
  expect(back.finished).toMatchObject({ exitCode: 0 })
  expect(messages(back)).toContain('2020-Q1: 2 rows refer by (owner) to rows of owners that are gone')
  expect(messages(back).filter((text) => text.includes('are gone'))).toHaveLength(1)
})

test('SQLite', { timeout: 60_000 }, async () => {
  const place = await makePlace('sqlite', folder)
  const { run, drop } = commandsOf(await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 20))
  await place.sql(
    `CREATE TABLE photos (id INTEGER PRIMARY KEY, b_id INTEGER REFERENCES ${TABLE} ON DELETE CASCADE)`,
    'INSERT INTO photos VALUES (1, 100003), (2, 200001)',
  )
  const plan = await perform(dry(run))
  expect(messages(plan)).toEqual(['foreign key on b_id: photos (b_id) refers to (id), ON DELETE CASCADE'])
  expect(planned(plan)).toEqual({
    '2020-Q1': 'due: ',
    '2020-Q2': 'due: photos.b_id = 100003 refers to it (foreign key on b_id)',
  })
  expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
  expect((await perform(drop)).finished).toMatchObject({ exitCode: 1 })
  expect(await place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['40']])
  expect(await place.rows('SELECT count(*) FROM photos')).toEqual([['2']])
})
