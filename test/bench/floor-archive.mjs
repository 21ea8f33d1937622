/**
 * The bare work of an archive, without a ledger, proof or log. argv: way, URL or file, … Ways: `out` drops the output
 * of COPY, `csv` keeps it in a file, `parquet` converts that file with DuckDB, `in` loads it by COPY, `scan` runs the
 * same queries in PostgreSQL and DuckDB.
 */
import fs from 'node:fs'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'

const [way = '', first = '', second = ''] = process.argv.slice(2)
const COLUMNS = 'id, vendor, at, distance, fare, zone, note, ok'
const OUT = `COPY (SELECT ${COLUMNS} FROM rides) TO STDOUT (FORMAT csv)`
const TYPES = `{id: 'BIGINT', vendor: 'INTEGER', "at": 'TIMESTAMPTZ', distance: 'DOUBLE', fare: 'DECIMAL(10,2)', zone: 'VARCHAR', note: 'VARCHAR', ok: 'BOOLEAN'}`
/** Two queries read every row; the third one benefits from statistics and sorted rows. */
const QUESTIONS = {
  'count(*)': 'SELECT count(*) FROM rides',
  'sum of one column': 'SELECT sum(fare) FROM rides',
  'a selective filter': "SELECT count(*), max(note) FROM rides WHERE zone = 'zone 17' AND fare > 99",
  'one hour': `SELECT count(*), sum(distance) FROM rides WHERE "at" >= '2024-01-05 10:00:00+00' AND "at" < '2024-01-05 11:00:00+00'`,
}

/** @param {string} url */
async function connected(url) {
  const client = new pg.Client(url)
  await client.connect()
  await client.query("SET TimeZone = 'UTC'")
  return client
}

/** @param {() => Promise<unknown>} work @returns milliseconds */
async function timed(work) {
  const begun = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - begun) / 1e6
}

async function duckdb() {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '512MB' })
  const connection = await instance.connect()
  await connection.run("SET TimeZone = 'UTC'")
  return connection
}

/** Best of five, because the first one fills the cache. @param {(sql: string) => Promise<unknown>} ask */
async function asked(ask) {
  /** @type {Record<string, {ms: number, answer: string}>} */
  const found = {}
  for (const [name, sql] of Object.entries(QUESTIONS)) {
    let ms = Infinity
    let answer = ''
    for (let i = 0; i < 5; i++) ms = Math.min(ms, await timed(async () => void (answer = String(await ask(sql)))))
    found[name] = { ms, answer }
  }
  return found
}

/** @type {Record<string, () => Promise<unknown>>} */
const ways = {
  async out() {
    const client = await connected(first)
    const nowhere = new Writable({ write: (_, __, done) => done() })
    const ms = await timed(() => pipeline(client.query(copyTo(OUT)), nowhere))
    await client.end()
    return { ms }
  },
  async csv() {
    const client = await connected(first)
    const ms = await timed(() => pipeline(client.query(copyTo(OUT)), fs.createWriteStream(second)))
    await client.end()
    return { ms, bytes: fs.statSync(second).size }
  },
  async parquet() {
    const connection = await duckdb()
    const sql = `COPY (FROM read_csv('${first}', auto_detect = false, columns = ${TYPES}, header = false, delim = ',', quote = '"', escape = '"', nullstr = '', allow_quoted_nulls = false)) TO '${second}' (FORMAT parquet, COMPRESSION zstd)`
    const ms = await timed(() => connection.run(sql))
    return { ms, bytes: fs.statSync(second).size }
  },
  /** Loads into a table like the partition, with its key. */
  async in() {
    const client = await connected(first)
    await client.query('CREATE TABLE brought (LIKE rides INCLUDING ALL)')
    const ms = await timed(() =>
      pipeline(
        fs.createReadStream(second, { highWaterMark: 1 << 18 }),
        client.query(copyFrom(`COPY brought (${COLUMNS}) FROM STDIN (FORMAT csv)`)),
      ),
    )
    await client.query('DROP TABLE brought')
    await client.end()
    return { ms }
  },
  async scan() {
    const client = await connected(first)
    await client.query('SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off')
    const heap = await asked(async (sql) => Object.values((await client.query(sql)).rows[0]))
    await client.end()
    const connection = await duckdb()
    await connection.run(
      `CREATE VIEW rides AS FROM read_parquet('${second}/*/sluice_partition=*/*.parquet', hive_partitioning = false)`,
    )
    const files = await asked(async (sql) => (await connection.runAndReadAll(sql)).getRows()[0])
    return Object.keys(QUESTIONS).map((name) => ({ name, heap: heap[name], files: files[name] }))
  },
}

const work = ways[way]
if (work === undefined) throw new Error(`no way is called ${way}`)
process.stdout.write(`${JSON.stringify(await work())}\n`)
