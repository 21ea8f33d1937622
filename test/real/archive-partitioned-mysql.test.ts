/** Tables of MySQL that are partitioned: a plan says how, archives them by a column, and calls none of them plain. */
import { expect, test } from 'vitest'
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
])('one that is partitioned by %s (%s)', async (kind, clause) => {
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
  expect(unsaid.finished.error?.message).toContain(`visits is partitioned by ${kind}`)
  const by = await perform({ ...plan, by: 'made' })
  expect(by.finished).toMatchObject({ exitCode: 0 })
})
