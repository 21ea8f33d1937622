/** Deletion vectors for made-up tables: 64-bit Roaring bitmaps in the portable form, array containers only. */
import zlib from 'node:zlib'

const MAGIC = 1681511377
const COOKIE_WITHOUT_RUNS = 12346
const MAX_ARRAY = 4096

/** Alphabet of Z85. */
const Z85 = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#'

/** @param {Buffer} bytes a multiple of four */
export function z85(bytes) {
  let text = ''
  for (let at = 0; at < bytes.length; at += 4) {
    let word = bytes.readUInt32BE(at)
    let five = ''
    for (let i = 0; i < 5; i++) {
      five = Z85[word % 85] + five
      word = Math.floor(word / 85)
    }
    text += five
  }
  return text
}

/** @param {readonly number[]} rows ascending, below 65,536 @returns {Buffer} */
export function roaring(rows) {
  if (rows.length > MAX_ARRAY) throw new Error('made for small vectors')
  const header = Buffer.alloc(4 + 8 + 4 + 4 + 4 + 4 + 4)
  header.writeInt32LE(MAGIC, 0)
  header.writeBigInt64LE(1n, 4) // one 32-bit bitmap
  header.writeInt32LE(0, 12) // its key: the upper half of every row number
  header.writeUInt32LE(COOKIE_WITHOUT_RUNS, 16)
  header.writeUInt32LE(1, 20) // containers
  header.writeUInt16LE(0, 24) // key of the container
  header.writeUInt16LE(rows.length - 1, 26)
  header.writeUInt32LE(16, 28) // where the container begins, from the cookie on
  const values = Buffer.alloc(rows.length * 2)
  rows.forEach((row, i) => values.writeUInt16LE(row, i * 2))
  return Buffer.concat([header, values])
}

/** A descriptor that holds the vector itself. @param {readonly number[]} rows */
export function inlineVector(rows) {
  const bitmap = roaring(rows)
  const padded = Buffer.concat([bitmap, Buffer.alloc((4 - (bitmap.length % 4)) % 4)])
  return { storageType: 'i', pathOrInlineDv: z85(padded), sizeInBytes: bitmap.length, cardinality: rows.length }
}

/**
 * A vector in a separate file next to the data.
 * @param {readonly number[]} rows @param {string} id a UUID
 * @returns {{name: string, bytes: Buffer, descriptor: Record<string, unknown>}}
 */
export function vectorFile(rows, id) {
  const bitmap = roaring(rows)
  const bytes = Buffer.alloc(1 + 4 + bitmap.length + 4)
  bytes.writeUInt8(1, 0) // format version
  bytes.writeUInt32BE(bitmap.length, 1)
  bitmap.copy(bytes, 5)
  bytes.writeUInt32BE(zlib.crc32(bitmap), 5 + bitmap.length)
  return {
    name: `deletion_vector_${id}.bin`,
    bytes,
    descriptor: {
      storageType: 'u',
      pathOrInlineDv: z85(Buffer.from(id.replaceAll('-', ''), 'hex')),
      offset: 1,
      sizeInBytes: bitmap.length,
      cardinality: rows.length,
    },
  }
}
