/** PostgreSQL tables with INHERITS, partitions that are foreign tables, and typed tables. */
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
  test.each(['', ', more int'])('a table with INHERITS child tables is refused, and they are named%s', async (more) => {
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
        message: `public.${TABLE} cannot be archived: public.grandchild, public.heir inherit from it`,
      })
    }
    await place.sql(`ALTER TABLE heir NO INHERIT ${TABLE}`)
    expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
  })

  test('a child table is archived with its own rows only', async () => {
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

  test('a partition with an archive of its own is counted in each query, and is not archived twice', async () => {
    const place = await makePlace('postgresql', folder)
    const { run, drop, query, restore } = commandsOf(await makeBookings(place, 'plain', newFolder(), 20))
    // Archived before the table became a partition.
    for (const step of [run, drop]) expect((await perform(step)).finished).toMatchObject({ exitCode: 0 })
    await place.sql(
      'CREATE TABLE whole (id bigint NOT NULL, at timestamp(0) NOT NULL, note varchar(400), amount numeric(12,2)) PARTITION BY RANGE (at)',
      'CREATE TABLE middle PARTITION OF whole FOR VALUES FROM (MINVALUE) TO (MAXVALUE) PARTITION BY HASH (id)',
      `ALTER TABLE middle ATTACH PARTITION ${TABLE} FOR VALUES WITH (MODULUS 1, REMAINDER 0)`,
    )
    const all = { ...query, table: 'whole', query: 'SELECT count(*) FROM whole' } as Operation
    for (const table of ['whole', 'middle']) {
      const { finished } = await perform({ ...all, table, query: `SELECT count(*) FROM ${table}` } as Operation)
      expect(finished.error).toMatchObject({
        code: 'TABLE_REFUSED',
        hint: expect.stringContaining('sluice restore') as string,
      })
      expect(finished.error?.message).toContain(`public.${TABLE} (2020-Q1, 2020-Q2)`)
    }
    const whole = { ...(run as object), tables: ['whole'], by: undefined, to: newFolder() } as unknown as Operation
    for (const dryRun of [true, false]) {
      expect((await perform({ ...whole, dryRun } as Operation)).finished.error).toMatchObject({ code: 'TABLE_REFUSED' })
    }
    const again = await perform(run)
    expect(again.events).toContainEqual(
      expect.objectContaining({
        type: 'log',
        message: expect.stringContaining('it is a partition of public.middle, public.whole'),
      }),
    )
    expect((await countedBy(query)).counted).toMatch(/^60 /)
    const expire = {
      kind: 'archive-expire',
      from: place.url,
      table: TABLE,
      partitions: ['2020-Q1', '2020-Q2'],
      olderThan: '2y',
      retentionMs: 0,
      dryRun: false,
      confirm: TABLE,
    } as unknown as Operation
    expect((await perform(expire)).finished).toMatchObject({ exitCode: 0 })
    // Until the sweep their files exist, but queries do not count them.
    expect((await countedBy(all)).counted).toBe('20')
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
    expect((await countedBy(all)).counted).toBe('60')
  })

  test('a partition of a table that has an archive is not archived under its own name', async () => {
    const place = await makePlace('postgresql', folder)
    const { run } = commandsOf(await makeBookings(place, 'native', newFolder(), 20))
    const own = { ...(run as object), tables: [`${TABLE}_1`], by: 'at', to: newFolder() } as unknown as Operation
    expect(
      (await perform({ ...(run as object), partitions: ['2020-Q1'], olderThan: undefined } as unknown as Operation))
        .finished,
    ).toMatchObject({ exitCode: 0 })
    expect((await perform(own)).finished.error).toMatchObject({
      code: 'TABLE_REFUSED',
      message: `public.${TABLE}_1 cannot have its own archive: it is a partition of public.${TABLE}, which has an archive`,
    })
  })

  test('an erasure names the archives of partitions that it did not search', async () => {
    const place = await makePlace('postgresql', folder)
    const { run } = commandsOf(await makeBookings(place, 'native', newFolder(), 20))
    expect(
      (await perform({ ...(run as object), partitions: ['2020-Q1'], olderThan: undefined } as unknown as Operation))
        .finished,
    ).toMatchObject({ exitCode: 0 })
    const erase = {
      kind: 'archive-erase',
      from: place.url,
      table: TABLE,
      where: 'id = 100001',
      reason: 'asked',
      dryRun: false,
      confirm: TABLE,
    } as Operation
    // One that an older version archived as a separate table.
    const other = `${TABLE}_1`
    await place.sql(`ALTER TABLE ${TABLE} DETACH PARTITION ${other}`)
    expect(
      (await perform({ ...(run as object), tables: [other], by: 'at', to: newFolder() } as unknown as Operation))
        .finished,
    ).toMatchObject({ exitCode: 0 })
    await place.sql(`ALTER TABLE ${TABLE} ATTACH PARTITION ${other} FOR VALUES FROM ('2020-04-01') TO ('2020-07-01')`)
    const { finished } = await perform(erase)
    expect(finished.notChecked).toContain(`public.${other} (2020-Q2)`)
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

  test('typed tables are archived and restored', async () => {
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
