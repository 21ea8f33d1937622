/**
 * `npm run bench -- cassandra-read [--runs N] [--rows N]`: reads a table by token ranges, as copies do, and in the bare
 * driver's best way (own ranges, own pages), interleaved in one process so that a slow phase of the machine affects
 * both. Prints rows per second, and CPU time of this process per row, which other programs disturb less. Asserts
 * nothing.
 */
import path from 'node:path'
import { loadavg } from 'node:os'
import { runnerImport } from 'vite'
import { ROOT } from './lakes.mjs'
import { textTable } from './table.mjs'

const RANGES = 16
const LANES = 4
const PAGE = 1000
const COLUMNS = 'id, name, city, balance, at, active'

/** @typedef {{rate: number, cpu: number}} Measured rows a second, microseconds of the processor a row */

/** @param {{runs: number, rows: number}} options */
export async function cassandraRead({ runs, rows }) {
  const file = path.join(ROOT, 'test/support/servers/cassandra.ts')
  const { CASSANDRA_MISSING, startCassandra } = (await runnerImport(file, { oxc: { target: 'es2022' } })).module
  if (CASSANDRA_MISSING !== '') {
    process.stderr.write(`cassandra-read: ${CASSANDRA_MISSING}\n`)
    return
  }
  const server = await startCassandra({ heapMb: 640, commitlog: 'periodic', forgetful: true })
  try {
    await server.cql("CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    const url = new URL(server.url('bench'))
    url.searchParams.set('consistency', 'ONE')
    const { connectCassandra } = await build('stores/cassandra/connect.js')
    const link = await connectCassandra(url.href)
    try {
      await fill(link.client, rows)
      const ways = [
        { name: 'bare driver, own ranges and pages', read: () => bare(link.client) },
        { name: 'ranges of a copy', read: await ours(link, false) },
        { name: 'ranges of a copy, with times', read: await ours(link, true) },
      ]
      /** @type {Map<string, Measured[]>} */
      const figures = new Map(ways.map(({ name }) => [name, []]))
      // The first round warms up the server and the compiler of both.
      for (let no = 0; no <= runs; no++) {
        for (const { name, read } of ways) {
          const one = await measured(read, rows)
          if (no > 0) figures.get(name)?.push(one)
        }
      }
      report(figures)
    } finally {
      await link[Symbol.asyncDispose]()
    }
  } finally {
    await server.stop()
  }
}

/** @param {Map<string, Measured[]>} figures */
function report(figures) {
  const best = (/** @type {Measured[]} */ each) => Math.max(...each.map(({ rate }) => rate))
  const [floor = []] = figures.values()
  const lines = [...figures].map(([name, each]) => [
    name,
    `${Math.round(best(each)).toLocaleString('en')} rows/s`,
    (best(each) / best(floor)).toFixed(2),
    `${Math.min(...each.map(({ cpu }) => cpu)).toFixed(2)} µs`,
  ])
  process.stdout.write(`${textTable(['WAY', 'BEST', 'OF FLOOR', 'PROCESSOR A ROW'], lines)}\n`)
  process.stdout.write(`load of the machine: ${loadavg()[0]?.toFixed(1)}\n`)
}

/** @param {() => Promise<number>} read @param {number} rows @returns {Promise<Measured>} */
async function measured(read, rows) {
  const cpu = process.cpuUsage()
  const begun = performance.now()
  const found = await read()
  if (found !== rows) throw new Error(`${found} rows were read, and ${rows} are there`)
  const { user, system } = process.cpuUsage(cpu)
  return { rate: (rows / (performance.now() - begun)) * 1000, cpu: (user + system) / rows }
}

/** @param {import('cassandra-driver').Client} client @param {number} rows */
async function fill(client, rows) {
  await client.execute(
    'CREATE TABLE bench.customer (id bigint PRIMARY KEY, name text, city text, balance double, at timestamp, active boolean)',
  )
  const cql = `INSERT INTO bench.customer (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)`
  let next = 0
  const lane = async () => {
    for (let no = next++; no < rows; no = next++) {
      const row = [BigInt(no), `customer ${no}`, `city ${no % 100}`, no / 7, new Date(1.7e12 + no), no % 2 === 0]
      await client.execute(cql, row, { prepare: true })
    }
  }
  await Promise.all(Array.from({ length: 256 }, lane))
}

/** @param {import('cassandra-driver').Client} client */
async function bare(client) {
  const cql = `SELECT ${COLUMNS} FROM bench.customer WHERE token(id) >= ? AND token(id) <= ?`
  return inLanes(async ({ low, high }) => {
    let rows = 0
    let pageState
    do {
      const options = { prepare: true, fetchSize: PAGE, consistency: 1, ...(pageState ? { pageState } : {}) }
      const page = await client.execute(cql, [low, high], options)
      rows += page.rows.length
      pageState = page.pageState
    } while (pageState)
    return rows
  })
}

/** @param {any} link @param {boolean} stamps @returns {Promise<() => Promise<number>>} */
async function ours(link, stamps) {
  const { CassandraSource } = await build('stores/cassandra/copy/source.js')
  const { cassandraTables } = await build('stores/cassandra/copy/tables.js')
  const { rangeOfTokens, RING_TOKENS } = await build('model/copy/ring.js')
  const { signal } = new AbortController()
  const [table] = await cassandraTables(link, 'customer', signal)
  const view = new CassandraSource(link, Date.now(), signal)
  const columns = table.columns.map((/** @type {any} */ column) => ({ name: column.name, as: column.type, column }))
  return () =>
    inLanes(async (tokens) => {
      const range = rangeOfTokens(tokens, RING_TOKENS.murmur3)
      const request = { table, columns, range, where: null, ordered: false, ...(stamps ? { stamps: true } : {}) }
      let rows = 0
      for await (const batch of view.read(request, { rows: 5000, bytes: 4 * 1024 * 1024 }, signal))
        rows += batch.rows.length
      return rows
    })
}

/** @param {(range: {low: bigint, high: bigint}) => Promise<number>} read @returns {Promise<number>} */
async function inLanes(read) {
  const { RING_TOKENS, splitTokens } = await build('model/copy/ring.js')
  const ranges = [...splitTokens(RING_TOKENS.murmur3.low, RING_TOKENS.murmur3.high, RANGES)]
  let rows = 0
  const lane = async () => {
    for (let range = ranges.pop(); range !== undefined; range = ranges.pop()) {
      const found = await read(range)
      rows += found
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return rows
}

/** @param {string} file @returns {Promise<any>} */
function build(file) {
  return import(path.join(process.env['SLUICE_BENCH_BUILD'] ?? path.join(ROOT, 'build'), file))
}
