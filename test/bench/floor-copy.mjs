/** The bare work of a copy, without chunks, ledger or proof. argv: way, source, target. */
import { spawnSync } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import Database from 'better-sqlite3'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'

const [way = '', source = '', target = ''] = process.argv.slice(2)
const COLUMNS = 'id, vendor, "at", distance, fare, zone, note, ok'
const TABLE = `CREATE TABLE rides (id bigint PRIMARY KEY, vendor int NOT NULL, "at" timestamptz NOT NULL, distance float8, fare numeric(10,2),
  zone text, note text, ok boolean)`

/** @param {string} url */
async function connected(url) {
  const client = new pg.Client(url)
  await client.connect()
  return client
}

const from = await connected(source)
const begun = process.hrtime.bigint()
if (way === 'pipe' || way === 'fill') {
  const to = await connected(target)
  if (way === 'pipe') await to.query(TABLE)
  await pipeline(
    from.query(copyTo('COPY rides TO STDOUT (FORMAT binary)')),
    to.query(copyFrom('COPY rides FROM STDIN (FORMAT binary)')),
  )
  await to.end()
} else if (way === 'insert') {
  const to = await connected(target)
  await to.query(TABLE)
  const tuple = (/** @type {number} */ row) =>
    `(${Array.from({ length: 8 }, (_, i) => `$${row * 8 + i + 1}`).join(',')})`
  const text = `INSERT INTO rides (${COLUMNS}) VALUES ${Array.from({ length: 1000 }, (_, i) => tuple(i)).join(',')}`
  await from.query('BEGIN')
  await from.query('DECLARE c CURSOR FOR SELECT * FROM rides')
  for (;;) {
    const { rows } = await from.query({ text: 'FETCH 1000 FROM c', rowMode: 'array' })
    if (rows.length === 0) break
    await to.query({ name: 'rows', text, values: rows.flat() })
  }
  await to.end()
} else if (way === 'pgcopydb') {
  const ran = spawnSync('pgcopydb', ['clone', '--source', source, '--target', target, '--table-jobs', '2', '--split-tables-larger-than', '50MB', '--no-owner'], { stdio: 'ignore' }) // prettier-ignore
  if (ran.status !== 0) throw new Error(`pgcopydb ended with ${ran.status}`)
} else if (way === 'sqlite') {
  const database = new Database(target)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = NORMAL')
  database.exec(
    'CREATE TABLE rides (id INTEGER PRIMARY KEY, vendor INTEGER, at TEXT, distance REAL, fare TEXT, zone TEXT, note TEXT, ok INTEGER)',
  )
  const insert = database.prepare(`INSERT INTO rides VALUES ${Array(50).fill('(?,?,?,?,?,?,?,?)').join(',')}`)
  const one = database.prepare('INSERT INTO rides VALUES (?,?,?,?,?,?,?,?)')
  database.exec('BEGIN')
  let rest = ''
  /** @type {string[][]} */
  let batch = []
  for await (const piece of from.query(copyTo('COPY rides TO STDOUT'))) {
    const lines = (rest + piece.toString('utf8')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      batch.push(line.split('\t'))
      if (batch.length < 50) continue
      insert.run(batch.flat())
      batch = []
    }
  }
  for (const row of batch) one.run(row)
  database.exec('COMMIT')
  database.close()
} else if (way === 'duckdb') {
  const csv = `${target}.csv`
  await pipeline(from.query(copyTo('COPY rides TO STDOUT (FORMAT csv)')), createWriteStream(csv))
  const instance = await DuckDBInstance.create(target, { threads: '2' })
  const connection = await instance.connect()
  await connection.run(TABLE)
  await connection.run(`COPY rides FROM '${csv}' (HEADER false)`)
  connection.closeSync()
  instance.closeSync()
}
await from.end()
const ms = Number(process.hrtime.bigint() - begun) / 1e6
process.stdout.write(`${JSON.stringify({ ms })}\n`)
