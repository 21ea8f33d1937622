/**
 * Carries the text of one DuckDB COPY: for a large file through a FIFO, so that the whole text is never stored, else
 * through a temporary file. It returns bytes; after the iteration, the caller must check by `rows` that they are
 * complete.
 */
import { closeSync, constants, createReadStream, openSync } from 'node:fs'
import { Socket } from 'node:net'
import type { DuckDBConnection } from '@duckdb/node-api'
import { makeFifo, MOST_PIPES } from './fifo.ts'

let freePipes = MOST_PIPES

export type CopySql = (target: string) => string

/** Bytes of a COPY, and the number of rows it reported; `rows` is set once the iteration has ended. */
export type RowPipe = AsyncIterable<Buffer> & { readonly rows: () => number }

/** Writes the output to a temporary file: the COPY has ended before the first byte is returned. */
async function* throughFile(
  connection: DuckDBConnection,
  copy: CopySql,
  file: string,
  signal: AbortSignal,
  counted: (rows: number) => void,
): AsyncGenerator<Buffer> {
  const stop = (): void => {
    connection.interrupt()
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    counted((await connection.run(copy(file))).rowsChanged)
  } finally {
    signal.removeEventListener('abort', stop)
  }
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) yield chunk as Buffer
}

/** Writes the output to a FIFO: bytes are returned while the COPY runs. */
async function* throughFifo(
  connection: DuckDBConnection,
  copy: CopySql,
  fifo: string,
  signal: AbortSignal,
  counted: (rows: number) => void,
): AsyncGenerator<Buffer> {
  // With both ends open here, neither side waits for the other to open. This side ends the stream when the COPY is
  // over, with or without an error.
  let keeper: number | null = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  const release = (): void => {
    if (keeper !== null) closeSync(keeper)
    keeper = null
  }
  let socket: Socket
  try {
    const end = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
    socket = new Socket({ fd: end, readable: true, writable: false })
  } catch (error) {
    release()
    throw error
  }
  const stopReading = (): void => {
    connection.interrupt()
    release()
    socket.destroy()
  }
  signal.addEventListener('abort', stopReading, { once: true })
  const copied = connection.run(copy(fifo)).then(
    (result) => ({ rows: result.rowsChanged }),
    (error: unknown) => ({ error }),
  )
  void copied.then(release)
  let ended = false
  try {
    for await (const chunk of socket) yield chunk as Buffer
    ended = true
  } catch (error) {
    // The error of an aborted socket does not name the cause; the error of the COPY does.
    const outcome = await copied
    throw 'error' in outcome ? outcome.error : error
  } finally {
    signal.removeEventListener('abort', stopReading)
    // Without a reader, a COPY that waits in write() gets EPIPE instead of waiting forever.
    if (!ended) stopReading()
    await copied
  }
  const outcome = await copied
  if ('error' in outcome) throw outcome.error
  counted(outcome.rows)
}

/**
 * Runs a COPY to text and returns its bytes.
 * @param folder private folder, removed by the caller
 * @param large true if the whole output would be too much for the disk
 * @throws DuckDB's error, after the bytes that the COPY wrote before it
 */
export function rowPipe(
  connection: DuckDBConnection,
  copy: CopySql,
  options: { readonly folder: string; readonly large: boolean; readonly signal: AbortSignal },
): RowPipe {
  let rows = -1
  const counted = (found: number): void => {
    rows = found
  }
  const { folder, large, signal } = options
  const iterate = async function* (): AsyncGenerator<Buffer> {
    const fifo = `${folder}/rows.pipe`
    if (!large || freePipes === 0) {
      yield* throughFile(connection, copy, `${folder}/rows.txt`, signal, counted)
      return
    }
    freePipes--
    try {
      if (await makeFifo(fifo)) yield* throughFifo(connection, copy, fifo, signal, counted)
      else yield* throughFile(connection, copy, `${folder}/rows.txt`, signal, counted)
    } finally {
      freePipes++
    }
  }
  return { [Symbol.asyncIterator]: iterate, rows: () => rows }
}
