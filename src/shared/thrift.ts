/** Thrift's compact protocol, as far as Parquet uses it. */

/** A field: a number, text or bytes, a list, or a struct by the numbers of its fields. */
export type Value = number | Buffer | readonly Value[] | ReadonlyMap<number, Value>

const MAX_DEPTH = 32

/** Reader for Thrift's compact protocol. Integers past 2^53 are refused. */
export class Thrift {
  readonly #bytes: Buffer
  readonly #elements = new Map<readonly Value[], number>()
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Number of bytes read so far. */
  get at(): number {
    return this.#at
  }

  /** Type number of the elements of a list that was read. */
  elementOf(list: readonly Value[]): number | undefined {
    return this.#elements.get(list)
  }

  /** A struct as its fields by number. @throws Error if the bytes are not a struct, or end too early */
  struct(depth: number): Map<number, Value> {
    if (depth > MAX_DEPTH) throw new Error('its structs are nested too deep')
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
        throw new Error(`a value has the unknown type ${type}`)
    }
  }

  #list(depth: number): readonly Value[] {
    const head = this.#byte()
    const short = head >> 4
    const length = short === 15 ? this.#varint() : short
    if (length > this.#bytes.length) throw new Error('a list is longer than the remaining bytes')
    const list = Array.from({ length }, () => this.#value(head & 15, depth + 1, true))
    this.#elements.set(list, head & 15)
    return list
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
      if (!Number.isSafeInteger(value)) throw new Error('a number is too large')
      if (byte < 128) return value
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw new Error('the bytes end too early')
    return byte
  }

  #take(length: number): Buffer {
    const part = this.#bytes.subarray(this.#at, this.#at + length)
    if (part.length !== length) throw new Error('the bytes end too early')
    this.#at += length
    return part
  }
}
