/**
 * `partition run --slices 1-6`: some slices of the first period, then others, then the rest; the stream brings changes
 * of all of them.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PartitionRunOperation } from '../../src/partition/operations/partition-run/declaration.ts'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { perform, placeOn, type Place } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const TABLE = 'Amenity "Bookings"'
const QUOTED = '"Amenity ""Bookings"""'
const TWIN = '"Amenity ""Bookings""_partitioned"'

/** Four rows a day, from January to September 2024. */
async function stage(): Promise<Place> {
  const place = await placeOn('postgresql', server.url())
  await place.sql(
    `CREATE TABLE ${QUOTED} (id serial PRIMARY KEY, at timestamp NOT NULL, note text)`,
    `INSERT INTO ${QUOTED} (at, note) SELECT timestamp '2024-01-01' + i * interval '6 hours', 'n' FROM generate_series(0, 4 * 274 - 1) i`,
    `CREATE INDEX ON ${QUOTED} (at)`,
    `ANALYZE ${QUOTED}`,
  )
  return place
}

const runOf = (place: Place, more: Partial<PartitionRunOperation> = {}): PartitionRunOperation => ({
  kind: 'partition-run',
  from: place.url,
  table: TABLE,
  by: 'at',
  calendar: { yearOffset: 1 },
  slices: 'week',
  first: 'Q2-FY25',
  workers: 3,
  chunkRows: 10,
  untilCaughtUp: false,
  untilEqual: true,
  quiesce: false,
  restart: false,
  ...more,
})

const landed = (events: readonly Event[]): readonly string[] =>
  events.flatMap((event) => (event.type === 'partition.landed' && event.slice !== undefined ? [event.slice] : []))

describe.skipIf(!POSTGRES_OWN)(`slices by number ${POSTGRES_MISSING}`, () => {
  test('are copied alone, then others, then the rest, with the changes meanwhile', { timeout: 120_000 }, async () => {
    const place = await stage()
    const first = await perform(runOf(place, { numbers: { from: 1, through: 6 } }))
    expect(first.finished).toMatchObject({ exitCode: 75, status: 'stopped', error: { code: 'STOPPED' } })
    expect(first.finished.error?.message).toContain('Q2-FY25: slices 1 to 6 of 13')
    expect(first.finished.error?.hint).toContain('--slices 7-13')
    expect(first.finished.resumeCommand).toMatch(/^sluice follow \d+$/)
    expect(landed(first.events)).toHaveLength(6)
    // 1 April is a Monday.
    const held = `SELECT min(at)::date, max(at)::date, count(*) FROM ${TWIN}`
    expect(await place.rows(held)).toEqual([['2024-04-01', '2024-05-12', String(6 * 7 * 4)]])

    const again = await perform(runOf(place, { numbers: { from: 1, through: 6 } }))
    expect(again.finished.exitCode).toBe(75)
    expect(landed(again.events)).toEqual([])

    // Changes into slices that are copied, out of them, and within those that are not.
    await place.sql(
      `UPDATE ${QUOTED} SET at = timestamp '2024-04-03' WHERE id % 50 = 0`,
      `UPDATE ${QUOTED} SET at = timestamp '2024-08-08' WHERE id % 50 = 1`,
      `DELETE FROM ${QUOTED} WHERE id % 50 = 2`,
      `INSERT INTO ${QUOTED} (at, note) VALUES ('2024-04-02', 'new'), ('2024-06-29', 'new')`,
    )
    const interrupt = new Interrupter()
    let chunks = 0
    const stopped = await perform(runOf(place, { numbers: { from: 7, through: 13 }, workers: 1 }), {
      interrupt,
      onEvent: ({ type }) => {
        if (type === 'chunk.done' && ++chunks === 3) interrupt.requestStop()
      },
    })
    expect(stopped.finished).toMatchObject({ exitCode: 75, resumeCommand: 'sluice copy' })
    expect(landed(stopped.events).length).toBeLessThan(7)
    const rest = await perform(runOf(place, { numbers: { from: 7, through: 13 } }))
    expect(rest.finished).toMatchObject({ exitCode: 75, error: { code: 'STOPPED' } })
    expect(rest.finished.error?.hint).not.toContain('--slices')
    expect(landed(stopped.events).length + landed(rest.events).length).toBe(7)
    expect(await place.rows(`SELECT max(at) < '2024-07-01' FROM ${TWIN}`)).toEqual([['t']])

    const all = await perform(runOf(place))
    expect(all.finished).toMatchObject({ exitCode: 0, totals: { live: '1' } })
    expect(await place.rows(`SELECT count(*) - count(DISTINCT id) FROM ${TWIN}`)).toEqual([['0']])
    for (const [one, other] of [
      [QUOTED, TWIN],
      [TWIN, QUOTED],
    ])
      expect(await place.rows(`SELECT count(*) FROM (TABLE ${one} EXCEPT ALL TABLE ${other}) x`)).toEqual([['0']])
  })

  test(
    'by weeks first and by months later: each month, the period and the next ones have the rows of the target',
    { timeout: 120_000 },
    async () => {
      const place = await stage()
      expect((await perform(runOf(place, { numbers: { from: 1, through: 6 } }))).finished.exitCode).toBe(75)
      const months = await perform(runOf(place, { slices: 'month', numbers: { from: 1, through: 2 }, chunkRows: 100 }))
      expect(months.finished.exitCode).toBe(75)
      // May has begun with weeks 5 and 6, which also overlap April.
      const slice = (events: readonly Event[]): Readonly<Record<string, string>> =>
        Object.fromEntries(
          events.flatMap((event) =>
            event.type === 'partition.landed' ? [[event.slice ?? event.label ?? '', event.rows] as const] : [],
          ),
        )
      expect(slice(months.events)).toEqual({ '2024-05': String(31 * 4) })
      const all = await perform(runOf(place, { slices: 'month', chunkRows: 100 }))
      expect(all.finished).toMatchObject({ exitCode: 0, totals: { live: '1' } })
      expect(slice(all.events)).toMatchObject({
        '2024-06': String(30 * 4),
        'Q2-FY25': String(91 * 4),
        'Q3-FY25': String(92 * 4),
      })
    },
  )

  test(
    'continue by the printed command, and are refused if the period has fewer slices',
    { timeout: 60_000 },
    async () => {
      const place = await stage()
      const many = await perform(runOf(place, { numbers: { from: 3, through: 14 } }))
      expect(many.finished.error).toMatchObject({
        code: 'BAD_FLAG',
        message: expect.stringContaining('13 slices') as string,
      })
      expect(await place.rows(`SELECT to_regclass('${TWIN}')`)).toEqual([[null]])
      const one = await perform(runOf(place, { slices: 'month', numbers: { from: 2, through: 2 } }))
      expect(one.finished.exitCode).toBe(75)
      expect(await place.rows(`SELECT min(at)::date, max(at)::date FROM ${TWIN}`)).toEqual([
        ['2024-05-01', '2024-05-31'],
      ])
      const stream = /follow (\d+)/.exec(one.finished.resumeCommand ?? '')?.[1] ?? ''
      const followed = await perform({
        kind: 'follow',
        stream,
        from: place.url,
        to: place.url,
        end: false,
        untilCaughtUp: true,
        untilEqual: false,
      })
      expect(followed.finished).toMatchObject({ exitCode: 0, totals: { live: '1' } })
      expect(await place.rows(`SELECT count(*) FROM ${TWIN}`)).toEqual(
        await place.rows(`SELECT count(*) FROM ${QUOTED}`),
      )
    },
  )
})
