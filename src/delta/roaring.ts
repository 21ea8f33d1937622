/**
 * Reads Roaring bitmaps in their portable form, for numbers of 32 bits (RoaringFormatSpec) or 64 bits. A 64-bit bitmap
 * stores one 32-bit bitmap for each value of the high 32 bits. Containers are read in place, not expanded.
 */

const NO_RUN_COOKIE = 12346
const RUN_COOKIE = 12347
/** A bitmap with runs has an offset table if it has at least this many containers. */
const OFFSETS_FROM = 4
const ARRAY_MAX = 4096
const BITSET_BYTES = 8192
const CHUNK = 0x1_0000

type Container = {
  readonly kind: 'array' | 'bitset' | 'run'
  /** High 16 bits of the low 32 bits. */
  readonly key: number
  /** Offset of the container's first word, bytes. */
  readonly at: number
  /** Number of values; in a run container, number of runs. */
  readonly length: number
  readonly cardinality: number
}

type Bucket = { readonly high: number; readonly containers: readonly Container[] }

/** A set of row numbers, 0 to 2^64 - 1. */
export type RowSet = {
  readonly cardinality: number
  /** Largest row number; null for an empty set. */
  readonly last: bigint | null
  /** All row numbers, ascending. */
  rows(): Generator<bigint>
}

function arrayContainer(bytes: Buffer, key: number, at: number, cardinality: number): Container {
  let previous = -1
  for (let i = 0; i < cardinality; i++) {
    const value = bytes.readUInt16LE(at + 2 * i)
    if (value <= previous) throw new RangeError(`array container ${key} is not ascending`)
    previous = value
  }
  return { kind: 'array', key, at, length: cardinality, cardinality }
}

function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555)
  const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333)
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}

function bitsetContainer(bytes: Buffer, key: number, at: number, cardinality: number): Container {
  let bits = 0
  for (let i = 0; i < BITSET_BYTES; i += 4) bits += bitCount(bytes.readInt32LE(at + i))
  if (bits !== cardinality) throw new RangeError(`bitset container ${key} holds ${bits} values, not ${cardinality}`)
  return { kind: 'bitset', key, at, length: cardinality, cardinality }
}

function runContainer(bytes: Buffer, key: number, at: number, cardinality: number): Container {
  const length = bytes.readUInt16LE(at)
  let end = -1
  let sum = 0
  for (let i = 0; i < length; i++) {
    const first = bytes.readUInt16LE(at + 2 + 4 * i)
    const more = bytes.readUInt16LE(at + 4 + 4 * i)
    if (first <= end || first + more >= CHUNK) throw new RangeError(`run container ${key} is not ascending`)
    end = first + more
    sum += more + 1
  }
  if (sum !== cardinality) throw new RangeError(`run container ${key} holds ${sum} values, not ${cardinality}`)
  return { kind: 'run', key, at: at + 2, length, cardinality }
}

/** Reads one 32-bit bitmap at `start`; returns its containers and the offset of its end. */
function readBitmap(bytes: Buffer, start: number): { readonly containers: readonly Container[]; readonly end: number } {
  const cookie = bytes.readUInt32LE(start)
  const withRuns = (cookie & 0xffff) === RUN_COOKIE
  if (!withRuns && cookie !== NO_RUN_COOKIE) throw new RangeError(`a bitmap starts with the unknown cookie ${cookie}`)
  const count = withRuns ? (cookie >>> 16) + 1 : bytes.readUInt32LE(start + 4)
  if (count > CHUNK) throw new RangeError(`a bitmap announces ${count} containers`)
  const runFlags = start + 4
  const descriptors = withRuns ? runFlags + Math.ceil(count / 8) : start + 8
  // The offset table is for random access; this reader is sequential and skips it.
  const hasOffsets = !withRuns || count >= OFFSETS_FROM
  let at = descriptors + 4 * count + (hasOffsets ? 4 * count : 0)
  const containers: Container[] = []
  let previous = -1
  for (let i = 0; i < count; i++) {
    const key = bytes.readUInt16LE(descriptors + 4 * i)
    const cardinality = bytes.readUInt16LE(descriptors + 4 * i + 2) + 1
    if (key <= previous) throw new RangeError('the containers of a bitmap are not ascending')
    previous = key
    const isRun = withRuns && (bytes.readUInt8(runFlags + (i >>> 3)) & (1 << (i & 7))) !== 0
    if (isRun) {
      const container = runContainer(bytes, key, at, cardinality)
      containers.push(container)
      at = container.at + 4 * container.length
    } else if (cardinality <= ARRAY_MAX) {
      containers.push(arrayContainer(bytes, key, at, cardinality))
      at += 2 * cardinality
    } else {
      containers.push(bitsetContainer(bytes, key, at, cardinality))
      at += BITSET_BYTES
    }
  }
  return { containers, end: at }
}

/** The largest value of a container; containers are never empty. */
function lastOf(bytes: Buffer, { kind, at, length }: Container): number {
  if (kind === 'array') return bytes.readUInt16LE(at + 2 * (length - 1))
  if (kind === 'run') return bytes.readUInt16LE(at + 4 * (length - 1)) + bytes.readUInt16LE(at + 4 * length - 2)
  let i = BITSET_BYTES - 1
  while (i > 0 && bytes[at + i] === 0) i--
  return i * 8 + 31 - Math.clz32(bytes.readUInt8(at + i))
}

function* containerValues(bytes: Buffer, container: Container): Generator<number> {
  if (container.kind === 'bitset') {
    for (let i = 0; i < BITSET_BYTES; i++) {
      const byte = bytes.readUInt8(container.at + i)
      for (let bit = 0; byte >> bit !== 0; bit++) if ((byte & (1 << bit)) !== 0) yield i * 8 + bit
    }
    return
  }
  for (let i = 0; i < container.length; i++) {
    if (container.kind === 'array') {
      yield bytes.readUInt16LE(container.at + 2 * i)
      continue
    }
    const first = bytes.readUInt16LE(container.at + 4 * i)
    const last = first + bytes.readUInt16LE(container.at + 4 * i + 2)
    for (let value = first; value <= last; value++) yield value
  }
}

/**
 * Reads a 64-bit portable Roaring bitmap: u64 count of buckets, then for each bucket its high 32 bits and a 32-bit
 * bitmap. The set reads from `bytes` later, so they must not change. Everything is checked here, so `has` and `rows`
 * cannot fail.
 * @throws RangeError if the bytes are too short or are not such a bitmap
 */
export function readRoaring64(bytes: Buffer): RowSet {
  const count = bytes.readBigUInt64LE(0)
  const buckets: Bucket[] = []
  let at = 8
  let cardinality = 0
  let previous = -1
  for (let i = 0n; i < count; i++) {
    const high = bytes.readUInt32LE(at)
    if (high <= previous) throw new RangeError('the buckets of the bitmap are not ascending')
    previous = high
    const { containers, end } = readBitmap(bytes, at + 4)
    buckets.push({ high, containers })
    for (const container of containers) cardinality += container.cardinality
    at = end
  }

  const lastBucket = buckets.findLast(({ containers }) => containers.length > 0)
  const lastContainer = lastBucket?.containers.at(-1)

  return {
    cardinality,
    last:
      lastBucket === undefined || lastContainer === undefined
        ? null
        : (BigInt(lastBucket.high) << 32n) + BigInt(lastContainer.key * CHUNK + lastOf(bytes, lastContainer)),
    *rows() {
      for (const bucket of buckets) {
        const high = BigInt(bucket.high) << 32n
        for (const container of bucket.containers) {
          const base = container.key * CHUNK
          for (const value of containerValues(bytes, container)) yield high + BigInt(base + value)
        }
      }
    },
  }
}
