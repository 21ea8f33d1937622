/**
 * Rows of one result in two unlinked files, which the system removes when the program ends. One holds the rows, the
 * other their offsets. So any window takes two reads, even in a result of millions of rows.
 */
import { mkdtemp, open, rm, statfs, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DeclaredType } from '../../model/run/answer-file.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlRow } from '../../model/run/sql-port.ts'
import { askCell, cellHead, HEAD_BYTES, RowEncoder } from './cells.ts'
import { AnswerColumnFacts } from './column-facts.ts'
import type { AskCell } from './port.ts'

/** Bytes of an offset in the index. */
const PLACE_BYTES = 8
/** Limits of one result: bytes, and share of the free disk space. */
const MOST_BYTES = 16 * 2 ** 30
const SHARE = 0.5
/** Largest window that is read at once, bytes. In a larger one, only the start of each cell is read. */
const WINDOW_BYTES = 1 << 20
/** Maximum number of bytes of a value in a window. */
export const WINDOW_CELL_BYTES = 1024
const CELL_BYTES = 1 << 20
/** Number of offsets read at once when all rows are read. */
const RUN_ROWS = 4096
const RUN_BYTES = 1 << 18
const ENCODED_BYTES = 1 << 20

export class RowSpool implements AsyncDisposable {
  rows = 0
  bytes = 0
  #columns = 0
  #facts: readonly AnswerColumnFacts[] = []
  readonly #data: FileHandle
  readonly #index: FileHandle
  readonly #most: number
  readonly #encoder = new RowEncoder()
  #closed = false

  private constructor(data: FileHandle, index: FileHandle, most: number) {
    this.#data = data
    this.#index = index
    this.#most = most
  }

  /**
   * @param most bytes; default: half of the free space, at most 16 GiB @throws SluiceError TARGET_IO if `folder` cannot
   * be used
   */
  static async open(folder = tmpdir(), most?: number): Promise<RowSpool> {
    try {
      const own = await mkdtemp(join(folder, 'sluice-ask-'))
      try {
        const { bavail, bsize } = await statfs(own)
        const data = await open(join(own, 'rows'), 'wx+', 0o600)
        const index = await open(join(own, 'index'), 'wx+', 0o600)
        return new RowSpool(data, index, most ?? Math.min(MOST_BYTES, Math.floor(bavail * bsize * SHARE)))
      } finally {
        await rm(own, { recursive: true, force: true })
      }
    } catch (error) {
      throw new SluiceError('TARGET_IO', `the answer cannot be stored on this machine: ${(error as Error).message}`, {
        where: folder,
        hint: 'make the folder writable, or set TMPDIR to another one',
        cause: error,
      })
    }
  }

  get facts(): readonly AnswerColumnFacts[] {
    return this.#facts
  }

  /** @param types declared types of the columns */
  begin(columns: number, types: readonly (DeclaredType | undefined)[] = []): void {
    this.#columns = columns
    this.#facts = Array.from({ length: columns }, (_, i) => new AnswerColumnFacts(types[i]))
  }

  /** @throws SluiceError NO_SPACE; earlier rows stay */
  async append(rows: readonly SqlRow[]): Promise<void> {
    let places = Buffer.allocUnsafe(rows.length * PLACE_BYTES)
    let count = 0
    for (const row of rows) {
      places.writeDoubleLE(this.bytes + this.#encoder.length, count * PLACE_BYTES)
      for (let i = 0; i < this.#columns; i++) this.#facts[i]?.see(row[i] ?? null)
      this.#encoder.row(row, this.#columns)
      count++
      if (this.#encoder.length < ENCODED_BYTES) continue
      await this.#write(places.subarray(0, count * PLACE_BYTES), count)
      places = Buffer.allocUnsafe(rows.length * PLACE_BYTES)
      count = 0
    }
    if (count > 0) await this.#write(places.subarray(0, count * PLACE_BYTES), count)
  }

  async #write(places: Buffer, count: number): Promise<void> {
    const bytes = this.#encoder.takeBytes()
    if (this.bytes + bytes.byteLength + (this.rows + count) * PLACE_BYTES > this.#most) throw this.#full()
    try {
      await writeAll(this.#data, bytes, this.bytes)
      await writeAll(this.#index, places, this.rows * PLACE_BYTES)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw this.#full(error)
      throw error
    }
    this.bytes += bytes.byteLength
    this.rows += count
  }

  #full(cause?: unknown): SluiceError {
    return new SluiceError('NO_SPACE', `only ${this.rows} rows of the answer fit on this machine`, {
      where: tmpdir(),
      reason: cause === undefined ? `the limit for one answer is ${this.#most} bytes` : 'the disk is full',
      hint: 'reduce the answer with WHERE or LIMIT, or set TMPDIR to a folder on a larger disk',
      cause,
    })
  }

  /** Rows received so far; only the start of long values. */
  async window(from: number, count: number): Promise<readonly (readonly AskCell[])[]> {
    const until = Math.min(this.rows, from + count)
    if (from < 0 || from >= until) return []
    const places = await this.#places(from, until)
    const first = places[0] ?? 0
    const length = (places.at(-1) ?? 0) - first
    if (length > WINDOW_BYTES) {
      const rows: (readonly AskCell[])[] = []
      for (const place of places.slice(0, -1)) rows.push(await this.#beginnings(place))
      return rows
    }
    const bytes = await this.#read(first, length)
    return places.slice(0, -1).map((place) => this.#decoded(bytes, place - first))
  }

  /** One value, up to 1 MB. */
  async cell(row: number, column: number): Promise<AskCell> {
    if (row < 0 || row >= this.rows || column < 0 || column >= this.#columns) return null
    const [place = 0] = await this.#places(row, row + 1)
    const head = await this.#read(place, this.#columns * HEAD_BYTES)
    let at = place + this.#columns * HEAD_BYTES
    for (let i = 0; i < column; i++) at += cellHead(head, 0, i).length
    const { kind, length } = cellHead(head, 0, column)
    return askCell(kind, await this.#read(at, Math.min(length, CELL_BYTES)), length <= CELL_BYTES)
  }

  /** All rows with complete values, one after the other. */
  async *all(): AsyncGenerator<readonly AskCell[]> {
    for (let from = 0; from < this.rows; from += RUN_ROWS) {
      const until = Math.min(this.rows, from + RUN_ROWS)
      const places = await this.#places(from, until)
      for (let i = 0; i < places.length - 1;) {
        let end = i + 1
        const begin = places[i] ?? 0
        while (end < places.length - 1 && (places[end + 1] ?? 0) - begin <= RUN_BYTES) end++
        const bytes = await this.#read(begin, (places[end] ?? 0) - begin)
        for (; i < end; i++) yield this.#decoded(bytes, (places[i] ?? 0) - begin, Infinity)
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([this.#data.close(), this.#index.close()])
  }

  /** Offsets of the rows, and the end of the last one. */
  async #places(from: number, until: number): Promise<readonly number[]> {
    const known = Math.min(this.rows, until + 1) - from
    const bytes = Buffer.allocUnsafe(known * PLACE_BYTES)
    await readAll(this.#index, bytes, from * PLACE_BYTES)
    const places = Array.from({ length: known }, (_, i) => bytes.readDoubleLE(i * PLACE_BYTES))
    if (known === until - from) places.push(this.bytes)
    return places
  }

  async #read(at: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length)
    await readAll(this.#data, bytes, at)
    return bytes
  }

  #decoded(bytes: Buffer, at: number, most = WINDOW_CELL_BYTES): readonly AskCell[] {
    let value = at + this.#columns * HEAD_BYTES
    return Array.from({ length: this.#columns }, (_, i) => {
      const { kind, length } = cellHead(bytes, at, i)
      const cell = askCell(kind, bytes.subarray(value, value + Math.min(length, most)), length <= most)
      value += length
      return cell
    })
  }

  async #beginnings(place: number): Promise<readonly AskCell[]> {
    const head = await this.#read(place, this.#columns * HEAD_BYTES)
    let value = place + this.#columns * HEAD_BYTES
    const cells: AskCell[] = []
    for (let i = 0; i < this.#columns; i++) {
      const { kind, length } = cellHead(head, 0, i)
      const bytes = await this.#read(value, Math.min(length, WINDOW_CELL_BYTES))
      cells.push(askCell(kind, bytes, length <= WINDOW_CELL_BYTES))
      value += length
    }
    return cells
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) {
    at += (await file.write(bytes, at, bytes.byteLength - at, position + at)).bytesWritten
  }
}

/** @throws SluiceError INTERNAL if the file ends early */
async function readAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) {
    const { bytesRead } = await file.read(bytes, at, bytes.byteLength - at, position + at)
    if (bytesRead === 0)
      throw new SluiceError('INTERNAL', 'the temporary file with the rows of the answer ends too early', {
        hint: 'run the statement again',
      })
    at += bytesRead
  }
}
