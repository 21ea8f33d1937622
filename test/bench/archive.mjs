/**
 * `npm run bench -- archive [--rows N] [--runs N]`: archives one partition of PostgreSQL and restores it, and does the
 * bare work in the same run. The floor of an export is COPY to nowhere and DuckDB's own CSV to Parquet, one after the
 * other; that of a restore is COPY of the same rows into a table with the same key. Floors and sluice alternate, so
 * that a slow phase of the machine affects both, and the best of each counts. Asserts nothing about time.
 */
import fs from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { ROOT, scratchFolder } from './lakes.mjs'
import { measure } from './measure.mjs'
import { postgresql } from './servers.mjs'
import { megabytes, textTable, time } from './table.mjs'

const SLUICE = path.join(ROOT, 'dist/cli/bin.js')
const FLOOR = path.join(import.meta.dirname, 'floor-archive.mjs')
const LABEL = '2024-Q1'
/** Memory limit of an export, smaller than the partition. */
const LITTLE = '64mb'

/** @typedef {Record<string, number>} Figures milliseconds, or bytes */

/** @param {{runs: number, rows: number}} options */
export async function archives({ runs, rows }) {
  const folder = scratchFolder('archive')
  const server = await postgresql()
  if (server === null) {
    process.stderr.write('archive: no PostgreSQL for this platform\n')
    fs.rmSync(folder, { recursive: true, force: true })
    return
  }
  try {
    const source = await database(server.url, 'source')
    const heap = await fill(source, rows)
    const csvFile = path.join(folder, 'rides.csv')
    const csv = said([FLOOR, 'csv', source, csvFile])
    /** @type {Figures[]} */
    const all = []
    /** @type {{name: string, heap: Scan, files: Scan}[]} */
    let scans = []
    for (let no = 0; no < runs; no++) {
      const url = await database(server.url, 'ours', 'source')
      const to = path.join(folder, `archive-${no}`)
      const parquetFile = path.join(folder, 'floor.parquet')
      /** @type {Figures} */
      const one = {}
      one['out'] = said([FLOOR, 'out', url]).ms
      const parquet = said([FLOOR, 'parquet', csvFile, parquetFile])
      one['parquet'] = parquet.ms
      one['floorBytes'] = parquet.bytes
      Object.assign(one, archived(archiveWords(url, to), rows))
      scans = JSON.parse(measure([FLOOR, 'scan', url, to], 1).stdout)
      one['query'] =
        measure([SLUICE, 'query', 'rides', 'SELECT sum(fare) FROM rides', '--from', url, '--json'], 1).ms[0] ?? 0
      const dropped = ended([...archiveWords(url, to), '--drop', '--grace', '0s', '--confirm=rides'].filter((word) => word !== '--no-detach')) // prettier-ignore
      one['leave'] = stateMs(dropped.events, 'DETACHING')
      one['prove'] = stateMs(dropped.events, 'DETACHED')
      one['drop'] = stateMs(dropped.events, 'DROPPED')
      one['queryFiles'] =
        measure([SLUICE, 'query', 'rides', 'SELECT sum(fare) FROM rides', '--from', url, '--json'], 1).ms[0] ?? 0
      one['in'] = said([FLOOR, 'in', source, csvFile]).ms
      const restored = ended([SLUICE, 'restore', '--from', url, '--table', 'rides', '--partition', LABEL, '--json'])
      one['restore'] = stateMs(restored.events, 'RESTORED')
      one['restoreAll'] = restored.ms
      one['restorePeak'] = restored.peak
      const little = await database(server.url, 'ours', 'source')
      const small = ended([...archiveWords(little, path.join(folder, `little-${no}`)), '--memory', LITTLE])
      one['littleExport'] = stateMs(small.events, 'EXPORTED')
      one['littlePeak'] = small.peak
      one['idlePeak'] = ended([SLUICE, 'archive', 'plan', '--from', little, '--table', 'rides', '--older-than', '1q', '--json']).peak // prettier-ignore
      all.push(one)
      process.stderr.write(`${no + 1} of ${runs}: export ${time(one['export'] ?? 0)}, verify ${time(one['verify'] ?? 0)}, restore ${time(one['restore'] ?? 0)}; out ${time(one['out'])}, parquet ${time(one['parquet'])}, in ${time(one['in'])}\n`) // prettier-ignore
    }
    print(all, { rows, heap, csv: csv.bytes ?? 0, scans })
  } finally {
    await server.stop()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** @typedef {{ms: number, answer: string}} Scan */

/**
 * @param {Figures[]} all
 * @param {{rows: number, heap: {table: number, indexes: number}, csv: number, scans: {name: string, heap: Scan, files:
 * Scan}[]}} about
 */
function print(all, { rows, heap, csv, scans }) {
  const best = (/** @type {string} */ what) => Math.min(...all.map((one) => one[what] ?? Infinity))
  const most = (/** @type {string} */ what) => Math.max(...all.map((one) => one[what] ?? 0))
  const floor = Math.min(...all.map((one) => (one['out'] ?? 0) + (one['parquet'] ?? 0)))
  const proved = Math.min(...all.map((one) => (one['export'] ?? 0) + (one['sum'] ?? 0) + (one['verify'] ?? 0)))
  const rate = (/** @type {number} */ ms) => `${Math.round((rows / ms) * 1000).toLocaleString('en')} rows/s`
  const ratio = (/** @type {number} */ a, /** @type {number} */ b) => (a / b).toFixed(2)
  const line = (/** @type {string} */ name, /** @type {number} */ ms, aim = '', peak = 0) => [name, time(ms), rate(ms), aim, peak === 0 ? '' : megabytes(peak)] // prettier-ignore
  const lines = [
    line('floor: COPY to nowhere', best('out')),
    line('floor: CSV to Parquet', best('parquet')),
    line('floor of an export: both', floor),
    line('export', best('export'), `${ratio(floor, best('export'))} of the floor's speed (aim 0.80)`, most('peak')),
    line('sum of the source', best('sum')),
    line('verification', best('verify')),
    line('export, sum and verification', proved, `${ratio(proved, floor)} x floor (aim 2.50)`),
    line('publication', best('publish')),
    line('archive run --no-detach, whole command', best('all')),
    line('files read again, then leave', best('leave')),
    line('sum of what has left', best('prove')),
    line('drop', best('drop')),
    line('floor of a restore: COPY in', best('in')),
    line('restore', best('restore'), `${ratio(best('restore'), best('in'))} x floor (aim 1.30)`, most('restorePeak')),
    line('restore, whole command', best('restoreAll')),
    line('query of hot rows, whole command', best('query')),
    line('query of the archive, whole command', best('queryFiles')),
    line(`export with --memory ${LITTLE}`, best('littleExport'), `archive plan holds ${megabytes(most('idlePeak'))}`, most('littlePeak')), // prettier-ignore
  ]
  process.stdout.write(`${textTable(['WHAT', 'BEST', 'RATE', 'BESIDE', 'PEAK'], lines)}\n\n`)
  const sizes = [
    ['heap (pg_table_size)', megabytes(heap.table)],
    ['its indexes', megabytes(heap.indexes)],
    ['CSV', megabytes(csv)],
    ['Parquet of DuckDB alone', megabytes(best('floorBytes'))],
    ['archive', megabytes(best('bytes'))],
  ]
  process.stdout.write(`${textTable(['SIZE OF', `${rows.toLocaleString('en')} ROWS`], sizes)}\n\n`)
  const asked = scans.map(({ name, heap: there, files }) => [name, time(there.ms), time(files.ms), `${ratio(there.ms, files.ms)}x`]) // prettier-ignore
  process.stdout.write(`${textTable(['QUESTION', 'SEQ SCAN', 'DUCKDB, FILES', 'FASTER'], asked)}\n`)
}

/** @param {string} url @param {string} to */
function archiveWords(url, to) {
  return [SLUICE, 'archive', 'run', '--from', url, '--table', 'rides', '--to', to, '--older-than', '1q', '--partition', '2024-Q1', '--no-detach', '--json'] // prettier-ignore
}

/** @param {string[]} words @param {number} rows @returns {Figures} */
function archived(words, rows) {
  const { ms, peak, events } = ended(words)
  const published = events.find((event) => event.type === 'archive.state' && event.state === 'PUBLISHED')
  // A time is comparable only if the work was the same.
  if (Number(published?.rows) !== rows) throw new Error(`${published?.rows} rows were archived of ${rows}`)
  return {
    export: writeMs(events),
    sum: stateMs(events, 'EXPORTED') - writeMs(events),
    verify: stateMs(events, 'VERIFIED'),
    publish: stateMs(events, 'PUBLISHED'),
    bytes: Number(published.bytes),
    all: ms,
    peak,
  }
}

/** @param {string[]} words arguments of sluice, with --json */
function ended(words) {
  const { ms, peak, stdout } = measure(words, 1)
  return { ms: ms[0] ?? 0, peak, events: stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)])) }
}

/** Time until the files were complete; the source computes its checksum at the same time or afterwards. */
function writeMs(events) {
  return events.find((event) => event.type === 'archive.state' && event.state === 'EXPORTED')?.writeMs ?? NaN
}

/** @param {any[]} events @param {string} state */
function stateMs(events, state) {
  const found = events.find((event) => event.type === 'archive.state' && event.state === state)
  if (found === undefined) throw new Error(`no partition became ${state}`)
  return Number(found.ms)
}

/** @param {string[]} words arguments of a floor @returns {{ms: number, bytes?: number}} */
function said(words) {
  return JSON.parse(measure(words, 1).stdout)
}

/** A fresh database on the server. @param {string} url @param {string} name @param {string} [like] template database */
async function database(url, name, like) {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  await client.query(`CREATE DATABASE ${name}${like === undefined ? '' : ` TEMPLATE ${like} STRATEGY file_copy`}`)
  await client.query('CHECKPOINT')
  await client.end()
  const made = new URL(url)
  made.pathname = `/${name}`
  return made.href
}

/** Eight columns, about 150 bytes a row, all of them in one partition. @param {string} url @param {number} rows */
async function fill(url, rows) {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(`CREATE TABLE rides (id bigint, vendor int NOT NULL, at timestamptz NOT NULL, distance float8, fare numeric(10,2),
    zone text, note text, ok boolean, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`)
  await client.query("SET TimeZone = 'UTC'")
  await client.query("CREATE TABLE rides_2024q1 PARTITION OF rides FOR VALUES FROM ('2024-01-01') TO ('2024-04-01')")
  await client.query(
    `INSERT INTO rides SELECT n, n % 7, timestamptz '2024-01-01' + n * (interval '90 days' / $1::int), n / 7.0, (n % 10000) / 100.0,
       'zone ' || n % 265, repeat(md5(n::text), 2), n % 3 = 0 FROM generate_series(1, $1::int) n`,
    [rows],
  )
  await client.query('VACUUM ANALYZE rides')
  const { rows: sizes } = await client.query(
    "SELECT pg_table_size('rides_2024q1')::float8 AS table, pg_indexes_size('rides_2024q1')::float8 AS indexes",
  )
  await client.end()
  return /** @type {{table: number, indexes: number}} */ (sizes[0])
}
