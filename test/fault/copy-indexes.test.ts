/** A copy is killed while it creates an index: after the next run the index exists, and was created once. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { expectNothingToDo, of, startCopy } from './copy-kit.ts'

const ROWS = 2000

let folder = ''
let source: Place
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-index-kill-'))
  source = await makePlace('sqlite', folder)
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)',
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) INSERT INTO t SELECT i, 'row ' || i, i FROM n`,
    'CREATE INDEX by_name ON t (name, n)',
    'CREATE UNIQUE INDEX by_n ON t (n)',
  )
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Blocked = {
  /** Statements of one session that block the creation of an index until the session ends. */
  readonly lock: readonly string[]
  /** Query for the number of statements that are blocked. */
  readonly waiting: string
  readonly indexes: string
  /**
   * Statements that take the locks under which indexes are created.
   * @param schema of the table, as a copy may name it
   */
  readonly hold: (schema: string) => readonly string[]
}

/** Digests of the words that name a lock, without and with the schema. */
function digests(named: string, words: (schema?: string) => unknown): readonly Buffer[] {
  return [undefined, named].map((schema) =>
    createHash('sha256')
      .update(JSON.stringify(words(schema)))
      .digest(),
  )
}

const SERVERS: Readonly<Record<'postgresql' | 'mysql', Blocked>> = {
  postgresql: {
    lock: ['BEGIN', 'LOCK TABLE t IN ROW EXCLUSIVE MODE'],
    waiting: `SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE %INDEX%' AND wait_event_type = 'Lock' AND datname = current_database()`,
    indexes: `SELECT relname, indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = 't'::regclass AND NOT indisprimary ORDER BY 1`,
    hold: (named) =>
      digests(named, (schema) => ['sluice object', schema, 't', 'index', 'by_name']).map(
        (digest) => `SELECT pg_advisory_lock(${digest.readBigInt64BE(0)})`,
      ),
  },
  mysql: {
    lock: ['START TRANSACTION', 'SELECT * FROM t LIMIT 1'],
    waiting: `SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'ALTER TABLE%' AND state LIKE 'Waiting%' AND db = database()`,
    indexes: `SELECT DISTINCT index_name, 't' FROM information_schema.statistics WHERE table_schema = database() AND table_name = 't' AND index_name <> 'PRIMARY' ORDER BY 1`,
    hold: (named) =>
      digests(named, (schema) => [schema, 't']).map(
        (digest) => `SELECT GET_LOCK('sluice ${digest.toString('hex').slice(0, 40)}', 0)`,
      ),
  },
}

test.for(['postgresql', 'mysql'] as const)(
  '%s: the next run waits for a statement of a killed program',
  { timeout: 60_000 },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const target = await makePlace(system, folder)
    const { lock, waiting, indexes } = SERVERS[system]
    const copy = copyOf(source, target, 't', { with: ['indexes'] })
    expect((await perform({ ...copy, with: [] })).finished.exitCode).toBe(0)
    const holder = await holderOf(target)
    await holder.run(...lock)
    const child = startCopy(copy)
    await child.until('index.started')
    await untilSome(target, waiting)
    child.process.kill('SIGKILL')
    await child.ended
    const second = perform(copy)
    await sleep(300)
    await holder.close()
    const { finished, events } = await second
    expect(finished).toMatchObject({ exitCode: 0 })
    expect(of(events, 'index.failed')).toEqual([])
    expect(await target.rows(indexes)).toEqual([
      ['by_n', 't'],
      ['by_name', 't'],
    ])
    expect(await target.rows('SELECT DISTINCT status FROM migration_objects')).toEqual([['built']])
    await expectNothingToDo(copy)
  },
)

test.for(['postgresql', 'mysql'] as const)(
  '%s: a session that holds the lock of an index, but does not create it, is reported',
  // Both wait for half a minute.
  { timeout: 120_000, concurrent: true },
  async (system, { skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const target = await makePlace(system, folder)
    const copy = copyOf(source, target, 't', { with: ['indexes'] })
    const holder = await holderOf(target)
    await holder.run(...SERVERS[system].hold(system === 'mysql' ? new URL(target.url).pathname.slice(1) : 'public'))
    const { finished, events } = await perform(copy)
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'OBJECTS_FAILED' } })
    const message = expect.stringMatching(
      /^session \d+ of \S+ holds the lock of by_\w+, but does not create it/,
    ) as string
    expect(of(events, 'index.failed')[0]).toMatchObject({ error: { message } })
    await holder.close()
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
  },
)

test.for(['sqlite', 'duckdb'] as const)(
  '%s: an index is complete or absent after a kill',
  { timeout: 60_000 },
  async (system) => {
    const target = await makePlace(system, folder)
    const copy = copyOf(source, target, 't', { with: ['indexes'] })
    const child = startCopy(copy)
    await child.until('index.started')
    child.process.kill('SIGKILL')
    await child.ended
    const { finished, events } = await perform(copy)
    expect(finished).toMatchObject({ exitCode: 0 })
    expect(of(events, 'chunk.started')).toEqual([])
    const names =
      system === 'sqlite'
        ? `SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 't'`
        : `SELECT index_name FROM duckdb_indexes() WHERE table_name = 't'`
    expect((await target.rows(names)).flat().toSorted()).toEqual(['by_n', 'by_name'])
    expect(await target.rows('SELECT DISTINCT status FROM migration_objects')).toEqual([['built']])
    await expectNothingToDo(copy)
  },
)

async function untilSome(place: Place, count: string): Promise<void> {
  for (;;) {
    const [row] = await place.rows(count)
    if (Number(row?.[0]) > 0) return
    await sleep(20)
  }
}

/** A session that keeps its locks until it is closed. */
async function holderOf({
  system,
  url,
}: Place): Promise<{ run(...sql: readonly string[]): Promise<void>; close(): Promise<void> }> {
  if (system === 'postgresql') {
    const { default: pg } = await import('pg')
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    return {
      run: async (...sql) => {
        for (const one of sql) await client.query(one)
      },
      close: () => client.end(),
    }
  }
  const { createConnection } = await import('mysql2/promise')
  const connection = await createConnection({ uri: url })
  return {
    run: async (...sql) => {
      for (const one of sql) await connection.query(one)
    },
    close: () => connection.end(),
  }
}
