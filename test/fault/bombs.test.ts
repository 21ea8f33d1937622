/**
 * Logs that are small, or cheap to create, and huge to read: each is refused with its line number, in bounded memory
 * and time.
 */
import { spawn } from 'node:child_process'
import { createWriteStream, mkdirSync, statSync, truncateSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDuckDb } from '../../src/stores/duckdb/instance.ts'
import { commitName } from '../../src/delta/log-path.ts'
import { BIN, cleanEnv } from '../e2e/support/program.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'

const MB = 1 << 20
/** Heap of the program; other memory is used by buffers, and by DuckDB with its own limit. */
const HEAP_MB = 256
const MOST_MB = 1500
const DEADLINE_MS = 100_000
const PEAK = `data:text/javascript,process.on('exit',()=>process.stderr.write('peak '+process.resourceUsage().maxRSS))`

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

/** Imports the table in its own process. @returns its exit code, its output, and its largest memory use, in MB */
async function imported(
  table: string,
): Promise<{ readonly code: number | null; readonly said: string; readonly peak: number }> {
  const words = ['import', `./${table}`, '--database-url', `sqlite:///${table}.db`, '--ci']
  const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, '--import', PEAK, BIN, ...words], {
    cwd: folder.path,
    env: cleanEnv(),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: DEADLINE_MS,
    killSignal: 'SIGKILL',
  })
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ])
  return { code, said: out + err, peak: Number(/peak (\d+)/.exec(err)?.[1]) / 1024 }
}

/** A table whose third line consists of the pieces. */
async function withLine(table: string, pieces: Iterable<string>): Promise<void> {
  mkdirSync(join(folder.path, table, '_delta_log'), { recursive: true })
  const file = createWriteStream(join(folder.path, table, '_delta_log', commitName(0)))
  file.write(`${JSON.stringify(PROTOCOL)}\n${JSON.stringify(METADATA)}\n`)
  for (const piece of pieces) if (!file.write(piece)) await once(file, 'drain')
  file.end('\n')
  await once(file, 'close')
}

function* repeated(before: string, piece: string, times: number, after: string): Generator<string> {
  yield before
  for (let i = 0; i < times; i++) yield piece
  yield after
}

const nines = (count: number): string => '9'.repeat(count)
const entry = '"path":"a","partitionValues":{},"modificationTime":1,"dataChange":true'

describe('a huge line', () => {
  test.each([
    [
      'deeply nested',
      repeated('{"commitInfo":{"a":', '['.repeat(MB), 4, ']'.repeat(4 * MB) + '}}'),
      'nested more than 1000 deep',
    ],
    [
      'a size of thirty million digits',
      repeated(`{"add":{${entry},"size":`, nines(MB), 30, '}}'),
      'add.size should be a whole number',
    ],
    [
      'a version of thirty million digits',
      repeated('{"txn":{"appId":"a","version":', nines(MB), 30, '}}'),
      'txn.version should be a 64-bit whole number',
    ],
    ['an exponent beyond all numbers', [`{"add":{${entry},"size":1e999999999}}`], 'add.size should be a whole number'],
  ])('%s is refused with its line number', { timeout: DEADLINE_MS + 10_000 }, async (name, pieces, words) => {
    const table = name.replaceAll(/\W/g, '-')
    await withLine(table, pieces)
    const { code, said, peak } = await imported(table)
    expect(said).toContain(`BAD_ACTION _delta_log/${commitName(0)}:3: ${words}`)
    expect(code).toBe(3)
    expect(peak).toBeLessThan(MOST_MB)
  })

  test('a line without an end is refused with its line number', { timeout: DEADLINE_MS + 10_000 }, async () => {
    await withLine('endless', [])
    // A sparse file, which takes no space and reads as zeros.
    truncateSync(join(folder.path, 'endless/_delta_log', commitName(0)), 600 * MB)
    const { code, said, peak } = await imported('endless')
    expect(said).toContain(`BAD_ACTION _delta_log/${commitName(0)}:4: the line is longer than 512 MB`)
    expect(code).toBe(3)
    expect(peak).toBeLessThan(MOST_MB)
  })

  test('a line with half a million names is read', { timeout: DEADLINE_MS + 10_000 }, async () => {
    const names = Array.from({ length: 500_000 }, (_, i) => `"k${i}":"${i}"`).join(',')
    await withLine('names', [`{"add":{${entry},"size":1,"tags":{${names}}}}`])
    const { code, peak } = await imported('names')
    expect(code).toBe(0)
    expect(peak).toBeLessThan(MOST_MB)
  })
})

/** A checkpoint whose only file has this path (an SQL expression), with a commit after it. */
async function withCheckpoint(table: string, path: string): Promise<number> {
  writeLog(join(folder.path, table), [[add('b')]], 2)
  const file = join(folder.path, table, '_delta_log', commitName(1).replace('json', 'checkpoint.parquet'))
  const { metaData } = METADATA as { readonly metaData: { readonly schemaString: string } }
  const none = 'MAP {}::MAP(VARCHAR, VARCHAR)'
  using db = await openDuckDb({ threads: 1, memoryLimit: '4GB' })
  await db.connection.run(`COPY (
    SELECT {minReaderVersion: 1, minWriterVersion: 2} AS protocol, NULL AS "metaData", NULL AS add
    UNION ALL SELECT NULL, {id: 'i', format: {provider: 'parquet', options: ${none}}, "schemaString": '${metaData.schemaString.replaceAll("'", "''")}',
      "partitionColumns": ['day'], configuration: ${none}}, NULL
    UNION ALL SELECT NULL, NULL, {path: ${path}, "partitionValues": MAP {'day': '2024-01-01'}, size: 1::BIGINT, "modificationTime": 1::BIGINT, "dataChange": true}
  ) TO '${file}' (FORMAT parquet, COMPRESSION zstd)`)
  return statSync(file).size
}

test(
  'a checkpoint of a few KB with one value of 400 MB is refused by its name',
  { timeout: DEADLINE_MS + 10_000 },
  async () => {
    expect(await withCheckpoint('zip', `repeat('a', 400000000)`)).toBeLessThan(100_000)
    const { code, said, peak } = await imported('zip')
    expect(said).toContain('SOURCE_IO not enough memory to read the checkpoint')
    expect(said).toContain(commitName(1).replace('json', 'checkpoint.parquet'))
    expect(code).toBe(3)
    expect(peak).toBeLessThan(MOST_MB)
    // The same checkpoint with a path of usual length is read.
    await withCheckpoint('unzipped', `repeat('a', 40)`)
    expect(await imported('unzipped')).toMatchObject({ code: 0 })
  },
)
