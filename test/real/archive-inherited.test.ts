/** Tables of PostgreSQL that share rows by INHERITS, partitions that are foreign tables, and tables of a type. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, TABLE } from '../support/archive-places.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const why = await missing('postgresql')
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-inherited-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const newFolder = (): string => mkdtempSync(join(folder, 'to-'))

describe.skipIf(why !== '')(`PostgreSQL${why}`, { timeout: 60_000 }, () => {
  test.each(['', ', more int'])('a table that others inherit from is refused, and they are named%s', async (more) => {
    const place = await makePlace('postgresql', folder)
    const { run } = commandsOf(await makeBookings(place, 'plain', newFolder(), 20))
    await place.sql(
      `CREATE TABLE heir (PRIMARY KEY (id)${more}) INHERITS (${TABLE})`,
      'CREATE TABLE grandchild (PRIMARY KEY (id)) INHERITS (heir)',
      "INSERT INTO grandchild (id, at) VALUES (777, '2020-02-02')",
    )
    for (const dryRun of [true, false]) {
      const { finished } = await perform({ ...run, dryRun } as Operation)
      expect(finished.error).toMatchObject({
        code: 'TABLE_REFUSED',
        message: `public.grandchild, public.heir inherit from public.${TABLE}`,
      })
    }
    await place.sql(`ALTER TABLE heir NO INHERIT ${TABLE}`)
    expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
  })

  test('an heir is archived, and its rows alone', async () => {
    const place = await makePlace('postgresql', folder)
    const archived = await makeBookings(place, 'plain', newFolder(), 20)
    await place.sql(
      `ALTER TABLE ${TABLE} RENAME TO base`,
      `CREATE TABLE ${TABLE} (PRIMARY KEY (id)) INHERITS (base)`,
      `INSERT INTO ${TABLE} SELECT id + 1000000, at, note, amount FROM ONLY base`,
    )
    const { run, drop, verify, restore, query } = commandsOf(archived)
    const { counted } = await countedBy(query)
    const ran = await perform(run)
    expect(ran.finished).toMatchObject({ exitCode: 0 })
    expect(ran.events).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('it inherits from public.base') }),
    )
    expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    expect((await countedBy(query)).counted).toBe(counted)
    expect(await place.rows(`SELECT (SELECT count(*) FROM ONLY base), (SELECT count(*) FROM ${TABLE})`)).toEqual([
      ['60', '20'],
    ])
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows(`SELECT (SELECT count(*) FROM ONLY base), (SELECT count(*) FROM ${TABLE})`)).toEqual([
      ['60', '60'],
    ])
  })

  test('a partition that is a foreign table stays, and is named', async () => {
    const place = await makePlace('postgresql', folder)
    const { run } = commandsOf(await makeBookings(place, 'native', newFolder(), 20))
    await place.sql(
      'CREATE FOREIGN DATA WRAPPER nowhere',
      'CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere',
      `ALTER TABLE ${TABLE} DROP CONSTRAINT ${TABLE}_pkey`,
      `CREATE FOREIGN TABLE ${TABLE}_far PARTITION OF ${TABLE} FOR VALUES FROM ('2019-01-01') TO ('2019-04-01') SERVER nowhere`,
    )
    const ran = await perform(run)
    expect(ran.finished).toMatchObject({ exitCode: 0 })
    expect(ran.events).toContainEqual(
      expect.objectContaining({
        partition: '2019-Q1',
        status: 'blocked',
        note: 'it is a foreign table: its rows are not in this database',
      }),
    )
  })

  test('tables of a type go and come back', async () => {
    for (const form of ['plain', 'native'] as const) {
      const place = await makePlace('postgresql', folder)
      await place.sql('CREATE TYPE booking AS (id bigint, at timestamp(0), note varchar(400), amount numeric(12,2))')
      const typed = `CREATE TABLE ${TABLE} OF booking (PRIMARY KEY (id${form === 'native' ? ', at' : ''}))`
      const asTyped = {
        ...place,
        sql: (...all: readonly string[]) =>
          place.sql(
            ...all.map((sql) =>
              sql.startsWith(`CREATE TABLE ${TABLE} (`)
                ? `${typed}${form === 'native' ? ' PARTITION BY RANGE (at)' : ''}`
                : sql,
            ),
          ),
      }
      const archived = await makeBookings(asTyped, form, newFolder(), 20)
      const { run, drop, verify, restore, query } = commandsOf(archived)
      const { counted } = await countedBy(query)
      for (const step of [run, drop, verify, restore]) {
        expect((await perform(step)).finished).toMatchObject({ exitCode: 0 })
        expect((await countedBy(query)).counted).toBe(counted)
      }
      expect(await place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['60']])
      expect(await place.rows(`SELECT reloftype::regtype::text FROM pg_class WHERE relname = '${TABLE}'`)).toEqual([
        ['booking'],
      ])
    }
  })
})
