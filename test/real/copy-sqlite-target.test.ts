/**
 * SQLite as a target: one transaction per chunk, together with its row in the ledger; one copy at a time; no
 * uncommitted rows.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TableSpec } from '../../src/model/copy/column-type.ts'
import { keyText } from '../../src/model/copy/key-text.ts'
import { EVERY_KEY, type Range } from '../../src/model/copy/range.ts'
import { RowChecksum } from '../../src/model/copy/row-hash.ts'
import type { Row } from '../../src/model/copy/rows.ts'
import type { ChunkRequest, ChunkWriter } from '../../src/model/copy/target-port.ts'
import type { Closing } from '../../src/model/run/ledger-port.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openSqliteCopy } from '../../src/stores/sqlite/copy/index.ts'
import { NEVER, onlyTable, readAll, tableOf } from '../support/copy-zoo.ts'

const CHILD = resolve(import.meta.dirname, 'copy-file-child.mjs')
let folder: string
let count = 0
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-copy-sqlite-target-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const LEDGER = `CREATE TABLE chunks (id INTEGER PRIMARY KEY, owner TEXT, status TEXT); INSERT INTO chunks VALUES (1, 'me', 'in_progress')`

/** A file with a table and its rows; `rows` reads all rows. */
function fileOf(sql: string): { readonly file: string; rows(table?: string): unknown[]; run(sql: string): void } {
  const file = join(folder, `${++count}.db`)
  const run = (text: string): void => {
    const connection = new Database(file)
    connection.exec(text)
    connection.close()
  }
  run(`${LEDGER}; ${sql}`)
  return {
    file,
    run,
    rows: (table = 't') => {
      const connection = new Database(file, { readonly: true })
      const rows = connection.prepare(`SELECT * FROM ${table}`).raw().all()
      connection.close()
      return rows
    },
  }
}

const open = (file: string): Promise<CopyStore> => openSqliteCopy(file, { mode: 'write', label: `sqlite:///${file}` })

/** Closes the chunk in the ledger if its owner is unchanged. */
function closing(owner = 'me'): Closing {
  const held = { sql: `SELECT 1 FROM chunks WHERE owner = ?`, parameters: [owner] }
  return {
    statements: [{ sql: `UPDATE chunks SET status = 'completed' WHERE owner = ?`, parameters: [owner] }],
    guard: held,
    landed: held,
  }
}

async function chunkOf(store: CopyStore, options: Partial<ChunkRequest> = {}, name = 't'): Promise<ChunkWriter> {
  const table = await onlyTable(store, name)
  const { columns } = readAll(table)
  return store
    .target()
    .open({ table, columns, range: EVERY_KEY, onExisting: 'refuse', careful: false, signal: NEVER, ...options })
}

function sumOf(rows: readonly Row[]) {
  const sum = new RowChecksum()
  for (const row of rows) sum.add(row)
  return sum.digest()
}

const between = (after: string | null, through: string | null): Range => ({
  by: 'key',
  after: after === null ? null : [after],
  through: through === null ? null : [through],
})

const TABLE = `CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT NOT NULL)`

describe('a chunk', () => {
  it('commits its rows and its row in the ledger together', async () => {
    const { file, rows } = fileOf(TABLE)
    await using store = await open(file)
    await using chunk = await chunkOf(store)
    expect(await chunk.hasRows()).toBe(false)
    expect(
      await chunk.write([
        ['1', 'a'],
        ['2', 'b'],
      ]),
    ).toBe(2)
    expect([rows(), rows('chunks')]).toEqual([[], [[1, 'me', 'in_progress']]])
    expect(await chunk.commit(closing())).toBe('committed')
    expect([rows(), rows('chunks')]).toEqual([
      [
        [1, 'a'],
        [2, 'b'],
      ],
      [[1, 'me', 'completed']],
    ])
    await expect(chunk.write([['3', 'c']])).rejects.toThrow(/has ended/)
    expect(rows()).toHaveLength(2)
  })

  it('with a new owner writes nothing', async () => {
    const { file, rows } = fileOf(TABLE)
    await using store = await open(file)
    await using chunk = await chunkOf(store)
    await chunk.write([['1', 'a']])
    expect(await chunk.commit(closing('somebody'))).toBe('fenced')
    expect([rows(), rows('chunks')]).toEqual([[], [[1, 'me', 'in_progress']]])
  })

  it('without a commit leaves nothing, and lets the next one start', async () => {
    const { file, rows } = fileOf(TABLE)
    await using store = await open(file)
    const first = await chunkOf(store)
    await first.write([['1', 'a']])
    let begun = false
    const second = chunkOf(store).then((chunk) => {
      begun = true
      return chunk
    })
    await new Promise((wake) => setTimeout(wake, 20))
    expect(begun).toBe(false)
    await first[Symbol.asyncDispose]()
    await using chunk = await second
    expect(await chunk.hasRows()).toBe(false)
    await chunk.commit(closing())
    expect(rows()).toEqual([])
  })

  it('reports whether its range has rows', async () => {
    const { file } = fileOf(`${TABLE}; INSERT INTO t VALUES (5, 'old')`)
    await using store = await open(file)
    for (const [range, occupied] of [
      [between('5', '10'), false],
      [between('4', '5'), true],
      [between(null, '4'), false],
      [EVERY_KEY, true],
    ] as const) {
      await using chunk = await chunkOf(store, { range })
      expect(await chunk.hasRows()).toBe(occupied)
    }
  })

  it('ends at a row that the table refuses, with the reason', async () => {
    const { file, rows } = fileOf(`${TABLE}; INSERT INTO t VALUES (5, 'old')`)
    await using store = await open(file)
    for (const bad of [
      ['5', 'again'],
      ['6', null],
    ]) {
      await using chunk = await chunkOf(store, { range: between('5', null) })
      await chunk.write([['4', 'a']])
      await expect(chunk.write([['7', 'b'], bad])).rejects.toMatchObject({
        code: 'ROW_REFUSED',
        message: expect.stringMatching(/^t: (?:UNIQUE|NOT NULL) constraint failed: t\./) as string,
      })
      await expect(chunk.commit(closing())).rejects.toThrow(/has ended/)
    }
    expect(rows()).toEqual([[5, 'old']])
  })

  it('continues after a refused row if it is careful', async () => {
    const { file, rows } = fileOf(`${TABLE}; INSERT INTO t VALUES (5, 'old')`)
    await using store = await open(file)
    await using chunk = await chunkOf(store, { careful: true })
    expect(await chunk.write([['1', 'a']])).toBe(1)
    await expect(
      chunk.write([
        ['2', 'b'],
        ['5', 'again'],
      ]),
    ).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    await expect(chunk.write([['9223372036854775808', 'c']])).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    expect(
      await chunk.write([
        ['2', 'b'],
        ['3', 'c'],
      ]),
    ).toBe(2)
    expect(await chunk.commit(closing())).toBe('committed')
    expect(rows()).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
      [5, 'old'],
    ])
  })

  it('continues after an aborting trigger, and ends if a trigger rolls back the transaction', async () => {
    const { file, rows } = fileOf(`${TABLE}; CREATE TRIGGER g BEFORE INSERT ON t BEGIN
      SELECT CASE NEW.x WHEN 'abort' THEN RAISE(ABORT, 'no thanks') WHEN 'rollback' THEN RAISE(ROLLBACK, 'no way') END; END`)
    await using store = await open(file)
    await using chunk = await chunkOf(store, { careful: true })
    await chunk.write([['1', 'a']])
    await expect(chunk.write([['2', 'abort']])).rejects.toMatchObject({ code: 'ROW_REFUSED', message: 't: no thanks' })
    await chunk.write([['3', 'c']])
    await expect(chunk.write([['4', 'rollback']])).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    await expect(chunk.write([['5', 'e']])).rejects.toThrow(/has ended/)
    expect(rows()).toEqual([])
  })

  it('writes many rows, several per statement', async () => {
    const { file } = fileOf(TABLE)
    await using store = await open(file)
    const rows = Array.from({ length: 10_007 }, (_, i): Row => [String(i), `row ${i}`])
    await using chunk = await chunkOf(store)
    expect(await chunk.write(rows)).toBe(rows.length)
    expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sumOf(rows))
    expect(await chunk.commit(closing())).toBe('committed')
  })

  it('stops in the middle on a signal', async () => {
    const { file, rows } = fileOf(TABLE)
    await using store = await open(file)
    const stop = new AbortController()
    await using chunk = await chunkOf(store, { signal: stop.signal })
    const written = chunk.write(Array.from({ length: 50_000 }, (_, i): Row => [String(i), 'x']))
    stop.abort()
    await expect(written).rejects.toMatchObject({ code: 'ABORTED' })
    expect(rows()).toEqual([])
  })
})

describe('existing rows', () => {
  const FULL = `${TABLE}; INSERT INTO t VALUES (1, 'old'), (2, 'old'), (9, 'old')`

  it('are overwritten by upsert', async () => {
    const { file, rows } = fileOf(FULL)
    await using store = await open(file)
    await using chunk = await chunkOf(store, { onExisting: 'upsert', range: between(null, '5') })
    const ours: Row[] = [
      ['2', 'new'],
      ['3', 'new'],
    ]
    expect(await chunk.write(ours)).toBe(2)
    const only = new Set(ours.map(([id]) => keyText([id as string])))
    expect(await chunk.digest({ scheme: 'canonical', only })).toEqual(sumOf(ours))
    expect(await chunk.digest({ scheme: 'count', only })).toEqual({ rows: 2n, sum: '' })
    expect(await chunk.digest({ scheme: 'count' })).toEqual({ rows: 3n, sum: '' })
    await chunk.commit(closing())
    expect(rows()).toEqual([
      [1, 'old'],
      [2, 'new'],
      [3, 'new'],
      [9, 'old'],
    ])
  })

  it('stay unchanged with append', async () => {
    const { file, rows } = fileOf(FULL)
    await using store = await open(file)
    await using chunk = await chunkOf(store, { onExisting: 'append' })
    expect(
      await chunk.write([
        ['2', 'new'],
        ['3', 'new'],
        ['4', 'new'],
      ]),
    ).toBe(2)
    await chunk.commit(closing())
    expect(rows()).toEqual([
      [1, 'old'],
      [2, 'old'],
      [3, 'new'],
      [4, 'new'],
      [9, 'old'],
    ])
  })

  it('are removed with a range that is replaced', async () => {
    const { file, rows } = fileOf(FULL)
    await using store = await open(file)
    await using chunk = await chunkOf(store, { onExisting: 'replace-range', range: between('1', '8') })
    expect(await chunk.hasRows()).toBe(false)
    await chunk.write([['3', 'new']])
    expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sumOf([['3', 'new']]))
    await chunk.commit(closing())
    expect(rows()).toEqual([
      [1, 'old'],
      [3, 'new'],
      [9, 'old'],
    ])
  })

  it('are replaced without a cascade to other tables', async () => {
    const { file, rows } = fileOf(
      `${FULL}; CREATE TABLE child (t INTEGER REFERENCES t (id) ON DELETE CASCADE); INSERT INTO child VALUES (2)`,
    )
    await using store = await open(file)
    await using chunk = await chunkOf(store, { onExisting: 'replace-range' })
    await chunk.write([['2', 'new']])
    await chunk.commit(closing())
    expect([rows(), rows('child')]).toEqual([[[2, 'new']], [[2]]])
  })
})

it('a table that differs from its plan is refused', async () => {
  const { file } = fileOf(`CREATE TABLE t (id INTEGER, x TEXT)`)
  await using store = await open(file)
  const table = { ...(await onlyTable(store, 't')), key: ['id'] }
  await using chunk = await chunkOf(store, { table, onExisting: 'upsert' })
  await expect(chunk.write([['1', 'a']])).rejects.toMatchObject({ code: 'TABLE_REFUSED' })
})

describe('keys whose order in the source is different', () => {
  const rows: Row[] = [
    ['B', '1'],
    ['a', '2'],
    ['C', '3'],
    ['é', '4'],
  ]
  it.each(['', ' WITHOUT ROWID'])('are proved, too: a table%s', async (without) => {
    const { file } = fileOf(`CREATE TABLE t (k TEXT PRIMARY KEY, x TEXT)${without}`)
    await using store = await open(file)
    // In the order of a language: a B C é.
    for (const [some, range] of [
      [[rows[2], rows[3]] as Row[], between('B', null)],
      [[rows[1], rows[0]] as Row[], between(null, 'B')],
    ] as const) {
      await using chunk = await chunkOf(store, { range })
      expect(await chunk.hasRows()).toBe(false)
      await chunk.write(some)
      expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sumOf(some))
      expect(await chunk.digest({ scheme: 'count' })).toEqual({ rows: 2n, sum: '' })
      await chunk.commit(closing())
    }
    await using again = await chunkOf(store)
    await expect(again.write([['a', '9']])).rejects.toMatchObject({ code: 'ROW_REFUSED' })
  })

  it('cannot replace a range', async () => {
    const { file, rows: stored } = fileOf(`CREATE TABLE t (k TEXT PRIMARY KEY); INSERT INTO t VALUES ('a')`)
    await using store = await open(file)
    await expect(chunkOf(store, { onExisting: 'replace-range' })).rejects.toMatchObject({ code: 'UNSUPPORTED_KEY' })
    expect(stored()).toEqual([['a']])
    // A failed chunk does not block the next one.
    await using chunk = await chunkOf(store)
    await chunk.commit(closing())
  })

  it('can be bytes, times and several columns', async () => {
    const { file } = fileOf(`CREATE TABLE t (m TIMESTAMPTZ_TEXT, b BLOB, d DECIMAL_TEXT(5,2), PRIMARY KEY (m, b))`)
    await using store = await open(file)
    const bound = ['2024-01-01 01:00:00+01', '\\x00ff']
    const ours: Row[] = [
      ['2024-01-01 00:00:00', Buffer.from([0, 255]), '1.5'],
      ['2023-12-31 23:59:59.5', Buffer.from([9]), null],
    ]
    await using chunk = await chunkOf(store, {
      range: { by: 'key', after: null, through: bound },
      onExisting: 'upsert',
    })
    await chunk.write([...ours, ['2024-01-01 00:00:00', Buffer.from([1]), '7']])
    expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sumOf(ours))
    const only = new Set(ours.map(([m, b]) => keyText([m ?? null, b ?? null])))
    expect(await chunk.digest({ scheme: 'canonical', only })).toEqual(sumOf(ours))
  })
})

describe('tables without a key', () => {
  it('are proved by their new rows', async () => {
    const { file } = fileOf(`CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('old'), ('old')`)
    await using store = await open(file)
    for (const some of [[['a'], ['a']], [['b']]] as Row[][]) {
      await using chunk = await chunkOf(store, { range: { by: 'block', from: 0n, to: null }, onExisting: 'append' })
      expect(await chunk.write(some)).toBe(some.length)
      expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sumOf(some))
      await chunk.commit(closing())
    }
    await using whole = await chunkOf(store, { range: { by: 'all' }, onExisting: 'append' })
    expect(await whole.digest({ scheme: 'canonical' })).toEqual(sumOf([['old'], ['old'], ['a'], ['a'], ['b']]))
    expect(await whole.hasRows()).toBe(true)
  })
})

describe('single rows', () => {
  it('are overwritten, removed and proved by their keys', async () => {
    const { file, rows } = fileOf(`CREATE TABLE t (k TEXT PRIMARY KEY, x INT)`)
    await using store = await open(file)
    const many = Array.from({ length: 1500 }, (_, i): Row => [`k${i}`, String(i)])
    const keys = many.map(([k]) => [String(k)])
    {
      await using chunk = await chunkOf(store, { range: { by: 'keys', keys }, onExisting: 'upsert' })
      expect(await chunk.hasRows()).toBe(false)
      await chunk.write(many)
      expect(await chunk.digest({ scheme: 'canonical' })).toEqual(sumOf(many))
      expect(await chunk.digest({ scheme: 'count' })).toEqual({ rows: 1500n, sum: '' })
      await chunk.commit(closing())
    }
    await using view = await store.source(NEVER)
    const request = readAll(await onlyTable(store, 't'), { by: 'keys', keys: [...keys, ['nobody']] })
    expect(await view.digest(request, NEVER)).toEqual(sumOf(many))
    await using chunk = await chunkOf(store, {
      range: { by: 'keys', keys: keys.slice(1) },
      onExisting: 'replace-range',
    })
    await chunk.commit(closing())
    expect(rows()).toEqual([['k0', 0]])
  })
})

describe('the table of a target', () => {
  it('is created with its key', async () => {
    const { file } = fileOf('')
    await using store = await open(file)
    const column = (name: string, native: string, nullable = false) => ({
      name,
      native,
      nullable,
      type: { kind: 'text' } as const,
    })
    const hostile = `"; DROP TABLE chunks; --\n😀`
    await store.target().create(tableOf(hostile, [column('a"b', 'INTEGER'), column('c', 'TEXT', true)], ['a"b']), NEVER)
    await store.target().create(tableOf('two', [column('a', 'INTEGER'), column('b', 'TEXT')], ['b', 'a']), NEVER)
    const unique: TableSpec = { ...tableOf('u', [column('a', 'INTEGER', true)], ['a']), primary: false }
    await store.target().create(unique, NEVER)
    const found = await store.tables('*', NEVER)
    expect(
      found.map(({ table: { name }, key, primary, columns: [first] }) => ({
        name,
        key,
        primary,
        identity: first?.identity ?? false,
      })),
    ).toEqual([
      { name: hostile, key: ['a"b'], primary: true, identity: true },
      { name: 'chunks', key: ['id'], primary: true, identity: true },
      { name: 'two', key: ['b', 'a'], primary: true, identity: false },
      { name: 'u', key: ['a'], primary: false, identity: false },
    ])
    await store.target().finish(await onlyTable(store, hostile), NEVER)
  })

  it.each([
    ['sqlite_own', ['a']],
    ['t', ['a', 'A']],
    ['chunks', ['a']],
    ['nul\0', ['a']],
    ['t', ['nul\0']],
  ])('%j with the columns %j is refused', async (name, columns) => {
    const { file } = fileOf('')
    await using store = await open(file)
    const specs = columns.map((one) => ({ name: one, native: 'TEXT', nullable: true, type: { kind: 'text' } as const }))
    await expect(store.target().create(tableOf(name, specs, []), NEVER)).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
    })
    expect((await store.tables('*', NEVER)).map(({ table }) => table.name)).toEqual(['chunks'])
  })

  it('can be emptied', async () => {
    const { file, rows } = fileOf(`${TABLE}; INSERT INTO t VALUES (1, 'a')`)
    await using store = await open(file)
    await store.target().clear(await onlyTable(store, 't'), NEVER)
    expect(rows()).toEqual([])
  })

  it('is in a file that is created if it is missing, and that remains a single file', async () => {
    const file = join(folder, 'new.db')
    {
      await using store = await open(file)
      await store
        .target()
        .create(
          tableOf('t', [{ name: 'a', native: 'INTEGER', nullable: false, type: { kind: 'int', bits: 64 } }], ['a']),
          NEVER,
        )
      expect(existsSync(`${file}-wal`)).toBe(true)
    }
    expect([existsSync(`${file}-wal`), existsSync(`${file}-shm`)]).toEqual([false, false])
    // Bytes 18 and 19 of the header are 1 for a rollback journal, 2 for WAL.
    expect([...readFileSync(file).subarray(18, 20)]).toEqual([1, 1])
    await expect(open(join(folder, 'no', 'folder.db'))).rejects.toMatchObject({
      code: 'CONNECT_FAILED',
      kind: 'target',
    })
  })
})

describe('the ledger', () => {
  it('executes batches atomically', async () => {
    const { file, rows } = fileOf('')
    await using store = await open(file)
    await using ledger = await store.ledger()
    expect(ledger.dialect).toBe('sqlite')
    const results = await ledger.batch([
      { sql: 'UPDATE chunks SET owner = ? RETURNING id, owner', parameters: ['you'] },
      { sql: 'INSERT INTO chunks VALUES (?, ?, ?)', parameters: [9_007_199_254_740_993n, 'x', null] },
    ])
    expect(results).toEqual([[[1, 'you']], []])
    expect(await ledger.all('SELECT id, status FROM chunks WHERE id > ?', [1])).toEqual([
      [9_007_199_254_740_993n, null],
    ])
    await expect(
      ledger.batch([
        { sql: `UPDATE chunks SET owner = 'nobody'`, parameters: [] },
        { sql: 'INSERT INTO chunks VALUES (1, 1, 1)', parameters: [] },
      ]),
    ).rejects.toThrow(/UNIQUE/)
    expect(await ledger.all(`SELECT count(*) FROM chunks WHERE owner = 'nobody'`)).toEqual([[0]])
    expect(rows('chunks')).toHaveLength(2)
  })

  it('reads while a chunk is open, and writes after it', async () => {
    const { file } = fileOf(TABLE)
    await using store = await open(file)
    await using ledger = await store.ledger()
    await using chunk = await chunkOf(store)
    await chunk.write([['1', 'a']])
    let beaten = false
    const heartbeat = ledger
      .batch([{ sql: `UPDATE chunks SET status = status || '!'`, parameters: [] }])
      .then(() => (beaten = true))
    expect(await ledger.all('SELECT status FROM chunks')).toEqual([['in_progress']])
    expect(beaten).toBe(false)
    await chunk.commit(closing())
    await heartbeat
    expect(await ledger.all('SELECT status FROM chunks')).toEqual([['completed!']])
  })

  it('belongs to one copy at a time; other processes can read it', async () => {
    const { file } = fileOf(TABLE)
    await using store = await open(file)
    const ledger = await store.ledger()
    expect(await store.ledger()).toBe(ledger)
    await using other = await open(file)
    await expect(other.ledger()).rejects.toMatchObject({ code: 'LEDGER_BUSY', exitCode: 5 })
    await using reader = await openSqliteCopy(file, { mode: 'read', label: 'reader' })
    await using looking = await reader.ledger()
    expect(await looking.all('SELECT id FROM chunks')).toEqual([[1]])
    await ledger[Symbol.asyncDispose]()
    expect(existsSync(`${file}-sluice`)).toBe(false)
    await using free = await other.ledger()
    expect(await free.all('SELECT id FROM chunks')).toEqual([[1]])
  })
})

describe('a killed copy', () => {
  it.each(['written', 'committed'])('whose rows are %s leaves all of them or none, and no lock', async (stop) => {
    const { file, rows } = fileOf(`${TABLE}; INSERT INTO t VALUES (1, 'old')`)
    const child = spawn(process.execPath, [CHILD, 'sqlite', file, stop], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const [said] = (await once(child.stdout, 'data')) as [Buffer]
      expect(said.toString()).toBe(`${stop}\n`)
      await using other = await open(file)
      await expect(other.ledger()).rejects.toMatchObject({ code: 'LEDGER_BUSY' })
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await using store = await open(file)
    await using ledger = await store.ledger()
    expect(await ledger.all('SELECT owner, status FROM chunks')).toEqual([
      ['child', stop === 'committed' ? 'completed' : 'in_progress'],
    ])
    expect(rows()).toHaveLength(stop === 'committed' ? 5001 : 1)
    await using chunk = await chunkOf(store, { range: between('1', null) })
    expect(await chunk.hasRows()).toBe(stop === 'committed')
  })
})
