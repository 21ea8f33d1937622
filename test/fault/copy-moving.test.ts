/**
 * A source that is written to or altered while it is read, and a clock that jumps meanwhile: every chunk has the rows
 * that the source had at its read point.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { runOperation } from '../../src/app/run.ts'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter, NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { ALL } from '../support/backend.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'
import { ledgerProblems } from '../support/copy-ledger.ts'
import { expectDone, of } from './copy-kit.ts'

const ROWS = 1500
const CHUNK = 100

let folder = ''
let why = ''
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-moving-'))
  why = await missing('postgresql')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeEach((context) => context.skip(why !== '', why))

/**
 * A table that records every version of its rows with the transaction that wrote it, so that the rows of any snapshot
 * can be queried later. Log numbers grow in the order in which a row changed, because a writer waits for the previous
 * writer of the row.
 */
async function remembering(): Promise<Place> {
  const source = await makePlace('postgresql', folder)
  await source.sql(
    'CREATE TABLE t (id int PRIMARY KEY, v text)',
    'CREATE TABLE versions (seq bigserial PRIMARY KEY, id int, v text, xid xid8 DEFAULT pg_current_xact_id())',
    `CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR OLD.id <> NEW.id) THEN INSERT INTO versions (id, v) VALUES (OLD.id, NULL); END IF;
       IF TG_OP <> 'DELETE' THEN INSERT INTO versions (id, v) VALUES (NEW.id, NEW.v); END IF;
       RETURN NULL;
     END $$`,
    'CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION remember()',
    `INSERT INTO t SELECT i * 2, 'first ' || i FROM generate_series(1, ${ROWS}) i`,
  )
  return source
}

/** Rows between two keys that a snapshot, as recorded in the ledger, could see. */
async function rowsAt(source: Place, view: string, after: string | null, through: string | null) {
  return source.rows(
    `SELECT id, v FROM (SELECT DISTINCT ON (id) id, v FROM versions WHERE pg_visible_in_snapshot(xid, '${view}'::pg_snapshot)
       ${after === null ? '' : `AND id > ${after}`} ${through === null ? '' : `AND id <= ${through}`} ORDER BY id, seq DESC) AS latest
     WHERE v IS NOT NULL ORDER BY id`,
  )
}

/** Inserts, updates, deletes and moves rows until it is aborted. */
async function stir(source: Place, stop: AbortSignal): Promise<number> {
  const client = new pg.Client({ connectionString: source.url })
  await client.connect()
  let changes = 0
  try {
    while (!stop.aborted) {
      const i = ++changes
      const key = (i * 7919) % (ROWS * 2)
      await client.query(
        i % 5 === 0
          ? `BEGIN; DELETE FROM t WHERE id = ${key}; INSERT INTO t VALUES (${key}, 'again ${i}') ON CONFLICT DO NOTHING; COMMIT`
          : i % 5 === 1
            ? `INSERT INTO t VALUES (${key + 1}, 'added ${i}') ON CONFLICT (id) DO UPDATE SET v = 'added ${i}'`
            : i % 5 === 2
              ? `DELETE FROM t WHERE id BETWEEN ${key} AND ${key + 3}`
              : i % 5 === 3
                ? `UPDATE t SET v = 'changed ${i}' WHERE id BETWEEN ${key} AND ${key + 40}`
                : `UPDATE t SET id = ${ROWS * 2 + i} WHERE id = (SELECT min(id) FROM t WHERE id > ${key})`,
      )
      await sleep(1)
    }
  } finally {
    await client.end()
  }
  return changes
}

/** Every chunk has exactly the rows of its read point. @returns the read points */
async function expectChunksAsRead(source: Place, target: Place): Promise<ReadonlySet<string>> {
  const chunks = await target.rows(
    "SELECT lo, hi, read_view, rows_written FROM migration_checkpoints WHERE table_name = 't' AND status = 'completed'",
  )
  const bound = (text: string | null | undefined): string | null =>
    text == null ? null : ((JSON.parse(text) as readonly string[])[0] ?? null)
  for (const [lo, hi, view, written] of chunks) {
    const [after, through] = [bound(lo), bound(hi)]
    const expected = await rowsAt(source, view ?? '', after, through)
    const where = [after === null ? null : `id > ${after}`, through === null ? null : `id <= ${through}`]
      .filter((part) => part !== null)
      .join(' AND ')
    const found = await target.rows(`SELECT id, v FROM t ${where === '' ? '' : `WHERE ${where}`} ORDER BY id`)
    expect(found, `${after} to ${through} at ${view}`).toEqual(expected)
    expect(written).toBe(String(expected.length))
  }
  return new Set(chunks.map(([, , view]) => view ?? ''))
}

describe('a source that is written to', () => {
  async function stirred<T>(source: Place, body: () => Promise<T>): Promise<T> {
    const stop = new AbortController()
    const stirring = stir(source, stop.signal)
    try {
      await expect.poll(() => source.rows("SELECT FROM versions WHERE v LIKE 'changed%' LIMIT 1")).toHaveLength(1)
      return await body()
    } finally {
      stop.abort()
      expect(await stirring).toBeGreaterThan(10)
    }
  }

  test.for(['sqlite', 'postgresql'] as const)(
    'all chunks of a run are read in one snapshot, into %s',
    { timeout: 60_000 },
    async (system) => {
      const [source, target] = [await remembering(), await makePlace(system, folder)]
      const copy = copyOf(source, target, 't', { chunkRows: CHUNK, workers: 3, rate: ROWS * 4 })
      const { finished, events } = await stirred(source, () => perform(copy))
      expect(finished).toMatchObject({ exitCode: 0, totals: { quarantined: '0' } })
      const [table] = of(events, 'table.finished')
      expect(table).toMatchObject({ status: 'ok', copied: { readPoints: '1' } })
      expect(table?.notes).toBeUndefined()
      const points = await expectChunksAsRead(source, target)
      expect(points.size).toBe(1)
      const [view = ''] = points
      const all = await rowsAt(source, view, null, null)
      expect(await target.rows('SELECT id, v FROM t ORDER BY id')).toEqual(all)
      expect(await ledgerProblems(target, 't', all.length)).toEqual([])
      // Later changes of the source are not copied, and a diff reports them.
      const compared = await perform({ ...copy, kind: 'diff', limit: 1, fix: false, deleteExtra: false })
      expect(compared.finished).toMatchObject({ exitCode: 1, error: { code: 'DIFFERENCES' } })
    },
  )

  test('a resumed run reads in another snapshot, and reports it at the end', { timeout: 60_000 }, async () => {
    const [source, target] = [await remembering(), await makePlace('sqlite', folder)]
    const copy = copyOf(source, target, 't', { chunkRows: CHUNK, rate: ROWS * 4 })
    const ended = await stirred(source, async () => {
      const interrupt = new Interrupter()
      let chunks = 0
      const first = await perform(copy, {
        interrupt,
        onEvent: ({ type }) => {
          if (type === 'chunk.done' && ++chunks === 5) interrupt.requestStop()
        },
      })
      expect(first.finished.exitCode).toBe(75)
      return perform({ ...copy, chunkRows: CHUNK * 2 })
    })
    expectOnlySourceChanged(ended)
    expect(of(ended.events, 'table.finished')).toMatchObject([
      {
        copied: { readPoints: '2' },
        notes: expect.arrayContaining([expect.stringContaining('read from 2 snapshots of the source')]),
      },
    ])
    expect((await expectChunksAsRead(source, target)).size).toBe(2)
    // Rows whose keys moved behind the last chunk are found by the following run.
    expectOnlySourceChanged(await perform(copy))
    await expectChunksAsRead(source, target)
  })
})

/** Writes between two runs are reported as changes of the source, and not as lost rows. */
function expectOnlySourceChanged({ finished, events }: Ran): void {
  const sides = of(events, 'look.difference').map(({ side }) => side)
  expect(sides.filter((side) => side !== 'source')).toEqual([])
  expect(finished).toMatchObject(
    sides.length === 0
      ? { exitCode: 0 }
      : {
          exitCode: 1,
          error: { code: 'COUNTS_DIFFER', message: expect.stringContaining('has changed since it was copied') },
        },
  )
}

test.for(['sqlite', 'mysql'] as const)(
  'rows that are written to %s after the first chunk has begun are not copied',
  { timeout: 60_000 },
  async (system, context) => {
    const none = await missing(system)
    context.skip(none !== '', none)
    const [source, target] = [await makePlace(system, folder), await makePlace('sqlite', folder)]
    const rows = Array.from({ length: 600 }, (_, i) => `(${i * 2}, 'first ${i}')`)
    await source.sql(
      ...(system === 'sqlite' ? ['PRAGMA journal_mode = WAL'] : []),
      'CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(30))',
      `INSERT INTO t VALUES ${rows.join(', ')}`,
    )
    const before = await source.rows('SELECT id, v FROM t ORDER BY id')
    const copy = copyOf(source, target, 't', { chunkRows: 100, workers: 3, rate: 3000 })
    const written: Promise<void>[] = []
    const { finished, events } = await perform(copy, {
      onEvent: ({ type }) => {
        if (type !== 'chunk.started') return
        const i = written.length
        const sql = [
          `UPDATE t SET v = 'late ${i}' WHERE id % 14 = ${i * 2}`,
          `DELETE FROM t WHERE id % 22 = ${i * 2}`,
          `INSERT INTO t VALUES (${i * 200 + 1}, 'added'), (${5000 + i}, 'behind')`,
        ]
        written.push(source.sql(...sql))
      },
    })
    await Promise.all(written)
    expect(finished).toMatchObject({ exitCode: 0, totals: { written: '600' } })
    expect(of(events, 'table.finished')).toMatchObject([{ copied: { readPoints: '1' } }])
    expect(await target.rows('SELECT id, v FROM t ORDER BY id')).toEqual(before)
    expect(await source.rows('SELECT id, v FROM t ORDER BY id')).not.toEqual(before)
    expect(await ledgerProblems(target, 't', 600)).toEqual([])
    // Rows behind the last chunk arrive with the next run, and nothing else has changed.
    expectOnlySourceChanged(await perform(copy))
    const came = await source.rows('SELECT id, v FROM t WHERE id > 1198 ORDER BY id')
    expect(await target.rows('SELECT id, v FROM t ORDER BY id')).toEqual([...before, ...came])
  },
)

describe('a source that is altered', () => {
  /** Copies nothing after the first chunk until the ALTER has begun. */
  async function changedAfterOneChunk(
    copy: CopyOperation,
    change: () => { readonly underWay: Promise<void>; readonly done: Promise<void> },
  ): Promise<Ran> {
    const control = { paused: false, lanes: null }
    const changes: Promise<void>[] = []
    const ran = await perform(copy, {
      control,
      onEvent: ({ type }) => {
        if (type !== 'chunk.done' || changes.length > 0) return
        control.paused = true
        const { underWay, done } = change()
        changes.push(
          done,
          underWay.finally(() => (control.paused = false)),
        )
      },
    })
    expect((await Promise.allSettled(changes)).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
    return ran
  }

  /**
   * Statements that wait until no session reads the table, and a row that the target refuses, so that the reader
   * releases the table.
   */
  const CHANGES: readonly (readonly [string, string, readonly string[]])[] = [
    ['emptied', 'TRUNCATE t', []],
    [
      "altered so that two columns have each other's names",
      'BEGIN; ALTER TABLE t RENAME v TO x; ALTER TABLE t RENAME w TO v; ALTER TABLE t RENAME x TO w; COMMIT',
      [],
    ],
    [
      'altered so that another column has a name',
      'BEGIN; ALTER TABLE t RENAME w TO old_w; ALTER TABLE t ADD w varchar(20); COMMIT',
      [],
    ],
    [
      'put in the place of another',
      'BEGIN; ALTER TABLE t RENAME TO earlier; ALTER TABLE other RENAME TO t; COMMIT',
      ['CREATE TABLE other (id int PRIMARY KEY, v text)', "INSERT INTO other VALUES (3, 'of the other')"],
    ],
    ['rewritten', 'ALTER TABLE t ALTER COLUMN id TYPE bigint', []],
    ['rewritten with its rows', 'VACUUM FULL t', []],
    ['without one of its parts', 'ALTER TABLE t DETACH PARTITION part', []],
  ]

  test.for(ALL ? CHANGES : CHANGES.slice(0, 3))(
    'it is %s: the run stops before it copies any other rows',
    { timeout: 60_000 },
    async ([what, change, before]) => {
      const [source, target] = [await makePlace('postgresql', folder), await makePlace('sqlite', folder)]
      const parts = what.includes('parts')
      await source.sql(
        `CREATE TABLE t (id int PRIMARY KEY, v varchar(20), w varchar(20)) ${parts ? 'PARTITION BY RANGE (id)' : ''}`,
        ...(parts ? ['CREATE TABLE part PARTITION OF t FOR VALUES FROM (0) TO (1000000)'] : []),
        `INSERT INTO t SELECT i, 'row ' || i, 'w ' || i FROM generate_series(1, ${ROWS}) i`,
        ...before,
      )
      await target.sql('CREATE TABLE t (id int PRIMARY KEY, v text CHECK (id <> 550), w text)')
      const copy = copyOf(source, target, 't', { chunkRows: CHUNK, workers: 1, batchRows: 20 })
      const waits =
        'SELECT FROM pg_locks JOIN pg_database d ON d.oid = database WHERE NOT granted AND datname = current_database()'
      const untilWaiting = async (): Promise<void> => {
        while ((await source.rows(waits)).length === 0) await sleep(10)
      }
      const { finished } = await changedAfterOneChunk(copy, () => ({
        done: source.sql(change),
        underWay: untilWaiting(),
      }))
      expect(finished).toMatchObject({ exitCode: 3, status: 'failed', error: { code: 'SOURCE_GONE' } })
      // Five hundred rows were copied before the refused one, and none after it.
      expect(
        await target.rows("SELECT count(*), sum(rows_read) FROM migration_checkpoints WHERE status = 'completed'"),
      ).toEqual([['5', '500']])
      expect(await target.rows('SELECT id, v, w FROM t ORDER BY id')).toEqual(
        Array.from({ length: 500 }, (_, i) => [String(i + 1), `row ${i + 1}`, `w ${i + 1}`]),
      )
    },
  )

  const EXCHANGED = ['v TO x', 'w TO v', 'x TO w'].map((names) => `ALTER TABLE t RENAME COLUMN ${names}`)
  const MADE = ['CREATE TABLE t (id int PRIMARY KEY NOT NULL, v varchar(20), w varchar(20))']
  for (let i = 1; i <= 400; i++) MADE.push(`INSERT INTO t VALUES (${i}, 'v ${i}', 'w ${i}')`)

  test.for(ALL ? (['postgresql', 'sqlite', 'mysql', 'd1'] as const) : (['postgresql', 'sqlite', 'd1'] as const))(
    'two columns of the target on %s exchange their names: no chunk is written after that',
    { timeout: 60_000 },
    async (system, context) => {
      const none = await missing(system)
      context.skip(none !== '', none)
      const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
      await source.sql(...MADE)
      const copy = copyOf(source, target, 't', { chunkRows: CHUNK, workers: 1 })
      const { finished } = await changedAfterOneChunk(copy, () => {
        const done = target.sql(...EXCHANGED)
        return { done, underWay: done }
      })
      expect(finished).toMatchObject({ exitCode: 4, error: { code: 'TABLE_REFUSED' } })
      expect(finished.error?.reason).toContain('have exchanged their names')
      expect(await target.rows("SELECT count(*) FROM t WHERE w NOT LIKE 'v %'")).toEqual([['0']])
      await target.sql(...EXCHANGED)
      const again = await perform(copy)
      expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({ exitCode: 0 })
      expect(await target.rows("SELECT count(*) FROM t WHERE v NOT LIKE 'v %'")).toEqual([['0']])
    },
  )

  test.for(ALL ? (['mysql', 'd1'] as const) : (['d1'] as const))(
    'two columns of %s exchange their names: no chunk is read after that',
    { timeout: 60_000 },
    async (system, context) => {
      const none = await missing(system)
      context.skip(none !== '', none)
      const [source, target] = [await makePlace(system, folder), await makePlace('sqlite', folder)]
      await source.sql(...MADE)
      const copy = copyOf(source, target, 't', { chunkRows: CHUNK, workers: 1 })
      const { finished } = await changedAfterOneChunk(copy, () => {
        const done = source.sql(
          ...(system === 'd1' ? EXCHANGED : ['ALTER TABLE t RENAME COLUMN v TO w, RENAME COLUMN w TO v']),
        )
        return { done, underWay: done }
      })
      expect(finished).toMatchObject({ exitCode: 3, error: { code: 'SOURCE_GONE' } })
      expect(await target.rows("SELECT count(*) FROM t WHERE v NOT LIKE 'v %'")).toEqual([['0']])
    },
  )

  // The server identifies tables by their creation time in seconds.
  test.runIf(ALL)(
    'another table of MySQL takes the name: the run reads it in a second snapshot',
    { timeout: 60_000 },
    async (context) => {
      const none = await missing('mysql')
      context.skip(none !== '', none)
      const [source, target] = [await makePlace('mysql', folder), await makePlace('sqlite', folder)]
      await source.sql(
        'CREATE TABLE t (id int PRIMARY KEY, v varchar(20))',
        `INSERT INTO t SELECT seq, concat('row ', seq) FROM seq_1_to_${ROWS}`,
        'CREATE TABLE other LIKE t',
        'DO SLEEP(1.1)',
      )
      const copy = copyOf(source, target, 't', { chunkRows: CHUNK, workers: 1 })
      // Tools for online ALTERs do this: they fill another table, and then rename it to the first one's name.
      const { finished, events } = await changedAfterOneChunk(copy, () => {
        const done = source.sql('INSERT INTO other SELECT * FROM t', 'RENAME TABLE t TO earlier, other TO t')
        return { done, underWay: done }
      })
      expect(finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      expect(of(events, 'table.finished')).toMatchObject([{ copied: { readPoints: '2' } }])
      expect(await target.rows('SELECT id, v FROM t ORDER BY id')).toEqual(
        await source.rows('SELECT id, v FROM t ORDER BY id'),
      )
      expect(await ledgerProblems(target, 't', ROWS)).toEqual([])
    },
  )
})

describe('a clock that jumps', () => {
  test('if the clock of the database goes back after a stopped copy, its remaining chunks are still due', async () => {
    const [source, target] = [await makePlace('postgresql', folder), await makePlace('postgresql', folder)]
    await source.sql(
      'CREATE TABLE t (id int PRIMARY KEY, v text)',
      `INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 500) i`,
    )
    const copy = copyOf(source, target, 't', { chunkRows: 50, rate: 1000 })
    const interrupt = new Interrupter()
    let begun = 0
    const first = await perform(copy, {
      interrupt,
      onEvent: ({ type }) => {
        if (type === 'chunk.started' && ++begun === 3) interrupt.requestAbort()
      },
    })
    expect(first.finished.exitCode).toBe(75)
    const [[latest] = []] = await target.rows(
      "SELECT max(next_try) FROM migration_checkpoints WHERE status = 'pending'",
    )
    expect(latest).toBe('0')
  })

  const JUMPS: readonly (readonly [string, readonly number[]])[] = [
    ['to and fro', [5, -10, 20, -40]],
    ['forwards by hours', [1, 7, 24, 24]],
    ['backwards by hours', [-1, -7, -24, -24]],
  ]
  test.for(ALL ? JUMPS : JUMPS.slice(0, 1))(
    '%s: leases use the clock of the database',
    { timeout: 60_000 },
    async ([, hours]) => {
      const [source, target] = [await makePlace('postgresql', folder), await makePlace('postgresql', folder)]
      await source.sql(
        'CREATE TABLE t (id int PRIMARY KEY, v text)',
        `INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 500) i`,
      )
      const copy = copyOf(source, target, 't', { chunkRows: 50 })
      const events: Event[] = []
      let jumped = 0
      const finished = await runOperation(copy, {
        interrupt: NEVER,
        clock: {
          now: () => systemClock.now() + jumped * 3_600_000,
          ticks: () => systemClock.ticks() + jumped * 3_600_000,
        },
        tool: 'test',
        actor: 'tester',
        host: 'here',
        commandLine: 'sluice copy',
        onEvent: (event) => {
          events.push(event)
          if (event.type === 'chunk.started') jumped += hours[Number(event.chunk) % hours.length] ?? 0
        },
      })
      expect(finished).toMatchObject({ exitCode: 0, totals: { written: '500' } })
      expect(of(events, 'chunk.retried')).toEqual([])
      expect(of(events, 'log')).toEqual([])
      const now = Date.now()
      const [times] = await target.rows('SELECT min(completed_ms), max(completed_ms) FROM migration_checkpoints')
      for (const time of times ?? []) expect(Math.abs(Number(time) - now)).toBeLessThan(600_000)
      await expectDone({ copy, source, target, table: 't', select: 'SELECT id, v FROM t ORDER BY id' })
    },
  )
})
