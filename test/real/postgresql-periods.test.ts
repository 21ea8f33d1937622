/** Periods of time in the SQL of PostgreSQL. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import {
  POSTGRES_AVAILABLE,
  POSTGRES_MISSING,
  startPostgres,
  type PostgresServer,
} from '../support/servers/postgresql.ts'
import { psql, readAll, request, SIGNAL, tableNamed } from './copy-postgresql-kit.ts'

let server: PostgresServer
let store: CopyStore

beforeAll(async () => {
  if (!POSTGRES_AVAILABLE) return
  server = await startPostgres()
  await server.createDatabase('periods')
  const url = server.url('periods')
  // The time zone of the session must not move a period.
  const setup = await psql(url)
  await setup.run(`ALTER DATABASE periods SET timezone TO 'Pacific/Auckland'`)
  await setup.run(`
    CREATE TABLE t (id int PRIMARY KEY, "d"";" date, ts timestamp, tz timestamptz, n bigint NOT NULL, s text);
    INSERT INTO t VALUES (1, '2024-03-31', '2024-03-31 23:59:59.999999', '2024-03-31 23:59:59.999999+00', 4),
      (2, '2024-04-01', '2024-04-01', '2024-04-01 02:00+02', 5), (3, '2024-06-30', '2024-06-30 23:59:59.5', '2024-06-30 23:59:59+00', 6),
      (4, '2024-07-01', '2024-07-01', '2024-07-01 00:00+00', 7), (5, NULL, NULL, NULL, 3),
      (6, '0044-03-15 BC', '-infinity', '0044-03-15 12:00:00+00 BC', 2)`)
  await setup.close()
  store = await openPostgresCopy(url)
})

afterAll(async () => {
  await store?.[Symbol.asyncDispose]()
  await server?.[Symbol.asyncDispose]()
})

describe.skipIf(!POSTGRES_AVAILABLE)(`periods in PostgreSQL ${POSTGRES_MISSING}`, () => {
  test('are conditions on days, timestamps and integers', async () => {
    const table = await tableNamed(store, 't')
    await using view = await store.source(SIGNAL)
    const ids = async (at: number, from: string | null, to: string | null): Promise<string> => {
      const where = store.offers.times!.condition(table.columns[at]!, from, to)
      const rows = await readAll(view, request(table, { where }))
      expect((await view.extent(table, where, true)).rows).toBe(BigInt(rows.length))
      expect((await view.digest(request(table, { where, range: { by: 'all' }, ordered: false }), SIGNAL)).rows).toBe(
        BigInt(rows.length),
      )
      return rows.map(([id]) => id).join(' ')
    }
    for (const at of [1, 2, 3]) {
      expect(await ids(at, '2024-04-01', '2024-07-01 00:00:00')).toBe('2 3')
      expect(await ids(at, null, '2024-04-01')).toBe('1 6')
      expect(await ids(at, null, null)).toBe('1 2 3 4 6')
      expect(await ids(at, '0050-01-01 BC', '0001-01-01')).toBe(at === 2 ? '' : '6')
    }
    for (const at of [1, 2, 3]) expect(await ids(at, '-infinity', 'infinity')).toBe('1 2 3 4 6')
    expect(await ids(2, 'infinity', null)).toBe('')
    expect(await ids(2, '2024-03-31 23:59:59.999999', '2024-06-30 23:59:59.5')).toBe('1 2')
    expect(await ids(1, '2024-03-31 00:00:01', null)).toBe('2 3 4')
    expect(await ids(4, '5', '7')).toBe('2 3')
    expect(store.offers.times!.condition(table.columns[5]!, null, null)).toBe(null)
    expect(() => store.offers.times!.condition(table.columns[4]!, `1; DROP TABLE t`, null)).toThrow('whole number')
    expect(() => store.offers.times!.condition(table.columns[1]!, `2024-01-01'`, null)).toThrow('is not a time')
  })

  test('reach from the smallest to the largest value', async () => {
    const table = await tableNamed(store, 't')
    const extents = await Promise.all(
      [1, 2, 3, 4].map((at) => store.offers.timeExtents!.of(table, table.columns[at]!, SIGNAL)),
    )
    expect(extents).toEqual([
      // Days before the year 1 belong to no period, and are counted.
      { low: '2024-03-31', high: '2024-07-01', nulls: 1n, unreal: 1n },
      { low: '2024-03-31 23:59:59.999999', high: '2024-07-01 00:00:00', nulls: 1n, unreal: 1n },
      { low: '2024-03-31 23:59:59.999999', high: '2024-07-01 00:00:00', nulls: 1n, unreal: 1n },
      { low: '2', high: '7', nulls: 0n },
    ])
  })
})
