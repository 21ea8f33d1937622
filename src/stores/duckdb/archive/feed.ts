/** Streams bytes to a statement that reads a file: through a FIFO, or a temporary file if the system has none. */
import { closeSync, constants, openSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { Socket } from 'node:net'
import type { DuckDBConnection } from '@duckdb/node-api'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { makeFifo, MOST_PIPES } from '../fifo.ts'
import { interruptibleDuckdb } from './ask.ts'

/**
 * Length of the first line, which the statement skips: more than any pipe can buffer. So once this line is written, the
 * FIFO is surely open for reading: from then on, each side is notified if the other closes.
 */
const OPENING_BYTES = 1_100_000
/** Bytes buffered here while the statement is busy. */
const AHEAD_BYTES = 16 << 20
const LF = 10

/** A further feed waits until one of the statements has ended. */
let freePipes = MOST_PIPES
const waiting: (() => void)[] = []

export type Feed = {
  readonly connection: DuckDBConnection
  /** A private folder. */
  readonly folder: string
  /** Number of commas in each line. */
  readonly commas: number
  readonly signal: AbortSignal
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown }

/**
 * Runs a statement over a CSV. Its first line is filler: the statement must skip it.
 * @param run starts the statement that reads from a path
 * @throws the error of `csv`, the signal's reason, or the error of the statement; never before the statement has ended
 */
export async function fed<T>(feed: Feed, csv: AsyncIterable<Buffer>, run: (path: string) => Promise<T>): Promise<T> {
  const path = `${feed.folder}/rows.csv`
  if (MOST_PIPES === 0 || !(await makeFifo(path))) return throughFile(feed, path, csv, run)
  await pipeFree(feed.signal)
  try {
    return await throughFifo(feed, path, csv, run)
  } finally {
    const next = waiting.shift()
    if (next === undefined) freePipes++
    else next()
  }
}

/** Waits until a pipe is free, and takes it. @throws the signal's reason */
async function pipeFree(signal: AbortSignal): Promise<void> {
  throwIfAborted(signal)
  if (freePipes > 0) {
    freePipes--
    return
  }
  let turn = (): void => undefined
  const came = await new Promise<boolean>((resolve) => {
    const leave = (): void => {
      waiting.splice(waiting.indexOf(turn), 1)
      resolve(false)
    }
    turn = () => {
      signal.removeEventListener('abort', leave)
      resolve(true)
    }
    waiting.push(turn)
    signal.addEventListener('abort', leave, { once: true })
  })
  if (!came) throwIfAborted(signal)
}

function openingLine(commas: number): Buffer {
  return Buffer.from(`${'x'.repeat(OPENING_BYTES)}${','.repeat(commas)}\n`)
}

async function throughFifo<T>(
  { connection, commas, signal }: Feed,
  path: string,
  csv: AsyncIterable<Buffer>,
  run: (path: string) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal)
  const pipe = new Pipe(path)
  const statement = run(path).then(
    (value): Outcome<T> => ({ value }),
    (error: unknown): Outcome<T> => ({ error }),
  )
  const rows = csv[Symbol.asyncIterator]()
  const pumped = pump(rows, openingLine(commas), pipe)
  // A wait for a stalled source must end on abort, or when the statement fails.
  let onAbort = (): void => undefined
  const aborted = new Promise<null>((resolve) => {
    onAbort = () => resolve(null)
  })
  signal.addEventListener('abort', onAbort, { once: true })
  const first = await Promise.race([pumped, aborted, statement.then(() => null)])
  signal.removeEventListener('abort', onAbort)
  const whole = first !== null && 'value' in first && first.value
  if (!whole) {
    // The bytes so far must not be read as the complete CSV.
    connection.interrupt()
    await Promise.race([statement, pipe.opened])
  }
  pipe.destroy()
  const outcome = await statement
  if (whole && 'value' in outcome) return outcome.value
  // Not awaited: a hanging source would never answer.
  void Promise.resolve(rows.return?.()).catch(() => undefined)
  throwIfAborted(signal)
  if (first !== null && 'error' in first) throw first.error
  if ('error' in outcome) throw outcome.error
  throw new SluiceError('INTERNAL', 'DuckDB stopped reading before the last row')
}

/** @returns true if every row was written; false if the reader has ended before the last row */
async function pump(rows: AsyncIterator<Buffer>, opening: Buffer, pipe: Pipe): Promise<Outcome<boolean>> {
  try {
    await pipe.open(opening)
    let last = LF
    while (!pipe.destroyed) {
      const next = await rows.next()
      if (next.done === true) {
        if (last !== LF) throw cutOffError()
        await pipe.flushed()
        return { value: !pipe.destroyed }
      }
      const { value } = next
      last = value[value.byteLength - 1] ?? last
      await pipe.write(value)
    }
    return { value: false }
  } catch (error) {
    return { error }
  }
}

/** Error for rows whose last line is not complete. */
export function cutOffError(): SluiceError {
  return new SluiceError('SOURCE_IO', 'the rows of the source end in the middle of a line', {
    hint: 'the connection to the source broke; run the same command again',
    retryable: true,
  })
}

/**
 * The writing end of a FIFO. Writes after the reader's end are dropped: the reader's statement reports why it ended.
 */
class Pipe {
  /** Open for reading and writing until the reader opens: until then, the FIFO cannot be opened for writing only. */
  #keeper: number | null
  readonly #socket: Socket
  #reached = (): void => undefined
  /** Resolves once the reader has opened the FIFO. If the writer closed before, the reader would wait forever. */
  readonly opened = new Promise<void>((resolve) => {
    this.#reached = resolve
  })

  constructor(path: string) {
    this.#keeper = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
    try {
      const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
      const options = { fd, readable: false, writable: true, writableHighWaterMark: AHEAD_BYTES }
      this.#socket = new Socket(options)
    } catch (error) {
      this.#release()
      throw error
    }
    this.#socket.on('error', () => undefined)
  }

  get destroyed(): boolean {
    return this.#socket.destroyed
  }

  async open(line: Buffer): Promise<void> {
    this.#socket.write(line)
    await this.flushed()
    this.#release()
    this.#reached()
  }

  /** Resolves once more may be written. */
  async write(bytes: Buffer): Promise<void> {
    if (this.#socket.destroyed || this.#socket.write(bytes)) return
    await new Promise<void>((done) => {
      const over = (): void => {
        this.#socket.off('drain', over)
        this.#socket.off('close', over)
        done()
      }
      this.#socket.on('drain', over)
      this.#socket.on('close', over)
    })
  }

  /** Resolves once the operating system has taken all written bytes. */
  async flushed(): Promise<void> {
    if (this.#socket.destroyed) return
    await new Promise<void>((done) => {
      this.#socket.once('close', done)
      this.#socket.write(Buffer.alloc(0), () => {
        this.#socket.off('close', done)
        done()
      })
    })
  }

  destroy(): void {
    this.#socket.destroy()
    this.#release()
  }

  #release(): void {
    if (this.#keeper !== null) closeSync(this.#keeper)
    this.#keeper = null
  }
}

/** The statement starts once all bytes are in the file. */
async function throughFile<T>(
  { connection, commas, signal }: Feed,
  path: string,
  csv: AsyncIterable<Buffer>,
  run: (path: string) => Promise<T>,
): Promise<T> {
  const file = await open(path, 'wx', 0o600)
  try {
    let last = LF
    await file.write(Buffer.from(`x${','.repeat(commas)}\n`))
    for await (const bytes of csv) {
      throwIfAborted(signal)
      last = bytes[bytes.byteLength - 1] ?? last
      await file.writeFile(bytes)
    }
    if (last !== LF) throw cutOffError()
    await file.close()
    return await interruptibleDuckdb({ connection }, signal, () => run(path))
  } catch (error) {
    throwIfAborted(signal)
    throw error
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
}
