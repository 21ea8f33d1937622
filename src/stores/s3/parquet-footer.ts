/**
 * Byte ranges of columns in a Parquet file, from its footer (Apache Parquet format, FileMetaData in compact Thrift).
 */
import { Thrift, type Value } from '../../shared/thrift.ts'

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

/** Length of the footer without the tail; null if it is not plain Parquet. @param tail the last 8 bytes */
export function footerLength(tail: Buffer): number | null {
  if (tail.length < TAIL_BYTES || tail.toString('latin1', tail.length - 4) !== MAGIC) return null
  return tail.readUInt32LE(tail.length - TAIL_BYTES)
}

/** All column chunks of all row groups; null if the footer cannot be parsed, or names bytes outside of the file. */
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
  if (chunk.has(1)) throw new Error('the column is in another file')
  const facts = structOf(chunk.get(3))
  const path = listOf(facts.get(3)).map((part) => (Buffer.isBuffer(part) ? part.toString('utf8') : ''))
  const places = [facts.get(9), facts.get(10), facts.get(11)].filter((at) => typeof at === 'number' && at > 0)
  const size = facts.get(7)
  const start = Math.min(...(places as number[]))
  if (typeof size !== 'number' || !Number.isFinite(start)) throw new Error('the column has no position')
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
