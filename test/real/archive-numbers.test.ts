/** Partitions by ranges of numbers: which numbers are times, and how an age applies to those that are not. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

const DAY = 86_400
const why = await missing('postgresql')
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-numbers-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const messages = ({ events }: Ran): string =>
  events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n')
const runOf = (place: Pick<Place, 'url'>, table: string, more: object = {}): Operation => ({
  kind: 'archive',
  from: place.url,
  to: join(folder, place.url.replaceAll(/\W+/g, '-')),
  tables: [table],
  partitions: [],
  asText: [],
  detach: true,
  drop: false,
  dryRun: false,
  ...more,
})
const OLD = { olderThan: '24m' }

/** Two partitions of serial ids, and one table with partitions of times. */
async function orders(): Promise<Place> {
  const place = await makePlace('postgresql', folder)
  await place.sql(
    'CREATE TABLE orders (id bigserial, note text, PRIMARY KEY (id)) PARTITION BY RANGE (id)',
    'CREATE TABLE orders_p0 PARTITION OF orders FOR VALUES FROM (1) TO (10001)',
    'CREATE TABLE orders_p10000 PARTITION OF orders FOR VALUES FROM (10001) TO (20001)',
    "INSERT INTO orders (note) SELECT 'o' || i FROM generate_series(1, 15000) i",
    'CREATE TABLE ev (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at)',
    "CREATE TABLE ev_2023 PARTITION OF ev FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')",
    "CREATE TABLE ev_2090 PARTITION OF ev FOR VALUES FROM ('2090-01-01') TO ('2091-01-01')",
    "INSERT INTO ev VALUES (1, '2023-05-01'), (2, '2090-11-01')",
  )
  return place
}
const insert = "INSERT INTO orders (note) VALUES ('one more')"
const standing = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'orders'::regclass"

describe.skipIf(why !== '')(`PostgreSQL${why}`, { timeout: 60_000 }, () => {
  test('serial ids are not times: a pattern skips their table by name, and the table alone is refused', async () => {
    const place = await orders()
    const ran = await perform(runOf(place, 'public.*', OLD))
    expect(ran.finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
    expect(messages(ran)).toContain('orders is skipped')
    await place.sql(insert)
    expect(await place.rows(standing)).toEqual([['2']])
    const alone = await perform(runOf(place, 'orders', OLD))
    expect(alone.finished.error).toMatchObject({ code: 'UNSUPPORTED_TYPE' })
    expect(alone.finished.error?.message).toContain('id, which is not a time')
    const listed = await perform({ kind: 'archive-list', from: place.url, tables: [], count: false })
    expect(listed.events.some((event) => event.type === 'archived' && event.table.includes('orders'))).toBe(false)
  })

  test('a partition chosen by name is detached, dropped and restored', async () => {
    const place = await orders()
    const named = { partitions: ['orders_p0'] }
    expect((await perform(runOf(place, 'orders', { ...named, graceMs: 0 }))).finished).toMatchObject({ exitCode: 0 })
    await place.sql(insert)
    // A rebuilt ledger knows that the partition was chosen by name, so that it may be dropped.
    const chosen = 'SELECT partition_name, state, chosen_by FROM migration_archive_partitions'
    const before = await place.rows(chosen)
    expect(before).toEqual([['orders_p0', 'DETACHED', 'name']])
    for (const one of ['s', '_partitions', '_history', '_heads', '_ledger'])
      await place.sql(`DROP TABLE migration_archive${one}`)
    const { to } = runOf(place, 'orders') as unknown as { readonly to: string }
    const adopt = {
      kind: 'archive-adopt',
      from: place.url,
      table: 'orders',
      confirm: 'orders',
      accept: [],
      to: join(to, 'public.orders'),
      dryRun: false,
    } as const
    expect((await perform(adopt)).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows(chosen)).toEqual(before)
    await place.sql('UPDATE migration_archive_partitions SET drop_after_ms = 0')
    const drop = { ...named, drop: true, confirm: 'orders' }
    expect((await perform(runOf(place, 'orders', drop))).finished).toMatchObject({
      exitCode: 0,
      totals: { dropped: '1' },
    })
    const back = await perform({ kind: 'restore', from: place.url, table: 'orders', ...named } as unknown as Operation)
    expect(back.finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows('SELECT count(*) FROM orders')).toEqual([['15001']])
  })

  test.each([
    ['seconds', 1],
    ['milliseconds', 1000],
  ])('bounds that are %s since 1970 are times; the partition with the newest key stays', async (_, unit) => {
    const place = await makePlace('postgresql', folder)
    const at = (day: string): number => (Date.parse(`${day}T00:00:00Z`) / 1000) * unit
    await place.sql('CREATE TABLE clicks (at bigint PRIMARY KEY) PARTITION BY RANGE (at)')
    for (const month of ['01', '02', '03']) {
      const next = `0${Number(month) + 1}`
      await place.sql(
        `CREATE TABLE clicks_${month} PARTITION OF clicks FOR VALUES FROM (${at(`2020-${month}-01`)}) TO (${at(`2020-${next}-01`)})`,
        `INSERT INTO clicks VALUES (${at(`2020-${month}-01`) + DAY * unit})`,
      )
    }
    const ran = await perform(runOf(place, 'clicks', OLD))
    expect(ran.finished).toMatchObject({ exitCode: 0, totals: { detached: '2' } })
    expect(messages(ran)).toContain('clicks_03')
    await place.sql(
      `INSERT INTO clicks VALUES (${at('2020-03-05')})`,
      'CREATE TABLE clicks_rest PARTITION OF clicks DEFAULT',
    )
    expect((await perform(runOf(place, 'clicks', OLD))).finished).toMatchObject({ totals: { detached: '1' } })
  })

  test.each([
    ['yyyymmdd', '20200101', '20200201', '20200301'],
    ['snowflakes', '1212092628029698048', '1223324804943413248', '1233834225305460736'],
    ['round numbers', '0', '1000000', '2000000'],
  ])('%s are not times unless --epoch says so', async (_, a, b, c) => {
    const place = await makePlace('postgresql', folder)
    await place.sql(
      'CREATE TABLE days (n bigint PRIMARY KEY) PARTITION BY RANGE (n)',
      `CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM (${a}) TO (${b})`,
      `CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM (${b}) TO (${c})`,
      `INSERT INTO days VALUES (${a}), (${b})`,
    )
    expect((await perform(runOf(place, 'days', OLD))).finished.error).toMatchObject({ code: 'UNSUPPORTED_TYPE' })
    if (a.length > 10) return
    const said = await perform(runOf(place, 'days', { ...OLD, epoch: 's' }))
    expect(said.finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
    // The ledger records that from then on.
    await place.sql(
      `CREATE TABLE days_3 PARTITION OF days FOR VALUES FROM (${c}) TO (${BigInt(c) * 2n})`,
      `INSERT INTO days VALUES (${c})`,
    )
    expect((await perform(runOf(place, 'days', OLD))).finished).toMatchObject({
      exitCode: 0,
      totals: { detached: '1' },
    })
  })

  test('ranges of ULIDs, which are texts, are not times', async () => {
    const place = await makePlace('postgresql', folder)
    const [a, b, c] = ['01DXF6DT000000000000000000', '01E000000000000000000000ZZ', '01E2F0000000000000000000ZZ']
    await place.sql(
      'CREATE TABLE ulids (n text COLLATE "C" PRIMARY KEY) PARTITION BY RANGE (n)',
      `CREATE TABLE ulids_1 PARTITION OF ulids FOR VALUES FROM ('${a}') TO ('${b}')`,
      `CREATE TABLE ulids_2 PARTITION OF ulids FOR VALUES FROM ('${b}') TO ('${c}')`,
      `INSERT INTO ulids VALUES ('${a}'), ('${b}')`,
    )
    for (const more of [OLD, { ...OLD, epoch: 's' }])
      expect((await perform(runOf(place, 'ulids', more))).finished.error).toMatchObject({ code: 'UNSUPPORTED_TYPE' })
    expect(await place.rows("SELECT count(*) FROM pg_inherits WHERE inhparent = 'ulids'::regclass")).toEqual([['2']])
    // Dates that are written as texts are times.
    await place.sql(
      'CREATE TABLE texts (n text COLLATE "C" PRIMARY KEY) PARTITION BY RANGE (n)',
      "CREATE TABLE texts_1 PARTITION OF texts FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')",
      'CREATE TABLE texts_rest PARTITION OF texts DEFAULT',
      "INSERT INTO texts VALUES ('2020-02-02')",
    )
    expect((await perform(runOf(place, 'texts', OLD))).finished).toMatchObject({ totals: { detached: '1' } })
  })

  test('partitions detached by an older version are named, never dropped, and can be restored', async () => {
    const place = await orders()
    const named = { partitions: ['orders_p0', 'orders_p10000'], graceMs: 0 }
    expect((await perform(runOf(place, 'orders', named))).finished).toMatchObject({ exitCode: 0 })
    // As a ledger of version 8 has it.
    await place.sql('UPDATE migration_archive_partitions SET chosen_by = NULL')
    const dropped = await perform(runOf(place, 'orders', { drop: true, confirm: 'orders' }))
    expect(dropped.finished.error).toMatchObject({ code: 'PARTITIONS_BLOCKED' })
    expect(dropped.finished.error?.reason).toContain('sluice restore --table public.orders --partition orders_p0')
    const listed = await perform({ kind: 'archive-list', from: place.url, tables: [], count: false })
    expect(messages(listed)).toContain('orders_p0 and orders_p10000')
    const doctor = await perform({ kind: 'doctor', catalog: place.url })
    expect(doctor.events).toContainEqual(expect.objectContaining({ type: 'check', check: 'archives', status: 'warn' }))
    const back = await perform({
      kind: 'restore',
      from: place.url,
      table: 'orders',
      partitions: ['orders_p0', 'orders_p10000'],
    } as unknown as Operation)
    expect(back.finished).toMatchObject({ exitCode: 0 })
    await place.sql(insert)
    expect(await place.rows(standing)).toEqual([['2']])
  })

  test('a later --grace reports that it does not apply to partitions that are detached already', async () => {
    const place = await orders()
    const named = { partitions: ['orders_p0'] }
    expect((await perform(runOf(place, 'orders', named))).finished).toMatchObject({ exitCode: 0 })
    expect(messages(await perform(runOf(place, 'orders', { ...named, graceMs: 0 })))).toContain('not to these')
  })

  test('an expiry by age applies the same rules', async () => {
    const place = await orders()
    const run = { partitions: ['orders_p0'], graceMs: 0 }
    await perform(runOf(place, 'orders', run))
    await perform(runOf(place, 'orders', { ...run, drop: true, confirm: 'orders' }))
    const expiry = {
      kind: 'archive-expire',
      from: place.url,
      table: 'orders',
      olderThan: '1m',
      partitions: [],
      retentionMs: 0,
      dryRun: false,
      confirm: 'orders',
    }
    const ran = await perform(expiry as unknown as Operation)
    expect(ran.finished.error).toMatchObject({ code: 'UNSUPPORTED_TYPE' })
  })
})

const systems = await Promise.all(
  (['postgresql', 'mysql', 'sqlite'] as const).map(async (system) => [system, await missing(system)] as const),
)
describe.each(systems.filter(([, absent]) => absent === ''))('plain tables of %s', { timeout: 60_000 }, (system) => {
  test('a column of numbers is a time if --epoch or the ledger says so', async () => {
    const place = await makePlace(system, folder)
    await place.sql(
      'CREATE TABLE plain (id bigint PRIMARY KEY, note varchar(20))',
      "INSERT INTO plain VALUES (1, 'a'), (15000, 'b')",
    )
    const options = { ...OLD, by: 'id' }
    const ran = await perform(runOf(place, 'plain', options))
    expect(ran.finished.error).toMatchObject({ code: 'BAD_FLAG' })
    expect(ran.finished.error?.hint).toContain('--epoch s')
    expect(await place.rows('SELECT count(*) FROM plain')).toEqual([['2']])
    const said = await perform(runOf(place, 'plain', { ...options, epoch: 's', graceMs: 0 }))
    expect(said.finished).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
    expect((await perform(runOf(place, 'plain', { ...OLD, drop: true, confirm: 'plain' }))).finished).toMatchObject({
      exitCode: 0,
    })
  })
  test('a column of ULIDs is not a time, despite --epoch', async () => {
    const place = await makePlace(system, folder)
    await place.sql(
      'CREATE TABLE made (id varchar(26) PRIMARY KEY, note varchar(20))',
      "INSERT INTO made VALUES ('01DXF6DT000000000000000000', 'a'), ('01E2F0000000000000000000ZZ', 'b')",
    )
    for (const more of [{}, { epoch: 's' }]) {
      const ran = await perform(runOf(place, 'made', { ...OLD, by: 'id', ...more }))
      expect(ran.finished.error).toMatchObject({
        code: 'VALUE_REFUSED',
        message: expect.stringContaining('01DXF6DT000000000000000000'),
      })
    }
    expect(await place.rows('SELECT count(*) FROM made')).toEqual([['2']])
  })
})
