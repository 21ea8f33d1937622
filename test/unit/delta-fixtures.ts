/** Logs made for one test: in memory if only names and bytes matter, or in a folder if Parquet must be real. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { SluiceError } from '../../src/shared/errors.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import { openDuckDb } from '../../src/stores/duckdb/instance.ts'
import { duckdbParquetRows } from '../../src/stores/duckdb/parquet-rows.ts'
import { commitName } from '../../src/delta/log-path.ts'

export const NEVER = new AbortController().signal

const rows = duckdbParquetRows()
export const parquet = (): Promise<typeof rows> => Promise.resolve(rows)
export const noParquet = (): Promise<never> => Promise.reject(new Error('Parquet was not to be opened'))

/** A store over a map from path to text or bytes, read `chunk` bytes at a time. */
export function memoryLog(files: Readonly<Record<string, string | Buffer>>, chunk = 1 << 20): LogStore {
  const bytesOf = (path: string): Buffer => {
    const content = files[path]
    if (content === undefined) throw new SluiceError('SOURCE_GONE', 'the file is gone', { where: path })
    return Buffer.from(content)
  }
  return {
    root: 'file:///memory',
    label: 'memory',
    async *list(folder, { after }) {
      const names = Object.keys(files)
        .filter((path) => dirname(path) === folder)
        .map((path) => path.slice(folder.length + 1))
      for (const name of names.toSorted()) {
        if (after !== undefined && name <= after) continue
        yield { name, size: bytesOf(`${folder}/${name}`).length, modified: 1000 }
      }
    },
    async *read(path, { start = 0, end }) {
      const bytes = bytesOf(path).subarray(start, end)
      for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk)
    },
    head(path) {
      return Promise.resolve(files[path] === undefined ? null : { size: bytesOf(path).length, modified: 1000 })
    },
    localFile() {
      return Promise.reject(new Error('not in memory'))
    },
  }
}

/** A log of empty files with these names. */
export function namesLog(names: readonly string[]): LogStore {
  return memoryLog(Object.fromEntries(names.map((name) => [`_delta_log/${name}`, ''])))
}

export const PROTOCOL = { protocol: { minReaderVersion: 1, minWriterVersion: 2 } }
export const METADATA = {
  metaData: {
    id: 'id',
    format: { provider: 'parquet', options: {} },
    schemaString: '{"type":"struct","fields":[]}',
    partitionColumns: [],
    configuration: {},
  },
}

export function add(path: string, size = 1, more: object = {}): object {
  return { add: { path, partitionValues: {}, size, modificationTime: 1, dataChange: true, ...more } }
}

export function remove(path: string, more: object = {}): object {
  return { remove: { path, deletionTimestamp: 1, dataChange: true, ...more } }
}

/** Actions as the text of a commit. */
export function lines(actions: readonly object[]): string {
  return actions.map((action) => `${JSON.stringify(action)}\n`).join('')
}

/** Commits in memory; the first has version 0. */
export function commitsLog(commits: readonly (readonly object[])[], chunk?: number): LogStore {
  return memoryLog(
    Object.fromEntries(commits.map((actions, version) => [`_delta_log/${commitName(version)}`, lines(actions)])),
    chunk,
  )
}

/** A folder that is removed after the test. */
export function temporaryFolder(name = 'sluice-delta-'): string {
  const folder = mkdtempSync(join(tmpdir(), name))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

/** Writes a file of a table in `folder`, with a modification time if given. */
export function put(folder: string, path: string, content: string | Buffer, modified?: number): string {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  if (modified !== undefined) utimesSync(file, modified / 1000, modified / 1000)
  return file
}

/** Writes a Parquet file of the result of a query. */
export async function putParquet(folder: string, path: string, select: string, options = ''): Promise<string> {
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  const db = await openDuckDb({ threads: 1, memoryLimit: '1GB' })
  try {
    await db.connection.run(`COPY (${select}) TO '${file.replaceAll("'", "''")}' (FORMAT parquet${options})`)
  } finally {
    db[Symbol.dispose]()
  }
  return file
}

/** A query for a checkpoint: protocol, metadata and `count` adds named `f0` …, each with its number as size. */
export function checkpointSql(count: number, path = "'f' || i"): string {
  return `SELECT
    CASE WHEN i = -2 THEN {minReaderVersion: 1, minWriterVersion: 2} END AS "protocol",
    CASE WHEN i = -1 THEN {id: 'id', format: {provider: 'parquet', options: MAP {}::MAP(VARCHAR, VARCHAR)},
      schemaString: '{"type":"struct","fields":[]}', partitionColumns: []::VARCHAR[], configuration: MAP {}::MAP(VARCHAR, VARCHAR)} END AS "metaData",
    CASE WHEN i >= 0 THEN {path: ${path}, partitionValues: MAP {'p': CASE WHEN i % 2 = 0 THEN NULL ELSE i::VARCHAR END}, size: i,
      modificationTime: 1, dataChange: false, stats: '{"numRecords":' || i || ',"x":"' || md5(i::VARCHAR) || '"}'} END AS "add"
    FROM range(-2, ${count}) t(i)`
}

export async function collect<T>(blocks: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = []
  for await (const block of blocks) all.push(...block)
  return all
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'no error'
  } catch (error) {
    return error instanceof SluiceError ? error.code : String(error)
  }
}
