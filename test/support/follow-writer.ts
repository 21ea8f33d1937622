/**
 * Writes to a source without a pause: sessions insert, update, delete, move keys, roll back and truncate tables, by a
 * seed, until `stop`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/**
 * Tables of the writer: wide values that are stored in TOAST, keys of several columns, a partitioned table, and a row
 * that all sessions increment.
 */
export const FOLLOW_TABLES: readonly string[] = [
  `CREATE TABLE acct (id bigint PRIMARY KEY, qty int NOT NULL, name text, big text, note varchar(40) DEFAULT 'x',
     total numeric(12,2), free numeric, at timestamptz NOT NULL DEFAULT now())`,
  'ALTER TABLE acct ALTER COLUMN big SET STORAGE EXTERNAL',
  `CREATE TABLE moves (a int, b text, v double precision, doc jsonb, list int[], raw bytea, big text, PRIMARY KEY (a, b))`,
  'ALTER TABLE moves ALTER COLUMN big SET STORAGE EXTERNAL',
  `CREATE TABLE ev (id bigint, day date NOT NULL, v int, big text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)`,
  `CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM ('2026-01-01') TO ('2026-04-01')`,
  `CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM ('2026-04-01') TO ('2026-07-01')`,
  'CREATE TABLE ev_d PARTITION OF ev DEFAULT',
  'CREATE TABLE cnt (id int PRIMARY KEY, n bigint NOT NULL)',
  'INSERT INTO cnt VALUES (1, 0)',
]

export const FOLLOW_NAMES = ['acct', 'moves', 'ev', 'cnt'] as const

/** Initial rows. */
export function seedRows(rows: number): readonly string[] {
  return [
    `INSERT INTO acct SELECT i, i % 100, 'name ' || i, CASE WHEN i % 7 = 0 THEN repeat(md5(i::text), 120) END, 'n', i * 0.25, i * 0.10 FROM generate_series(1, ${rows}) i`,
    `INSERT INTO moves SELECT i, 'k' || i % 5, i / 3.0, jsonb_build_object('i', i, 'x', NULL), ARRAY[i, NULL, -i], decode(md5(i::text), 'hex'),
       CASE WHEN i % 3 = 0 THEN repeat(md5(i::text), 100) END FROM generate_series(1, ${Math.ceil(rows / 4)}) i`,
    `INSERT INTO ev SELECT i, date '2026-01-01' + i % 200, i, CASE WHEN i % 5 = 0 THEN repeat(md5(i::text), 90) END FROM generate_series(1, ${Math.ceil(rows / 4)}) i`,
  ]
}

export type WriterOptions = {
  readonly seed: number
  /** Number of parallel sessions. */
  readonly sessions?: number
  /** Number of keys that statements choose from: the number of initial rows. */
  readonly keys: number
  /** Pause between transactions, ms. */
  readonly pauseMs?: number
  /** Truncates tables now and then. */
  readonly truncates?: boolean
  /** Writes no NaN, because the target has none. */
  readonly numbersOnly?: boolean
}

export type Writer = {
  /** Number of committed transactions so far. */
  readonly committed: () => number
  /** Stops after the running transactions. @throws the error of a session, except conflicts between sessions */
  stop(): Promise<number>
}

/** Expected errors of concurrent sessions: duplicate keys, deadlocks, lock waits. */
const EXPECTED = new Set(['23505', '40P01', '55P03', '40001'])

/** @param url of a superuser of the source */
export function startWriter(url: string, options: WriterOptions): Writer {
  const { sessions = 3, seed } = options
  let [stopped, committed] = [false, 0]
  const all = Array.from({ length: sessions }, async (_, i) => {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => undefined)
    await client.connect()
    const random = randomOf(seed * 31 + i)
    try {
      await client.query(`SET lock_timeout = '5s'`)
      while (!stopped) {
        if (await transaction(client, random, options)) committed++
        if (options.pauseMs !== undefined) await sleep(options.pauseMs)
      }
    } finally {
      await client.end().catch(() => undefined)
    }
  })
  const done = Promise.all(all)
  done.catch(() => undefined)
  return {
    committed: () => committed,
    stop: async () => {
      stopped = true
      await done
      return committed
    },
  }
}

type Random = (below: number) => number

/** @returns whether it was committed */
async function transaction(client: pg.Client, random: Random, options: WriterOptions): Promise<boolean> {
  const rollsBack = random(10) === 0
  try {
    await client.query('BEGIN')
    if (random(4) === 0) await client.query('SET LOCAL synchronous_commit = off')
    const many = random(20) === 0 ? 60 : 1 + random(6)
    for (let i = 0; i < many; i++) {
      if (random(8) === 0) {
        await client.query('SAVEPOINT s')
        await statement(client, random, options)
        await client.query(random(2) === 0 ? 'ROLLBACK TO SAVEPOINT s' : 'RELEASE SAVEPOINT s')
      } else await statement(client, random, options)
    }
    await client.query(rollsBack ? 'ROLLBACK' : 'COMMIT')
    return !rollsBack
  } catch (error) {
    await client.query('ROLLBACK')
    if (!EXPECTED.has((error as { code?: string }).code ?? '')) throw error
    return false
  }
}

async function statement(
  client: pg.Client,
  random: Random,
  { keys, truncates, numbersOnly }: WriterOptions,
): Promise<void> {
  const id = 1 + random(keys)
  const other = 1 + random(keys * 2)
  const big = `repeat(md5('${random(1e9)}'), ${80 + random(60)})`
  const day = `date '2026-01-01' + ${random(220)}`
  switch (random(truncates === true ? 24 : 23)) {
    case 0:
    case 1:
      return void (await client.query(
        `INSERT INTO acct VALUES (${other}, ${random(9)}, 'new', ${random(3) === 0 ? big : 'NULL'}, DEFAULT, ${random(1e6)} / 100.0, ${random(99)} * 1.000) ON CONFLICT DO NOTHING`,
      ))
    case 2:
    case 3:
    case 4:
    case 5:
      return void (await client.query(
        `UPDATE acct SET qty = qty + 1, free = free + 0.00, name = 'u${random(1e6)}' WHERE id = ${id}`,
      ))
    case 6:
      return void (await client.query(`UPDATE acct SET big = ${big} WHERE id = ${id}`))
    case 7:
      return void (await client.query(`DELETE FROM acct WHERE id = ${id}`))
    case 8:
    case 9:
      // The row moves to another key with a value that the stream does not report.
      return void (await client.query(
        `UPDATE acct SET id = ${other} WHERE id = ${id} AND NOT EXISTS (SELECT FROM acct WHERE id = ${other})`,
      ))
    case 10:
      return void (await client.query(
        `INSERT INTO moves VALUES (${id}, 'k${random(5)}', ${random(100)} / 7.0, '{"z": ${random(9)}, "a": [1.50]}', '{1,NULL,${random(9)}}', '\\x00ff', ${big}) ON CONFLICT DO NOTHING`,
      ))
    case 11:
    case 12:
      return void (await client.query(
        `UPDATE moves SET b = 'k${random(9)}', a = ${other} WHERE ctid = (SELECT ctid FROM moves WHERE a >= ${id} ORDER BY a LIMIT 1)`,
      ))
    case 13:
      return void (await client.query(
        `UPDATE moves SET v = ${numbersOnly === true ? '-0.125' : "'NaN'"}, list = NULL WHERE a = ${id}`,
      ))
    case 14:
      return void (await client.query(`DELETE FROM moves WHERE a = ${id}`))
    case 15:
    case 16:
      return void (await client.query(
        `INSERT INTO ev VALUES (${other}, ${day}, ${random(9)}, ${random(2) === 0 ? big : 'NULL'}) ON CONFLICT DO NOTHING`,
      ))
    case 17:
    case 18:
      return void (await client.query(`UPDATE ev SET day = ${day} WHERE id = ${id}`))
    case 19:
      return void (await client.query(`UPDATE ev SET v = v + 1 WHERE id = ${id}`))
    case 20:
      return void (await client.query(`DELETE FROM ev WHERE id = ${id}`))
    case 21:
    case 22:
      return void (await client.query('UPDATE cnt SET n = n + 1 WHERE id = 1'))
    default:
      if (random(40) === 0) await client.query('TRUNCATE moves')
  }
}

/** A linear congruential generator: the same numbers for the same seed. */
export function randomOf(seed: number): Random {
  let state = (seed * 2_654_435_761) >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Rows of every table of the writer, as texts, in the order of their keys. @param rows runs a query on one side */
export async function followedRows(
  rows: (query: string) => Promise<readonly (readonly (string | null)[])[]>,
  names: readonly string[] = FOLLOW_NAMES,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const found: Record<string, readonly string[]> = {}
  for (const name of names)
    found[name] = (await rows(`SELECT t::text FROM ${name} t ORDER BY 1`)).map(([text]) => text ?? '')
  return found
}
