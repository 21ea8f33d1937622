/** A slow, plain writer of 64-bit portable Roaring bitmaps, to test the reader with. */

type Form = 'auto' | 'run'

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  values.forEach((value, i) => bytes.writeUInt16LE(value, i * 2))
  return bytes
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function runs(values: readonly number[]): readonly (readonly [number, number])[] {
  const found: [number, number][] = []
  for (const value of values) {
    const last = found.at(-1)
    if (last && last[0] + last[1] + 1 === value) last[1]++
    else found.push([value, 0])
  }
  return found
}

function container(values: readonly number[], form: Form): Buffer {
  if (form === 'run') {
    const pairs = runs(values)
    return words([pairs.length, ...pairs.flat()])
  }
  if (values.length <= 4096) return words(values)
  const bits = Buffer.alloc(8192)
  for (const value of values) bits[value >> 3] = (bits[value >> 3] ?? 0) | (1 << (value & 7))
  return bits
}

function bitmap32(values: readonly number[], formOf: (key: number) => Form): Buffer {
  const byKey = new Map<number, number[]>()
  for (const value of values) {
    const key = Math.floor(value / 65_536)
    const low = byKey.get(key)
    if (low) low.push(value % 65_536)
    else byKey.set(key, [value % 65_536])
  }
  const parts = [...byKey].map(([key, low]) => ({ key, low, form: formOf(key), bytes: container(low, formOf(key)) }))
  const withRuns = parts.some((part) => part.form === 'run')
  const flags = Buffer.alloc(Math.ceil(parts.length / 8))
  parts.forEach((part, i) => {
    if (part.form === 'run') flags[i >> 3] = (flags[i >> 3] ?? 0) | (1 << (i & 7))
  })
  const head = withRuns ? [long(12347 + (parts.length - 1) * 65_536), flags] : [long(12346), long(parts.length)]
  const descriptors = words(parts.flatMap((part) => [part.key, part.low.length - 1]))
  const hasOffsets = !withRuns || parts.length >= 4
  let at = Buffer.concat(head).length + descriptors.length + (hasOffsets ? 4 * parts.length : 0)
  const offsets: Buffer[] = []
  for (const part of parts) {
    offsets.push(long(at))
    at += part.bytes.length
  }
  return Buffer.concat([...head, descriptors, ...(hasOffsets ? offsets : []), ...parts.map((part) => part.bytes)])
}

/** @param rows any order, no duplicates @param formOf which containers are written as runs, by their key */
export function encodeRoaring64(rows: readonly bigint[], formOf: (key: number) => Form = () => 'auto'): Buffer {
  const byHigh = new Map<number, number[]>()
  for (const row of rows.toSorted((a, b) => (a < b ? -1 : 1))) {
    const high = Number(row >> 32n)
    const low = Number(row & 0xffff_ffffn)
    const bucket = byHigh.get(high)
    if (bucket) bucket.push(low)
    else byHigh.set(high, [low])
  }
  const count = Buffer.alloc(8)
  count.writeBigUInt64LE(BigInt(byHigh.size))
  const buckets = [...byHigh].map(([high, low]) => Buffer.concat([long(high), bitmap32(low, formOf)]))
  return Buffer.concat([count, ...buckets])
}
