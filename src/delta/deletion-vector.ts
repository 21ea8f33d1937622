/** Deletion vectors: the deleted rows of a data file (PROTOCOL.md, "Deletion Vectors" and "Deletion Vector Format"). */
import { crc32 } from 'node:zlib'
import { SluiceError } from '../shared/errors.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import type { DeletionVectorDescriptor } from './actions.ts'
import { resolveDataPath } from './paths.ts'
import { readRoaring64, type RowSet } from './roaring.ts'
import { decodeZ85, decodeZ85Uuid } from './z85.ts'

const FILE_VERSION = 1
const MAGIC = 1681511377
const UUID_LENGTH = 20
/** A vector that begins below this offset (bytes) is read in one request with the version byte of its file. */
const ONE_READ_BELOW = 64 * 1024

/** The deleted rows of one data file, by their position in it (from 0). */
export type DeletionVector = RowSet

function bad(where: string, reason: string, cause?: unknown): SluiceError {
  return new SluiceError('BAD_DELETION_VECTOR', `The deletion vector ${where} cannot be read`, {
    where,
    reason,
    hint: 'Restore the file from a copy, or read an older version of the table that does not use this deletion vector',
    cause,
  })
}

/**
 * File of a vector, relative to the table root; null if it is inline.
 * @throws SluiceError BAD_DELETION_VECTOR for a descriptor that names no file, PATH_ESCAPES for a file outside the
 * table
 */
export function deletionVectorPath(dv: DeletionVectorDescriptor, root: string): string | null {
  const text = dv.pathOrInlineDv
  if (dv.storageType === 'i') return null
  if (dv.storageType === 'u') {
    const prefix = text.slice(0, -UUID_LENGTH)
    if (prefix.split('/').includes('..')) throw bad(text, 'its prefix is outside of the table')
    try {
      const name = `deletion_vector_${decodeZ85Uuid(text.slice(-UUID_LENGTH))}.bin`
      return prefix === '' ? name : `${prefix}/${name}`
    } catch (error) {
      throw bad(text, error instanceof Error ? error.message : String(error), error)
    }
  }
  if (dv.storageType !== 'p') throw bad(text, `its storage type "${dv.storageType}" is not u, p or i`)
  const place = resolveDataPath(text, root)
  if (place.inside) return place.path
  throw new SluiceError('PATH_ESCAPES', `The deletion vector ${text} is outside of the table`, {
    where: place.uri,
    reason: 'The table refers to a file of another table, as a shallow clone does',
  })
}

async function readRange(store: LogStore, path: string, start: number, end: number, signal: AbortSignal) {
  const chunks: Buffer[] = []
  for await (const chunk of store.read(path, { start, end, signal })) chunks.push(chunk)
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)
}

/** The data of a vector in a file, without its size and CRC-32, which are checked. */
async function readStored(
  store: LogStore,
  path: string,
  dv: DeletionVectorDescriptor,
  signal: AbortSignal,
): Promise<Buffer> {
  // Byte 0 is the version of the file, so without an offset the vector begins at byte 1.
  const offset = dv.offset ?? 1
  const end = offset + dv.sizeInBytes + 8
  const near = offset < ONE_READ_BELOW
  const bytes = await readRange(store, path, near ? 0 : offset, end, signal)
  const head = near ? bytes : await readRange(store, path, 0, 1, signal)
  if (head[0] !== FILE_VERSION) throw bad(path, `the file's version is ${head[0] ?? 'missing'}, not ${FILE_VERSION}`)
  const block = near ? bytes.subarray(offset) : bytes
  if (block.length < dv.sizeInBytes + 8) throw bad(path, `the file ends before byte ${end}`)
  const size = block.readInt32BE(0)
  if (size !== dv.sizeInBytes) {
    throw bad(path, `the vector at offset ${offset} has ${dv.sizeInBytes} bytes in the log, and ${size} in the file`)
  }
  const data = block.subarray(4, 4 + size)
  if (crc32(data) !== block.readUInt32BE(4 + size)) throw bad(path, `the CRC-32 at offset ${offset} does not match`)
  return data
}

function readInline(dv: DeletionVectorDescriptor): Buffer {
  const bytes = decodeZ85(dv.pathOrInlineDv)
  if (bytes.length < dv.sizeInBytes) {
    throw new RangeError(`the text has ${bytes.length} bytes, and the log gives ${dv.sizeInBytes}`)
  }
  return bytes.subarray(0, dv.sizeInBytes)
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

/** Store and path of the file of a vector. */
export type VectorPlace = { readonly store: LogStore; readonly path: string }

/**
 * Reads a vector, and checks magic, size, CRC-32 and cardinality.
 * @param place its file; null for an inline vector
 * @throws SluiceError BAD_DELETION_VECTOR naming the file, PATH_ESCAPES, SOURCE_GONE, SOURCE_DENIED, SOURCE_IO
 */
export async function readVectorAt(
  place: VectorPlace | null,
  dv: DeletionVectorDescriptor,
  signal: AbortSignal,
): Promise<DeletionVector> {
  const path = place?.path ?? null
  const where = path ?? `in the log (${dv.pathOrInlineDv.slice(0, 40)})`
  if (!isCount(dv.sizeInBytes) || !isCount(dv.cardinality) || !isCount(dv.offset ?? 0)) {
    throw bad(where, 'the log gives it a size, offset or cardinality that is not a whole number')
  }
  try {
    const data = place === null ? readInline(dv) : await readStored(place.store, place.path, dv, signal)
    const magic = data.readUInt32LE(0)
    if (magic !== MAGIC) throw new RangeError(`its magic number is ${magic}, not ${MAGIC}`)
    const rows = readRoaring64(data.subarray(4))
    if (rows.cardinality !== dv.cardinality) {
      throw new RangeError(`it has ${rows.cardinality} rows, and the log gives ${dv.cardinality}`)
    }
    return rows
  } catch (error) {
    // Reading past the end of a Buffer is a RangeError too: in both cases the bytes are not valid.
    if (error instanceof RangeError) throw bad(where, error.message, error)
    throw error
  }
}
