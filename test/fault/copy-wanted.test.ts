/**
 * While a table is copied out of PostgreSQL, another session requests an exclusive lock: it gets the lock, writers wait
 * briefly, and the copy completes.
 */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { request, SIGNAL, tableNamed } from '../real/copy-postgresql-kit.ts'
import { copyOf, perform, placeOn, type Place } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

const TABLE = 'Wanted "Rows'
const QUOTED = '"Wanted ""Rows"'
const ROWS = 30_000

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

async function stage(key: string): Promise<{ readonly source: Place; readonly target: Place }> {
  const source = await placeOn('postgresql', server.url())
  await source.sql(
    `CREATE TABLE ${QUOTED} (id bigserial ${key}, t text)`,
    `INSERT INTO ${QUOTED} (t) SELECT repeat(md5(i::text), 3) FROM generate_series(1, ${ROWS}) i`,
    `ANALYZE ${QUOTED}`,
  )
  return { source, target: await placeOn('postgresql', server.url()) }
}

type Waits = { stop(): Promise<{ readonly longestMs: number; readonly rows: number }> }

/** Executes one INSERT after the other; measures the longest. */
function writing({ url }: Place): Waits {
  let [over, longestMs, rows] = [false, 0, 0]
  const done = (async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    while (!over) {
      const begun = performance.now()
      await client.query(`INSERT INTO ${QUOTED} (t) VALUES ('new')`)
      longestMs = Math.max(longestMs, performance.now() - begun)
      rows++
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await client.end()
  })()
  done.catch(() => undefined)
  return {
    stop: async () => {
      over = true
      await done
      return { longestMs, rows }
    },
  }
}

/**
 * Requests the table's lock once, as soon as an event matches, until it is granted or the time is over.
 * @returns options for the run, and a function that ends the request: its duration in ms
 */
async function wanting({ url }: Place, when: (event: Event) => boolean, patience = '60s') {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`SET lock_timeout = '${patience}'`)
  let asked: Promise<number> | null = null
  const ask = async (): Promise<number> => {
    const begun = performance.now()
    await client.query(`BEGIN; LOCK TABLE ${QUOTED} IN ACCESS EXCLUSIVE MODE`).catch(() => undefined)
    await client.query('ROLLBACK')
    return performance.now() - begun
  }
  return {
    onEvent: (event: Event) => {
      if (asked === null && when(event)) asked = ask()
    },
    end: async (): Promise<number> => {
      const waited = await asked
      await client.end()
      if (waited === null) throw new Error('the table was never asked for')
      return waited
    },
  }
}

const notes = (events: readonly Event[]): readonly string[] =>
  events.flatMap((event) =>
    event.type === 'log' && /waits for an exclusive lock on .*released its tables and continues/.test(event.message)
      ? [event.message]
      : [],
  )
const measured = (what: string, gotMs: number, longestMs: number): void =>
  void process.stdout.write(
    `${what}: the table was had after ${gotMs.toFixed()} ms, the longest INSERT took ${longestMs.toFixed()} ms\n`,
  )

describe.skipIf(!POSTGRES_OWN)(`a table that another session wants to lock ${POSTGRES_MISSING}`, () => {
  test('a copy releases the table if readers queue behind the lock request', async () => {
    // If the lock is requested after all readers have the table, no reader waits behind it and the copy keeps its
    // snapshot; so try again.
    for (let tries = 1; ; tries++) {
      const { source, target } = await stage('PRIMARY KEY')
      const wants = await wanting(source, ({ type }) => type === 'plan.ready')
      const writer = writing(source)
      const copy = copyOf(source, target, TABLE, { chunkRows: 2000, workers: 4 })
      const { finished, events } = await perform(copy, wants)
      const { longestMs } = await writer.stop()
      const got = await wants.end()
      measured('a plain copy', got, longestMs)
      expect(finished).toMatchObject({ exitCode: 0 })
      expect(Math.max(longestMs, got)).toBeLessThan(10_000)
      const [[count] = []] = await target.rows(`SELECT count(*) FROM ${QUOTED}`)
      expect(Number(count)).toBeGreaterThanOrEqual(ROWS)
      if (notes(events).length === 0 && tries < 6) continue
      expect(notes(events)).toHaveLength(1)
      break
    }
  })

  test('a copy with a stream releases the table to a waiting session, and ends equal', async () => {
    const { source, target } = await stage('PRIMARY KEY')
    const wants = await wanting(source, ({ type }) => type === 'chunk.done')
    const writer = writing(source)
    const copy = copyOf(source, target, TABLE, { chunkRows: 2000, workers: 4, rate: 6000, follow: {} })
    const { finished, events } = await perform({ ...copy, follow: { until: 'caught-up' } }, wants)
    const { longestMs } = await writer.stop()
    const got = await wants.end()
    measured('a followed copy', got, longestMs)
    expect(finished.error).toBeUndefined()
    expect(notes(events)).toHaveLength(1)
    expect(Math.max(longestMs, got)).toBeLessThan(10_000)
    expect((await perform({ ...copy, follow: { until: 'equal' } })).finished).toMatchObject({ exitCode: 0 })
    const sum = `SELECT count(*), sum(id), md5(string_agg(t, '' ORDER BY id)) FROM ${QUOTED}`
    expect(await target.rows(sum)).toEqual(await source.rows(sum))
  })

  test('a copy by blocks keeps its snapshot, because blocks are valid only in it', async () => {
    const { source, target } = await stage('NOT NULL')
    const wants = await wanting(source, ({ type }) => type === 'chunk.started', '2s')
    const copy = copyOf(source, target, TABLE, { chunkRows: 2000, workers: 4 })
    const { finished, events } = await perform(copy, wants)
    expect(await wants.end()).toBeGreaterThan(1900)
    expect(finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
    expect(notes(events)).toEqual([])
  })

  test('sequences are read while a session waits for the table that the snapshot has read', async () => {
    const { source } = await stage('PRIMARY KEY')
    await using store = await openPostgresCopy(source.url, { yields: true })
    const table = await tableNamed(store, TABLE)
    await using view = await store.source(SIGNAL)
    await view.digest(request(table), SIGNAL)
    const client = new pg.Client({ connectionString: source.url })
    await client.connect()
    const locked = client.query(`SET lock_timeout = '60s'; BEGIN; LOCK TABLE ${QUOTED}; ROLLBACK`)
    const waits = `SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'`
    await expect.poll(() => source.rows(waits), { timeout: 10_000 }).toEqual([['1']])
    expect(await store.dependencies().sequences(table, SIGNAL)).toMatchObject([{ column: 'id' }])
    await locked
    await client.end()
    await expect(view.digest(request(table), SIGNAL)).rejects.toMatchObject({ code: 'SOURCE_BUSY' })
  })

  test('a role without the right to see other sessions reads the same snapshot anyway', async () => {
    const { source } = await stage('PRIMARY KEY')
    await source.sql(
      `CREATE ROLE "no looks" LOGIN PASSWORD 'x'`,
      `GRANT SELECT ON ${QUOTED} TO "no looks"`,
      'REVOKE EXECUTE ON FUNCTION pg_blocking_pids(int) FROM PUBLIC',
    )
    const url = new URL(source.url)
    url.username = 'no%20looks'
    url.password = 'x'
    await using store = await openPostgresCopy(url.href, { yields: true })
    const table = await tableNamed(store, TABLE)
    await using view = await store.source(SIGNAL)
    const count = async (): Promise<string> => (await view.digest(request(table), SIGNAL)).rows.toString()
    expect(await count()).toBe(String(ROWS))
    await expect
      .poll(
        () =>
          source.rows(
            `SELECT count(*) FROM pg_stat_activity WHERE query = 'ROLLBACK TO SAVEPOINT poll' AND state = 'idle in transaction'`,
          ),
        { timeout: 10_000 },
      ) // prettier-ignore
      .toEqual([['1']])
    await source.sql(`DELETE FROM ${QUOTED}`)
    // More sessions than before import the snapshot.
    expect(await Promise.all([count(), count(), count()])).toEqual([String(ROWS), String(ROWS), String(ROWS)])
  })
})
