/** Where the columns of a Parquet file lie, read from its footer (Apache Parquet format, FileMetaData in Thrift's compact protocol). */

export type ColumnChunk = {
  /** Names from the top-level column down to the leaf. */
  readonly path: readonly string[]
  /** Bytes `start` up to `end` (exclusive) of the file. */
  readonly start: number
  readonly end: number
}

/** Bytes at the end of every file: length of the footer, and the magic. */
export const TAIL_BYTES = 8
const MAGIC = 'PAR1'
const MAX_DEPTH = 32

/** Length of the footer without the tail, or null for what is no plain Parquet. @param tail the last 8 bytes */
export function footerLength(tail: Buffer): number | null {
  if (tail.length < TAIL_BYTES || tail.toString('latin1', tail.length - 4) !== MAGIC) return null
  return tail.readUInt32LE(tail.length - TAIL_BYTES)
}

type Value = number | Buffer | readonly Value[] | ReadonlyMap<number, Value>

/** All column chunks of all row groups; null where the footer is not understood, or names bytes outside of the file. */
export function columnChunks(footer: Buffer, fileSize: number): readonly ColumnChunk[] | null {
  try {
    const groups = listOf(new Thrift(footer).struct(0).get(4))
    const chunks = groups.flatMap((group) => listOf(structOf(group).get(1)).map(chunkOf))
    const sound = chunks.every(({ start, end }) => start >= 4 && end >= start && end <= fileSize - footer.length)
    return sound ? chunks : null
  } catch {
    return null
  }
}

function chunkOf(value: Value): ColumnChunk {
  const chunk = structOf(value)
  if (chunk.has(1)) throw new Error('the column lies in another file')
  const facts = structOf(chunk.get(3))
  const path = listOf(facts.get(3)).map((part) => (Buffer.isBuffer(part) ? part.toString('utf8') : ''))
  const places = [facts.get(9), facts.get(10), facts.get(11)].filter((at) => typeof at === 'number' && at > 0)
  const size = facts.get(7)
  const start = Math.min(...(places as number[]))
  if (typeof size !== 'number' || !Number.isFinite(start)) throw new Error('the column has no place')
  return { path, start, end: start + size }
}

function structOf(value: Value | undefined): ReadonlyMap<number, Value> {
  if (value instanceof Map) return value as ReadonlyMap<number, Value>
  throw new Error('no struct')
}

function listOf(value: Value | undefined): readonly Value[] {
  if (Array.isArray(value)) return value as readonly Value[]
  throw new Error('no list')
}

/** Thrift's compact protocol, reading only. Integers past 2^53 are refused. */
class Thrift {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  struct(depth: number): Map<number, Value> {
    if (depth > MAX_DEPTH) throw new Error('too deep')
    const fields = new Map<number, Value>()
    for (let id = 0; ;) {
      const head = this.#byte()
      if (head === 0) return fields
      const delta = head >> 4
      id = delta === 0 ? this.#zigzag() : id + delta
      fields.set(id, this.#value(head & 15, depth, false))
    }
  }

  #value(type: number, depth: number, inList: boolean): Value {
    switch (type) {
      case 1:
      case 2:
        return inList ? this.#byte() : type
      case 3:
        return this.#byte()
      case 4:
      case 5:
      case 6:
        return this.#zigzag()
      case 7:
        return this.#take(8).readDoubleLE()
      case 8:
        return this.#take(this.#varint())
      case 9:
      case 10:
        return this.#list(depth)
      case 11:
        return this.#map(depth)
      case 12:
        return this.struct(depth + 1)
      default:
        throw new Error(`no type ${type}`)
    }
  }

  #list(depth: number): readonly Value[] {
    const head = this.#byte()
    const short = head >> 4
    const length = short === 15 ? this.#varint() : short
    if (length > this.#bytes.length) throw new Error('the list is longer than the footer')
    return Array.from({ length }, () => this.#value(head & 15, depth + 1, true))
  }

  #map(depth: number): readonly Value[] {
    const length = this.#varint()
    if (length === 0) return []
    const types = this.#byte()
    const values: Value[] = []
    for (let i = 0; i < length; i++) {
      values.push(this.#value(types >> 4, depth + 1, true), this.#value(types & 15, depth + 1, true))
    }
    return values
  }

  #zigzag(): number {
    const raw = this.#varint()
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
  }

  #varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte()
      value += (byte & 127) * scale
      if (!Number.isSafeInteger(value)) throw new Error('the number is too large')
      if (byte < 128) return value
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw new Error('the footer is cut short')
    return byte
  }

  #take(length: number): Buffer {
    const part = this.#bytes.subarray(this.#at, this.#at + length)
    if (part.length !== length) throw new Error('the footer is cut short')
    this.#at += length
    return part
  }
}
