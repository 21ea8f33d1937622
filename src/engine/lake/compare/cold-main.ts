/** Entry of the child process that asks one question cold: request on stdin as JSON, reply on stdout as JSON. */
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import type { ParquetRows } from '../../../model/lake/parquet-rows.ts'
import { NEVER } from '../../../shared/abort.ts'
import { asSluiceError } from '../../../shared/errors.ts'
import { parquetRows } from '../../run/registry.ts'
import { drain } from './answer.ts'
import { askFiles } from './ask-files.ts'
import { askSql } from './ask-sql.ts'
import type { ColdReply, ColdRequest } from './cold.ts'
import { LatencySimulation, type LatencySetting } from './latency.ts'

type Timed = { readonly rows: number; readonly ms: number }

/** `ParquetRows` with the optional method `prove`: readers call it if it exists, so the wrapper passes it on. */
type Proving = ParquetRows & { prove?(...args: Parameters<ParquetRows['lines']>): Promise<void> }

/**
 * Bytes that this process has read, as the kernel counts them (`rchar`): what read calls returned, from the page cache
 * or from the disk. Null if there is no such count (not Linux, or unreadable).
 */
function bytesReadSoFar(): bigint | null {
  try {
    const found = /^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))
    return found === null ? null : BigInt(found[1] as string)
  } catch {
    return null
  }
}

/**
 * Calls `reported` with the number of bytes of rendered rows, which the caller subtracts. DuckDB passes rows through a
 * pipe or a temporary file, so the kernel counts these bytes as read, although they are not bytes of the table.
 */
function parquetCountingLines(inner: ParquetRows, reported: (bytes: number) => void): ParquetRows {
  const rows: Proving = inner
  const counted: Proving = {
    facts: (file, signal) => rows.facts(file, signal),
    async *lines(file, selection, signal) {
      for await (const chunk of rows.lines(file, selection, signal)) {
        reported(chunk.length)
        yield chunk
      }
    },
    ...(rows.prove === undefined
      ? {}
      : { prove: (file, selection, signal) => rows.prove?.(file, selection, signal) ?? Promise.resolve() }),
  }
  return counted
}

/**
 * Opens the store or the connection, asks the question, and reads the whole answer; all three are timed.
 * @param passed called with numbers of bytes that are not bytes of the table
 */
async function ask(request: ColdRequest, latency: LatencySetting, passed: (bytes: number) => void): Promise<Timed> {
  const { side, question, plan, path, catalogUrl } = request
  const signal = NEVER.abort
  const own = { ...latency, ...(side === 'files' ? { sql: null } : { lake: null }) }
  await using distance = await LatencySimulation.start(own)
  const begun = performance.now()
  const done = (rows: number): Timed => ({ rows, ms: performance.now() - begun })
  if (side === 'files') {
    const parquet = async (): Promise<ParquetRows> => parquetCountingLines(await parquetRows(), passed)
    return done(await drain(askFiles(question, plan, { log: await distance.openLog(path), parquet, signal })))
  }
  await using catalog = await distance.openCatalog(catalogUrl)
  return done(await catalog.read((reader) => drain(askSql(question, plan, reader, signal))))
}

/**
 * Bytes read for the answer. Asks again with loaded drivers, fresh connections and no proxy, so that only these bytes
 * are counted.
 */
async function bytesOf(request: ColdRequest): Promise<string | null> {
  // The same reader as was timed, but without the proxy: reads of the proxy are not part of the answer.
  const near: LatencySetting = { ms: 0, lake: request.latency.lake === 'calls' ? 'calls' : null, sql: null }
  let passed = 0
  const before = bytesReadSoFar()
  await ask(request, near, (bytes) => (passed += bytes))
  const after = bytesReadSoFar()
  if (before === null || after === null) return null
  const read = after - before - BigInt(passed)
  return String(read < 0n ? 0n : read)
}

async function reply(): Promise<ColdReply> {
  try {
    const request = JSON.parse(await text(process.stdin)) as ColdRequest
    const { rows, ms } = await ask(request, request.latency, () => undefined)
    return { answer: { ms, rows, readBytes: request.countBytes ? await bytesOf(request) : null } }
  } catch (error) {
    return { error: asSluiceError(error).info() }
  }
}

process.stdout.write(JSON.stringify(await reply()))
