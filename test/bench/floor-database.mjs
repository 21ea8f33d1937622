/**
 * The floor of an import into PostgreSQL, MySQL or DuckDB: reads and parses the log, and passes the adds to the
 * database's own bulk load (COPY, LOAD DATA, appender) in one transaction, into one table without keys; then creates
 * the two main indexes. It ignores removes and every other action, and cannot be resumed. Called with TABLE URL.
 */
import fs from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

const [, , table, url] = process.argv
const log = path.join(table, '_delta_log')
const COLUMNS = `file_no BIGINT, table_id VARCHAR(100), path TEXT, added_version BIGINT, size BIGINT, modification_time BIGINT,
  num_records BIGINT, partition_no BIGINT, key_hash BIGINT, line BIGINT, data_change BIGINT, partition_values TEXT, stats TEXT`
const INDEXES = [
  'CREATE INDEX f_key ON floor_files(key_hash)',
  'CREATE INDEX f_part ON floor_files(table_id, partition_no, added_version)',
]

/** @param {string} text */
function hash(text) {
  let h = 0
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x9e3779b1)
  return h >>> 0
}

/** @returns {Generator<(string | number | null)[]>} */
function* adds() {
  /** @type {Map<string, number>} */
  const partitions = new Map()
  let fileNo = 0
  for (const name of fs.readdirSync(log).toSorted()) {
    if (!/^\d{20}\.json$/.test(name)) continue
    let line = 0
    for (const text of fs.readFileSync(path.join(log, name), 'utf8').split('\n')) {
      line++
      if (text === '') continue
      const { add } = JSON.parse(text)
      if (!add) continue
      const values = JSON.stringify(add.partitionValues)
      let partition = partitions.get(values)
      if (partition === undefined) partitions.set(values, (partition = partitions.size))
      const records = add.stats ? Number(/"numRecords":(\d+)/.exec(add.stats)?.[1] ?? 0) : null
      yield [fileNo++, 't', add.path, Number(name.slice(0, 20)), add.size, add.modificationTime, records, partition, hash(add.path), line, add.dataChange ? 1 : 0, values, add.stats ?? null] // prettier-ignore
    }
  }
}

let rows = 0
const ESCAPED = { '\\': '\\\\', '\n': '\\n', '\t': '\\t', '\r': '\\r' }
function* lines() {
  let chunk = ''
  for (const row of adds()) {
    rows++
    for (let i = 0; i < row.length; i++) {
      const value = row[i]
      if (i > 0) chunk += '\t'
      if (value === null) chunk += '\\N'
      else if (typeof value === 'string')
        chunk += /[\\\n\t\r]/.test(value) ? value.replaceAll(/[\\\n\t\r]/g, (c) => ESCAPED[c]) : value // prettier-ignore
      else chunk += String(value)
    }
    chunk += '\n'
    if (chunk.length > 1 << 17) {
      yield Buffer.from(chunk)
      chunk = ''
    }
  }
  if (chunk !== '') yield Buffer.from(chunk)
}

const drop = 'DROP TABLE IF EXISTS floor_files'
if (url.startsWith('postgresql:')) {
  const { default: pg } = await import('pg')
  const { from } = await import('pg-copy-streams')
  const client = new pg.Client(url)
  await client.connect()
  for (const sql of [drop, 'BEGIN', `CREATE TABLE floor_files(${COLUMNS})`]) await client.query(sql)
  await pipeline(Readable.from(lines()), client.query(from('COPY floor_files FROM STDIN')))
  for (const sql of ['COMMIT', ...INDEXES]) await client.query(sql)
  await client.end()
} else if (url.startsWith('mysql:')) {
  const { createConnection } = await import('mysql2/promise')
  const connection = await createConnection(url)
  await connection.query(drop)
  await connection.query(`CREATE TABLE floor_files(${COLUMNS.replaceAll('TEXT', 'LONGTEXT')}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`) // prettier-ignore
  await connection.query({
    sql: "LOAD DATA LOCAL INFILE 'rows' INTO TABLE floor_files CHARACTER SET utf8mb4",
    infileStreamFactory: () => Readable.from(lines()),
  })
  for (const sql of INDEXES) await connection.query(sql)
  await connection.end()
} else {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const instance = await DuckDBInstance.create(url.slice('duckdb:///'.length), { threads: '2' })
  const connection = await instance.connect()
  for (const sql of [drop, `CREATE TABLE floor_files(${COLUMNS})`, 'BEGIN']) await connection.run(sql)
  const appender = await connection.createAppender('floor_files')
  for (const row of adds()) {
    rows++
    for (const value of row) {
      if (value === null) appender.appendNull()
      else if (typeof value === 'number') appender.appendBigInt(BigInt(value))
      else appender.appendVarchar(value)
    }
    appender.endRow()
  }
  appender.closeSync()
  await connection.run('COMMIT')
  connection.closeSync()
  instance.closeSync()
}
process.stdout.write(`${rows}\n`)
