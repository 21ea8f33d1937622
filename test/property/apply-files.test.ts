/**
 * Changes applied to files, compared with a model: the same batches row by row, in tables of every form that changes
 * how rows are written.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import type { Put } from '../../src/model/copy/change.ts'
import type { Column, TableSpec } from '../../src/model/copy/column-type.ts'
import type { Row } from '../../src/model/copy/rows.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { LedgerDatabase, Closing } from '../../src/model/run/ledger-port.ts'
import type { SourceView } from '../../src/model/copy/source-port.ts'
import { openDuckdbCopy } from '../../src/stores/duckdb/copy/index.ts'
import type { ChangeTable } from '../../src/model/follow/port.ts'
import { openSqliteCopy } from '../../src/stores/sqlite/copy/index.ts'
import { batches, batchOf, isUnique, reference, uniqueShift, type Model } from '../support/apply-twin.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-apply-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const { signal } = new AbortController()
const COLUMNS = { sqlite: 'a TEXT, u INTEGER, at DATE_TEXT', duckdb: 'a VARCHAR, u INTEGER, "at" DATE' } as const
type System = keyof typeof COLUMNS

/** Statements that create a table. */
const SHAPES: Readonly<Record<System, Readonly<Record<string, (name: string) => readonly string[]>>>> = {
  sqlite: {
    numbered: (name) => [`CREATE TABLE ${name} (id INTEGER PRIMARY KEY, ${COLUMNS.sqlite})`],
    keyed: (name) => [`CREATE TABLE ${name} (id TEXT PRIMARY KEY, ${COLUMNS.sqlite}) WITHOUT ROWID`],
    unique: (name) => [
      `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, ${COLUMNS.sqlite})`,
      `CREATE UNIQUE INDEX ${name}_u ON ${name} (u)`,
    ],
    computed: (name) => [
      `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, ${COLUMNS.sqlite}, g GENERATED ALWAYS AS (u + 1) STORED)`,
      `CREATE UNIQUE INDEX ${name}_g ON ${name} (g) WHERE a IS NOT NULL`,
      `CREATE UNIQUE INDEX ${name}_e ON ${name} (u * 2)`,
    ],
    found: (name) => [`CREATE TABLE ${name} (id INTEGER, ${COLUMNS.sqlite})`, `CREATE INDEX ${name}_i ON ${name} (id)`],
  },
  duckdb: {
    keyed: (name) => [`CREATE TABLE ${name} (id INTEGER PRIMARY KEY, ${COLUMNS.duckdb})`],
    unique: (name) => [
      `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, ${COLUMNS.duckdb})`,
      `CREATE UNIQUE INDEX ${name}_u ON ${name} (u)`,
      `CREATE INDEX ${name}_a ON ${name} (a)`,
    ],
    declared: (name) => [`CREATE TABLE ${name} (id INTEGER PRIMARY KEY, ${COLUMNS.duckdb}, UNIQUE (u))`],
    plain: (name) => [`CREATE TABLE ${name} (id INTEGER, ${COLUMNS.duckdb})`],
  },
}

const CLOSING: Closing = {
  statements: [{ sql: 'UPDATE fence SET n = n + 1 WHERE owner = ?', parameters: ['me'] }],
  guard: { sql: 'SELECT 1', parameters: [] },
  landed: { sql: 'SELECT 1', parameters: [] },
}

function opened(system: System): Promise<CopyStore> {
  const options = { mode: 'write', label: `${system}:///test` } as const
  const file = join(folder, `${system}.db`)
  return system === 'sqlite' ? openSqliteCopy(file, options) : openDuckdbCopy(file, options)
}

function inOrder(model: Model): readonly Row[] {
  return [...model.values()].toSorted((a, b) => Number(a[0]) - Number(b[0]))
}

async function rowsIn(view: SourceView, table: TableSpec): Promise<readonly Row[]> {
  const columns = ['id', 'a', 'u', 'at'].map((name) => {
    const column = table.columns.find((one) => one.name === name) as Column
    return { name, as: column.type, column }
  })
  const request = { table, columns, range: { by: 'all' }, where: null, ordered: false } as const
  const found: Row[] = []
  for await (const { rows } of view.read(request, { rows: 1000, bytes: 1e6 }, signal)) found.push(...rows)
  return found.filter(([id]) => Number(id) < 100).toSorted((a, b) => Number(a[0]) - Number(b[0]))
}

async function run(ledger: LedgerDatabase, statements: readonly string[]): Promise<void> {
  await ledger.batch(statements.map((sql) => ({ sql, parameters: [] })))
}

describe.each(['sqlite', 'duckdb'] as const)('changes in %s equal the same changes row by row', (system) => {
  for (const [shape, sql] of Object.entries(SHAPES[system])) {
    for (const [size, crowd] of [
      ['small', 0],
      ['large', 3000],
    ] as const) {
      test(`${shape}, ${size} batches`, async () => {
        await using store = await opened(system)
        await using ledger = await store.ledger()
        const name = `${shape}_${size}`
        await run(ledger, [
          'CREATE TABLE IF NOT EXISTS fence (owner TEXT PRIMARY KEY, n INTEGER)',
          "INSERT INTO fence SELECT 'me', 0 WHERE NOT EXISTS (SELECT 1 FROM fence)",
          ...sql(name),
        ])
        const [spec] = await store.tables(name, signal)
        if (spec === undefined) throw new Error(`${name} is not there`)
        const columns = spec.columns.map((column) => ({ name: column.name, as: column.type, column }))
        const table: ChangeTable = { table: spec, columns, identity: ['id'] }
        await using writer = await store.offers.changeTarget!.open({ tables: [table], fireTriggers: false, signal })
        const others = Array.from({ length: crowd }, (_, n): Put => {
          const row: Row = [String(1000 + n), 'x', String(1000 + n), '2024-01-01']
          return { row, key: row.slice(0, 1), base: null }
        })
        const rows = async (): Promise<unknown> => {
          const texts = ['id', 'a', 'u', '"at"'].map((column) => `CAST(${column} AS TEXT)`).join(', ')
          return await ledger.all(
            `SELECT ${texts} FROM ${name} WHERE CAST(id AS INTEGER) < 100 ORDER BY CAST(id AS INTEGER)`,
          )
        }
        const history = fc.array(batches, { minLength: 1, maxLength: 4 })
        await fc.assert(
          fc.asyncProperty(history, async (all) => {
            // An earlier run may have failed.
            await writer.rollBack()
            await run(ledger, [`DELETE FROM ${name}`])
            let model: Model = new Map()
            const views: { readonly view: SourceView; readonly model: Model }[] = []
            for (const [i, options] of all.entries()) {
              const batch = batchOf(options, uniqueShift(model, options, i))
              const { after, lacking } = reference(model, batch)
              if (!isUnique(after)) continue
              // Some batches share a transaction.
              const done = await writer.apply(0, { puts: [...batch.puts, ...others], gone: batch.gone })
              expect(done.lacking).toEqual(lacking)
              model = after
              if (i % 2 === 0) continue
              expect(await writer.commit(CLOSING)).toBe('committed')
              // Other sessions can read this committed state, and block nothing.
              views.push({ view: await store.source(signal), model })
            }
            expect(await writer.commit(CLOSING)).toBe('committed')
            expect(await rows()).toEqual(inOrder(model))
            for (const { view, model: then } of views) {
              expect(await rowsIn(view, spec)).toEqual(inOrder(then))
              await view[Symbol.asyncDispose]()
            }
          }),
          { numRuns: crowd === 0 ? 15 : 3 },
        )
      })
    }
  }
})

describe('a table of SQLite', () => {
  test('is not written to after two of its columns have exchanged their names', async () => {
    await using store = await opened('sqlite')
    await using ledger = await store.ledger()
    await run(ledger, [
      'DROP TABLE IF EXISTS fence',
      'CREATE TABLE fence (owner TEXT PRIMARY KEY, n INTEGER)',
      "INSERT INTO fence VALUES ('me', 0)",
      'CREATE TABLE exchanged (id INTEGER PRIMARY KEY, v TEXT, w TEXT)',
    ])
    const [spec] = await store.tables('exchanged', signal)
    if (spec === undefined) throw new Error('exchanged is not there')
    const columns = spec.columns.map((column) => ({ name: column.name, as: column.type, column }))
    const tables: readonly ChangeTable[] = [{ table: spec, columns, identity: ['id'] }]
    await using writer = await store.offers.changeTarget!.open({ tables, fireTriggers: false, signal })
    const applied = async (id: string): Promise<void> => {
      await writer.apply(0, { puts: [{ row: [id, 'v', 'w'], key: [id], base: null }], gone: [] })
      expect(await writer.commit(CLOSING)).toBe('committed')
    }
    const exchange = (): Promise<void> =>
      run(
        ledger,
        ['v TO x', 'w TO v', 'x TO w'].map((names) => `ALTER TABLE exchanged RENAME COLUMN ${names}`),
      )
    const rows = () => ledger.all('SELECT v, w FROM exchanged ORDER BY id')
    await applied('1')
    await exchange()
    await expect(applied('2')).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      reason: expect.stringContaining('have exchanged their names') as string,
      hint: expect.stringContaining('--resync') as string,
    })
    await writer.rollBack()
    expect(await rows()).toEqual([['w', 'v']])
    await exchange()
    await run(ledger, ['ALTER TABLE exchanged ADD COLUMN y INTEGER'])
    await applied('2')
    expect(await rows()).toEqual([
      ['v', 'w'],
      ['v', 'w'],
    ])
  })
})
