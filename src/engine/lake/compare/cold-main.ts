/** Entry of the child that asks one question cold: request on stdin as JSON, reply on stdout as JSON. */
import { text } from 'node:stream/consumers'
import type { ParquetRows } from '../../../model/lake/parquet-rows.ts'
import { NEVER } from '../../../shared/abort.ts'
import { asSluiceError } from '../../../shared/errors.ts'
import { parquetRows } from '../../run/registry.ts'
import { drain } from './answer.ts'
import { askFiles } from './ask-files.ts'
import { askSql } from './ask-sql.ts'
import type { ColdReply, ColdRequest } from './cold.ts'
import { Distance, type Latency } from './distance.ts'
import { bytesReadSoFar, parquetCountingLines } from './read-bytes.ts'

type Timed = { readonly rows: number; readonly ms: number }

/**
 * Opens the store or the connection, asks, and takes the answer to its end; the clock runs from the first to the last of these.
 * `passed` is told of bytes that are no bytes of the table.
 */
async function ask(request: ColdRequest, latency: Latency, passed: (bytes: number) => void): Promise<Timed> {
  const { side, question, plan, path, catalogUrl } = request
  const signal = NEVER.abort
  const own = { ...latency, ...(side === 'files' ? { sql: null } : { lake: null }) }
  await using distance = await Distance.start(own)
  const begun = performance.now()
  const done = (rows: number): Timed => ({ rows, ms: performance.now() - begun })
  if (side === 'files') {
    const parquet = async (): Promise<ParquetRows> => parquetCountingLines(await parquetRows(), passed)
    return done(await drain(askFiles(question, plan, { log: await distance.openLog(path), parquet, signal })))
  }
  await using catalog = await distance.openCatalog(catalogUrl)
  return done(await catalog.read((reader) => drain(askSql(question, plan, reader, signal))))
}

/** Asks again with drivers loaded and nothing else kept, and without a proxy, so that what is read is read for the answer. */
async function bytesOf(request: ColdRequest): Promise<string | null> {
  // The very reader that was timed; only what the proxy reads is no part of the answer.
  const near: Latency = { ms: 0, lake: request.latency.lake === 'calls' ? 'calls' : null, sql: null }
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
