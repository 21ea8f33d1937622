/** Database settings change neither archived nor restored values. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandsOf } from '../support/archive-places.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

/** Each setting changes how a value or a name is written, read or compared. */
const HOSTILE = {
  array_nulls: 'off',
  bytea_output: 'escape',
  DateStyle: 'German',
  extra_float_digits: '-5',
  gin_fuzzy_search_limit: '1',
  IntervalStyle: 'sql_standard',
  quote_all_identifiers: 'on',
  standard_conforming_strings: 'off',
  TimeZone: 'Asia/Kathmandu',
  transform_null_equals: 'on',
  xmloption: 'document',
}

async function done(operation: Operation): Promise<void> {
  const { finished, events } = await perform(operation)
  expect(finished, JSON.stringify(events.slice(-3))).toMatchObject({ exitCode: 0 })
}

test.each(['native', 'plain'] as const)(
  'settings of the database do not change a %s table that is archived and restored',
  async (form) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-settings-'))
    const place = await makePlace('postgresql', folder)
    const name = new URL(place.url).pathname.slice(1)
    const isNative = form === 'native'
    await place.sql(
      `CREATE TABLE bookings (id int, at date NOT NULL, a text[], n int[], r double precision, b bytea, i interval, x xml, "order" money,
         g text GENERATED ALWAYS AS (a[2] || 'x') STORED, PRIMARY KEY (id${isNative ? ', at' : ''}))${isNative ? ' PARTITION BY RANGE (at)' : ''}`,
      ...(isNative
        ? [
            "CREATE TABLE bookings_0 PARTITION OF bookings FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')",
            "CREATE TABLE bookings_1 PARTITION OF bookings FOR VALUES FROM ('2090-01-01') TO ('2091-01-01')",
          ]
        : []),
      String.raw`INSERT INTO bookings VALUES (1, '2020-01-02', '{NULL,x,"NULL",""}', '{1,NULL}', 0.1::float8 + 0.2, '\x005c27', '-1 mon 3 days -00:00:01.5', 'a<b/>', 1.25),
        (2, '2020-02-03', NULL, '{}', '-0', '', NULL, NULL, NULL), (3, '2090-01-02', '{NULL}', NULL, 1e300, NULL, NULL, NULL, NULL)`,
    )
    for (const [setting, value] of Object.entries(HOSTILE))
      await place.sql(`ALTER DATABASE "${name}" SET ${setting} = '${value}'`)
    // The bytes that the server stores, independent of its output format.
    const stored = `SELECT id, at - '2000-01-01'::date, encode(array_send(a), 'hex'), encode(array_send(n), 'hex'), encode(float8send(r), 'hex'), encode(b, 'hex'),
      encode(interval_send(i), 'hex'), encode(convert_to(x::text, 'UTF8'), 'hex'), encode(cash_send("order"), 'hex'), g FROM bookings ORDER BY id`
    const before = await place.rows(stored)
    const { run, drop, restore, verify } = commandsOf({ place, form, to: folder })
    const period = { ...restore, partitions: ['2020-Q1'] } as Operation
    await done(run)
    await done(verify)
    await done(drop)
    expect(await place.rows('SELECT count(*)::int FROM bookings')).toEqual([['1']])
    await done(period)
    expect(await place.rows(stored)).toEqual(before)
    await done({ ...run, partitions: ['2020-Q1'] } as Operation)
    await done(drop)
    await done(period)
    expect(await place.rows(stored)).toEqual(before)
  },
)

test.beforeEach(async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
})
