/** Rows that are removed from SQLite after they are proved, and periods of time in its texts. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TableSpec } from '../../src/model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../src/model/copy/range.ts'
import type { Digest } from '../../src/model/copy/rows.ts'
import type { RemoveRequest, StepEnd } from '../../src/model/archive/port.ts'
import type { Closing } from '../../src/model/run/ledger-port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openSqliteCopy } from '../../src/stores/sqlite/copy/index.ts'
import { NEVER, onlyTable, readAll } from '../support/copy-zoo.ts'
import { refused } from './copy-mysql-kit.ts'

let folder: string
let count = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-sqlite-remove-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const LEDGER = `CREATE TABLE steps (id INTEGER PRIMARY KEY, owner TEXT, status TEXT); INSERT INTO steps VALUES (1, 'me', 'open')`
const ALL: Range = { by: 'all' }
const SPRING = `"at" >= '2024-04-01' AND "at" < '2024-07-01'`
const BOOKINGS = `CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT, note TEXT);
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
  INSERT INTO t SELECT i, date('2024-01-01', '+' || (i % 366) || ' days'), 'note ' || i FROM n`

function closing(owner = 'me'): Closing {
  const held = { sql: `SELECT 1 FROM steps WHERE owner = ? AND status = 'open'`, parameters: [owner] }
  return {
    statements: [{ sql: `UPDATE steps SET status = 'done' WHERE owner = ? AND status = 'open'`, parameters: [owner] }],
    guard: held,
    landed: { sql: `SELECT 1 FROM steps WHERE owner = ? AND status = 'done'`, parameters: [owner] },
  }
}

class File {
  readonly file = join(folder, `${++count}.db`)
  constructor(sql: string) {
    this.run(`PRAGMA journal_mode = WAL; ${LEDGER}; ${sql}`)
  }
  run(sql: string): void {
    const connection = new Database(this.file)
    connection.exec(sql)
    connection.close()
  }
  one(sql: string): unknown {
    const connection = new Database(this.file)
    const value = connection.prepare(sql).pluck().get()
    connection.close()
    return value
  }
  open(): Promise<CopyStore> {
    return openSqliteCopy(this.file, { mode: 'write', label: `sqlite:///${this.file}` })
  }
}

type Options = Partial<Pick<RemoveRequest, 'range' | 'where' | 'closing' | 'signal' | 'expect' | 'table' | 'columns'>>

async function proved(store: CopyStore, table: TableSpec, { range = ALL, where = null }: Options): Promise<Digest> {
  await using view = await store.source(NEVER)
  return await view.digest({ ...readAll(table), range, where, ordered: false }, NEVER)
}

/** @param between runs after the proof was taken */
async function remove(
  file: File,
  options: Options = {},
  between = (): void => undefined,
  name = 't',
): Promise<StepEnd> {
  await using store = await file.open()
  const table = await onlyTable(store, name)
  const { columns } = readAll(table)
  const expected = await proved(store, table, options)
  between()
  const request = { table, columns, range: ALL, where: null, expect: expected, closing: closing(), signal: NEVER }
  const target = store.target()
  if (target.remove === undefined) throw new Error('nothing is removed here')
  return await target.remove({ ...request, ...options })
}

const status = (file: File): unknown => file.one('SELECT status FROM steps')
const rows = (file: File, where = '1'): unknown => file.one(`SELECT count(*) FROM t WHERE ${where}`)

describe('a row that refers to a removed one prevents the removal, by the collation and affinity of the parent', () => {
  it.each([
    ['text COLLATE NOCASE', 'text', "'A'", "'a'"],
    ['text COLLATE RTRIM', 'text', "'A'", "'A  '"],
    ['text', 'integer', "'1'", '1'],
    ['integer', 'text', '1', "'1'"],
  ])('%s, %s', async (parent, child, key, referring) => {
    const file =
      new File(`CREATE TABLE t (k ${parent} PRIMARY KEY, s ${child} REFERENCES t (k)); CREATE TABLE child (p ${child} REFERENCES t (k));
      INSERT INTO t VALUES (${key}, NULL); INSERT INTO child VALUES (${referring})`)
    expect(await refused(remove(file))).toMatchObject({ code: 'TABLE_REFUSED' })
    expect(rows(file)).toBe(1)
    await using store = await file.open()
    const table = await onlyTable(store, 't')
    for (const referrer of await store.offers.referrers!.list(table.table, NEVER)) {
      const found = await store.offers.referrers!.referringRow(table.table, referrer, null, 1000, NEVER)
      expect(found === null).toBe(referrer.own)
    }
  })

  it("a row of another case does not, if the parent's collation is case-sensitive", async () => {
    const file =
      new File(`PRAGMA foreign_keys = OFF; CREATE TABLE t (k text PRIMARY KEY); CREATE TABLE child (p text COLLATE NOCASE REFERENCES t (k));
      INSERT INTO t VALUES ('A'); INSERT INTO child VALUES ('a')`)
    expect(await remove(file)).toBe('done')
  })
})

describe('rows are removed', () => {
  it('if they are those that were proved, and no others', async () => {
    const file = new File(BOOKINGS)
    const spring = Number(rows(file, SPRING))
    expect(spring).toBeGreaterThan(1000)
    expect(await remove(file, { where: SPRING })).toBe('done')
    expect([rows(file), rows(file, SPRING), status(file)]).toEqual([5000 - spring, 0, 'done'])
  })

  it('by ranges of the key, by keys and by blocks', async () => {
    const file = new File(BOOKINGS)
    const reopen = (): void => file.run(`UPDATE steps SET status = 'open'`)
    expect(await remove(file, { range: { by: 'key', after: ['100'], through: ['3000'] } })).toBe('done')
    expect([rows(file), rows(file, 'id > 100 AND id <= 3000')]).toEqual([2100, 0])
    reopen()
    expect(await remove(file, { range: { by: 'keys', keys: [['1'], ['5000'], ['2000']] } })).toBe('done')
    expect(rows(file)).toBe(2098)
    reopen()
    expect(await remove(file, { range: { by: 'block', from: 0n, to: 50n }, where: SPRING })).toBe('done')
    expect(rows(file, `id < 50 AND ${SPRING}`)).toBe(0)
  })

  it('of tables without a rowid, without a key, and with hostile names', async () => {
    const name = 'a"b; DROP TABLE steps --'
    const quoted = name.replaceAll('"', '""')
    const file =
      new File(`CREATE TABLE "${quoted}" ("x""y" TEXT COLLATE NOCASE, n REAL, PRIMARY KEY ("x""y", n)) WITHOUT ROWID;
      WITH RECURSIVE k (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 4500) INSERT INTO "${quoted}" SELECT char(65 + i % 50, 945), i / 2.0 FROM k;
      CREATE TABLE bare (a, b TEXT); INSERT INTO bare VALUES (1, 'x'), (1, 'x'), (NULL, 'y')`)
    expect(await remove(file, {}, undefined, name)).toBe('done')
    expect(file.one(`SELECT count(*) FROM "${quoted}"`)).toBe(0)
    file.run(`UPDATE steps SET status = 'open'`)
    expect(await remove(file, { where: 'a = 1 -- all of them' }, undefined, 'bare')).toBe('done')
    expect(file.one('SELECT count(*) FROM bare')).toBe(1)
  })
})

describe('no row is removed', () => {
  const untouched = (file: File, all = 5000): void => expect([rows(file), status(file)]).toEqual([all, 'open'])

  it.each([
    ['one character changed', `UPDATE t SET note = 'note 101x' WHERE id = 101`, 5000],
    ['a row came', `INSERT INTO t VALUES (9000, '2024-05-05', 'late')`, 5001],
    ['a row went', 'DELETE FROM t WHERE id = 101', 4999],
    ['a value became NULL', 'UPDATE t SET note = NULL WHERE id = 101', 5000],
    ['a row moved into the period', `UPDATE t SET at = '2024-05-05' WHERE id = 1`, 5000],
  ])('if %s', async (_, sql, all) => {
    const file = new File(BOOKINGS)
    expect(await remove(file, { where: SPRING }, () => file.run(sql))).toBe('differs')
    untouched(file, all)
  })

  it('if another owner has the step, or took it meanwhile', async () => {
    const file = new File(BOOKINGS)
    expect(await remove(file, { where: SPRING, closing: closing('you') })).toBe('fenced')
    untouched(file)
    const { statements } = closing('you')
    expect(await remove(file, { where: SPRING, closing: { ...closing(), statements } })).toBe('fenced')
    untouched(file)
  })

  it('if the table was recreated, or has a column that was not proved', async () => {
    const file = new File(BOOKINGS)
    const after = (sql: string) => remove(file, { where: SPRING }, () => file.run(sql))
    expect(await after('ALTER TABLE t ADD COLUMN more TEXT')).toBe('gone')
    await using store = await file.open()
    const table = await onlyTable(store, 't')
    const columns = readAll(table).columns.filter(({ name }) => name !== 'more')
    expect(await remove(file, { table, columns })).toBe('differs')
    expect(await after('ALTER TABLE t RENAME TO u')).toBe('gone')
    expect(file.one('SELECT count(*) FROM u')).toBe(5000)
  })

  it('if the condition is not deterministic, or missing', async () => {
    const file = new File(BOOKINGS)
    expect(await remove(file, { where: 'random() > 0' })).toBe('differs')
    untouched(file)
    const none: Digest = { rows: 1n, sum: '0' }
    await using store = await file.open()
    const table = await onlyTable(store, 't')
    const { columns } = readAll(table)
    const request = { table, columns, range: EVERY_KEY, expect: none, closing: closing(), signal: NEVER }
    expect((await refused(store.target().remove!({ ...request, where: 'at >' }))).code).toBe('BAD_PREDICATE')
    untouched(file)
  })

  it('if a trigger keeps a row, or rows of another table refer to one', async () => {
    const file = new File(
      `${BOOKINGS}; CREATE TRIGGER kept BEFORE DELETE ON t WHEN old.id = 101 BEGIN SELECT RAISE(IGNORE); END`,
    )
    expect(await remove(file)).toBe('differs')
    untouched(file)
    file.run(
      `DROP TRIGGER kept; CREATE TABLE child (t_id INTEGER REFERENCES t ON DELETE CASCADE); INSERT INTO child VALUES (101), (NULL)`,
    )
    expect((await refused(remove(file, { where: SPRING }))).code).toBe('TABLE_REFUSED')
    untouched(file)
    file.run('DELETE FROM child WHERE t_id = 101')
    expect(await remove(file, { where: SPRING })).toBe('done')
  })

  it('if it is aborted', async () => {
    const file = new File(BOOKINGS)
    const abort = new AbortController()
    const removing = remove(file, { signal: abort.signal }, () => setTimeout(() => abort.abort(), 5))
    expect((await refused(removing)).code).toBe('ABORTED')
    untouched(file)
  })

  it('if the program is killed in the middle', async () => {
    const file = new File(BOOKINGS)
    const child = spawn(process.execPath, [
      '-e',
      `const Database = require('better-sqlite3'); const db = new Database(process.argv[1]);
       db.exec("BEGIN IMMEDIATE; DELETE FROM t; UPDATE steps SET status = 'done'"); console.log('now'); setInterval(() => {}, 1000)`,
      file.file,
    ])
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    untouched(file)
    expect(await remove(file)).toBe('done')
  })
})

it('a concurrent writer waits, and is not lost', async () => {
  const file = new File(BOOKINGS)
  const other = new Database(file.file)
  other.exec(`BEGIN IMMEDIATE; UPDATE t SET note = 'changed' WHERE id = 101`)
  const removing = remove(file, { where: SPRING })
  setTimeout(() => other.exec('COMMIT'), 150)
  expect(await removing).toBe('differs')
  other.close()
  expect([rows(file), file.one('SELECT note FROM t WHERE id = 101')]).toEqual([5000, 'changed'])
})

describe('periods of time', () => {
  /** Ids of rows in a period, and what the five ways to read it return. */
  async function period(file: File, from: string | null, to: string | null, name = 't', column = 'at') {
    await using store = await file.open()
    const table = await onlyTable(store, name)
    const found = table.columns.find((one) => one.name === column)!
    const where = store.offers.times!.condition(found, from, to)
    if (where === null) return { ids: null, extent: null }
    await using view = await store.source(NEVER)
    const request = { ...readAll(table), where, ordered: true }
    const ids: string[] = []
    for await (const batch of view.read(request, { rows: 100, bytes: 1e6 }, NEVER))
      ids.push(...batch.rows.map(([id]) => String(id)))
    const extent = await view.extent(table, where, true)
    let cut = 0n
    for await (const range of view.cut(table, EVERY_KEY, where, 2, NEVER))
      cut += (await view.digest({ ...request, range }, NEVER)).rows
    expect([extent.rows, cut, (await view.digest({ ...request, range: ALL }, NEVER)).rows]).toEqual(
      [ids, ids, ids].map((all) => BigInt(all.length)),
    )
    return {
      ids: ids.join(' '),
      extent: await store.offers.timeExtents!.of(table, found, NEVER).catch((error: unknown) => String(error)),
    }
  }

  const texts = (type: string, ...values: readonly (string | bigint | null)[]) =>
    new File(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, at ${type}); INSERT INTO t VALUES ${values
        .map((value, i) => `(${i + 1}, ${value === null ? 'NULL' : typeof value === 'bigint' ? value : `'${value}'`})`)
        .join(', ')}`,
    )

  const ISO = ['2024-03-31', '2024-03-31 23:59:59.999', '2024-03-31T23:59:59Z', '2024-04-01', '2024-04-01 00:00:00', '2024-04-01T00:00:00Z', null, '2024-06-30T23:59:59.5Z', '2024-07-01', '2024-07-01T00:00Z'] // prettier-ignore

  it.each(['TEXT', 'DATETIME', 'TIMESTAMP_TEXT(6)', 'VARCHAR(40)'])(
    'in texts of several spellings: %s',
    async (type) => {
      // A column that is declared as a time is not read as UTC unless all of its values have the mark.
      const marked = type === 'TEXT' || type === 'VARCHAR(40)'
      const file = texts(type, ...ISO.map((text) => (marked ? text : (text?.replace('Z', '') ?? null))))
      const { ids, extent } = await period(file, '2024-04-01', '2024-07-01 00:00:00')
      expect(ids).toBe('4 5 6 8')
      expect(extent).toEqual({ low: '2024-03-31 00:00:00', high: '2024-07-01 00:00:00', nulls: 1n })
      expect((await period(file, null, '2024-04-01')).ids).toBe('1 2 3')
      expect((await period(file, '2024-07-01', null)).ids).toBe('9 10')
      expect((await period(file, null, null)).ids).toBe('1 2 3 4 5 6 8 9 10')
    },
  )

  it('in the middle of a day', async () => {
    const file = texts('TEXT', '2024-03-31 21:59:59', '2024-03-31T21:59:59.9Z', '2024-03-31T22:00Z', '2024-03-31 22:00:00', '2024-04-01', '2024-04-01T21:59Z', '2024-04-01 22:00') // prettier-ignore
    expect((await period(file, '2024-03-31 22:00:00', '2024-04-01 22:00:00')).ids).toBe('3 4 5 6')
    expect((await period(file, '2024-03-31 21:59:59.5', null)).ids).toBe('2 3 4 5 6 7')
  })

  it('of timestamps with offsets', async () => {
    const file = texts('TIMESTAMPTZ', '2024-04-01T00:30:00+02:00', '2024-03-31 23:30:00.250-0100', '2024-03-31 23:59:59Z', '2024-04-01 02:00:00.5+02', '2024-04-01T00:00:00Z') // prettier-ignore
    const { ids, extent } = await period(file, '2024-04-01', '2024-05-01')
    expect(ids).toBe('2 4 5')
    expect(extent).toEqual({ low: '2024-03-31 22:30:00', high: '2024-04-01 00:30:00.25', nulls: 0n })
    expect((await period(file, '2024-04-01 00:00:00.5', null)).ids).toBe('2 4')
  })

  it('of days and of integers', async () => {
    expect(
      (await period(texts('DATE', '2024-03-31', '2024-04-01', '2024-04-02', null), '2024-04-01', '2024-04-02')).ids,
    ).toBe('2')
    const numbers = await period(
      texts('INTEGER', 5n, 1711929600n, 9007199254740993n, null),
      '1711929600',
      '9007199254740994',
    )
    expect(numbers).toEqual({ ids: '2 3', extent: { low: '5', high: '9007199254740993', nulls: 1n } })
    expect((await period(texts('REAL', 5n), '1', '2')).ids).toBe(null)
    expect((await period(texts('TEXT', null), null, null)).extent).toEqual({ low: null, high: null, nulls: 1n })
  })

  it.each(['yesterday', '', '2024-4-1', '20240401', '2024-04-01T00:00:00+02:00', 1711929600n])(
    'are refused if a text is no time: %s',
    async (value) => {
      expect((await period(texts('TEXT', '2024-04-01', value), '2024-01-01', '2025-01-01')).extent).toMatch(
        /not a time/,
      )
    },
  )
})
