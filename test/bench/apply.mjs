/**
 * `npm run bench -- apply [--quick] [--runs N]`: changes per second into PostgreSQL, in transactions of so many rows,
 * each closed by a position row as a stream closes it. Floor: bare COPY of the same rows in as many transactions.
 * `plain` is a table with its primary key only, `unique` one with other unique indexes, of which every update changes a
 * value. `kept`: updates that leave a large value unchanged. Asserts nothing.
 */
import pg from 'pg'
import copyFrom from 'pg-copy-streams'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { openPostgresCopy } from '../../build/stores/postgresql/copy/index.js'
import { median } from './measure.mjs'
import { postgresql } from './servers.mjs'
import { textTable } from './table.mjs'

const SIZES = [1, 10, 100, 1_000, 20_000]
const NEVER = new AbortController().signal
const CLOSING = {
  statements: [{ sql: 'UPDATE position SET at = at + 1 WHERE run = ?', parameters: ['r'] }],
  guard: { sql: 'SELECT 1', parameters: [] },
  landed: { sql: 'SELECT 1 WHERE false', parameters: [] },
}
const COLUMNS = 'id bigint PRIMARY KEY, name text, amount numeric(12,2), at timestamptz, n int, big text'
const TABLES = {
  plain: `CREATE TABLE plain (${COLUMNS})`,
  unique: `CREATE TABLE "unique" (${COLUMNS}, UNIQUE (n, name), UNIQUE (name))`,
}

/** @param {number} id @param {number} round */
const row = (id, round) => [String(id), `name of ${id}`, '1234.5', '2024-01-01 12:00:00', String(round), `text ${id} `.repeat(8)] // prettier-ignore

/** @param {{runs: number, isQuick: boolean}} options */
export async function applies({ runs, isQuick }) {
  const server = await postgresql()
  if (server === null) return void process.stderr.write('apply: no PostgreSQL for this platform\n')
  const client = new pg.Client(server.url)
  await client.connect()
  await client.query(`CREATE TABLE position (run text PRIMARY KEY, at int); INSERT INTO position VALUES ('r', 0); CREATE TABLE floor (${COLUMNS})`) // prettier-ignore
  for (const sql of Object.values(TABLES)) await client.query(sql)
  const store = await openPostgresCopy(server.url)
  /** @type {string[][]} */
  const rows = []
  try {
    for (const size of SIZES) {
      const total = Math.min(isQuick ? 20_000 : 100_000, size * (isQuick ? 300 : 1_000))
      const floor = await medianOf(runs, () => bare(client, size, total))
      const line = [size.toLocaleString('en'), rate(floor)]
      for (const name of Object.keys(TABLES)) {
        /** @type {Record<string, number[]>} */
        const rates = { inserts: [], updates: [], kept: [], deletes: [] }
        for (let run = 0; run < runs; run++) await changes(store, client, name, { size, total, rates })
        for (const kind of Object.keys(rates)) line.push(rate(median(rates[kind])))
      }
      rows.push(line)
      process.stderr.write(`${line.join('  ')}\n`)
    }
  } finally {
    await store[Symbol.asyncDispose]()
    await client.end()
    await server.stop()
  }
  const kinds = ['inserts', 'updates', 'kept', 'deletes']
  const heading = ['rows a transaction', 'bare COPY', ...Object.keys(TABLES).flatMap((name) => kinds.map((kind) => `${name}: ${kind}`))] // prettier-ignore
  process.stdout.write(`\nNode ${process.versions.node}, ${runs} runs; medians of changes a second\n`)
  process.stdout.write(`${textTable(heading, rows)}\n`)
}

/** @param {number} perSecond */
const rate = (perSecond) => Math.round(perSecond).toLocaleString('en')

/** @param {number} runs @param {() => Promise<number>} body */
async function medianOf(runs, body) {
  const all = []
  for (let run = 0; run < runs; run++) all.push(await body())
  return median(all)
}

/** @param {pg.Client} client @param {number} size @param {number} total */
async function bare(client, size, total) {
  await client.query('TRUNCATE floor')
  return timed(total, async () => {
    for (let at = 0; at < total; at += size) {
      const text = Array.from({ length: Math.min(size, total - at) }, (_, i) => `${row(at + i, 0).join('\t')}\n`).join('') // prettier-ignore
      await client.query('BEGIN')
      await pipeline(Readable.from([Buffer.from(text)]), client.query(copyFrom.from('COPY floor FROM STDIN')))
      await client.query('COMMIT')
    }
  })
}

/** @param {number} total @param {() => Promise<void>} body @returns {Promise<number>} per second */
async function timed(total, body) {
  const start = process.hrtime.bigint()
  await body()
  return (total * 1e9) / Number(process.hrtime.bigint() - start)
}

async function changes(store, client, name, { size, total, rates }) {
  await client.query(`TRUNCATE "${name}"`)
  const [table] = await store.tables(name, NEVER)
  const columns = table.columns.map((column) => ({ name: column.name, as: column.type, column }))
  const request = { tables: [{ table, columns, identity: ['id'] }], fireTriggers: false, signal: NEVER }
  const writer = await store.offers.changeTarget.open(request)
  /** @param {(id: number) => object} put @param {boolean} [gone] */
  const each = (put, gone) =>
    timed(total, async () => {
      for (let at = 0; at < total; at += size) {
        const all = Array.from({ length: Math.min(size, total - at) }, (_, i) => put(at + i))
        const { lacking } = await writer.apply(0, gone ? { puts: [], gone: all } : { puts: all, gone: [] })
        if (lacking.length > 0) throw new Error('rows are missing')
        if ((await writer.commit(CLOSING)) !== 'committed') throw new Error('fenced')
      }
    })
  /** @param {(string | undefined)[]} cells */
  const put = (cells) => ({ row: cells, key: [cells[0]], base: null })
  rates.inserts.push(await each((id) => ({ ...put(row(id, 1)), isNew: true })))
  await client.query(`VACUUM ANALYZE "${name}"`)
  rates.updates.push(await each((id) => put(row(id, 2))))
  await client.query(`VACUUM ANALYZE "${name}"`)
  rates.kept.push(await each((id) => ({ row: [...row(id, 3).slice(0, 5), undefined], key: [String(id)], base: [String(id)] }))) // prettier-ignore
  rates.deletes.push(await each((id) => [String(id)], true))
  const { rows } = await client.query(`SELECT count(*)::int AS n FROM "${name}"`)
  if (rows[0].n !== 0) throw new Error(`${rows[0].n} rows are left`)
  await writer[Symbol.asyncDispose]()
}
