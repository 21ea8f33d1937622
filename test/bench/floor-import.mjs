/**
 * The floor of an import: reads and parses the log, and inserts the adds with the columns and the two main indexes of
 * the catalog's delta_files. It ignores removes and every other action, checks nothing and cannot be resumed: no
 * program that fills that table can be faster. Called with TABLE DATABASE.
 */
import fs from 'node:fs'
import path from 'node:path'
import Database from 'better-sqlite3'

const [, , table, file] = process.argv
const log = path.join(table, '_delta_log')
const database = new Database(file)
database.pragma('page_size = 8192')
database.pragma('journal_mode = WAL')
database.pragma('wal_autocheckpoint = 8000') // pages: fewer, larger checkpoints
database.pragma('synchronous = NORMAL')
database.exec(`CREATE TABLE delta_files(file_no INTEGER PRIMARY KEY, table_id TEXT NOT NULL, path TEXT NOT NULL, dv_id TEXT,
  added_version INT NOT NULL, removed_version INT, size INT, modification_time INT, num_records INT, partition_no INT, key_hash INT,
  line INT, data_change INT, from_checkpoint INT, partition_values TEXT, tags TEXT, deletion_vector TEXT, base_row_id INT,
  default_row_commit_version INT, clustering_provider TEXT, add_raw BLOB, stats TEXT)`)
const insert = database.prepare(`INSERT INTO delta_files VALUES (${Array.from({ length: 22 }, () => '?').join(', ')})`)

/** @param {string} text */
function hash(text) {
  let h = 0
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x9e3779b1)
  return h >>> 0
}

/** @type {Map<string, number>} */
const partitions = new Map()
let fileNo = 0
/** @param {any} add @param {number} version @param {number} line @param {number} fromCheckpoint */
function insertAdd(add, version, line, fromCheckpoint) {
  const values = JSON.stringify(add.partitionValues)
  let partition = partitions.get(values)
  if (partition === undefined) partitions.set(values, (partition = partitions.size))
  const records = add.stats ? Number(/"numRecords":(\d+)/.exec(add.stats)?.[1] ?? 0) : null
  insert.run(
    fileNo++, 't', add.path, null, version, null, add.size, add.modificationTime, records, partition, hash(add.path), line,
    add.dataChange ? 1 : 0, fromCheckpoint, values, null, null, null, null, null, null, add.stats ?? null,
  ) // prettier-ignore
}

const names = fs.readdirSync(log).toSorted()
const checkpoint = names.findLast((name) => /^\d{20}\.checkpoint\.parquet$/.test(name))
const cleaned = !names.includes(`${'0'.repeat(20)}.json`)
database.exec('BEGIN')
if (checkpoint !== undefined && cleaned) {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const duck = await (await DuckDBInstance.create(':memory:')).connect()
  const result = await duck.stream(`SELECT add.path, add.partitionValues::JSON::VARCHAR, add.size::DOUBLE,
    add.modificationTime::DOUBLE, add.stats FROM read_parquet('${path.join(log, checkpoint)}') WHERE add IS NOT NULL`)
  for await (const rows of result.yieldRows()) {
    for (const [name, values, size, modificationTime, stats] of rows) {
      const add = { path: name, partitionValues: values, size, modificationTime, stats, dataChange: false }
      insertAdd(add, Number(checkpoint.slice(0, 20)), fileNo, 1)
    }
  }
} else {
  for (const name of names) {
    if (!/^\d{20}\.json$/.test(name)) continue
    const version = Number(name.slice(0, 20))
    let line = 0
    for (const text of fs.readFileSync(path.join(log, name), 'utf8').split('\n')) {
      line++
      if (text === '') continue
      const { add } = JSON.parse(text)
      if (add) insertAdd(add, version, line, 0)
    }
  }
}
database.exec('COMMIT')
database.exec('CREATE INDEX f_key ON delta_files(key_hash)')
database.exec('CREATE INDEX f_part ON delta_files(table_id, partition_no, removed_version, added_version)')
database.close()
process.stdout.write(`${fileNo}\n`)
