/** Removes rows from the CSV that are too large for DuckDB's CSV reader; their large fields go to separate files. */
import { open, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { cutOffError } from './feed.ts'

const QUOTE = 34
const COMMA = 44
const NEWLINE = 10
/** Bytes that are parsed at once. */
const SLICE_BYTES = 1 << 20
/** A shorter field is put into the statement itself. */
const INLINE_BYTES = 16 << 10

/** `bytes`: length of the value; if `isBinary`, after decoding the hexadecimal digits. */
export type LargeField = { readonly file: string; readonly bytes: number; readonly isBinary: boolean }
/** Fields in the order of the columns. */
export type LargeRow = { readonly fields: readonly (string | null | LargeField)[]; readonly bytes: number }

export type LargeRows = {
  readonly columns: readonly StoredColumn[]
  /** Rows with a longer text are removed from the CSV. */
  readonly limit: number
  /** Folder of the field files; the receiver of a row removes them. */
  readonly folder: string
  readonly signal: AbortSignal
  /** The next row is read once this has resolved. */
  readonly take: (row: LargeRow) => Promise<void>
}

/**
 * The CSV without rows of more than `limit` bytes, which are passed to `take`. Each piece ends at the end of a row.
 * @throws SluiceError SOURCE_IO for a truncated row; the error of `take`; the signal's reason
 */
export async function* withoutLargeRows(csv: AsyncIterable<Buffer>, options: LargeRows): AsyncGenerator<Buffer> {
  const { limit, take, signal } = options
  let held: Buffer[] = []
  let heldBytes = 0
  let inQuotes = false
  let large: FieldFiles | null = null
  try {
    for await (const piece of csv) {
      for (let start = 0; start < piece.length; start += SLICE_BYTES) {
        throwIfAborted(signal)
        const slice = piece.subarray(start, start + SLICE_BYTES)
        // Start of the bytes to pass on, and of the unfinished row.
        let from = 0
        let row = 0
        for (let at = 0; at < slice.length; at++) {
          const byte = slice[at]
          if (byte === QUOTE) inQuotes = !inQuotes
          else if (byte === NEWLINE && !inQuotes) {
            if (large === null && heldBytes + at - row > limit) {
              if (row > from) yield slice.subarray(from, row)
              large = await FieldFiles.of(held, options)
            }
            if (large !== null) {
              await large.push(slice.subarray(row, at))
              await take(await large.end())
              large = null
              from = at + 1
            } else if (held.length > 0) yield Buffer.concat(held)
            if (heldBytes > 0) [held, heldBytes] = [[], 0]
            row = at + 1
          }
        }
        if (large === null && row > from) yield slice.subarray(from, row)
        const rest = slice.subarray(row)
        if (large === null && heldBytes + rest.length > limit) {
          large = await FieldFiles.of(held, options)
          ;[held, heldBytes] = [[], 0]
        }
        if (large !== null) await large.push(rest)
        else if (rest.length > 0) {
          // Copy the rest: a slice would keep the whole piece in memory, which may be far larger.
          held.push(Buffer.from(rest))
          heldBytes += rest.length
        }
      }
    }
    if (large !== null) throw cutOffError()
    // The reader of the pieces notices the truncated last row.
    if (held.length > 0) yield Buffer.concat(held)
  } finally {
    await large?.close()
  }
}

let made = 0

/** Splits one row into fields as it arrives. */
class FieldFiles {
  readonly #options: LargeRows
  readonly #fields: (string | null | LargeField)[] = []
  #state: 'start' | 'plain' | 'quoted' | 'quote' = 'start'
  #isQuoted = false
  /** Decoded bytes of the field that are not in its file yet. */
  #text = Buffer.allocUnsafe(SLICE_BYTES + 2)
  #length = 0
  #file: { readonly path: string; readonly handle: FileHandle } | null = null
  #bytes = 0
  #rowBytes = 0

  private constructor(options: LargeRows) {
    this.#options = options
  }

  static async of(held: readonly Buffer[], options: LargeRows): Promise<FieldFiles> {
    const row = new FieldFiles(options)
    for (const piece of held) await row.push(piece)
    return row
  }

  /** @param piece at most `SLICE_BYTES` */
  async push(piece: Buffer): Promise<void> {
    let at = 0
    while (at < piece.length) {
      if (this.#state === 'start') {
        this.#isQuoted = piece[at] === QUOTE
        this.#state = this.#isQuoted ? 'quoted' : 'plain'
        if (this.#isQuoted) at++
      } else if (this.#state === 'quote') {
        if (piece[at] === COMMA) await this.#endField()
        else if (piece[at] === QUOTE) {
          this.#keep(piece, at, at + 1)
          this.#state = 'quoted'
        } else throw notCsv()
        at++
      } else {
        const found = piece.indexOf(this.#state === 'plain' ? COMMA : QUOTE, at)
        this.#keep(piece, at, found === -1 ? piece.length : found)
        if (found === -1) break
        at = found + 1
        if (this.#state === 'plain') await this.#endField()
        else this.#state = 'quote'
      }
    }
    if (this.#bytes + this.#length > INLINE_BYTES && this.#isLong()) await this.#flush()
  }

  /** Closes the file of a row that was not completed. */
  async close(): Promise<void> {
    await this.#file?.handle.close()
  }

  async end(): Promise<LargeRow> {
    if (this.#state === 'quoted') throw notCsv()
    await this.#endField()
    if (this.#fields.length !== this.#options.columns.length) throw notCsv()
    return { fields: this.#fields, bytes: this.#rowBytes }
  }

  #keep(piece: Buffer, from: number, to: number): void {
    if (this.#length + to - from > this.#text.length) {
      const wider = Buffer.allocUnsafe(Math.max(2 * this.#text.length, this.#length + to - from))
      this.#text.copy(wider, 0, 0, this.#length)
      this.#text = wider
    }
    piece.copy(this.#text, this.#length, from, to)
    this.#length += to - from
  }

  /** True if a value of this type can be long: only texts and bytes can. */
  #isLong(): boolean {
    const { stored } = this.#options.columns[this.#fields.length] ?? {}
    return stored === 'string' || stored === 'binary'
  }

  get #isBinary(): boolean {
    return this.#options.columns[this.#fields.length]?.stored === 'binary'
  }

  async #flush(): Promise<void> {
    if (this.#file === null) {
      const path = join(this.#options.folder, `field-${++made}`)
      this.#file = { path, handle: await open(path, 'wx', 0o600) }
    }
    const odd = this.#isBinary ? this.#length % 2 : 0
    const text = this.#text.subarray(0, this.#length - odd)
    const bytes = this.#isBinary ? Buffer.from(text.toString('latin1'), 'hex') : text
    if (this.#isBinary && bytes.length * 2 !== text.length) throw notCsv()
    await this.#file.handle.writeFile(bytes)
    this.#bytes += bytes.length
    if (odd === 1) this.#text[0] = this.#text[this.#length - 1] ?? 0
    this.#length = odd
  }

  async #endField(): Promise<void> {
    if (this.#file !== null) {
      await this.#flush()
      if (this.#length > 0) throw notCsv()
      const { path, handle } = this.#file
      this.#file = null
      await handle.close()
      this.#fields.push({ file: path, bytes: this.#bytes, isBinary: this.#isBinary })
      this.#rowBytes += this.#bytes
    } else {
      this.#rowBytes += this.#length
      const isNull = this.#length === 0 && !this.#isQuoted
      this.#fields.push(isNull ? null : this.#text.toString('utf8', 0, this.#length))
    }
    this.#bytes = 0
    this.#length = 0
    this.#isQuoted = false
    this.#state = 'start'
  }
}

/** Removes the field files of rows. */
export async function removeFields(rows: readonly LargeRow[]): Promise<void> {
  for (const { fields } of rows)
    for (const field of fields) if (field !== null && typeof field !== 'string') await rm(field.file, { force: true })
}

function notCsv(): SluiceError {
  return new SluiceError('SOURCE_IO', 'the rows of the source are not in the expected form', {
    hint: 'run the same command again; report the error if it occurs again',
  })
}
