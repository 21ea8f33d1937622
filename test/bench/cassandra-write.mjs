/**
 * `npm run bench -- cassandra-write [--runs N] [--rows N]`: copies between two keyspaces of one node, compared with the
 * bare driver, and with one that waits for each row (a tenth of the rows), interleaved. Asserts nothing.
 */
import path from 'node:path'
import process from 'node:process'
import { Client } from 'cassandra-driver'
import { cassandra } from './cassandra-node.mjs'
import { ROOT } from './lakes.mjs'
import { measure } from './measure.mjs'
import { megabytes, textTable, time } from './table.mjs'

const SLUICE = path.join(ROOT, 'dist/cli/bin.js')
const FLOOR = path.join(import.meta.dirname, 'floor-cassandra.mjs')
const TABLE = `rides (vendor int, id bigint, at timestamp, distance double, fare decimal, zone text, note text, ok boolean, PRIMARY KEY ((vendor), id))`

/** @param {{runs: number, rows: number}} options */
export async function cassandraWrite({ runs, rows }) {
  const node = await cassandra()
  if (node === null) {
    process.stderr.write('cassandra-write: no Cassandra for this platform\n')
    return
  }
  /** @type {string[][]} */
  const table = []
  try {
    const point = new URL(node.url()).host
    await keyspace(node, 'source')
    await fill(point, rows)
    const copy = (/** @type {string} */ target, /** @type {string[]} */ ...more) => [
      SLUICE, 'copy', '--from', node.url('source'), '--to', node.url(target), '--table', 'rides', '--workers', '4', '--json', ...more,
    ] // prettier-ignore
    const serial = Math.ceil(rows / 10)
    /** @type {{name: string, rows: number, words: (target: string) => string[]}[]} */
    const ways = [
      {
        name: 'bare driver, a row at a time',
        rows: serial,
        words: (to) => [FLOOR, 'serial', point, 'source', to, `${serial}`],
      },
      { name: 'bare driver, 256 at a time', rows, words: (to) => [FLOOR, 'many', point, 'source', to, `${rows}`] },
      { name: 'copy, proved', rows, words: (to) => copy(to) },
      { name: 'copy, not read back', rows, words: (to) => copy(to, '--verify', 'none') },
    ]
    /** @type {Map<string, {rate: number, peak: number}[]>} */
    const figures = new Map(ways.map(({ name }) => [name, []]))
    for (let no = 0; no < runs; no++) {
      for (const { name, rows: many, words } of ways) {
        const target = `target_${no}_${ways.findIndex((way) => way.name === name)}`
        await keyspace(node, target)
        const { ms, peak, stdout } = measure(words(target), 1)
        const work = workOf(stdout) ?? ms[0] ?? 0
        figures.get(name)?.push({ rate: (many / work) * 1000, peak })
        process.stderr.write(`${name}: ${time(work)}\n`)
        await node.cql(`DROP KEYSPACE ${target}`)
      }
    }
    const best = (/** @type {string} */ name) => Math.max(...(figures.get(name) ?? []).map(({ rate }) => rate))
    const [slow = '', fast = ''] = ways.map(({ name }) => name)
    for (const { name } of ways) {
      const rate = best(name)
      const peak = Math.max(...(figures.get(name) ?? []).map((one) => one.peak))
      const of = (/** @type {string} */ floor) => `${(rate / best(floor)).toFixed(2)}x`
      table.push([name, `${Math.round(rate).toLocaleString('en')} rows/s`, of(slow), of(fast), megabytes(peak)])
    }
  } finally {
    await node.stop()
  }
  process.stdout.write(`${textTable(['WAY', 'BEST', 'OF SERIAL', 'OF BARE', 'PEAK'], table)}\n`)
}

/**
 * Time from the first row to the last chunk, without the start of the program.
 * @param {string} stdout @returns {number | null}
 */
function workOf(stdout) {
  const events = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
  const said = events.find((event) => typeof event.ms === 'number' && event.type === undefined)
  if (said !== undefined) return said.ms
  const at = (/** @type {string} */ type) =>
    events.filter((event) => event.type === type).map(({ ts }) => Date.parse(ts))
  const work = Math.max(...at('chunk.done')) - Math.min(...at('copy.started'))
  return Number.isFinite(work) ? work : null
}

/** @param {{cql: (...statements: string[]) => Promise<void>}} node @param {string} name */
async function keyspace(node, name) {
  await node.cql(
    `CREATE KEYSPACE ${name} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
    `CREATE TABLE ${name}.${TABLE}`,
  )
}

/** Eight columns, about 150 bytes per row, a hundred rows per partition. @param {string} point @param {number} rows */
async function fill(point, rows) {
  const client = new Client({
    contactPoints: [point],
    localDataCenter: 'datacenter1',
    encoding: { useBigIntAsLong: true },
  })
  await client.connect()
  const insert =
    'INSERT INTO source.rides (vendor, id, at, distance, fare, zone, note, ok) VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
  let next = 0
  const lane = async () => {
    while (next < rows) {
      const n = next++
      const note = `${n}`.repeat(12).slice(0, 64)
      const values = [
        Math.floor(n / 100),
        BigInt(n),
        new Date(1.7e12 + n),
        n / 7,
        `${n % 10000}.25`,
        `zone ${n % 265}`,
        note,
        n % 3 === 0,
      ]
      await client.execute(insert, values, { prepare: true })
    }
  }
  await Promise.all(Array.from({ length: 256 }, lane))
  await client.shutdown()
}
