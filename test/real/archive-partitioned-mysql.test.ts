/** Partitioned tables of MySQL: a plan shows the partitioning, and they are archived by a column. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandsOf, makeBookings, TABLE } from '../support/archive-places.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'

const why = await missing('mysql')

test.skipIf(why !== '').each([
  ['range', `RANGE (TO_DAYS(made)) (PARTITION a VALUES LESS THAN (TO_DAYS('2020-04-01')), PARTITION z VALUES LESS THAN MAXVALUE)`], // prettier-ignore
  ['range columns', `RANGE COLUMNS (made) (PARTITION a VALUES LESS THAN ('2020-04-01'), PARTITION z VALUES LESS THAN (MAXVALUE))`], // prettier-ignore
  [
    'list',
    `LIST (MONTH(made)) (PARTITION a VALUES IN (1, 2, 3, 4, 5, 6), PARTITION z VALUES IN (7, 8, 9, 10, 11, 12))`,
  ],
  ['hash', `HASH (MONTH(made)) PARTITIONS 3`],
  ['key', `KEY (made) PARTITIONS 3`],
  ['range', `RANGE (TO_DAYS(made)) SUBPARTITION BY HASH (MONTH(made)) SUBPARTITIONS 2 (PARTITION a VALUES LESS THAN MAXVALUE)`], // prettier-ignore
])('a table that is partitioned by %s (%s)', async (kind, clause) => {
  using folder = temporaryFolder()
  const place = await makePlace('mysql', folder.path)
  await place.sql(
    `CREATE TABLE visits (id bigint NOT NULL, made date NOT NULL, PRIMARY KEY (id, made)) PARTITION BY ${clause}`,
    `INSERT INTO visits VALUES (1, '2020-01-05'), (2, '2020-05-05'), (3, '2020-05-06')`,
  )
  const plan = {
    kind: 'archive',
    from: place.url,
    to: folder.path,
    tables: ['visits'],
    partitions: ['2020-Q1'],
    asText: [],
    detach: false,
    drop: false,
    dryRun: true,
  } as const
  const unsaid = await perform(plan)
  expect(unsaid.finished.error).toMatchObject({ code: 'BAD_FLAG', hint: expect.stringContaining('--by') as string })
  expect(unsaid.finished.error?.message).toContain(`the table is partitioned by ${kind}`)
  const by = await perform({ ...plan, by: 'made' })
  expect(by.finished).toMatchObject({ exitCode: 0 })
})

test.skipIf(why !== '')('rows whose partition a user dropped: the error shows how to create one', async () => {
  using folder = temporaryFolder()
  const place = await makePlace('mysql', folder.path)
  const made = await makeBookings(place, 'plain', join(folder.path, 'to'), 5)
  await place.sql(
    `ALTER TABLE ${TABLE} DROP PRIMARY KEY, ADD PRIMARY KEY (id, at)`,
    `ALTER TABLE ${TABLE} PARTITION BY LIST (YEAR(at)) (PARTITION past VALUES IN (2020), PARTITION now VALUES IN (2090))`,
  )
  const { run, drop, restore } = commandsOf(made)
  for (const one of [run, drop]) expect((await perform(one)).finished).toMatchObject({ exitCode: 0 })
  await place.sql(`ALTER TABLE ${TABLE} DROP PARTITION past`)
  const only = { ...restore, partitions: ['2020-Q1'] }
  expect((await perform(only)).finished.error).toMatchObject({
    code: 'ROW_REFUSED',
    hint: expect.stringMatching(/ADD PARTITION/) as string,
  })
  await place.sql(`ALTER TABLE ${TABLE} ADD PARTITION (PARTITION past VALUES IN (2020))`)
  expect((await perform(only)).finished).toMatchObject({ exitCode: 0 })
  expect(await place.rows(`SELECT COUNT(*) FROM ${TABLE}`)).toEqual([['10']])
})
