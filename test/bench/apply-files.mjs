/**
 * `npm run bench -- apply-files [--quick] [--runs N]`: changes per second into files of SQLite and DuckDB with 200,000
 * rows, in transactions of so many rows, each closed by a position row. Floor of both: bare inserts of the same rows in
 * as many transactions, by one prepared statement of SQLite, and by DuckDB's appender. `unique`: a second unique index,
 * so that changed rows are deleted and inserted. Asserts nothing.
 */
import fs from 'node:fs'
import path from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import Database from 'better-sqlite3'
import { openDuckdbCopy } from '../../build/stores/duckdb/copy/index.js'
import { openSqliteCopy } from '../../build/stores/sqlite/copy/index.js'
import { scratchFolder } from './lakes.mjs'
import { median } from './measure.mjs'
import { textTable } from './table.mjs'

const SIZES = [10, 1_000, 20_000]
const THERE = 200_000
const NEVER = new AbortController().signal
const NONE = { sql: 'SELECT 1', parameters: [] }
const CLOSING = { statements: [{ sql: 'UPDATE place SET n = n + 1', parameters: [] }], guard: NONE, landed: NONE }
const TYPES = {
  sqlite: 'name TEXT, amount DECIMAL_TEXT(12,2), w TEXT, n INTEGER, big TEXT',
  duckdb: 'name VARCHAR, amount DECIMAL(12,2), w TIMESTAMP, n INTEGER, big VARCHAR',
}

/** @param {number} id @param {number} round */
const row = (id, round) => [String(id), `name of ${id}`, '1234.5', '2024-01-01 12:00:00', String(round), `text ${id} `.repeat(8)] // prettier-ignore

/** @param {{runs: number, isQuick: boolean}} options */
export async function appliesToFiles({ runs, isQuick }) {
  const folder = scratchFolder('apply-files')
  /** @type {string[][]} */
  const rows = []
  for (const system of /** @type {const} */ (['sqlite', 'duckdb'])) {
    for (const size of SIZES) {
      const total = Math.min(isQuick ? 20_000 : 100_000, size * (isQuick ? 30 : 200))
      /** @type {Record<string, number[]>} */
      const rates = { floor: [], inserts: [], updates: [], unique: [] }
      for (let run = 0; run < runs; run++) {
        const file = path.join(folder, `${system}-${size}-${run}`)
        rates.floor.push(await (system === 'sqlite' ? bareSqlite : bareDuckdb)(`${file}-floor`, size, total))
        await changes(system, file, { size, total, rates })
      }
      const line = [system, size, ...Object.values(rates).map(median)]
      rows.push(line.map((cell) => (typeof cell === 'number' ? Math.round(cell).toLocaleString('en') : cell)))
      process.stderr.write(`${(rows.at(-1) ?? []).join('  ')}\n`)
    }
  }
  fs.rmSync(folder, { recursive: true, force: true })
  process.stdout.write(`\nNode ${process.versions.node}, ${runs} runs; medians of changes a second\n`)
  const heading = ['target', 'rows a transaction', 'floor: bare inserts', 'inserts', 'updates', 'updates, unique']
  process.stdout.write(`${textTable(heading, rows)}\n`)
}

/** @param {number} total @param {() => Promise<void>} body @returns {Promise<number>} per second */
async function timed(total, body) {
  const start = performance.now()
  await body()
  return (total * 1000) / (performance.now() - start)
}

/** @param {string} file @param {number} size @param {number} total */
async function bareSqlite(file, size, total) {
  const database = new Database(file)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  database.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, ${TYPES.sqlite})`)
  const insert = database.prepare('INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)')
  const perSecond = await timed(total, async () => {
    for (let at = 0; at < total; at += size) {
      database.exec('BEGIN IMMEDIATE')
      for (let i = at; i < Math.min(total, at + size); i++) insert.run(row(i, 0))
      database.exec('COMMIT')
    }
  })
  database.close()
  return perSecond
}

/** @param {string} file @param {number} size @param {number} total */
async function bareDuckdb(file, size, total) {
  const instance = await DuckDBInstance.create(file, { threads: '2' })
  const connection = await instance.connect()
  await connection.run('CREATE TABLE t (id VARCHAR, name VARCHAR, amount VARCHAR, w VARCHAR, n VARCHAR, big VARCHAR)')
  const perSecond = await timed(total, async () => {
    for (let at = 0; at < total; at += size) {
      await connection.run('BEGIN')
      const appender = await connection.createAppender('t')
      for (let i = at; i < Math.min(total, at + size); i++) {
        for (const cell of row(i, 0)) appender.appendVarchar(cell)
        appender.endRow()
      }
      appender.closeSync()
      await connection.run('COMMIT')
    }
  })
  connection.closeSync()
  instance.closeSync()
  return perSecond
}

/**
 * @param {'sqlite' | 'duckdb'} system @param {string} file
 * @param {{size: number, total: number, rates: Record<string, number[]>}} options
 */
async function changes(system, file, { size, total, rates }) {
  const open = system === 'sqlite' ? openSqliteCopy : openDuckdbCopy
  const store = await open(file, { mode: 'write', label: system })
  const ledger = await store.ledger()
  /** @param {string} sql */
  const run = (sql) => ledger.batch([{ sql, parameters: [] }])
  await run('CREATE TABLE place (n INTEGER)')
  await run('INSERT INTO place VALUES (0)')
  await run(`CREATE TABLE t (id INTEGER PRIMARY KEY, ${TYPES[system]})`)
  const [table] = await store.tables('t', NEVER)
  const columns = table.columns.map((column) => ({ name: column.name, as: column.type, column }))
  const request = { tables: [{ table, columns, identity: ['id'] }], fireTriggers: false, signal: NEVER }
  /** @param {readonly number[]} ids @param {number} round @param {number} by @param {string} [name] */
  const put = (ids, round, by, name) =>
    session(async (writer) => {
      for (let at = 0; at < ids.length; at += by) {
        const puts = ids.slice(at, at + by).map((id) => {
          const cells = row(id, round)
          if (name !== undefined) cells[1] = `${name} ${id}`
          return { row: cells, key: [cells[0]], base: null }
        })
        await writer.apply(0, { puts, gone: [] })
        if ((await writer.commit(CLOSING)) !== 'committed') throw new Error('fenced')
      }
    })
  /** @param {(writer: any) => Promise<void>} body */
  const session = async (body) => {
    const writer = await store.offers.changeTarget.open(request)
    await body(writer)
    await writer[Symbol.asyncDispose]()
  }
  const many = (/** @type {number} */ from, /** @type {number} */ length) => Array.from({ length }, (_, i) => from + i)
  // Rows are scattered over the table, as those of applications are.
  const apart = many(0, total).map((i) => (i * 7919) % THERE)
  await put(many(0, THERE), 0, 20_000)
  rates.inserts.push(await timed(total, () => put(many(THERE, total), 1, size)))
  rates.updates.push(await timed(total, () => put(apart, 2, size)))
  await run('CREATE UNIQUE INDEX t_name ON t (name)')
  rates.unique.push(await timed(total, () => put(apart, 3, size, 'another')))
  await ledger[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
}
