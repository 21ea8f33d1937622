/**
 * `node test/bench/offset.mjs [ROWS]`: the time of reading 50,000 rows at the beginning and at the end of a table, by
 * OFFSET and by key.
 */
import pg from 'pg'
import { postgresql } from './servers.mjs'
import { textTable, time } from './table.mjs'

const ROWS = Number(process.argv[2] ?? 2_000_000)
const CHUNK = 50_000
const POSITIONS = 10
const RUNS = 3

const server = await postgresql()
if (server === null) throw new Error('no PostgreSQL for this platform')
try {
  const client = new pg.Client(server.url)
  await client.connect()
  await client.query('CREATE TABLE t (id bigint PRIMARY KEY, a text, b float8)')
  await client.query('INSERT INTO t SELECT n, md5(n::text), n / 7.0 FROM generate_series(1, $1::int) n', [ROWS])
  await client.query('VACUUM ANALYZE t')
  /** @param {string} sql */
  const best = async (sql) => {
    let least = Infinity
    for (let run = 0; run < RUNS; run++) {
      const start = process.hrtime.bigint()
      await client.query({ text: sql, rowMode: 'array' })
      least = Math.min(least, Number(process.hrtime.bigint() - start) / 1e6)
    }
    return least
  }
  /** @type {{at: number, offset: number, key: number}[]} */
  const points = []
  for (let i = 0; i < POSITIONS; i++) {
    const at = Math.floor(((ROWS - CHUNK) * i) / (POSITIONS - 1))
    points.push({
      at,
      offset: await best(`SELECT * FROM t ORDER BY id LIMIT ${CHUNK} OFFSET ${at}`),
      key: await best(`SELECT * FROM t WHERE id > ${at} AND id <= ${at + CHUNK} ORDER BY id`),
    })
  }
  const most = Math.max(...points.map(({ offset, key }) => Math.max(offset, key)))
  const bar = (/** @type {number} */ ms) => '█'.repeat(Math.max(1, Math.round((ms / most) * 30)))
  const rows = points.map(({ at, offset, key }) => [
    at.toLocaleString('en'),
    time(offset),
    bar(offset),
    time(key),
    bar(key),
  ])
  process.stdout.write(`${textTable(['ROW', 'OFFSET', '', 'KEY RANGE', ''], rows)}\n`)
  await client.end()
} finally {
  await server.stop()
}
