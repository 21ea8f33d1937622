/** Changes applied to files: preflight refusals, boundary values of types, and interrupted transactions. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { afterAll, describe, expect, test } from 'vitest'
import type { Column, ColumnType } from '../../src/model/copy/column-type.ts'
import type { Row } from '../../src/model/copy/rows.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { LedgerDatabase, Closing } from '../../src/model/run/ledger-port.ts'
import { openDuckdbCopy } from '../../src/stores/duckdb/copy/index.ts'
import type { ChangeRequest, ChangeTable, ChangeTarget } from '../../src/model/follow/port.ts'
import { openSqliteCopy } from '../../src/stores/sqlite/copy/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-apply-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const { signal } = new AbortController()
const SYSTEMS = ['sqlite', 'duckdb'] as const
type System = (typeof SYSTEMS)[number]
let made = 0

type Target = AsyncDisposable & {
  readonly file: string
  readonly store: CopyStore
  readonly ledger: LedgerDatabase
  readonly changes: ChangeTarget
}

async function targetOf(system: System, ...statements: readonly string[]): Promise<Target> {
  const file = join(folder, `${++made}.db`)
  const options = { mode: 'write', label: `${system}:///test` } as const
  const store = await (system === 'sqlite' ? openSqliteCopy(file, options) : openDuckdbCopy(file, options))
  const ledger = await store.ledger()
  const changes = store.offers.changeTarget
  if (changes === undefined) throw new Error('takes no changes')
  await ledger.batch(['CREATE TABLE place (n INTEGER)', 'INSERT INTO place VALUES (0)', ...statements].map(bare))
  const close = async (): Promise<void> => {
    await ledger[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
  }
  return { file, store, ledger, changes, [Symbol.asyncDispose]: close }
}

function bare(sql: string): { readonly sql: string; readonly parameters: readonly [] } {
  return { sql, parameters: [] }
}

async function tableOf({ store }: Target, name: string, identity: readonly string[] = ['id']): Promise<ChangeTable> {
  const [table] = await store.tables(name, signal)
  if (table === undefined) throw new Error(`${name} is not there`)
  return { table, columns: table.columns.map((column) => ({ name: column.name, as: column.type, column })), identity }
}

function requestOf(tables: readonly ChangeTable[], more: Partial<ChangeRequest> = {}): ChangeRequest {
  return { tables, fireTriggers: false, signal, ...more }
}

/** Moves the position from one number to the next. */
function closing(from: number): Closing {
  const statements = [{ sql: 'UPDATE place SET n = ? WHERE n = ?', parameters: [from + 1, from] }]
  return { statements, guard: bare('SELECT 1'), landed: bare('SELECT 1') }
}

describe('tables of a file to which changes cannot be applied are refused', () => {
  const { sqlite, duckdb } = {
    sqlite: [
      ['CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER)', []],
      ['CREATE TABLE t (id TEXT PRIMARY KEY, u INTEGER) WITHOUT ROWID', []],
      ['CREATE TABLE t (id INTEGER, u INTEGER)', [/no index of t finds rows by \(id\)/]],
      ['CREATE TABLE t (id INTEGER, u INTEGER); CREATE INDEX i ON t (id) WHERE u > 0', [/no index of t/]],
      ['CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, u INTEGER)', [/id of t is compared by NOCASE/]],
      ['CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER UNIQUE)', [/unique indexes of (?:main\.)?t may refuse rows/]],
      [
        'CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER); CREATE TRIGGER noted AFTER INSERT ON t BEGIN DELETE FROM place; END',
        [/triggers of t would fire a second time .*: noted/],
      ],
    ],
    duckdb: [
      ['CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER)', []],
      ['CREATE TABLE t (id INTEGER, u INTEGER)', []],
      ['CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER UNIQUE)', [/unique indexes of (?:main\.)?t may refuse rows/]],
      ['CREATE TABLE t (id VARCHAR COLLATE NOCASE PRIMARY KEY, u INTEGER)', [/id of main\.t is compared by NOCASE/i]],
      [
        'CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER); CREATE TABLE o (t INTEGER REFERENCES t (id))',
        [/foreign keys would refuse changes of main\.t .* of o/],
      ],
    ],
  } as const satisfies Record<System, readonly (readonly [string, readonly RegExp[]])[]>

  test.each([
    ...sqlite.map((one) => ['sqlite' as const, ...one] as const),
    ...duckdb.map((one) => ['duckdb' as const, ...one] as const),
  ])('%s: %s', async (system, sql, expected) => {
    await using target = await targetOf(system, ...sql.split(/;\s+(?=CREATE)/))
    const table = await tableOf(target, 't')
    const { refusals } = await target.changes.inspect(requestOf([{ ...table, catchingUp: true }]))
    expect(refusals.map(({ message }) => message)).toEqual(expected.map((one) => expect.stringMatching(one) as unknown))
  })

  test.each(['sqlite', 'duckdb'] as const)(
    '%s: the statements that a refusal prints drop unique indexes',
    async (system) => {
      const plain = 'CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER)'
      await using target = await targetOf(system, plain, 'CREATE UNIQUE INDEX "I ""i" ON t (u)')
      const inspected = async () => {
        const table = await tableOf(target, 't')
        return (await target.changes.inspect(requestOf([{ ...table, catchingUp: true }]))).refusals
      }
      const [refusal] = await inspected()
      const [, printed = ''] = /^drop them: (.*); and create them/.exec(refusal?.hint ?? '') ?? []
      expect(printed).toMatch(/^DROP INDEX /)
      await target.ledger.batch([bare(printed)])
      expect(await inspected()).toEqual([])
    },
  )

  test('a live table may have unique indexes, and its triggers fire if fireTriggers is set', async () => {
    await using target = await targetOf(
      'sqlite',
      'CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER UNIQUE REFERENCES t (id))',
      'CREATE TRIGGER noted AFTER INSERT ON t BEGIN SELECT 1; END',
    )
    const request = requestOf([await tableOf(target, 't')], { fireTriggers: true })
    const { refusals, notes } = await target.changes.inspect(request)
    expect(refusals).toEqual([])
    expect(notes.join('\n')).toMatch(/triggers fire .*noted[^]*deleted and inserted[^]*foreign keys are not checked/)
  })

  test('changes are refused for a view and for a missing table', async () => {
    await using target = await targetOf(
      'sqlite',
      'CREATE TABLE t (id INTEGER PRIMARY KEY)',
      'CREATE VIEW v AS SELECT * FROM t',
    )
    const table = await tableOf(target, 't')
    const named = (name: string): ChangeTable => ({ ...table, table: { ...table.table, table: { name } } })
    const { refusals } = await target.changes.inspect(requestOf([named('v'), named('nothing')]))
    expect(refusals.map(({ message }) => message)).toEqual([
      'v is a view: changes can be applied only to tables',
      'there is no table nothing',
    ])
  })

  test('a view with the name of a table to create is refused before anything is created', async () => {
    await using target = await targetOf('sqlite', 'CREATE VIEW v AS SELECT 1 AS id')
    const table = { table: { name: 'V' }, identity: '', columns: [], key: [], primary: false, rows: 0n, bytes: 0n }
    await expect(target.store.refuseUncreatable(table, signal)).rejects.toMatchObject({ code: 'TABLE_REFUSED' })
    await target.store.refuseUncreatable({ ...table, table: { name: 'w' } }, signal)
  })
})

describe.each(SYSTEMS)('changes applied to %s', (system) => {
  const TYPES: Readonly<
    Record<string, readonly [native: Readonly<Record<System, string>>, as: ColumnType, values: Row]>
  > = {
    n: [
      { sqlite: 'INTEGER', duckdb: 'BIGINT' },
      { kind: 'int', bits: 64 },
      ['9223372036854775807', '-9223372036854775808', '0', '9007199254740993'],
    ],
    f: [{ sqlite: 'REAL', duckdb: 'DOUBLE' }, { kind: 'float', bits: 64 }, [0.1, Infinity, -Infinity, 5e-324]],
    d: [
      { sqlite: 'DECIMAL_TEXT(38,10)', duckdb: 'DECIMAL(38,10)' },
      { kind: 'decimal', precision: 38, scale: 10 },
      ['1.5', '-0.0000000001', '9999999999999999999999999999.9999999999', '6'],
    ],
    b: [
      { sqlite: 'BLOB', duckdb: 'BLOB' },
      { kind: 'bytes' },
      [new Uint8Array([0, 255, 39]), new Uint8Array(), new Uint8Array([92, 120]), null],
    ],
    w: [
      { sqlite: 'TIMESTAMPTZ_TEXT(6)', duckdb: 'TIMESTAMP WITH TIME ZONE' },
      { kind: 'timestamp', zone: true, digits: 6 },
      ['2024-02-29 23:59:59.999999', '0001-01-01 00:00:00', 'infinity', '1970-01-01 00:00:00'],
    ],
    s: [{ sqlite: 'TEXT', duckdb: 'VARCHAR' }, { kind: 'text' }, ['', "'\\\n\t", 'Ü𝄞', '1e5']],
  }

  test('values are stored as the copy itself writes them, also values taken from another row', async () => {
    const columns = Object.entries(TYPES).map(([name, [native]]) => `${name} ${native[system]}`)
    const sql = (name: string): string => `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, ${columns.join(', ')})`
    await using target = await targetOf(system, sql('copied'), sql('changed'))
    const names = Object.keys(TYPES)
    const rows = Array.from({ length: 4 }, (_, i): Row => [
      String(i + 1),
      ...Object.values(TYPES).map(([, , values]) => values[i] ?? null),
    ])
    const typed = async (name: string): Promise<ChangeTable> => {
      const { table, columns: found, identity } = await tableOf(target, name)
      const as = ({ name: column, type }: Column): ColumnType => TYPES[column]?.[1] ?? type
      return { table, columns: found.map(({ column }) => ({ name: column.name, as: as(column), column })), identity }
    }
    const copied = await typed('copied')
    await using chunk = await target.store.target().open({
      table: copied.table,
      columns: copied.columns,
      range: { by: 'all' },
      onExisting: 'refuse',
      careful: false,
      signal,
    })
    await chunk.write(rows)
    await chunk.commit(closing(0))
    await using writer = await target.changes.open(requestOf([await typed('changed')]))
    const whole = rows
      .map((row) => ({ row, key: [`1${String(row[0])}`], base: null }))
      .map((one) => ({ ...one, row: [one.key[0] as string, ...one.row.slice(1)] }))
    await writer.apply(0, { puts: whole, gone: [] })
    // All rows move to another key; the changes contain no other values.
    const moved = rows.map((row) => {
      return {
        row: [row[0] as string, ...names.map(() => undefined)],
        key: [row[0] as string],
        base: [`1${String(row[0])}`],
      }
    })
    const { lacking } = await writer.apply(0, { puts: moved, gone: whole.map(({ key }) => key) })
    expect(lacking).toEqual([])
    expect(await writer.commit(closing(1))).toBe('committed')
    const all = (name: string): Promise<unknown> =>
      target.ledger.all(
        `SELECT id, ${names.map((one) => (one === 'b' ? `hex(${one})` : system === 'sqlite' ? `typeof(${one}) || ${one}` : `CAST(${one} AS VARCHAR)`)).join(', ')} FROM ${name} ORDER BY id`,
      )
    expect(await all('changed')).toEqual(await all('copied'))
  })

  test('changes are not stored if another session moved the position, or if the transaction is rolled back', async () => {
    await using target = await targetOf(system, 'CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER CHECK (v < 100))')
    await using writer = await target.changes.open(requestOf([await tableOf(target, 't')]))
    const put = { row: ['1', '1'], key: ['1'], base: null }
    await writer.apply(0, { puts: [put], gone: [] })
    expect(await writer.commit(closing(7))).toBe('fenced')
    await writer.apply(0, { puts: [put], gone: [] })
    await writer.rollBack()
    expect(await target.ledger.all('SELECT * FROM t')).toEqual([])
    // A refused row aborts its transaction, and a later commit stores nothing of it.
    await writer.apply(0, { puts: [put], gone: [] })
    await expect(
      writer.apply(0, { puts: [{ row: ['2', '500'], key: ['2'], base: null }], gone: [] }),
    ).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    await expect(writer.commit(closing(0))).rejects.toMatchObject({ code: 'ROW_REFUSED' })
    // The aborted transaction does not block the ledger.
    await target.ledger.batch([bare('UPDATE place SET n = 0')])
    await writer.rollBack()
    expect(await target.ledger.all('SELECT * FROM t')).toEqual([])
    await writer.apply(0, { puts: [put], gone: [] })
    await writer.truncate([0])
    await writer.apply(0, { puts: [{ ...put, row: ['1', null] }], gone: [['9']] })
    expect(await writer.commit(closing(0))).toBe('committed')
    expect(await target.ledger.all('SELECT id, v FROM t')).toEqual([[1, null]])
  })

  test(
    'transactions are stored completely or not at all if the program is killed around a COMMIT',
    { timeout: 60_000 },
    async () => {
      const target = await targetOf(system, 'CREATE TABLE "rows" (id INTEGER PRIMARY KEY, n INTEGER)')
      await target[Symbol.asyncDispose]()
      const run = (more: object): Promise<unknown> =>
        promisify(execFile)(process.execPath, [resolve(import.meta.dirname, 'apply-files-child.mjs')], {
          env: { ...process.env, SLUICE_CHILD: JSON.stringify({ system, file: target.file, until: 12, ...more }) },
        })
      for (const [commit, when] of [
        [3, 'before'],
        [6, 'during'],
        [9, 'after'],
      ] as const) {
        // SQLite commits within one call, so the program cannot be killed during it.
        if (system === 'sqlite' && when === 'during') continue
        await expect(run({ commit, when })).rejects.toMatchObject({ signal: 'SIGKILL' })
      }
      await run({})
      const options = { mode: 'read', label: 'a file' } as const
      await using store = await (system === 'sqlite' ? openSqliteCopy : openDuckdbCopy)(target.file, options)
      await using ledger = await store.ledger()
      expect(await ledger.all('SELECT n FROM place')).toEqual([[12]])
      // Transaction 12 has removed row 7 and changed row 10.
      const pairs = (await ledger.all('SELECT id, n FROM "rows" ORDER BY id')).map((row) => row.map(Number))
      expect(pairs).toEqual([
        [8, 10],
        [9, 11],
        [10, 12],
        [11, 11],
        [12, 12],
      ])
    },
  )
})

test('changes to a SQLite file wait until another program commits its transaction', async () => {
  await using target = await targetOf('sqlite', 'CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)')
  await using writer = await target.changes.open(requestOf([await tableOf(target, 't')]))
  const other = new Database(target.file)
  other.exec('BEGIN IMMEDIATE')
  const applied = writer.apply(0, { puts: [{ row: ['1', '1'], key: ['1'], base: null }], gone: [] })
  setTimeout(() => other.exec('COMMIT'), 300)
  await applied
  expect(await writer.commit(closing(0))).toBe('committed')
  expect(other.prepare('SELECT id FROM t').pluck().all()).toEqual([1])
  other.close()
})
