/**
 * `diff --fix` and `diff --undo` report only what is true in the target: they read each row under a lock before and
 * after the write.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-repair-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const fixOf = (source: Place, target: Place, deleteExtra = false): DiffOperation => ({
  ...copyOf(source, target, 't'),
  kind: 'diff',
  limit: 10,
  fix: true,
  deleteExtra,
})
const undoOf = (target: Place, { events }: Ran): Promise<Ran> =>
  perform({ kind: 'diff-undo', runId: events[0]?.runId ?? '', to: target.url, tables: [] })
const messages = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
const notes = (target: Place): Promise<unknown> =>
  target.rows('SELECT row_key, before_json, after_json FROM migration_repairs WHERE undone_ms IS NULL ORDER BY row_key')

const STORES_ANOTHER = 'cannot be repaired: the target changed or ignored the write'

async function pair(system: 'sqlite' | 'd1' = 'sqlite'): Promise<{ source: Place; target: Place }> {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)', "INSERT INTO t VALUES (1,'a'),(2,'b'),(3,'c')")
  expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
  return { source, target }
}

const ALTERED = [['1', 'x'], ['3', 'x'], ['9', 'x']] // prettier-ignore

async function altered(target: Place): Promise<void> {
  await target.sql("UPDATE t SET v = 'x'", 'DELETE FROM t WHERE id = 2', "INSERT INTO t VALUES (9, 'x')")
}

describe.each(['sqlite', 'd1'] as const)('%s', { timeout: 60_000 }, (system) => {
  test('a repair that a trigger ignores is not reported as one', async ({ skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const { source, target } = await pair(system)
    await altered(target)
    const vetoes = ['INSERT', 'UPDATE', 'DELETE'].map(
      (action) => `CREATE TRIGGER no_${action} BEFORE ${action} ON t BEGIN SELECT RAISE(IGNORE); END`,
    )
    await target.sql(...vetoes)
    const vetoed = await perform(fixOf(source, target, true))
    expect(vetoed.finished).toMatchObject({ exitCode: 1, totals: { fixed: '0' } })
    for (const id of [1, 2, 3, 9]) expect(messages(vetoed).join('\n')).toContain(`the row (${id}) ${STORES_ANOTHER}`)
    expect(await target.rows('SELECT id, v FROM t ORDER BY id')).toEqual(ALTERED)
    expect(await notes(target)).toEqual([])
    await target.sql('DROP TRIGGER no_INSERT', 'DROP TRIGGER no_UPDATE', 'DROP TRIGGER no_DELETE')
    expect((await perform(fixOf(source, target, true))).finished).toMatchObject({ exitCode: 0, totals: { fixed: '4' } })
  })

  test('a repair whose values a trigger changes is not reported as one; the others are made', async ({ skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const { source, target } = await pair(system)
    await altered(target)
    await target.sql(
      "CREATE TRIGGER other AFTER UPDATE ON t WHEN NEW.id = 1 AND NEW.v <> 'mine' BEGIN UPDATE t SET v = 'mine' WHERE id = 1; END",
    )
    const repaired = await perform(fixOf(source, target))
    expect(repaired.finished).toMatchObject({ exitCode: 1, totals: { fixed: '2' } })
    expect(messages(repaired).join('\n')).toContain(`the row (1) ${STORES_ANOTHER}`)
    const changed = system === 'd1' ? 'mine' : 'x'
    expect(await target.rows('SELECT id, v FROM t ORDER BY id')).toEqual([['1', changed], ['2', 'b'], ['3', 'c'], ['9', 'x']]) // prettier-ignore
    const other = system === 'd1' ? [['["1"]', '["1","x"]', '["1","mine"]']] : []
    expect(await notes(target)).toEqual([...other, ['["2"]', null, '["2","b"]'], ['["3"]', '["3","x"]', '["3","c"]']])
  })

  test('an undo that a trigger ignores is not recorded as done', async ({ skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const { source, target } = await pair(system)
    await altered(target)
    const repaired = await perform(fixOf(source, target, true))
    expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { fixed: '4' } })
    await target.sql('CREATE TRIGGER no BEFORE UPDATE ON t BEGIN SELECT RAISE(IGNORE); END')
    expect((await undoOf(target, repaired)).finished.exitCode).not.toBe(0)
    await target.sql('DROP TRIGGER no')
    expect((await undoOf(target, repaired)).finished.exitCode).toBe(0)
    expect(await target.rows('SELECT id, v FROM t ORDER BY id')).toEqual(ALTERED)
  })
})

describe.each(['sqlite', 'postgresql', 'mysql', 'duckdb'] as const)(
  'rows of %s that exchange unique values',
  {
    timeout: 120_000,
  },
  (system) => {
    const rows = (place: Place) => place.rows('SELECT id, u FROM t ORDER BY id')

    async function exchanged(skip: (condition: boolean, why: string) => void, more = ''): Promise<[Place, Place]> {
      const why = await missing(system)
      skip(why !== '', why)
      const [source, target] = [await makePlace(system, folder), await makePlace(system, folder)]
      await source.sql('CREATE TABLE t (id bigint PRIMARY KEY, u varchar(9) UNIQUE)', "INSERT INTO t VALUES (1, 'a')")
      await target.sql(`CREATE TABLE t (id bigint PRIMARY KEY, u varchar(9) UNIQUE${more})`)
      await source.sql("INSERT INTO t VALUES (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e'), (6, 'f')")
      expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
      return [source, target]
    }
    const AFTER = [['1', 'b'], ['2', 'a'], ['3', 'd'], ['4', 'e'], ['5', 'c'], ['6', 'f']] // prettier-ignore

    test('are repaired together, and the repair is undone', async ({ skip }) => {
      const [source, target] = await exchanged(skip)
      const before = await rows(target)
      await source.sql('DELETE FROM t WHERE id < 6')
      await source.sql("INSERT INTO t VALUES (1, 'b'), (2, 'a'), (3, 'd'), (4, 'e'), (5, 'c')")
      const repaired = await perform(fixOf(source, target))
      expect(repaired.finished, JSON.stringify(messages(repaired))).toMatchObject({
        exitCode: 0,
        totals: { fixed: '5' },
      })
      expect(await rows(target)).toEqual(AFTER)
      expect((await undoOf(target, repaired)).finished.exitCode).toBe(0)
      expect(await rows(target)).toEqual(before)
      expect((await perform(copyOf(source, target, 't', { again: true }))).finished.exitCode).toBe(0)
      expect(await rows(target)).toEqual(AFTER)
    })

    test('are refused if a column of the target would lose its value', async ({ skip }) => {
      const [source, target] = await exchanged(skip, ", note varchar(9) DEFAULT 'mine'")
      const before = await rows(target)
      await source.sql('DELETE FROM t WHERE id < 3')
      await source.sql("INSERT INTO t VALUES (1, 'b'), (2, 'a')")
      const refused = await perform(fixOf(source, target))
      if (system === 'duckdb') {
        // DuckDB exchanges the values in one statement, and keeps other columns.
        expect(refused.finished).toMatchObject({ exitCode: 0, totals: { fixed: '2' } })
        const kept = await target.rows("SELECT id, u FROM t WHERE note = 'mine' ORDER BY id LIMIT 2")
        return expect(kept).toEqual([['1', 'b'], ['2', 'a']]) // prettier-ignore
      }
      expect(refused.finished).toMatchObject({ exitCode: 1, totals: { fixed: '0' } })
      expect(JSON.stringify(refused.events)).toContain('delete the row of the target that has this value')
      expect(await rows(target)).toEqual(before)
    })
  },
)

const BUSY_ROWS = 3000
const MADE = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${BUSY_ROWS}) INSERT INTO t SELECT i, `

/**
 * Commits changes to random rows between the steps of a run.
 * @returns how many were committed
 */
async function beside(target: Place, run: () => Promise<void>): Promise<number> {
  const other = new Database(target.url.replace('sqlite:///', ''), { timeout: 0 })
  const update = other.prepare("UPDATE t SET v = 'theirs ' || ? WHERE id % 50 = ?")
  let committed = 0
  const write = (): void => {
    try {
      update.run(committed, committed % 50)
      committed++
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'SQLITE_BUSY') throw error
    }
  }
  let timer = setImmediate(function again() {
    write()
    timer = setImmediate(again)
  })
  try {
    await run()
  } finally {
    clearImmediate(timer)
    other.close()
  }
  return committed
}

/** Logs every change of a row by any session, as the target sees it. */
const LOGGED = [
  'PRAGMA journal_mode = WAL',
  'CREATE TABLE seen (id INTEGER, was TEXT, now TEXT)',
  'CREATE TRIGGER sees AFTER UPDATE ON t BEGIN INSERT INTO seen VALUES (OLD.id, OLD.v, NEW.v); END',
]

test('changes of other sessions during a repair are not lost: the ledger has every value that was overwritten', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)', `${MADE} 'right' FROM n`)
  expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
  await target.sql(...LOGGED, "UPDATE t SET v = 'wrong'", 'DELETE FROM seen')
  const committed = await beside(target, async () => void (await perform(fixOf(source, target))))
  expect(committed).toBeGreaterThan(50)
  const overwritten = await target.rows(
    "SELECT id, was FROM seen WHERE now = 'right' AND was <> 'right' ORDER BY id, was",
  )
  const recorded = await target.rows(
    `SELECT json_extract(before_json, '$[0]') + 0 AS id, json_extract(before_json, '$[1]') AS was FROM migration_repairs ORDER BY id, was`,
  )
  expect(overwritten.length).toBeGreaterThan(100)
  const without = (rows: readonly (readonly (string | null)[])[], others: typeof rows): readonly string[] => {
    const known = new Set(others.map(String))
    return rows.map(String).filter((one) => !known.has(one))
  }
  expect(without(overwritten, recorded)).toEqual([])
  expect(without(recorded, overwritten)).toEqual([])
})

test('an undo does not overwrite what another session commits meanwhile', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)', `${MADE} 'right' FROM n`)
  expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
  await target.sql(...LOGGED, "UPDATE t SET v = 'wrong'")
  const repaired = await perform(fixOf(source, target))
  await target.sql('DELETE FROM seen')
  const committed = await beside(target, async () => void (await undoOf(target, repaired)))
  expect(committed).toBeGreaterThan(5)
  expect(await target.rows("SELECT DISTINCT was FROM seen WHERE now = 'wrong'")).toEqual([['right']])
})

/** A session of the target with an open transaction. */
async function openSession(target: Place): Promise<{ run(sql: string): Promise<void>; end(): Promise<void> }> {
  if (target.system === 'postgresql') {
    const { default: pg } = await import('pg')
    const client = new pg.Client({ connectionString: target.url })
    await client.connect()
    return { run: async (sql) => void (await client.query(sql)), end: () => client.end() }
  }
  const { createConnection } = await import('mysql2/promise')
  const connection = await createConnection(target.url)
  return { run: async (sql) => void (await connection.query(sql)), end: () => connection.end() }
}

/** Resolves once another session of the target waits for a lock. */
async function lockAwaited(target: Place): Promise<void> {
  const waits =
    target.system === 'postgresql'
      ? "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
      : "SELECT COUNT(*) FROM information_schema.processlist WHERE DB = DATABASE() AND ID <> CONNECTION_ID() AND INFO LIKE '%FOR UPDATE%'"
  await expect.poll(async () => (await target.rows(waits))[0]?.[0], { timeout: 20_000 }).not.toBe('0')
}

describe.each(['postgresql', 'mysql'] as const)('%s', { timeout: 60_000 }, (system) => {
  test('a repair and its undo overwrite no row that changes between their read and their write', async ({ skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
    await source.sql(
      'CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(9))',
      "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')",
    )
    expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
    await target.sql("UPDATE t SET v = 'x'", 'DELETE FROM t WHERE id = 4', "INSERT INTO t VALUES (8, 'x'), (9, 'x')")
    const other = await openSession(target)
    try {
      await other.run('BEGIN')
      await other.run("UPDATE t SET v = 'theirs' WHERE id IN (2, 9)")
      await other.run('DELETE FROM t WHERE id IN (3, 8)')
      await other.run("INSERT INTO t VALUES (4, 'theirs')")
      const repairing = perform(fixOf(source, target, true))
      await lockAwaited(target)
      await other.run('COMMIT')
      const repaired = await repairing
      expect(repaired.finished).toMatchObject({ exitCode: 0, totals: { fixed: '5' } })
      const rows = (): Promise<unknown> => target.rows('SELECT CAST(id AS CHAR(1)), v FROM t ORDER BY id')
      expect(await rows()).toEqual([['1', 'a'], ['2', 'b'], ['3', 'c'], ['4', 'd']]) // prettier-ignore
      expect(await notes(target)).toEqual([
        ['["1"]', '["1","x"]', '["1","a"]'],
        ['["2"]', '["2","theirs"]', '["2","b"]'],
        ['["3"]', null, '["3","c"]'],
        ['["4"]', '["4","theirs"]', '["4","d"]'],
        ['["9"]', '["9","theirs"]', null],
      ])

      await other.run('BEGIN')
      await other.run("UPDATE t SET v = 'later' WHERE id = 2")
      const undoing = undoOf(target, repaired)
      await lockAwaited(target)
      await other.run('COMMIT')
      expect((await undoing).finished).toMatchObject({ exitCode: 1, totals: { undone: '4', changed: '1' } })
      expect(await rows()).toEqual([['1', 'x'], ['2', 'later'], ['4', 'theirs'], ['9', 'theirs']]) // prettier-ignore
    } finally {
      await other.end()
    }
  })
})

test('a repair that triggers of PostgreSQL change or ignore is not reported', { timeout: 60_000 }, async ({ skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', why)
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('postgresql', folder)]
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)', "INSERT INTO t VALUES (1,'a'),(2,'b'),(3,'c')")
  expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
  await altered(target)
  await target.sql(
    `CREATE FUNCTION otherwise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF TG_OP = 'DELETE' OR NEW.id = 2 THEN RETURN NULL; END IF;
       IF NEW.id = 1 THEN NEW.v := 'mine'; END IF; RETURN NEW; END $$`,
    'CREATE TRIGGER otherwise BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION otherwise()',
  )
  const repaired = await perform(fixOf(source, target, true))
  expect(repaired.finished).toMatchObject({ exitCode: 1, totals: { fixed: '1' } })
  for (const id of [1, 2, 9]) expect(messages(repaired).join('\n')).toContain(`the row (${id}) ${STORES_ANOTHER}`)
  expect(await target.rows('SELECT id::text, v FROM t ORDER BY id')).toEqual([['1', 'x'], ['3', 'c'], ['9', 'x']]) // prettier-ignore
  expect(await notes(target)).toEqual([['["3"]', '["3","x"]', '["3","c"]']])
})
