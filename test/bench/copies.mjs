/**
 * `npm run bench -- copy [--runs N] [--rows N]`: copies and the bare work in the same run, interleaved so that a slow
 * phase of the machine affects both. PostgreSQL to PostgreSQL is compared with a binary `COPY | COPY` pipe of one
 * process, a 1000-row INSERT and, if installed, pgcopydb; PostgreSQL to SQLite and to DuckDB with the bare reading and
 * loading of the same rows. Each is timed twice: as a whole process, and from the first row to the last chunk, without
 * the time that any program needs to start and to plan. Asserts nothing.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { ROOT, scratchFolder } from './lakes.mjs'
import { measure } from './measure.mjs'
import { postgresql } from './servers.mjs'
import { megabytes, textTable, time } from './table.mjs'

const SLUICE = path.join(ROOT, 'dist/cli/bin.js')
const FLOOR = path.join(import.meta.dirname, 'floor-copy.mjs')
/** Targets that are files, each with its bare work. */
const FILES = { sqlite: 'reading and inserting', duckdb: 'reading into CSV and loading it' }

/** @param {{runs: number, rows: number, only?: string}} options */
export async function copies({ runs, rows, only = '' }) {
  const folder = scratchFolder('copy')
  const server = await postgresql()
  if (server === null) {
    process.stderr.write('copy: no PostgreSQL for this platform\n')
    fs.rmSync(folder, { recursive: true, force: true })
    return
  }
  /** @type {string[][]} */
  const table = []
  try {
    const source = await database(server.url, 'source')
    await fill(source, rows)
    /** @type {{name: string, run: (no: number) => Promise<Timed>}[]} */
    const ways = []
    /** @param {string} name @param {(target: string) => string[]} words */
    const way = (name, words) =>
      ways.push({
        name,
        run: async () => {
          const target = await database(server.url, 'target')
          return timed(words(target))
        },
      })
    const copy = (/** @type {string} */ target, /** @type {string[]} */ ...more) => [
      SLUICE, 'copy', '--from', source, '--to', target, '--table', 'rides', '--workers', '2', '--json', ...more,
    ] // prettier-ignore
    if (only === '' || only === 'postgresql') {
      way('postgresql: bare binary COPY | COPY', (target) => [FLOOR, 'pipe', source, target])
      way('postgresql: copy, echo proof', (target) => copy(target))
      way('postgresql: copy, counted', (target) => copy(target, '--verify', 'count'))
      way('postgresql: INSERT of 1000 rows', (target) => [FLOOR, 'insert', source, target])
      if (spawnSync('pgcopydb', ['--version']).status === 0) {
        way('postgresql: pgcopydb', (target) => [FLOOR, 'pgcopydb', source, target])
      }
    }
    for (const [system, work] of Object.entries(FILES)) {
      if (only !== '' && only !== system) continue
      ways.push({
        name: `${system}: bare ${work}`,
        run: async (no) => timed([FLOOR, system, source, path.join(folder, `floor-${no}.${system}`)]),
      })
      ways.push({
        name: `${system}: copy, canonical proof`,
        run: async (no) => timed(copy(`${system}:///${path.join(folder, `copy-${no}.${system}`)}`)),
      })
    }
    /** @type {Map<string, Timed[]>} */
    const figures = new Map(ways.map(({ name }) => [name, []]))
    for (let no = 0; no < runs; no++) {
      for (const { name, run } of ways) {
        const one = await run(no)
        figures.get(name)?.push(one)
        process.stderr.write(`${name}: ${time(one.all)}, ${time(one.work)} of work\n`)
      }
    }
    for (const [name, each] of figures) {
      const group = name.split(':', 1)[0]
      const floor = [...figures].find(([other]) => other.startsWith(`${group}: bare`))?.[1] ?? []
      /** @param {'all' | 'work'} what */
      const columns = (what) => {
        const best = Math.min(...each.map((one) => one[what]))
        return [time(best), (Math.min(...floor.map((one) => one[what])) / best).toFixed(2)]
      }
      const rate = Math.round((rows / Math.min(...each.map(({ work }) => work))) * 1000)
      table.push([
        name,
        ...columns('all'),
        ...columns('work'),
        `${rate.toLocaleString('en')} rows/s`,
        megabytes(Math.max(...each.map(({ peak }) => peak))),
      ])
    }
  } finally {
    await server.stop()
    fs.rmSync(folder, { recursive: true, force: true })
  }
  process.stdout.write(`${textTable(['WAY', 'BEST', 'OF FLOOR', 'WORK', 'OF FLOOR', 'RATE', 'PEAK'], table)}\n`)
}

/** @typedef {{all: number, work: number, peak: number}} Timed milliseconds and bytes */

/** @param {string[]} words arguments of node @returns {Timed} */
function timed(words) {
  const { ms, peak, stdout } = measure(words, 1)
  const all = ms[0] ?? 0
  const events = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
  // A program other than sluice prints its own time.
  const said = events.find((event) => typeof event.ms === 'number' && event.type === undefined)
  if (said !== undefined) return { all, work: said.ms, peak }
  const at = (/** @type {string} */ type) =>
    events.filter((event) => event.type === type).map(({ ts }) => Date.parse(ts))
  return { all, work: Math.max(...at('chunk.done')) - Math.min(...at('copy.started')), peak }
}

/** A new database on the server. @param {string} url @param {string} name */
async function database(url, name) {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  await client.query(`CREATE DATABASE ${name}`)
  await client.query('CHECKPOINT')
  await client.end()
  const made = new URL(url)
  made.pathname = `/${name}`
  return made.href
}

/** Eight columns, about 150 bytes per row. @param {string} url @param {number} rows */
export async function fill(url, rows) {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(`CREATE TABLE rides (id bigint PRIMARY KEY, vendor int NOT NULL, at timestamptz NOT NULL, distance float8, fare numeric(10,2),
    zone text, note text, ok boolean)`)
  await client.query(
    `INSERT INTO rides SELECT n, n % 7, timestamptz '2024-01-01' + n * interval '1.5 s', n / 7.0, (n % 10000) / 100.0, 'zone ' || n % 265,
       repeat(md5(n::text), 2), n % 3 = 0 FROM generate_series(1, $1::int) n`,
    [rows],
  )
  await client.query('VACUUM ANALYZE rides')
  await client.end()
}
