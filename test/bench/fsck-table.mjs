/**
 * A table of many small Parquet files for measurements: eight columns, statistics in the log, one commit per thousand
 * files. Created once, and kept in the cache folder.
 */
import fs from 'node:fs'
import path from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { CACHE } from './lakes.mjs'

const ROWS = 200
const A_COMMIT = 1000
/** Number of different files; each file of the table is a copy of one of them. */
const DIFFERENT = 50
const FIELDS = { id: 'long', at: 'timestamp', name: 'string', fare: 'double', count: 'integer', flag: 'boolean', note: 'string', day: 'date' } // prettier-ignore

/** @param {number} files @returns {Promise<string>} its folder */
export async function fsckTable(files) {
  const folder = path.join(CACHE, `fsck-1-${files}`)
  if (fs.existsSync(folder)) return folder
  process.stderr.write(`making a table of ${files} files\n`)
  const aside = `${folder}.${process.pid}`
  fs.mkdirSync(path.join(aside, '_delta_log'), { recursive: true })
  const different = await originals(aside)
  for (let first = 0, version = 0; first < files; first += A_COMMIT, version++) {
    /** @type {object[]} */
    const lines = version === 0 ? head() : []
    const partition = `part=${version}`
    fs.mkdirSync(path.join(aside, partition))
    for (let no = first; no < Math.min(files, first + A_COMMIT); no++) {
      const { bytes, stats } = different[no % DIFFERENT]
      const name = `${partition}/part-${String(no).padStart(5, '0')}.zstd.parquet`
      fs.writeFileSync(path.join(aside, name), bytes)
      const add = { path: name, partitionValues: { part: String(version) }, size: bytes.length, modificationTime: 1_700_000_000_000, dataChange: true, stats } // prettier-ignore
      lines.push({ add })
      fs.utimesSync(path.join(aside, name), 1_700_000_000, 1_700_000_000)
    }
    const commit = path.join(aside, '_delta_log', `${String(version).padStart(20, '0')}.json`)
    fs.writeFileSync(commit, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  }
  fs.renameSync(aside, folder)
  return folder
}

/** @param {string} folder for temporary files */
async function originals(folder) {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const made = []
  const file = path.join(folder, 'original.parquet')
  for (let no = 0; no < DIFFERENT; no++) {
    const from = no * ROWS
    await connection.run(`COPY (SELECT i AS id, make_timestamptz(1700000000000000 + i * 1000000) AS "at", 'name ' || i AS name, i / 4.0 AS fare,
      (i % 7)::INTEGER AS count, i % 2 = 0 AS flag, repeat('x', (i % 40)::INTEGER) AS note, DATE '2024-01-01' + (i % 366)::INTEGER AS day
      FROM range(${from}, ${from + ROWS}) t(i)) TO '${file}' (FORMAT parquet, COMPRESSION zstd)`)
    const stats = JSON.stringify({
      numRecords: ROWS,
      minValues: { id: from, fare: from / 4 },
      maxValues: { id: from + ROWS - 1, fare: (from + ROWS - 1) / 4 },
      nullCount: Object.fromEntries(Object.keys(FIELDS).map((name) => [name, 0])),
    })
    made.push({ bytes: fs.readFileSync(file), stats })
  }
  fs.rmSync(file)
  connection.closeSync()
  instance.closeSync()
  return made
}

function head() {
  const fields = Object.entries({ ...FIELDS, part: 'string' })
  return [
    { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
    {
      metaData: {
        id: '5fba94ed-9794-4965-ba6e-6ee3c0d22af9',
        format: { provider: 'parquet', options: {} },
        schemaString: JSON.stringify({
          type: 'struct',
          fields: fields.map(([name, type]) => ({ name, type, nullable: true, metadata: {} })),
        }),
        partitionColumns: ['part'],
        configuration: {},
        createdTime: 1_700_000_000_000,
      },
    },
  ]
}
