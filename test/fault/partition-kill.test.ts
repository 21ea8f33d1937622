/**
 * Programs that create partitions are killed at each of their steps, twice: the next program has the same result, and
 * nothing of them is left.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { psql, type Psql } from '../real/copy-postgresql-kit.ts'
import { leftOvers, look, make, writing } from '../real/partition-kit.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'

const PROGRAM = resolve(import.meta.dirname, 'partition-child.mjs')
const Q3 = ['bookings_q3', '2024-07-01 00:00:00+00', '2024-10-01 00:00:00+00'] as const
const Q4 = ['bookings_q4', '2024-10-01 00:00:00+00', '2025-01-01 00:00:00+00'] as const
const ROWS = 400
const WHENS = ['before', 'during', 'after'] as const
/**
 * All steps take minutes; by default only COMMITs, which are the only lasting steps besides new tables that are not
 * attached yet.
 */
const EVERY = process.env['SLUICE_TEST_ALL'] !== undefined
/** Programs that run in parallel, each with its own database: most of their time is spent on starting. */
const AT_ONCE = 4

type End = { readonly signal: NodeJS.Signals | null; readonly steps: readonly string[] }

function started(
  url: string,
  more: { step?: number; when?: 'before' | 'during' | 'after' | 'frozen' },
): ChildProcessByStdio<null, Readable, Readable> {
  const partitions = [Q3, Q4].map(([name, from, to]) => ({ name: { name }, from, to }))
  const options = { url, table: { schema: 'public', name: 'bookings' }, partitions, ...more }
  return spawn(process.execPath, [PROGRAM], {
    env: { ...process.env, SLUICE_CHILD: JSON.stringify(options) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function child(
  url: string,
  more: { step?: number; when?: 'before' | 'during' | 'after' | 'frozen' },
): Promise<End> {
  const program = started(url, more)
  let [said, complaint] = ['', '']
  program.stdout.on('data', (data: Buffer) => (said += data.toString()))
  program.stderr.on('data', (data: Buffer) => (complaint += data.toString()))
  await once(program, 'close')
  if (program.signalCode === null && program.exitCode !== 0) throw new Error(complaint)
  const { steps = [] } = said === '' ? {} : (JSON.parse(said) as { steps?: readonly string[] })
  return { signal: program.signalCode, steps }
}

describe.skipIf(!POSTGRES_OWN)('creating partitions (needs a server of its own)', () => {
  let server: PostgresServer

  beforeAll(async () => {
    server = await startPostgres()
  })

  afterAll(async () => {
    await server[Symbol.asyncDispose]()
  })

  async function prepared(direct: Psql, withRest: boolean): Promise<void> {
    await direct.run(`SET TimeZone TO 'UTC'; DROP SCHEMA public CASCADE; CREATE SCHEMA public;
      CREATE TABLE bookings (id bigint, at timestamptz NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE INDEX ON bookings (note);
      CREATE TABLE bookings_q2 PARTITION OF bookings FOR VALUES FROM ('2024-04-01') TO ('2024-07-01'); CREATE TABLE said (id bigint PRIMARY KEY, at timestamptz, note text);
      ${withRest ? 'CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT;' : ''}
      INSERT INTO bookings SELECT i, '2024-05-01'::timestamptz + i * interval '1 day', 'n' FROM generate_series(1, ${withRest ? ROWS : 30}) i; INSERT INTO said SELECT * FROM bookings`)
  }

  /** Kills the program twice at the step, and runs it to the end; a writer writes without a pause. */
  async function survives(direct: Psql, url: string, step: number, when: 'before' | 'during' | 'after'): Promise<void> {
    const writer = await psql(url)
    const writes = await writing(
      writer,
      (n) =>
        `WITH changed AS (UPDATE bookings SET note = note || '.', at = CASE WHEN id % 7 = 0 AND at > '2024-07-01' THEN at + interval '1 second' ELSE at END WHERE id = ${1 + ((n * 37) % ROWS)}
           RETURNING id, at, note) UPDATE said s SET at = c.at, note = c.note FROM changed c WHERE c.id = s.id`,
      5,
    )
    for (let kill = 0; kill < 2; kill++) await child(url, { step, when })
    await using store = await openPostgresCopy(url)
    const { made, foundMade } = await make(store, await look(store, 'bookings'), [Q3, Q4])
    await writes.stop()
    await writer.close()
    const words = `${when} step ${step}`
    expect([words, made.length + foundMade.length]).toEqual([words, 2])
    expect([words, await leftOvers(direct)]).toEqual([words, []])
    expect([words, (await look(store, 'bookings')).leftOver]).toEqual([words, undefined])
    const differing = await direct.rows(
      '(SELECT * FROM bookings EXCEPT ALL SELECT * FROM said) UNION ALL (SELECT * FROM said EXCEPT ALL SELECT * FROM bookings)',
    )
    expect([words, differing]).toEqual([words, []])
    const parts = await direct.rows(
      "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'bookings'::regclass AND inhrelid::regclass::text <> 'bookings_rest' ORDER BY 1",
    )
    expect([words, parts.flat()]).toEqual([words, ['bookings_q2', 'bookings_q3', 'bookings_q4']])
    expect(
      await direct.rows('SELECT count(*) FROM pg_trigger WHERE tgrelid IN (SELECT inhrelid FROM pg_inherits)'),
    ).toEqual([['0']])
    expect(
      await direct.rows("SELECT indisvalid, count(*) FROM pg_index WHERE indrelid = 'bookings'::regclass GROUP BY 1"),
    ).toEqual([['t', '2']])
  }

  test.for([
    [false, 'without a default partition'],
    [true, 'with rows to move'],
  ] as const)('%s: every kill is survived %s', { timeout: 180_000 }, async ([withRest]) => {
    const sides = await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, i) => {
        const name = `killed_${withRest ? 'moving' : 'making'}_${i}`
        await server.createDatabase(name)
        return { url: server.url(name), direct: await psql(server.url(name)) }
      }),
    )
    const [first] = sides
    if (first === undefined) throw new Error('no database')
    await prepared(first.direct, withRest)
    const { steps, signal } = await child(first.url, {})
    expect(signal).toBeNull()
    expect(steps.length).toBeGreaterThan(5)
    const todo = steps.flatMap((name, i) => {
      const isCommit = name.startsWith('COMMIT')
      if (!EVERY && !isCommit) return []
      const whens = EVERY && isCommit ? WHENS : (['after'] as const)
      return whens.map((when) => ({ step: i + 1, when }))
    })
    await Promise.all(
      sides.map(async ({ url, direct }) => {
        for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
          await prepared(direct, withRest)
          await survives(direct, url, next.step, next.when)
        }
        await direct.close()
      }),
    )
  })

  test.skipIf(!EVERY)('the server ends a program that is frozen with locks', { timeout: 60_000 }, async () => {
    await server.createDatabase('frozen')
    const url = server.url('frozen')
    const direct = await psql(url)
    await prepared(direct, true)
    const { steps } = await child(url, {})
    const last = steps.findLastIndex((name, i) => name.startsWith('COMMIT') && i < steps.length - 1)
    await prepared(direct, true)
    const still = started(url, { step: last + 1, when: 'frozen' })
    const waits =
      "SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'bookings'::regclass"
    await expect.poll(() => direct.rows(waits), { timeout: 20_000, interval: 20 }).toHaveLength(1)
    await direct.run("INSERT INTO bookings VALUES (100000, '2024-08-01', 'at last')")
    still.kill('SIGKILL')
    await once(still, 'close')
    await using store = await openPostgresCopy(url)
    expect((await make(store, await look(store, 'bookings'), [Q3, Q4])).made).toHaveLength(2)
    expect(await leftOvers(direct)).toEqual([])
    expect(await direct.rows('SELECT count(*) FROM bookings')).toEqual([[String(ROWS + 1)]])
    await direct.close()
  })
})
