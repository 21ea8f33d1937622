/** Changes of a SQLite file: whatever is done to it, a reference table that applies the stream holds the same rows. */
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, describe, expect, test } from 'vitest'
import type { Change } from '../../src/model/copy/change.ts'
import { keyText } from '../../src/model/copy/key-text.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import type { ChangeSource, FollowedTable, StreamStart } from '../../src/model/follow/port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { SourceView } from '../../src/model/copy/source-port.ts'
import type { SnapshotStream } from '../../src/model/follow/snapshot-port.ts'
import { randomOf, SQLITE_NAMES, SQLITE_TABLES, writeSome } from '../support/sqlite-writer.ts'

const SIGNAL = new AbortController().signal
const folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-stream-'))
let files = 0

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

type Sit = AsyncDisposable & {
  readonly file: string
  readonly db: Database.Database
  readonly store: CopyStore
  readonly source: ChangeSource
  tables(names: readonly string[]): Promise<readonly FollowedTable[]>
}

async function sitOf(statements: readonly string[], mode = 'wal'): Promise<Sit> {
  const file = join(folder, `f${++files}.db`)
  const db = new Database(file)
  db.pragma(`journal_mode = ${mode}`)
  for (const one of statements) db.exec(one)
  const store = await openCopyStore(`sqlite:///${file}`, { mode: 'read' })
  const source = store.offers.triggerChanges?.()
  if (source === undefined) throw new Error('a file tells changes')
  const tables = async (names: readonly string[]): Promise<readonly FollowedTable[]> => {
    const found: FollowedTable[] = []
    for (const name of names) {
      const [table] = await store.tables(name, SIGNAL)
      if (table === undefined) throw new Error(name)
      const columns = table.columns.map((column) => ({ name: column.name, as: column.type, column }))
      found.push({ table, columns, identity: table.key })
    }
    return found
  }
  return {
    file,
    db,
    store,
    source,
    tables,
    [Symbol.asyncDispose]: async () => {
      db.close()
      await store[Symbol.asyncDispose]()
    },
  }
}

/** Applies what a stream reports. */
class NewTable {
  readonly rows: Map<string, string>[]
  readonly #tables: readonly FollowedTable[]
  applied = 0n

  constructor(tables: readonly FollowedTable[]) {
    this.#tables = tables
    this.rows = tables.map(() => new Map<string, string>())
  }

  take(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'delete') this.rows[change.table]?.delete(keyText(change.key))
      if (change.type === 'commit') this.applied = change.end
      if (change.type === 'idle') this.applied = change.position
      if (change.type === 'reshaped') throw new Error(change.reason)
      if (change.type !== 'update') continue
      const { columns, identity } = this.#tables[change.table] ?? { columns: [], identity: [] }
      const key = identity.map((name) => change.row[columns.findIndex((one) => one.name === name)] ?? null)
      this.rows[change.table]?.set(keyText(key), JSON.stringify(change.row.map(String)))
    }
  }

  /** Applies all recorded changes, and confirms them. */
  async catchUp(stream: SnapshotStream): Promise<void> {
    for (;;) {
      const changes = await stream.next(0)
      this.take(changes)
      if (changes.at(-1)?.type === 'commit') stream.confirm(this.applied)
      if (changes.length === 0 || changes.at(-1)?.type === 'idle') return
    }
  }
}

/** Rows as a copy of the table reads them. */
async function inSource(store: CopyStore, table: FollowedTable): Promise<Map<string, string>> {
  await using view = await store.source(SIGNAL)
  return await rowsIn(view, table)
}

async function rowsIn(view: SourceView, table: FollowedTable): Promise<Map<string, string>> {
  const rows = new Map<string, string>()
  const options = {
    table: table.table,
    columns: table.columns,
    range: { by: 'all' },
    where: null,
    ordered: false,
  } as const
  for await (const batch of view.read(options, { rows: 1000, bytes: 1e6 }, SIGNAL)) {
    for (const row of batch.rows) {
      const key = table.identity.map((name) => row[table.columns.findIndex((one) => one.name === name)] ?? null)
      rows.set(keyText(key), JSON.stringify(row.map(String)))
    }
  }
  return rows
}

const sorted = (rows: Map<string, string> | undefined): readonly (readonly [string, string])[] =>
  [...(rows ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1))

const began = async ({ source }: Sit, tables: readonly FollowedTable[]): Promise<StreamStart> => {
  const preflight = await source.inspect(tables, SIGNAL)
  expect(preflight.refusals).toEqual([])
  expect(preflight.identities).toEqual(tables.map(({ identity }) => identity))
  return await source.begin('sluice_7', tables, SIGNAL)
}

const opened = async (
  { source }: Sit,
  startRecord: StreamStart,
  tables: readonly FollowedTable[],
  from = 0n,
): Promise<SnapshotStream> => (await source.open(startRecord, tables, from, SIGNAL)) as SnapshotStream

describe('a reference table that follows a SQLite file', () => {
  test.each([1, 2, 3, 4])('holds the same rows after random changes, seed %i', { timeout: 60_000 }, async (seed) => {
    await using sit = await sitOf(SQLITE_TABLES)
    const tables = await sit.tables(SQLITE_NAMES)
    const startRecord = await began(sit, tables)
    const random = randomOf(seed)
    const reference = new NewTable(tables)
    await using stream = await opened(sit, startRecord, tables)
    for (let round = 0; round < 120; round++) {
      for (let left = 1 + random(5); left > 0; left--) writeSome(sit.db, random, 4 + seed * 3)
      if (random(20) === 0) sit.db.exec('VACUUM')
      await reference.catchUp(stream)
      for (const [at, table] of tables.entries())
        expect(sorted(reference.rows[at]), `${table.table.table.name} after round ${round}`).toEqual(
          sorted(await inSource(sit.store, table)),
        )
    }
    const { faults } = await sit.source.verify(startRecord, tables, reference.applied, SIGNAL)
    expect(faults).toEqual([])
    expect(sit.db.prepare('SELECT count(*) FROM sluice_7_keys_1').pluck().get()).toBe(0)
    await sit.source.end('sluice_7', SIGNAL)
    await sit.source.end('sluice_7', SIGNAL)
    expect(sit.db.prepare(`SELECT name FROM sqlite_schema WHERE name GLOB 'sluice*'`).all()).toEqual([])
  })
})

describe('rows that REPLACE removes are reported', () => {
  const cases: readonly (readonly [what: string, table: string, rows: string, write: string])[] = [
    [
      'by generated columns over a column that gets its default',
      `CREATE TABLE t (id INTEGER PRIMARY KEY, w INTEGER NOT NULL ON CONFLICT REPLACE DEFAULT 7,
         g INTEGER AS (h + 1) UNIQUE ON CONFLICT REPLACE, h INTEGER AS (w * 2) STORED)`,
      'INSERT INTO t (id, w) VALUES (1, 7), (2, 8)',
      'INSERT INTO t (id, w) VALUES (3, NULL)',
    ],
    [
      'by a default that is a word in double quotes',
      `CREATE TABLE t (id INTEGER PRIMARY KEY, w TEXT, x TEXT NOT NULL ON CONFLICT REPLACE DEFAULT "w" UNIQUE ON CONFLICT REPLACE)`,
      `INSERT INTO t VALUES (1, 'a', 'w'), (2, 'b', 'b')`,
      `INSERT INTO t VALUES (3, 'c', NULL)`,
    ],
    [
      'by a default that is a bare word',
      `CREATE TABLE t (id INTEGER PRIMARY KEY, w TEXT, x TEXT NOT NULL DEFAULT w UNIQUE)`,
      `INSERT INTO t VALUES (1, 'a', 'w'), (2, 'b', 'b')`,
      `INSERT OR REPLACE INTO t VALUES (3, 'c', NULL)`,
    ],
    [
      'by an index over an expression that ends in a quoted part',
      `CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT, w INTEGER); CREATE UNIQUE INDEX i ON t(lower(u)||'x'COLLATE "NOCASE"DESC, w+"w")`,
      `INSERT INTO t VALUES (1, 'A', 1), (2, 'b', 1)`,
      `INSERT OR REPLACE INTO t VALUES (3, 'a', 1)`,
    ],
    [
      'by a partial index without a blank',
      `CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT, w INTEGER); CREATE UNIQUE INDEX i ON t(u)WHERE"w">0`,
      `INSERT INTO t VALUES (1, 'a', 1), (2, 'a', 0)`,
      `INSERT OR REPLACE INTO t VALUES (3, 'a', 1)`,
    ],
  ]
  test.each(cases)('%s', async (_what, table, rows, write) => {
    await using sit = await sitOf([table, rows])
    const tables = await sit.tables(['t'])
    const startRecord = await began(sit, tables)
    await using stream = await opened(sit, startRecord, tables)
    const reference = new NewTable(tables)
    sit.db.exec('UPDATE t SET id = id')
    await reference.catchUp(stream)
    sit.db.exec(write)
    await reference.catchUp(stream)
    expect(reference.rows[0]?.size).toBe(2)
    expect(sorted(reference.rows[0])).toEqual(sorted(await inSource(sit.store, tables[0] as FollowedTable)))
  })
})

const T = [
  'CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INTEGER)',
  `INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0)`,
]

describe('preflight check of a SQLite file as a source', () => {
  test('names all refusals at once, before anything is created', async () => {
    await using sit = await sitOf(
      [
        'CREATE TABLE nokey (a INTEGER, b TEXT)',
        'CREATE TABLE loose (a TEXT UNIQUE, b TEXT)',
        'CREATE TABLE holes (k TEXT PRIMARY KEY, b TEXT)',
        `INSERT INTO holes VALUES ('x', ''), (NULL, ''), (NULL, '')`,
        'CREATE TABLE anything (k PRIMARY KEY NOT NULL, b TEXT)',
        `INSERT INTO anything VALUES (1, ''), ('1', '')`,
        'CREATE TABLE fine (k TEXT PRIMARY KEY, b TEXT)',
      ],
      'delete',
    )
    const tables = await sit.tables(['nokey', 'loose', 'holes', 'anything', 'fine'])
    const { refusals, identities } = await sit.source.inspect(tables, SIGNAL)
    expect(refusals.map(({ table, message }) => [table?.name, message])).toEqual([
      [undefined, expect.stringMatching(/rollback journal \(journal_mode = delete\): other sessions could not commit/)],
      ['nokey', expect.stringMatching(/no primary key/)],
      ['loose', expect.stringMatching(/a of loose may be NULL/)],
      ['holes', expect.stringMatching(/rows without a key: k is NULL/)],
      ['anything', expect.stringMatching(/values of any type/)],
    ])
    expect(refusals[0]?.hint).toMatch(/PRAGMA journal_mode=WAL/)
    expect(identities.at(-1)).toEqual(['k'])
    expect(sit.db.prepare(`SELECT count(*) FROM sqlite_schema WHERE name GLOB 'sluice*'`).pluck().get()).toBe(0)
    // The refusal is true: a reader of the file blocks every commit.
    await using view = await sit.store.source(SIGNAL)
    expect(view.point.view).not.toBe('')
    sit.db.pragma('busy_timeout = 0')
    expect(() => sit.db.exec(`INSERT INTO fine VALUES ('y', '')`)).toThrow(/locked/)
    expect(sit.store.offers.slotChanges?.()).toBeUndefined()
  })

  test('a row without a key that is written later halts its table, unless it is deleted again', async () => {
    await using sit = await sitOf(['CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER)'])
    const tables = await sit.tables(['t'])
    const startRecord = await began(sit, tables)
    await using stream = await opened(sit, startRecord, tables)
    const reference = new NewTable(tables)
    sit.db.exec(`INSERT INTO t VALUES (NULL, 1), ('a', 1); DELETE FROM t WHERE k IS NULL`)
    await reference.catchUp(stream)
    expect([...(reference.rows[0]?.keys() ?? [])]).toEqual(['["a"]'])
    sit.db.exec(`INSERT INTO t VALUES (NULL, 1)`)
    await expect(reference.catchUp(stream)).rejects.toThrow(/without a key: k is NULL/)
  })
})

describe('reported changes', () => {
  test('are repeated until they are confirmed, then never; nothing is written to a source at rest', async () => {
    await using sit = await sitOf(T)
    const tables = await sit.tables(['t'])
    const startRecord = await began(sit, tables)
    sit.db.exec(`UPDATE t SET v = 1 WHERE id = 1; INSERT INTO t VALUES (3, 'c', 0); DELETE FROM t WHERE id = 2`)
    const before = await sit.source.lag(startRecord, SIGNAL)
    expect(before).toMatchObject({ now: 0n, waiting: 3n })
    expect(before.heldBytes).toBeGreaterThan(0n)
    const first = new NewTable(tables)
    {
      // Killed between the write to the target and the confirmation.
      await using stream = await opened(sit, startRecord, tables)
      while (first.applied === 0n) first.take(await stream.next(0))
    }
    const fence = await sit.source.fence(SIGNAL)
    expect(fence).toBeGreaterThan(first.applied)
    await using stream = await opened(sit, startRecord, tables, first.applied)
    sit.db.exec(`UPDATE t SET v = 2 WHERE id = 1`)
    await first.catchUp(stream)
    expect(sorted(first.rows[0])).toEqual(
      sorted(await inSource(sit.store, tables[0] as FollowedTable)).filter(([key]) => key !== '["2"]'),
    )
    expect(first.applied).toBeGreaterThan(fence)
    await first.catchUp(stream)
    const version = (): unknown => sit.db.pragma('data_version', { simple: true })
    const rest = version()
    await first.catchUp(stream)
    await sit.source.verify(startRecord, tables, first.applied, SIGNAL)
    expect(version()).toBe(rest)
    expect((await sit.source.lag(startRecord, SIGNAL)).waiting).toBe(0n)
  })

  test('are removed, but not later ones: numbers of entries restart in an empty log', async () => {
    await using sit = await sitOf(T)
    const tables = await sit.tables(['t'])
    const startRecord = await began(sit, tables)
    await using stream = await opened(sit, startRecord, tables)
    const rows = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)'
    sit.db.exec(`${rows} INSERT INTO t SELECT 100 + i, 'u' || i, 0 FROM n`)
    const reference = new NewTable(tables)
    while (reference.applied === 0n) reference.take(await stream.next(0))
    stream.confirm(reference.applied)
    const left = sit.db.prepare('SELECT count(*) FROM sluice_7_keys_1').pluck()
    while (left.get() !== 0) await new Promise(setImmediate)
    sit.db.exec('UPDATE t SET v = 1 WHERE id = 1')
    await reference.catchUp(stream)
    expect(reference.rows[0]?.get('["1"]')).toMatch(/"1"\]$/)
  })

  test('are those of one snapshot, and nothing that is written after it', async () => {
    await using sit = await sitOf(T)
    const tables = await sit.tables(['t'])
    const startRecord = await began(sit, tables)
    await using stream = await opened(sit, startRecord, tables)
    sit.db.exec(`UPDATE t SET v = 1`)
    const reference = new NewTable(tables)
    const view = await stream.snapshot(async (changes) => {
      sit.db.exec(`UPDATE t SET v = v + 100`)
      reference.take(changes)
    })
    if (view === null) throw new Error('there is a moment')
    await using held = view
    const [table] = tables
    const seen = await rowsIn(held, table as FollowedTable)
    expect(sorted(seen)).toEqual(sorted(reference.rows[0]))
    expect(seen.get('["1"]')).toBe('["1","a","1"]')
    stream.confirm(reference.applied)
    await reference.catchUp(stream)
    expect(sorted(reference.rows[0])).toEqual(sorted(await inSource(sit.store, table as FollowedTable)))
  })

  test(
    'of many entries are read in pieces between other writes, and two streams have their own',
    { timeout: 30_000 },
    async () => {
      await using sit = await sitOf(T)
      const tables = await sit.tables(['t'])
      const startRecord = await began(sit, tables)
      const other = await openCopyStore(`sqlite:///${sit.file}`, { mode: 'read' })
      const second = other.offers.triggerChanges?.()
      const ours = await second?.begin('sluice_8', tables, SIGNAL)
      sit.db.exec(
        `WITH RECURSIVE s (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM s WHERE value < 30000) INSERT INTO t SELECT value + 10, 'u' || value, 0 FROM s; UPDATE t SET u = 'u' || (id - 9) || '.' WHERE id > 10; UPDATE t SET u = 'u' || (id - 9) WHERE id > 10`,
      )
      for (const [source, of] of [
        [sit.source, startRecord],
        [second, ours],
      ] as const) {
        if (source === undefined || of === undefined) throw new Error('two streams')
        await using stream = (await source.open(of, tables, 0n, SIGNAL)) as SnapshotStream
        const reference = new NewTable(tables)
        reference.rows[0]?.set('["1"]', '["1","a","0"]').set('["2"]', '["2","b","0"]')
        await reference.catchUp(stream)
        expect(reference.rows[0]?.size).toBe(30_002)
        expect(sorted(reference.rows[0])).toEqual(sorted(await inSource(sit.store, tables[0] as FollowedTable)))
      }
      await second?.end('sluice_8', SIGNAL)
      expect(await sit.source.streamsOf?.({ name: 'T' }, SIGNAL)).toEqual(['sluice_7'])
      await other[Symbol.asyncDispose]()
    },
  )

  test('of few rows with long texts are deletes first, where unique values may move: they are written in pieces', async () => {
    await using sit = await sitOf([
      'CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE, v TEXT)',
      'CREATE TABLE free (id INTEGER PRIMARY KEY, v TEXT)',
    ])
    const tables = await sit.tables(['t', 'free'])
    const startRecord = await began(sit, tables)
    await using stream = await opened(sit, startRecord, tables)
    const round = async (length: number, statements: string): Promise<readonly string[]> => {
      sit.db.function('long', () => 'x'.repeat(length))
      sit.db.exec(statements)
      const words: string[] = []
      for (;;) {
        const changes = await stream.next(0)
        for (const change of changes) if ('table' in change) words.push(`${change.type} ${change.table}`)
        const end = changes.at(-1)
        if (end?.type !== 'commit') continue
        stream.confirm(end.end)
        return words.filter((word, at) => word !== words[at - 1] || at === 0)
      }
    }
    const some = 'WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO'
    expect(await round(1, `${some} t SELECT i, i, 'x' FROM n; ${some} free SELECT i, 'x' FROM n`)).toEqual([
      'update 0',
      'update 1',
    ])
    const rotate = 'UPDATE t SET u = -u, v = long(); UPDATE t SET u = -u % 40 + 1'
    expect(await round(1, `${rotate}; DELETE FROM t WHERE id = 7`)).toEqual(['delete 0', 'update 0'])
    expect(await round(900_000, 'UPDATE free SET v = long()')).toEqual(['update 1'])
    expect(await round(800_000, 'UPDATE t SET v = long() WHERE id < 40')).toEqual(['update 0'])
    expect(await round(900_000, rotate)).toEqual(['delete 0', 'update 0'])
  })
})

test('objects of an earlier attempt are removed, and writes through ATTACH are recorded, too', async () => {
  await using sit = await sitOf(T)
  const tables = await sit.tables(['t'])
  await began(sit, tables)
  sit.db.exec('UPDATE t SET v = 1')
  const startRecord = await began(sit, tables)
  expect((await sit.source.lag(startRecord, SIGNAL)).waiting).toBe(0n)
  const other = new Database(':memory:')
  other.exec(
    `ATTACH '${sit.file}' AS app; CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT); CREATE TABLE sluice_7_keys_1 (key_1)`,
  )
  other.exec(
    `INSERT INTO t VALUES (1, 'mine'); INSERT OR REPLACE INTO app.t VALUES (5, 'a', 3); UPDATE app.t SET v = 4 WHERE id = 2`,
  )
  other.close()
  await using stream = await opened(sit, startRecord, tables)
  const reference = new NewTable(tables)
  reference.rows[0]?.set('["1"]', '["1","a","1"]').set('["2"]', '["2","b","1"]')
  await reference.catchUp(stream)
  expect(sorted(reference.rows[0])).toEqual(sorted(await inSource(sit.store, tables[0] as FollowedTable)))
  expect([...(reference.rows[0]?.keys() ?? [])].toSorted()).toEqual(['["2"]', '["5"]'])
})

describe('changes that may be missing halt', () => {
  const cases: readonly (readonly [what: string, sql: string, code: string | null, reason: RegExp])[] = [
    [
      'a trigger that is gone',
      'DROP TRIGGER sluice_7_1_deleted',
      'TRIGGERS_CHANGED',
      /sluice_7_1_deleted, which records its changes, was dropped/,
    ],
    [
      'a log that is gone',
      'DROP TABLE sluice_7_keys_1',
      'TRIGGERS_CHANGED',
      /sluice_7_keys_1, which records its changes, was dropped/,
    ],
    ['a column more', 'ALTER TABLE t ADD COLUMN w TEXT', 'TABLE_CHANGED', /definition was changed/],
    ['a column of another name', 'ALTER TABLE t RENAME COLUMN v TO w', 'TABLE_CHANGED', /definition was changed/],
    ['a table that is gone', 'DROP TABLE t', 'TABLE_CHANGED', /was dropped or renamed/],
    ['a table of another name', 'ALTER TABLE t RENAME TO s', 'TABLE_CHANGED', /was dropped or renamed/],
    ['a unique index more', 'CREATE UNIQUE INDEX n ON t (v, id)', 'TABLE_CHANGED', /unique index n is new/],
    [
      'a newer trigger that skips those of the stream',
      `CREATE TRIGGER mine AFTER UPDATE ON T BEGIN SELECT raise /* keeps the row */ (Ignore); END`,
      'TRIGGERS_CHANGED',
      /trigger mine is newer than the triggers of the stream/,
    ],
    [
      'newer triggers that skip nothing do not',
      `CREATE TRIGGER mine BEFORE UPDATE ON t BEGIN SELECT RAISE(IGNORE); END;
       CREATE TRIGGER more AFTER UPDATE ON t BEGIN SELECT 'RAISE(IGNORE)'; END`,
      null,
      /^$/,
    ],
    [
      'a counter that is gone',
      'DROP TABLE sluice_7_progress',
      'SLOT_LOST',
      /sluice_7_progress with the applied position does not exist/,
    ],
    ['a counter of an earlier time', 'UPDATE sluice_7_progress SET counter = 1', 'OTHER_SERVER', /earlier time/],
    [
      'a target of an earlier time',
      'UPDATE sluice_7_progress SET forgotten = 9, counter = 9',
      'SLOT_LOST',
      /up to 9 were removed/,
    ],
    ['another stream', `UPDATE sluice_7_progress SET token = ''`, 'OTHER_SERVER', /another stream/],
    [
      'an index, a view, VACUUM and ANALYZE do not',
      'CREATE INDEX n ON t (v); CREATE VIEW w AS SELECT * FROM t; VACUUM; ANALYZE',
      null,
      /^$/,
    ],
  ]
  test.each(cases)('%s', async (_what, sql, code, reason) => {
    await using sit = await sitOf(T)
    const tables = await sit.tables(['t'])
    const startRecord = await began(sit, tables)
    await using stream = await opened(sit, startRecord, tables)
    const reference = new NewTable(tables)
    for (let i = 0; i < 3; i++) {
      sit.db.exec('UPDATE t SET v = v + 1')
      await reference.catchUp(stream)
    }
    expect(reference.applied).toBe(3n)
    sit.db.exec(sql)
    const { faults } = await sit.source.verify(startRecord, tables, reference.applied, SIGNAL)
    expect(faults.map((one) => [one.code, one.tables])).toEqual(code === null ? [] : [[code, ['t']]])
    expect(faults[0]?.message ?? '').toMatch(reason)
    // The stream does not continue either, with or without a check.
    if (code === 'TABLE_CHANGED' || code === 'TRIGGERS_CHANGED') {
      if (!/RENAME TO|DROP TABLE/.test(sql)) sit.db.exec('INSERT INTO t (id) VALUES (77)')
      else if (/keys/.test(sql)) expect(() => sit.db.exec('INSERT INTO t (id) VALUES (77)')).toThrow(/no such table/)
      if (!/DROP TABLE t|RENAME TO/.test(sql)) await expect(reference.catchUp(stream)).rejects.toThrow(reason)
    }
  })

  test('key columns that swapped names, until they are swapped back', async () => {
    const made = 'CREATE TABLE s (a INTEGER NOT NULL, b INTEGER NOT NULL, v INTEGER, PRIMARY KEY (a, b))'
    await using sit = await sitOf([made, 'INSERT INTO s VALUES (1, 2, 0), (2, 1, 0)'])
    const tables = await sit.tables(['s'])
    const startRecord = await began(sit, tables)
    await using stream = await opened(sit, startRecord, tables)
    const reference = new NewTable(tables)
    const swap = 'ALTER TABLE s RENAME a TO x; ALTER TABLE s RENAME b TO a; ALTER TABLE s RENAME x TO b'
    sit.db.exec(`UPDATE s SET v = 1; BEGIN; ${swap}; COMMIT`)
    expect((await sit.source.verify(startRecord, tables, 0n, SIGNAL)).faults).toMatchObject([{ tables: ['s'] }])
    sit.db.exec(`UPDATE s SET v = 9 WHERE a = 1; BEGIN; ${swap}; COMMIT`)
    expect((await sit.source.verify(startRecord, tables, 0n, SIGNAL)).faults).toEqual([])
    // SQLite renames columns in its triggers, too: each entry has the key of its row.
    await reference.catchUp(stream)
    expect(sorted(reference.rows[0])).toEqual(sorted(await inSource(sit.store, tables[0] as FollowedTable)))
  })

  test('a trigger that was dropped and created again, although its text is the same', async () => {
    await using sit = await sitOf(T)
    const tables = await sit.tables(['t'])
    const startRecord = await began(sit, tables)
    const sql = String(sit.db.prepare(`SELECT sql FROM sqlite_schema WHERE name = 'sluice_7_1_deleted'`).pluck().get())
    sit.db.exec(`DROP TRIGGER sluice_7_1_deleted; DELETE FROM t WHERE id = 1; ${sql}`)
    sit.db.exec('VACUUM')
    const { faults } = await sit.source.verify(startRecord, tables, 0n, SIGNAL)
    expect(faults).toMatchObject([{ code: 'TRIGGERS_CHANGED', message: expect.stringMatching(/recreated/) as string }])
    // Restarted within the stream it is complete again.
    const renewed = await sit.source.renew?.(startRecord, tables, 0n, SIGNAL)
    expect((await sit.source.verify(renewed ?? startRecord, tables, 0n, SIGNAL)).faults).toEqual([])
  })

  test('another file under the same path, and no program can delete entries of a log', async () => {
    await using sit = await sitOf(T)
    const tables = await sit.tables(['t'])
    const startRecord = await began(sit, tables)
    sit.db.exec('UPDATE t SET v = 1')
    for (const sql of ['DELETE FROM sluice_7_keys_1', 'UPDATE sluice_7_keys_1 SET key_1 = 9'])
      expect(() => sit.db.exec(sql)).toThrow(/what is taken out of it is lost/)
    sit.db.pragma('wal_checkpoint(TRUNCATE)')
    copyFileSync(sit.file, `${sit.file}.copy`)
    renameSync(`${sit.file}.copy`, sit.file)
    const { faults } = await sit.source.verify(startRecord, tables, 0n, SIGNAL)
    expect(faults).toMatchObject([
      { code: 'OTHER_SERVER', message: expect.stringMatching(/replaced by another one/) as string },
    ])
    await expect(sit.source.renew?.(startRecord, tables, 0n, SIGNAL)).rejects.toMatchObject({ code: 'STREAM_HALTED' })
  })
})

test('the cost of triggers is measured in another file', async () => {
  await using sit = await sitOf([...T, 'CREATE TABLE e (id INTEGER PRIMARY KEY)'])
  const tables = await sit.tables(['t', 'e'])
  const lines = await sit.source.cost?.(tables, SIGNAL)
  expect(lines?.[0]).toMatch(
    /^t: a write of one row takes [\d.]+ µs, (?:with the triggers [\d.]+ µs|and the triggers add less than the variation of the measured times)/,
  )
  expect(lines?.[1]).toMatch(/e has no rows/)
})

test('the counter is on the disk before any change is reported', async () => {
  await using sit = await sitOf(T)
  const { openNoter } = await import('../../src/stores/sqlite/follow/triggers/counter.ts')
  const noter = openNoter(sit.file)
  expect(noter.pragma('synchronous', { simple: true })).toBe(2)
  noter.close()
  expect(() => openNoter(`${sit.file}.none`)).toThrow(/no such file/)
})
