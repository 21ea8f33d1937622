/** `query`: the rows in a database and those in its archive, as one table. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import Sqlite from 'better-sqlite3'
import type { DuckDb } from '../../src/stores/duckdb/instance.ts'
import {
  POSTGRES_AVAILABLE,
  POSTGRES_MISSING,
  startPostgres,
  type PostgresServer,
} from '../support/servers/postgresql.ts'
import {
  Archiver,
  ask,
  bookingRows,
  COLUMNS,
  QUARTERS,
  QUESTIONS,
  referenceRows,
  untouched,
  SIGNAL,
} from './archive-query-kit.ts'
import { answer, type ArchiveAnswer } from '../../src/archive/query/answer.ts'
import { openSourceStore } from '../../src/engine/copy/open-stores.ts'
import { openLake } from '../../src/engine/run/registry.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { SourceView } from '../../src/model/copy/source-port.ts'
import { openDuckdbArchiveQuery } from '../../src/stores/duckdb/archive-query/index.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'
import { psql, type Psql } from './copy-postgresql-kit.ts'

const ALL = process.env['SLUICE_TEST_ALL'] === '1'
const ROWS = bookingRows(1500)
let folder: string
let reference: DuckDb

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-test-query-'))
  reference = await untouched(ROWS)
})

afterAll(() => {
  reference[Symbol.dispose]()
  fs.rmSync(folder, { recursive: true, force: true })
})

async function sameAnswers(url: string, questions = QUESTIONS): Promise<void> {
  for (const question of questions) {
    expect((await ask(url, question)).rows, question).toEqual(await referenceRows(reference, question))
  }
}

/**
 * A SQLite table whose first quarter is dropped, the second detached with half of its rows deleted, and the third
 * published.
 */
async function sqliteSource(name: string): Promise<string> {
  const file = path.join(folder, `${name}.db`)
  const db = new Sqlite(file)
  db.exec(`CREATE TABLE bookings (id INTEGER PRIMARY KEY, day DATE, amount DECIMAL(10,2), note TEXT, customer TEXT, seen TIMESTAMP);
    INSERT INTO bookings (${COLUMNS}) VALUES ${ROWS.join(', ')}`)
  const url = `sqlite:///${file}`
  await using archiver = await Archiver.open(url, path.join(folder, name), 'day')
  const [first, second, third] = QUARTERS
  const within = ({ from, to }: (typeof QUARTERS)[number]): string => `day >= '${from}' AND day < '${to}'`
  const one = await archiver.publish(first, within(first))
  await archiver.move(one, 'PUBLISHED', 'DETACHED')
  await archiver.move(one, 'DETACHED', 'DROPPED', [`DELETE FROM bookings WHERE ${within(first)}`])
  const two = await archiver.publish(second, within(second))
  await archiver.move(two, 'PUBLISHED', 'DETACHED', [`DELETE FROM bookings WHERE ${within(second)} AND id % 2 = 0`])
  await archiver.publish(third, within(third))
  db.close()
  return url
}

describe('SQLite, a plain table', () => {
  let url: string

  beforeAll(async () => {
    url = await sqliteSource('plain')
  })

  test('answers equal those of a table that was never archived', () => sameAnswers(url))

  test('only the partitions, the rows and the columns that a query needs are read', async () => {
    const all = await ask(url, 'SELECT * FROM bookings')
    expect(all.sources).toMatchObject({ partitions: { read: '2', of: '2' }, files: { read: '2', of: '2' } })
    expect(all.columns).toEqual(COLUMNS.split(', '))
    const some = await ask(url, "SELECT customer FROM bookings WHERE day >= '2024-04-10' AND day < '2024-05-01'")
    expect(some.sources).toMatchObject({
      partitions: { read: '1', of: '2' },
      files: { read: '1', of: '2' },
    })
    // Rows of a partition that is leaving are fetched with their keys, which identify late rows.
    expect(some.sources.hotColumns).toEqual(['id', 'day', 'customer'])
    const late = await ask(url, "SELECT count(*) FROM bookings WHERE day >= '2024-12-01'")
    expect(late.sources).toMatchObject({ partitions: { read: '0', of: '2' } })
    expect(Number(late.sources.hotRows)).toBeLessThan(Number(all.sources.hotRows) / 2)
    expect((await ask(url, 'SELECT count(*) FROM bookings')).sources.hotColumns).toEqual(['id', 'day'])
    // Neither of the two filters applies to both uses of the table.
    const either = "SELECT count(*) FROM bookings a, bookings b WHERE a.id = b.id AND a.day = '2024-12-01'"
    expect((await ask(url, either)).sources).toMatchObject({ partitions: { read: '2', of: '2' } })
  })

  test('a limit is applied and reported', async () => {
    const { rows, notes } = await ask(url, 'SELECT id FROM bookings ORDER BY id', { limit: 3 })
    expect(rows).toEqual([[0], [1], [2]])
    expect(notes).toEqual(['there are more rows than --limit 3 shows'])
    expect((await ask(url, 'SELECT id FROM bookings ORDER BY id LIMIT 3', { limit: 3 })).notes).toEqual([])
  })

  test('column names are those of the query, also if two are equal', async () => {
    expect((await ask(url, 'SELECT id, id, id + 1 FROM bookings LIMIT 1')).columns).toEqual(['id', 'id', '(id + 1)'])
    const nothing = await ask(url, 'SELECT id FROM bookings WHERE false')
    expect([nothing.columns, nothing.rows]).toEqual([['id'], []])
  })

  test('a source that takes only one condition, and has no snapshot', async () => {
    await using real = await openSourceStore(url)
    const can = { ...real.can, conditions: 'single', snapshot: 'none' } as const
    const store = changedStore(real, 'can', can)
    for (const question of QUESTIONS.slice(0, 4)) {
      expect(await rowsOf(store, question), question).toEqual(await referenceRows(reference, question))
    }
  })

  test('statements that describe the table', async () => {
    const { rows } = await ask(url, 'SELECT column_name, column_type FROM (DESCRIBE bookings)')
    expect(rows).toContainEqual(['day', 'DATE'])
    expect((await ask(url, 'SUMMARIZE bookings')).rows).toHaveLength(6)
  })

  test('times are in UTC in any time zone of the machine', async () => {
    const { rows } = await ask(url, "SELECT TIMESTAMPTZ '2024-01-01 12:00:00+02', true, 12345678901234567890")
    expect(rows).toEqual([['2024-01-01 10:00:00+00', 1, '12345678901234567890']])
  })

  test.each([
    'SELECT * FROM nowhere',
    'SELECT nothing FROM bookings',
    'SELECT',
    '',
    'SELECT 1; SELECT 2',
    'DELETE FROM bookings',
    'CREATE TABLE t (i INT)',
    'DROP VIEW bookings',
    'SET enable_external_access = true',
    'SELECT * FROM bookings WHERE id = ?',
  ])('%s is refused before rows are read', async (query) => {
    await expect(ask(url, query)).rejects.toThrow(/^BAD_QUERY/)
  })

  test.each([
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM bookings, read_csv('http://127.0.0.1/x.csv')",
    "COPY bookings TO '/tmp/sluice-test-copied.csv'",
    "COPY (SELECT 1) TO '/tmp/sluice-test-copied.csv'",
    "EXPORT DATABASE '/tmp/sluice-test-copied'",
    "ATTACH '/tmp/sluice-test-attached.db'",
    'INSTALL httpfs',
    'LOAD httpfs',
    'CREATE SECRET (TYPE s3)',
    "SELECT * FROM sqlite_scan('/tmp/x.db', 't')",
    "EXPLAIN ANALYZE SELECT * FROM read_text('/etc/passwd')",
  ])('%s cannot read or write files', async (query) => {
    await expect(ask(url, query)).rejects.toThrow(/^BAD_QUERY/)
    expect(
      fs
        .readdirSync('/tmp')
        .filter((name) => name.startsWith('sluice-test-copied') || name.startsWith('sluice-test-attached')),
    ).toEqual([])
  })

  test('a query cannot read other files of the archive or of the machine', async () => {
    const { rows } = await ask(
      url,
      "SELECT value FROM duckdb_settings() WHERE name IN ('allowed_directories', 'enable_external_access', 'lock_configuration') ORDER BY name",
    )
    expect(rows[1]).toEqual(['false'])
    expect(rows[2]).toEqual(['true'])
    const other = path.join(folder, 'plain', 'other.parquet')
    fs.copyFileSync(firstFile('plain'), other)
    await expect(ask(url, `SELECT * FROM read_parquet('${other}')`)).rejects.toThrow(/^BAD_QUERY/)
  })

  test('a missing table is an error', async () => {
    await expect(ask(url, 'SELECT 1', { table: 'nothing' })).rejects.toThrow(/^NO_SUCH_TABLE/)
  })

  test('a query ends after its timeout', async () => {
    const begun = Date.now()
    const slow =
      'SELECT count(*) FROM bookings a, bookings b, bookings c, bookings d WHERE a.id + b.id + c.id + d.id = -1'
    await expect(ask(url, slow, { timeoutMs: 400 })).rejects.toThrow(/^DEADLINE/)
    expect(Date.now() - begun).toBeLessThan(5000)
  })

  test('no temporary folder is left', async () => {
    await ask(url, 'SELECT count(*) FROM bookings')
    await expect(ask(url, 'SELECT nothing FROM bookings')).rejects.toThrow('BAD_QUERY')
    const ours = new RegExp(`^sluice-archive-.*-${process.pid}-`)
    expect(fs.readdirSync(os.tmpdir()).filter((name) => ours.test(name))).toEqual([])
  })
})

function firstFile(name: string): string {
  const part = path.join(folder, name, 'quarter=Q1-24')
  return path.join(part, fs.readdirSync(part)[0] ?? '')
}

describe('an archive that differs from what was proved', () => {
  let url: string
  let file: string

  beforeAll(async () => {
    url = await sqliteSource('broken [1]*')
    file = firstFile('broken [1]*')
  })

  test('a folder with special characters is read', async () => {
    expect((await ask(url, 'SELECT count(*) FROM bookings')).rows).toEqual([[ROWS.length]])
  })

  test.each([
    ['cut', (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length - 100)],
    ['longer', (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.from('x')])],
    ['of zeros', (bytes: Buffer): Buffer => Buffer.alloc(bytes.length)],
  ])('a file that is %s is an error, and never gives fewer rows', async (_, changed) => {
    const bytes = fs.readFileSync(file)
    fs.writeFileSync(file, changed(bytes))
    try {
      await expect(ask(url, 'SELECT count(*) FROM bookings')).rejects.toThrow(/^PARTITION_CHANGED/)
    } finally {
      fs.writeFileSync(file, bytes)
    }
  })

  test('a damaged page is an error of the file once it is read', async () => {
    const bytes = fs.readFileSync(file)
    fs.writeFileSync(file, Buffer.concat([bytes.subarray(0, 4), Buffer.alloc(400, 255), bytes.subarray(404)]))
    try {
      await expect(ask(url, 'SELECT min(id), max(note), sum(amount) FROM bookings')).rejects.toThrow(
        /^PARTITION_CHANGED/,
      )
    } finally {
      fs.writeFileSync(file, bytes)
    }
  })

  test('a missing file is an error, unless the query does not need it', async () => {
    fs.renameSync(file, `${file}.away`)
    try {
      await expect(ask(url, 'SELECT count(*) FROM bookings')).rejects.toThrow(/^PARTITION_CHANGED.*does not exist/)
      expect((await ask(url, "SELECT count(*) FROM bookings WHERE day > '2025-01-01'")).rows[0]?.[0]).toBeGreaterThan(0)
    } finally {
      fs.renameSync(`${file}.away`, file)
    }
  })
})

describe('other tables', () => {
  test('all rows of a table without an archive come from the source', async () => {
    const file = path.join(folder, 'hot.db')
    const db = new Sqlite(file)
    db.exec(
      `CREATE TABLE bookings (id INTEGER PRIMARY KEY, one TEXT); INSERT INTO bookings VALUES (1, NULL), (2, ''), (3, 'x'), (4, NULL)`,
    )
    db.exec(`CREATE TABLE "odd "" name" ("a b" TEXT, "day,""x" TEXT)`)
    db.exec(`INSERT INTO "odd "" name" VALUES (NULL, 'x'), (NULL, NULL), ('', NULL)`)
    db.close()
    const url = `sqlite:///${file}`
    // A line with one NULL field is empty.
    expect((await ask(url, 'SELECT one FROM bookings ORDER BY one NULLS FIRST')).rows).toEqual([
      [null],
      [null],
      [''],
      ['x'],
    ])
    const odd = await ask(url, 'SELECT "a b", "day,""x" FROM "odd "" name" ORDER BY ALL NULLS FIRST', {
      table: 'odd " name',
    })
    expect(odd.rows).toEqual([
      [null, null],
      [null, 'x'],
      ['', null],
    ])
    expect(odd.sources).toMatchObject({ partitions: { read: '0', of: '0' }, hotRows: '3' })
  })

  async function altered(name: string, sql: string): Promise<string> {
    const url = await sqliteSource(name)
    const db = new Sqlite(path.join(folder, `${name}.db`))
    db.exec(sql)
    db.close()
    return url
  }
  const ADD = 'ALTER TABLE bookings ADD COLUMN extra INTEGER; UPDATE bookings SET extra = id;'
  const DROP = 'ALTER TABLE bookings DROP COLUMN note;'

  test('a column that was added to the source', async () => {
    const url = await altered('got', ADD)
    const { rows } = await ask(url, 'SELECT count(*), count(extra) FROM bookings')
    const [[hot] = []] = (await ask(url, 'SELECT count(*) FROM bookings WHERE extra IS NOT NULL')).rows
    expect(rows).toEqual([[ROWS.length, hot]])
  })

  test('a column that was dropped from the source', async () => {
    const url = await altered('lost', 'ALTER TABLE bookings DROP COLUMN amount;')
    const { rows } = await ask(url, 'SELECT count(*), count(amount) FROM bookings')
    expect(rows[0]?.[0]).toBe(ROWS.length)
    expect(rows[0]?.[1]).toBeGreaterThan(0)
    expect((await ask(url, 'SELECT amount FROM bookings WHERE id = 1455')).rows).toEqual([[null]])
  })

  test('without a recorded row, a column with the type of a dropped one is refused as possibly renamed', async () => {
    const url = await altered('doubted', DROP)
    for (const name of ['note', 'customer'])
      await expect(ask(url, `SELECT count(${name}) FROM bookings`), name).rejects.toThrow(
        /^PLAN_CHANGED: the columns of bookings .* missing/,
      )
    expect((await ask(url, 'SELECT count(*), min(id) FROM bookings')).rows).toEqual([[ROWS.length, 0]])
  })

  test('a dropped and an added column may be a renamed one, and the query is refused', async () => {
    const url = await altered('altered', ADD + DROP)
    await expect(ask(url, 'SELECT count(extra) FROM bookings')).rejects.toThrow(/^PLAN_CHANGED/)
    expect((await ask(url, 'SELECT count(*) FROM bookings')).rows).toEqual([[ROWS.length]])
  })
})

describe.skipIf(!S3_AVAILABLE)(`an archive in a bucket ${S3_MISSING}`, () => {
  const before = process.env
  let server: S3Server
  let url: string

  beforeAll(async () => {
    server = await startS3()
    process.env = { ...before, ...server.env }
    url = await sqliteSource('bucket')
    server.putFolder(path.join(folder, 'bucket'), 'archives/bookings')
    fs.rmSync(path.join(folder, 'bucket'), { recursive: true })
    const db = new Sqlite(path.join(folder, 'bucket.db'))
    db.prepare('UPDATE migration_archives SET archive = ?').run(server.url('archives/bookings'))
    db.close()
  })

  afterAll(async () => {
    process.env = before
    await server[Symbol.asyncDispose]()
  })

  test('answers are the same, and only the required files are fetched', async () => {
    for (const question of QUESTIONS.slice(0, ALL ? undefined : 3)) {
      expect((await ask(url, question)).rows, question).toEqual(await referenceRows(reference, question))
    }
    server.reset()
    await ask(url, "SELECT sum(id) FROM bookings WHERE day >= '2024-04-10' AND day < '2024-05-01'")
    const files = new Set(server.requests().log.map(({ key }) => key))
    expect([...files].filter((key) => key.endsWith('.parquet'))).toHaveLength(1)
  })

  test('a missing object is an error', async () => {
    const keys = new Set(server.requests().log.map(({ key }) => key))
    for (const key of keys) if (key.endsWith('.parquet')) server.remove(key)
    await expect(ask(url, 'SELECT count(*) FROM bookings')).rejects.toThrow(/^PARTITION_CHANGED.*does not exist/)
  })
})

describe.skipIf(!POSTGRES_AVAILABLE)(`PostgreSQL with native partitions ${POSTGRES_MISSING}`, () => {
  let server: PostgresServer
  let url: string
  let by: Psql

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('bookings')
    url = server.url('bookings')
    by = await psql(url)
    await by.run(`CREATE SCHEMA away;
      CREATE TABLE bookings (id bigint, day date, amount numeric(10,2), note text, customer text, seen timestamp) PARTITION BY RANGE (day);
      ${QUARTERS.map(({ label, from, to }) => `CREATE TABLE "${label}" PARTITION OF bookings FOR VALUES FROM ('${from}') TO ('${to}');`).join('')}
      CREATE TABLE others PARTITION OF bookings DEFAULT;
      INSERT INTO bookings VALUES ${ROWS.join(', ')}`)
  })

  afterAll(async () => {
    await by.close()
    await server[Symbol.asyncDispose]()
  })

  test('answers stay the same at any time while partitions are archived one by one', async () => {
    const count = 'SELECT count(*), count(DISTINCT id), sum(id) FROM bookings'
    const expected = await referenceRows(reference, count)
    await using archiver = await Archiver.open(url, path.join(folder, 'native'), null)
    const work = { over: false }
    const seen = (async () => {
      let asked = 0
      for (; !work.over || asked < 3; asked++) expect((await ask(url, count)).rows).toEqual(expected)
      return asked
    })()
    const archived = (async () => {
      for (const quarter of QUARTERS.slice(0, ALL ? 3 : 2)) {
        const held = await archiver.publish(quarter, `day >= '${quarter.from}' AND day < '${quarter.to}'`, {
          schema: 'public',
          name: quarter.label,
        })
        for (let again = 0; ; again++) {
          const out = [
            `ALTER TABLE bookings DETACH PARTITION "${quarter.label}"`,
            `ALTER TABLE "${quarter.label}" SET SCHEMA away`,
          ]
          await archiver.move(held, 'PUBLISHED', 'DETACHED', out)
          await new Promise((done) => setTimeout(done, 60))
          if (again === (ALL ? 5 : 1)) break
          const back = [
            `ALTER TABLE away."${quarter.label}" SET SCHEMA public`,
            `ALTER TABLE bookings ATTACH PARTITION "${quarter.label}" FOR VALUES FROM ('${quarter.from}') TO ('${quarter.to}')`,
          ]
          await archiver.move(held, 'DETACHED', 'PUBLISHED', back)
        }
      }
    })().finally(() => {
      work.over = true
    })
    const [asked] = await Promise.all([seen, archived])
    expect(asked).toBeGreaterThan(2)
    // The other queries do not concern the source.
    await sameAnswers(url, ALL ? QUESTIONS : QUESTIONS.slice(0, 3))
  })

  test('the schema of the table can be part of its name', async () => {
    expect((await ask(url, 'SELECT count(*) FROM public.bookings')).rows).toEqual([[ROWS.length]])
    const { sources } = await ask(url, "SELECT id FROM bookings WHERE day >= '2024-12-01' AND day < '2024-12-05'")
    expect(Number(sources.hotRows)).toBeLessThan(60)
    expect(sources.partitions.read).toBe('0')
  })

  test.each(['before the view of the source is opened', 'after it is opened, and before it is read'] as const)(
    'a partition that leaves %s is counted once',
    async (when) => {
      await using archiver = await Archiver.open(url, path.join(folder, 'native'), null)
      const last = QUARTERS[3]
      const label = when.startsWith('before') ? 'late-1' : 'late-2'
      const half =
        label === 'late-1' ? { from: '2024-10-01', to: '2024-11-15' } : { from: '2024-11-15', to: '2025-01-01' }
      if (label === 'late-1') {
        await by.run(`ALTER TABLE bookings DETACH PARTITION "${last.label}";
          ${['late-1', 'late-2'].map((name, i) => `CREATE TABLE "${name}" PARTITION OF bookings FOR VALUES FROM ('${['2024-10-01', '2024-11-15'][i]}') TO ('${['2024-11-15', '2025-01-01'][i]}');`).join('')}
          INSERT INTO bookings SELECT * FROM "${last.label}"; DROP TABLE "${last.label}"`)
      }
      const held = await archiver.publish({ label, ...half }, `day >= '${half.from}' AND day < '${half.to}'`, {
        schema: 'public',
        name: label,
      })
      let views = 0
      const go = async (): Promise<void> => {
        if (views++ > 0) return
        await archiver.move(held, 'PUBLISHED', 'DETACHED', [`ALTER TABLE bookings DETACH PARTITION "${label}"`])
      }
      await using real = await openSourceStore(url)
      const source = async (signal: AbortSignal): Promise<SourceView> => {
        if (when.startsWith('before')) await go()
        const view = await real.source(signal)
        if (when.startsWith('after')) await go()
        return view
      }
      const store = changedStore(real, 'source', source)
      const rows = await rowsOf(store, 'SELECT count(*), sum(id) FROM bookings')
      expect(rows).toEqual(await referenceRows(reference, 'SELECT count(*), sum(id) FROM bookings'))
      expect(views).toBe(2)
      await by.run(`DROP TABLE "${label}"`)
    },
  )

  test('a partition that returned and left again while the source was opened is counted once', async () => {
    await using archiver = await Archiver.open(url, path.join(folder, 'native'), null)
    const [name, from, to] = ['later', '2030-01-01', '2030-04-01']
    await by.run(`CREATE TABLE "${name}" PARTITION OF bookings FOR VALUES FROM ('${from}') TO ('${to}');
      INSERT INTO bookings (id, day) VALUES (4711, '2030-02-01')`)
    const held = await archiver.publish({ label: name, from, to }, `day >= '${from}' AND day < '${to}'`, {
      schema: 'public',
      name,
    })
    const out = [`ALTER TABLE bookings DETACH PARTITION "${name}"`]
    await archiver.move(held, 'PUBLISHED', 'DETACHED', out)
    await using real = await openSourceStore(url)
    let views = 0
    const source = async (signal: AbortSignal): Promise<SourceView> => {
      if (views++ > 0) return await real.source(signal)
      const back = [`ALTER TABLE bookings ATTACH PARTITION "${name}" FOR VALUES FROM ('${from}') TO ('${to}')`]
      await archiver.move(held, 'DETACHED', 'PUBLISHED', back)
      const view = await real.source(signal)
      await archiver.move(held, 'PUBLISHED', 'DETACHED', out)
      return view
    }
    expect(await rowsOf(changedStore(real, 'source', source), 'SELECT count(*) FROM bookings WHERE id = 4711')).toEqual(
      [[1]],
    )
    expect(views).toBe(2)
  })
})

/** A store with one property replaced. */
function changedStore<Name extends keyof CopyStore>(real: CopyStore, changed: Name, to: CopyStore[Name]): CopyStore {
  return new Proxy(real, {
    get(target, name) {
      if (name === changed) return to
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

async function rowsOf(store: CopyStore, sql: string): Promise<unknown[][]> {
  const [table] = await store.tables('bookings', SIGNAL)
  if (table === undefined) throw new Error('there are no bookings')
  const rows: unknown[][] = []
  const question = { store, table, sql, limit: 1000, signal: SIGNAL, open: openDuckdbArchiveQuery, lake: openLake }
  await answer(question, async ({ pages }: ArchiveAnswer) => {
    for await (const page of pages)
      rows.push(...page.map((row) => row.map((value) => (typeof value === 'bigint' ? value.toString() : value))))
  })
  return rows
}
