/**
 * Half-done work in PostgreSQL other than copies and archives: streams, cutovers, partition runs, tables that are
 * partitioned in place, a retired table.
 */
import { expect } from 'vitest'
import type { CopyOperation } from '../../../src/engine/copy/operations/copy/declaration.ts'
import type { Operation } from '../../../src/app/operations/list.ts'
import type { PartitionDecommissionOperation } from '../../../src/partition/operations/partition-decommission/declaration.ts'
import {
  documentSql,
  parkTable,
  PARKED as RETIRED,
  PARKED_SQL,
  PUBLIC as RETIRED_PUBLIC,
  SCHEMA as RETIRED_SCHEMA,
} from '../../real/decommission-kit.ts'
import { copyOf, perform, type Place } from '../copy-systems.ts'
import { cutoverOf, makeTwins, PARKED, PUBLIC, TWIN } from '../cutover-stage.ts'
import { leave, type Dies } from './child.ts'
import { ELSEWHERE } from './copies.ts'

/** @property source the same database as `target`, if a program works in one database */
export type Sides = { readonly source: Place; readonly target: Place }

export type Kind = {
  /** Names of the fixtures, the source's first. */
  readonly databases: readonly string[]
  /**
   * Leaves the work in empty databases.
   * @param written dumps the source as of its slot's start; called at the end if `leave` does not call it
   */
  leave(sides: Sides, written: () => Promise<void>): Promise<void>
  /** Statements in the source after the slot's start and before the applied position. */
  readonly told?: readonly string[]
  /** Statements in the source before a program resumes. */
  readonly later?: readonly string[]
  /** The command that was killed. */
  again(sides: Sides): Promise<Operation>
  /** Asserts the result, after that command and after running it again. */
  judge(sides: Sides): Promise<void>
}

const TOLD = [
  `BEGIN; INSERT INTO orders SELECT i, 'told' || i FROM generate_series(101, 110) i; UPDATE orders SET v = v || '!' WHERE id <= 5; COMMIT`,
  'DELETE FROM orders WHERE id IN (6, 7)',
  'UPDATE orders SET id = 200 WHERE id = 8',
]
const LATER = [
  `BEGIN; INSERT INTO orders SELECT i, 'later' || i FROM generate_series(301, 310) i; UPDATE orders SET v = v || '?' WHERE id IN (1, 35, 101); COMMIT`,
  'DELETE FROM orders WHERE id IN (9, 36, 102)',
  'UPDATE orders SET id = 406 WHERE id = 37',
]
const ORDERS = [
  'CREATE TABLE orders (id int PRIMARY KEY, v text)',
  "INSERT INTO orders SELECT i, CASE WHEN i % 7 = 0 THEN NULL ELSE 'v' || i END FROM generate_series(1, 60) i",
]

function followed({ source, target }: Sides, cdc?: 'trigger'): CopyOperation {
  const how = cdc === undefined ? {} : { cdc }
  return { ...copyOf(source, target, 'orders', { chunkRows: 10, workers: 1 }), follow: { ...how, until: 'equal' } }
}

const endless = (copy: CopyOperation): CopyOperation => {
  const { until: _until, ...follow } = copy.follow ?? {}
  return { ...copy, follow }
}

async function sameRows(sides: Sides, [mine, theirs]: readonly [string, string], order = 'id'): Promise<void> {
  const rows = (place: Place, table: string) => place.rows(`SELECT t::text FROM ${table} t ORDER BY ${order}`)
  const here = await rows(sides.source, mine)
  expect(here.length).toBeGreaterThan(30)
  expect(await rows(sides.target, theirs)).toEqual(here)
}

async function judgeStream(sides: Sides): Promise<void> {
  await sameRows(sides, ['orders', 'orders'])
  const [streams] = [
    await sides.target.rows(
      'SELECT status, state FROM migration_streams JOIN migration_stream_tables USING (stream_id)',
    ),
  ]
  expect(streams).toEqual([['active', 'live']])
}

function stream(cdc: 'trigger' | undefined, isLive: boolean): Kind {
  const name = `stream-${cdc ?? 'slot'}-${isLive ? 'live' : 'copying'}`
  return {
    databases: [`${name}-source`, `${name}-target`],
    async leave(sides, written) {
      await sides.source.sql(...ORDERS)
      const copy = followed(sides, cdc)
      if (!isLive) {
        await leave(endless(copy), { host: ELSEWHERE, dies: { type: 'chunk.done', times: 3 } })
        return
      }
      await leave(copy, { host: ELSEWHERE })
      if (cdc === undefined) await written()
      await sides.source.sql(...TOLD)
      const isReported = async (): Promise<boolean> =>
        (await sides.target.rows('SELECT FROM orders WHERE id = 200')).length === 1
      await leave(endless(copy), { host: ELSEWHERE, dies: { once: isReported } })
      // Triggers have logged changes that no program has read; a slot gets them when the fixture is loaded.
      if (cdc === 'trigger') await sides.source.sql(...LATER)
    },
    ...(isLive && cdc === undefined ? { told: TOLD } : {}),
    ...(isLive && cdc === 'trigger' ? {} : { later: LATER }),
    again: (sides) => Promise.resolve(followed(sides, cdc)),
    judge: judgeStream,
  }
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

function cutover(name: string, dies: Dies): Kind {
  return {
    databases: [`cutover-${name}`],
    async leave({ source }) {
      const copy = await makeTwins(source, 40)
      await leave({ ...copy, follow: { until: 'caught-up' } }, { host: ELSEWHERE })
      const [[forward] = []] = await source.rows('SELECT stream_id FROM migration_streams')
      await leave(cutoverOf({ place: source, stream: forward ?? '', copy }), { host: ELSEWHERE, dies })
    },
    later: [
      `INSERT INTO ${quoted(PUBLIC)} (created_at, qty) SELECT timestamptz '2025-05-01' + i * interval '1 day', 1000 + i FROM generate_series(1, 20) i`,
      `UPDATE ${quoted(PUBLIC)} SET qty = qty + 1, created_at = created_at + interval '100 days' WHERE id IN (3, 4)`,
      `DELETE FROM ${quoted(PUBLIC)} WHERE id = 5`,
    ],
    async again({ source }) {
      const [[forward = ''] = []] = await source.rows('SELECT stream_id FROM migration_switches')
      return cutoverOf({ place: source, stream: forward ?? '', copy: copyOf(source, source, PUBLIC) })
    },
    async judge({ source, target }) {
      const kinds = await source.rows(
        `SELECT relname, relkind FROM pg_class WHERE relname IN ('${PUBLIC}', '${TWIN.replaceAll("'", "''")}', '${PARKED}') ORDER BY 2`,
      )
      expect(kinds).toEqual([
        [PUBLIC, 'p'],
        [PARKED, 'r'],
      ])
      expect(await source.rows('SELECT status FROM migration_switches')).toEqual([['done']])
      const [[reverse = ''] = [], ...more] = await source.rows(
        "SELECT stream_id FROM migration_streams WHERE status = 'active'",
      )
      expect(more).toEqual([])
      expect(
        await source.rows('SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()'),
      ).toEqual([[`sluice_${reverse}`]])
      expect(await source.rows('SELECT pubname::text FROM pg_publication')).toEqual([[`sluice_${reverse}`]])
      const { finished } = await perform({ kind: 'follow', stream: reverse ?? '', to: source.url, end: false, untilCaughtUp: true, untilEqual: false }) // prettier-ignore
      expect(finished.error).toBeUndefined()
      await sameRows({ source, target }, [quoted(PUBLIC), quoted(PARKED)])
      expect(
        await source.rows(
          `SELECT count(*), count(DISTINCT id), sum(qty) FILTER (WHERE id > 40) FROM ${quoted(PUBLIC)}`,
        ),
      ).toEqual([['59', '59', '20210']])
    },
  }
}

const BOOKINGS = 'id bigint GENERATED BY DEFAULT AS IDENTITY, at timestamptz NOT NULL, qty int NOT NULL DEFAULT 0'

/** A cutover to a partitioned new table in another database. */
function switchOfTwo(name: string, dies: Dies): Kind {
  const operation = ({ source, target }: Sides, streamId: string): Operation => ({
    kind: 'cutover',
    stream: streamId,
    from: source.url,
    to: target.url,
    triesForMs: 30_000,
    unsigned: true,
    revert: false,
    keepSessions: false,
    onSwitch: 'true',
    stay: false,
    dryRun: false,
    confirm: 'bookings',
  })
  const forward = async ({ target }: Sides): Promise<string> =>
    (await target.rows('SELECT min(stream_id) FROM migration_streams'))[0]?.[0] ?? ''
  return {
    databases: [`cutover-two-${name}-source`, `cutover-two-${name}-target`],
    async leave(sides) {
      await sides.source.sql(
        `CREATE TABLE bookings (${BOOKINGS}, PRIMARY KEY (id))`,
        "INSERT INTO bookings (at, qty) SELECT timestamptz '2025-01-01Z' + i * interval '3 days', i FROM generate_series(1, 60) i",
      )
      await sides.target.sql(
        `CREATE TABLE bookings (${BOOKINGS}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
        "CREATE TABLE first_half PARTITION OF bookings FOR VALUES FROM ('2025-01-01Z') TO ('2025-04-01Z')",
        'CREATE TABLE rest PARTITION OF bookings DEFAULT',
      )
      const copy = copyOf(sides.source, sides.target, 'bookings', { chunkRows: 20, workers: 1 })
      await leave({ ...copy, follow: { until: 'caught-up' } }, { host: ELSEWHERE })
      await sides.target.sql('ANALYZE bookings')
      await leave(operation(sides, await forward(sides)), { host: ELSEWHERE, dies })
    },
    again: async (sides) => operation(sides, await forward(sides)),
    async judge({ source, target }) {
      expect(await target.rows("SELECT status FROM migration_switches WHERE status <> 'given up'")).toEqual([['done']])
      const [[reverse = ''] = [], ...more] = await source.rows(
        "SELECT stream_id FROM migration_streams WHERE status = 'active'",
      )
      expect(more).toEqual([])
      await target.sql('INSERT INTO bookings (at, qty) VALUES (now(), 1000)')
      await expect(source.sql('INSERT INTO bookings (at) VALUES (now())')).rejects.toThrow('is closed')
      const { finished } = await perform({ kind: 'follow', stream: reverse ?? '', from: target.url, to: source.url, end: false, untilCaughtUp: true, untilEqual: false }) // prettier-ignore
      expect(finished.error).toBeUndefined()
      await sameRows({ source, target }, ['bookings', 'bookings'])
      const ids = 'SELECT count(*) = count(DISTINCT id), min(id), count(*) FILTER (WHERE qty <= 60) FROM bookings'
      expect(await target.rows(ids)).toEqual([['t', '1', '60']])
    },
  }
}

/** In the far future, so that the current day is never among them. */
const DATES = "timestamptz '2088-01-10 00:00+00'"
const LOGS = [
  'CREATE TABLE logs (id bigserial PRIMARY KEY, note text, at timestamptz NOT NULL)',
  `INSERT INTO logs (note, at) SELECT 'n' || i, ${DATES} + i * interval '5 days' FROM generate_series(1, 80) i`,
  'CREATE INDEX by_at ON logs (at)',
  'ANALYZE logs',
]

const PARTITION_RUN: Kind = {
  databases: ['partition-run'],
  async leave({ source }) {
    await source.sql(...LOGS)
    const again = await this.again({ source, target: source })
    await leave(again, { host: ELSEWHERE, dies: { type: 'chunk.done', times: 4 } })
  },
  later: [
    `INSERT INTO logs (note, at) SELECT 'new', ${DATES} + i * interval '40 days' FROM generate_series(1, 8) i`,
    "UPDATE logs SET at = at + interval '20 days', note = note || '.' WHERE id % 9 = 0",
    'DELETE FROM logs WHERE id IN (2, 40, 79)',
  ],
  again: ({ source }) =>
    Promise.resolve({
      kind: 'partition-run',
      from: source.url,
      table: 'logs',
      by: 'at',
      calendar: {},
      workers: 1,
      chunkRows: 10,
      untilCaughtUp: false,
      untilEqual: true,
      quiesce: false,
      restart: false,
    }),
  async judge(sides) {
    await sameRows(sides, ['logs', 'logs_partitioned'])
    const [[parts, rest] = []] = await sides.source.rows(
      "SELECT count(DISTINCT tableoid), count(*) FILTER (WHERE tableoid::regclass::text ~ 'default') FROM logs_partitioned",
    )
    expect([Number(parts) > 4, rest]).toEqual([true, '0'])
  },
}

function inPlace(name: string, dies: Dies, revert = false): Kind {
  return {
    databases: [`in-place-${name}`],
    async leave({ source }) {
      await source.sql(
        ...LOGS,
        'ALTER TABLE logs ADD CONSTRAINT seen UNIQUE (id, at)',
        'CREATE TABLE child (id bigint, at timestamptz, CONSTRAINT "to it" FOREIGN KEY (id, at) REFERENCES logs (id, at))',
        'INSERT INTO child SELECT id, at FROM logs WHERE id < 20',
        `CREATE VIEW early AS SELECT id, at FROM logs WHERE at < '2088-06-01Z'`,
      )
      const sides = { source, target: source }
      if (revert) await leave({ ...(await this.again(sides)), revert: false } as Operation, { host: ELSEWHERE })
      await leave(await this.again(sides), { host: ELSEWHERE, dies })
    },
    later: [
      `INSERT INTO logs (note, at) SELECT 'later', ${DATES} + i * interval '40 days' FROM generate_series(1, 8) i`,
    ],
    again: ({ source }) =>
      Promise.resolve({
        kind: 'partition-in-place',
        from: source.url,
        table: 'logs',
        by: 'at',
        calendar: {},
        budgetMs: 2000,
        triesForMs: 30_000,
        revert,
        dryRun: false,
        confirm: 'logs',
      }),
    async judge({ source }) {
      expect(await source.rows("SELECT relkind FROM pg_class WHERE oid = 'logs'::regclass")).toEqual([
        [revert ? 'r' : 'p'],
      ])
      expect(await source.rows('SELECT count(*), count(DISTINCT id), max(id) FROM logs')).toEqual([['88', '88', '88']])
      expect(await source.rows('SELECT count(*) FROM early')).not.toEqual([['0']])
      const left =
        "SELECT relname FROM pg_class WHERE relname LIKE 'sluice%' UNION ALL SELECT conname FROM pg_constraint WHERE conname LIKE 'sluice%'"
      expect(await source.rows(left)).toEqual([])
      expect(await source.rows('SELECT indrelid::regclass FROM pg_index WHERE NOT indisvalid')).toEqual([])
    },
  }
}

type Step = Partial<PartitionDecommissionOperation>

/** @param before steps before the command that is killed at its COMMIT */
function decommission(name: string, when: 'before' | 'after', sql: string, before: readonly Step[], more: Step): Kind {
  const operation = (place: Place, what: Step): Operation => ({
    kind: 'partition-decommission',
    from: place.url,
    table: RETIRED_PUBLIC,
    graceMs: 0,
    inactive: false,
    undo: false,
    patienceMs: 100,
    budgetMs: 10_000,
    dryRun: false,
    ...what,
  })
  return {
    databases: [`decommission-${name}`],
    // A fixture before this document was read has none.
    later: [documentSql({ schema: RETIRED_SCHEMA, public: RETIRED_PUBLIC, parked: RETIRED })],
    async leave({ source }, written) {
      await using _ = await parkTable(source)
      for (const one of before) {
        const finished = await leave(operation(source, one), { host: ELSEWHERE })
        if (finished?.exitCode !== 0) throw new Error(JSON.stringify(finished))
      }
      await leave(operation(source, more), { host: ELSEWHERE, dies: { sql, commits: true, when } })
      await written()
    },
    again: ({ source }) => Promise.resolve(operation(source, more)),
    async judge({ source }) {
      const steps = await source.rows('SELECT step FROM migration_decommissions ORDER BY step_no')
      const [[there] = []] = await source.rows(`SELECT to_regclass('${PARKED_SQL.replaceAll("'", "''")}')::text`)
      const isDrop = 'confirm' in more
      expect([there === null, steps.filter(([step]) => step === 'dropped').length]).toEqual([isDrop, isDrop ? 1 : 0])
      if (isDrop) return
      expect(steps.filter(([step]) => step === 'inactive')).toHaveLength(1)
      const [[rights] = []] = await source.rows(
        `SELECT count(*) FROM pg_class c, aclexplode(c.relacl) e WHERE c.oid = '${PARKED_SQL.replaceAll("'", "''")}'::regclass AND e.grantee <> c.relowner`,
      )
      expect(rights).toBe('0')
    },
  }
}

const INACTIVE = { inactive: true }
const DROP = { confirm: RETIRED }

/** By kind; each has one or two fixtures. */
export const KINDS: Readonly<Record<string, Kind>> = {
  'a stream by a slot, among its chunks': stream(undefined, false),
  'a stream by a slot, half of its changes applied': stream(undefined, true),
  'a stream by triggers, among its chunks': stream('trigger', false),
  'a stream by triggers, half of its changes applied': stream('trigger', true),
  'a switch that is proved': cutover('proved', { type: 'follow.proved', times: 1 }),
  'a switch behind its commit': cutover('switched', { type: 'cutover.switched', times: 1 }),
  'a switch before its way back is followed': cutover('behind', { type: 'cutover.step', times: 3 }),
  'a switch between two databases whose source is closed': switchOfTwo('closed', { type: 'cutover.step', times: 3 }),
  'a switch between two databases behind its commit': switchOfTwo('switched', { type: 'cutover.switched', times: 1 }),
  'a partition run among its chunks': PARTITION_RUN,
  'in place, before the bound is checked': inPlace('bound', { sql: 'VALIDATE', when: 'before' }),
  'in place, before the switch': inPlace('switch', { sql: 'ATTACH PARTITION', commits: true, when: 'before' }),
  'in place, behind the switch': inPlace('switched', { sql: 'ATTACH PARTITION', commits: true, when: 'after' }),
  'in place, on the way back': inPlace(
    'back',
    { sql: 'DETACH PARTITION|DROP TABLE', commits: true, when: 'before' },
    true,
  ),
  'a table before its rights are taken': decommission('rights', 'before', '^REVOKE', [], INACTIVE),
  'a table whose rights were taken': decommission('inactive', 'after', '^REVOKE', [], INACTIVE),
  'a table before it is dropped': decommission('drop', 'before', '^DROP TABLE', [INACTIVE], DROP),
  'a table that was dropped': decommission('dropped', 'after', '^DROP TABLE', [INACTIVE], DROP),
}
