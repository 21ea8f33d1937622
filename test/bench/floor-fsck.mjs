/**
 * The floor of fsck. Called with DIR: lists it with sizes and times, and reads the bytes of every footer without
 * decoding them. With DIR decoded: DuckDB also decodes the footers, and returns what fsck needs of them, in one query
 * over all files.
 */
import fs from 'node:fs'
import path from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

const [, , folder, how] = process.argv
const TAIL = 8

function listed() {
  const files = []
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.name.endsWith('.parquet')) continue
    const file = path.join(entry.parentPath ?? entry.path, entry.name)
    files.push({ file, size: fs.statSync(file).size })
  }
  return files
}

/** @param {readonly {file: string, size: number}[]} files */
function readFooters(files) {
  const tail = Buffer.alloc(TAIL)
  for (const { file, size } of files) {
    const handle = fs.openSync(file, 'r')
    fs.readSync(handle, tail, 0, TAIL, size - TAIL)
    const length = tail.readUInt32LE(0)
    fs.readSync(handle, Buffer.alloc(length), 0, length, size - TAIL - length)
    fs.closeSync(handle)
  }
  return files.length
}

async function decoded() {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' })
  const connection = await instance.connect()
  const files = `'${folder.replaceAll("'", "''")}/**/*.parquet'`
  await connection.run(`SELECT count(*), sum(length(name)) FROM parquet_schema(${files})`)
  const result = await connection.run(
    `SELECT count(DISTINCT file_name), max(stats_max), sum(stats_null_count) FROM parquet_metadata(${files})`,
  )
  return Number((await result.getRows())[0]?.[0])
}

const files = listed()
process.stdout.write(`${how === 'decoded' ? await decoded() : readFooters(files)}\n`)
