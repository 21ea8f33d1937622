/** Empty native partitions whose period was archived from the plain table before: they are no further parts of it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { commandsOf, makeBookings, QUARTERS, TABLE } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Ran } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-empty-partition-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const planned = ({ events }: Ran): readonly unknown[] =>
  events.flatMap((event) =>
    event.type === 'archive.planned' ? [[event.partition, event.status, event.rows, event.note]] : [],
  )

const why = await missing('postgresql')
test.skipIf(why !== '')(
  `an empty partition of an archived period is no further part of it${why}`,
  { timeout: 60_000 },
  async () => {
    const place = await makePlace('postgresql', folder)
    const archived = await makeBookings(place, 'plain', join(folder, 'to'), 20)
    for (const step of [commandsOf(archived).run, commandsOf(archived).drop])
      expect((await perform(step)).finished.exitCode).toBe(0)
    await place.sql(
      `ALTER TABLE ${TABLE} RENAME TO plain`,
      `CREATE TABLE ${TABLE} (LIKE plain, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
      ...QUARTERS.map(
        ([from, to], i) => `CREATE TABLE ${TABLE}_${i} PARTITION OF ${TABLE} FOR VALUES FROM ('${from}') TO ('${to}')`,
      ),
      `CREATE TABLE ${TABLE}_rest PARTITION OF ${TABLE} DEFAULT`,
      `INSERT INTO ${TABLE} SELECT * FROM plain`,
      `INSERT INTO ${TABLE} VALUES (7, '2020-05-05', 'late', 1)`,
      'DROP TABLE plain',
    )
    const { run } = commandsOf({ ...archived, form: 'native' })
    const plan = await perform({ ...run, dryRun: true } as Operation)
    const empty = (no: number): unknown => [`${TABLE}_${no}`, 'blocked', '0', 'it is empty: detach and drop it by hand']
    expect(planned(plan)).toContainEqual(empty(0))
    expect(planned(plan)).toContainEqual(expect.arrayContaining(['2020-Q2.part2', 'due']))
    // The estimate is of rows that are deleted by now.
    await place.sql(`ANALYZE ${TABLE}`, `DELETE FROM ${TABLE} WHERE id = 7`)
    const ran = await perform(run)
    expect(planned(ran)).toContainEqual(empty(1))
    const parts = await place.rows('SELECT partition_name FROM migration_archive_partitions ORDER BY 1')
    expect(parts).toEqual([['2020-Q1'], ['2020-Q2']])
  },
)
