/**
 * Objects as local files, for readers that need a file. Only the footer and the requested columns of a Parquet file are
 * fetched, into a file of the full size, with all bytes at their own position. A copy is kept for `IDLE_MS` after
 * its last use, because an import reads its checkpoint several times.
 */
import { rmSync } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SluiceError } from '../../shared/errors.ts'
import { makeSpool } from '../../shared/spool.ts'
import { readPieces, readWhole, type BodyRequest, type ObjectFacts } from './body.ts'
import type { S3Client } from './client.ts'
import { columnChunks, footerLength, TAIL_BYTES, type ColumnChunk } from './parquet-footer.ts'
import { cutRanges, joined, missing, total, type ByteRange } from './ranges.ts'

/** An object up to this size is fetched as a whole, without reading its footer first. */
const SMALL = 1 << 20
/** Number of bytes at the end of an object that the first request fetches, because they contain the footer. */
const TAIL = 64 << 10
const PART = 8 << 20
const PARTS_IN_FLIGHT = 8
/** Largest gap between two columns, in bytes, that is fetched with them: a separate request would cost more. */
const GAP = 256 << 10
/** Bytes added to a column's size, because old writers omit the header of a dictionary page from it. */
const PADDING = 128
const IDLE_MS = 10_000

export type LocalCopy = AsyncDisposable & { readonly file: string }

/** `etag`: the object must have this ETag; absent: any version is accepted. */
type Source = Pick<BodyRequest, 'bucket' | 'key' | 'counts' | 'etag'>

export class Copies {
  readonly #client: S3Client
  readonly #copies = new Map<string, Copy>()

  constructor(client: S3Client) {
    this.#client = client
  }

  /**
   * @param known size and ETag from the newest listing, if there is one
   * @param columns top-level columns that will be read; absent: everything, empty: only the footer
   * @throws SluiceError SOURCE_GONE, SOURCE_DENIED, SOURCE_IO, LOG_CHANGED; NO_SPACE of the temporary folder
   */
  async open(
    source: Source,
    known: { readonly size: number; readonly etag: string | null } | undefined,
    columns: readonly string[] | undefined,
    signal: AbortSignal,
  ): Promise<LocalCopy> {
    let copy = this.#copies.get(source.key)
    if (copy === undefined || copy.isOther(known?.etag)) {
      copy = new Copy(this.#client, source, known?.size ?? null, () => this.#copies.delete(source.key))
      this.#copies.set(source.key, copy)
    }
    const own = copy
    own.use()
    try {
      await own.fill(columns, signal)
    } catch (error) {
      if (this.#copies.get(source.key) === own) this.#copies.delete(source.key)
      await own.release(true)
      throw spaceError(error)
    }
    return { file: own.file, [Symbol.asyncDispose]: () => own.release(false) }
  }
}

const folders = new Set<string>()
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

class Copy {
  readonly #client: S3Client
  readonly #source: Source
  readonly #knownSize: number | null
  readonly #forget: () => void
  #folder = ''
  #handle: FileHandle | null = null
  #facts: ObjectFacts | null = null
  #chunks: readonly ColumnChunk[] | null = null
  #have: readonly ByteRange[] = []
  #uses = 0
  #isUnusable = false
  #timer: NodeJS.Timeout | null = null
  /** Allows one fill at a time: a second reader may need other columns of the same file. */
  #turn: Promise<void> = Promise.resolve()

  constructor(client: S3Client, source: Source, knownSize: number | null, forget: () => void) {
    this.#client = client
    this.#source = source
    this.#knownSize = knownSize
    this.#forget = forget
  }

  get file(): string {
    return join(this.#folder, 'object.parquet')
  }

  isOther(etag: string | null | undefined): boolean {
    return typeof etag === 'string' && this.#facts !== null && this.#facts.etag !== etag
  }

  use(): void {
    this.#uses++
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  async release(spoiled: boolean): Promise<void> {
    this.#isUnusable ||= spoiled
    if (--this.#uses > 0) return
    if (this.#isUnusable) return this.#remove()
    this.#timer = setTimeout(() => {
      this.#forget()
      void this.#remove()
    }, IDLE_MS)
    this.#timer.unref()
  }

  async fill(columns: readonly string[] | undefined, signal: AbortSignal): Promise<void> {
    const mine = this.#turn.then(() => this.#fill(columns, signal))
    this.#turn = mine.catch(() => undefined)
    return mine
  }

  async #remove(): Promise<void> {
    await this.#handle?.close().catch(() => undefined)
    this.#handle = null
    if (this.#folder === '') return
    await rm(this.#folder, { recursive: true, force: true })
    folders.delete(this.#folder)
  }

  async #fill(columns: readonly string[] | undefined, signal: AbortSignal): Promise<void> {
    if (this.#handle === null) {
      this.#folder = await makeSpool()
      folders.add(this.#folder)
      this.#handle = await open(this.file, 'wx+', 0o600)
    }
    if (this.#facts === null) await this.#begin(columns, signal)
    const size = this.#facts?.size ?? 0
    const whole = [{ start: 0, end: size }]
    const left = missing(this.#wanted(columns, size) ?? whole, this.#have)
    if (left.length === 0) return
    // If more than half of the file is needed, fetch all of it: separate ranges would cost as much.
    const rest = total(left) + total(this.#have) > size / 2 ? missing(whole, this.#have) : left
    await this.#fetch(cutRanges(rest, PART), signal)
  }

  /**
   * Sends the first request. It fetches a small object as a whole. Of a larger object it fetches the end with the
   * footer if columns are requested, and the first part otherwise.
   */
  async #begin(columns: readonly string[] | undefined, signal: AbortSignal): Promise<void> {
    const small = this.#knownSize !== null && this.#knownSize <= SMALL
    const range = small ? {} : columns === undefined ? { start: 0, end: PART } : { start: -TAIL }
    const { bytes, facts } = await readWhole(this.#client, { ...this.#source, ...range, signal })
    // An empty object has no range.
    this.#facts = facts ?? { size: 0, etag: null, modified: 0 }
    const { size } = this.#facts
    const start = range.start === undefined || range.start >= 0 ? 0 : size - bytes.length
    await this.#handle?.truncate(size)
    await this.#put(bytes, start)
    if (columns === undefined || small) return
    const length = footerLength(bytes)
    if (length === null || length + TAIL_BYTES > size) return
    const at = size - TAIL_BYTES - length
    if (at < start) await this.#fetch([{ start: at, end: start }], signal)
    const footer = Buffer.alloc(length)
    await this.#handle?.read(footer, 0, length, at)
    this.#chunks = columnChunks(footer, size)
  }

  /** Ranges to fetch. Null for the whole file, also if the positions of the columns are unknown. */
  #wanted(columns: readonly string[] | undefined, size: number): readonly ByteRange[] | null {
    if (columns === undefined) return null
    // The first request has fetched the footer; without columns nothing else is needed.
    if (columns.length === 0) return []
    if (this.#chunks === null) return null
    const names = new Set(columns.map((name) => name.toLowerCase()))
    const ranges = this.#chunks
      .filter(({ path }) => names.has((path[0] ?? '').toLowerCase()))
      .map(({ start, end }) => ({ start, end: Math.min(size, end + PADDING) }))
    // The bytes after the last column are indexes, filters and the footer.
    const last = Math.max(4, ...this.#chunks.map(({ end }) => end))
    return joined([...ranges, { start: 0, end: 4 }, { start: last, end: size }], GAP)
  }

  async #fetch(parts: readonly ByteRange[], signal: AbortSignal): Promise<void> {
    const queue = [...parts]
    const runWorker = async (): Promise<void> => {
      for (let part = queue.shift(); part !== undefined; part = queue.shift()) {
        const etag = this.#facts?.etag ?? null
        let at = part.start
        for await (const piece of readPieces(this.#client, { ...this.#source, ...part, etag, signal })) {
          await this.#write(piece, at)
          at += piece.length
        }
        if (at !== part.end) {
          throw new SluiceError('SOURCE_IO', 'the store sent fewer bytes than the object has', { retryable: true })
        }
        this.#have = joined([...this.#have, part], 0)
      }
    }
    const ended = await Promise.allSettled(Array.from({ length: Math.min(PARTS_IN_FLIGHT, queue.length) }, runWorker))
    const failed = ended.find((one) => one.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async #put(bytes: Buffer, at: number): Promise<void> {
    await this.#write(bytes, at)
    this.#have = joined([...this.#have, { start: at, end: at + bytes.length }], 0)
  }

  async #write(bytes: Buffer, at: number): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const written = await this.#handle?.write(bytes, done, bytes.length - done, at + done)
      done += written?.bytesWritten ?? bytes.length
    }
  }
}

function spaceError(error: unknown): unknown {
  if ((error as NodeJS.ErrnoException | null)?.code !== 'ENOSPC') return error
  return new SluiceError('NO_SPACE', 'no space left for the temporary copy of a checkpoint', {
    kind: 'source',
    where: tmpdir(),
    hint: 'free some space in this folder, or set TMPDIR to a folder on a larger disk',
    cause: error,
  })
}
