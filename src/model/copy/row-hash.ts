/**
 * Canonical checksum of a set of rows: each row's text is hashed, and the low 48 bits of the hashes are added. Equal
 * sets have equal checksums in any order, and SQL can compute the same (docs/reference/CANONICAL.md).
 */
import { createHash, type Hash } from 'node:crypto'
import * as crypto from 'node:crypto'
import { canonicalCellText } from './canonical.ts'
import { isLong, cellPieces } from './long-cell.ts'
import type { Digest, Row } from './rows.ts'

/** Two halves of 24 bits are added separately, so that doubles stay exact. */
const HALF = 0x1000000n

/** Per cell `N` for NULL, otherwise its length in UTF-8 bytes, a colon, and its canonical text; no separators. */
export function rowText(row: Row): string {
  let all = ''
  for (const cell of row) {
    if (cell === null) {
      all += 'N'
      continue
    }
    const text = canonicalCellText(cell)
    all += `${bytesOf(text)}:${text}`
  }
  return all
}

type Md5 = (text: string, encoding: 'hex' | 'binary') => string

const md5: Md5 =
  'hash' in crypto
    ? (text, encoding) => crypto.hash('md5', text, encoding)
    : (text, encoding) => createHash('md5').update(text).digest(encoding)

/** md5 of the row's text, as 32 hexadecimal digits. */
export function rowHash(row: Row): string {
  return row.some(isLong) ? hashOf(rowPieces(row)).digest('hex') : md5(rowText(row), 'hex')
}

/** The pieces of `rowText`, without building long values as one text. */
function* rowPieces(row: Row): Generator<string> {
  for (const cell of row) {
    if (!isLong(cell)) {
      yield rowText([cell])
      continue
    }
    yield `${typeof cell === 'string' ? bytesOf(cell) : cell.length * 2}:`
    yield* cellPieces(cell)
  }
}

function hashOf(pieces: Iterable<string>): Hash {
  const hash = createHash('md5')
  for (const piece of pieces) hash.update(piece)
  return hash
}

/** This many halves add up to less than 2^53. */
const MOST_UNFOLDED = 2 ** 28

/** Adds rows to a checksum in any order; rows can also be subtracted. */
export class RowChecksum {
  #rows = 0n
  #folded = 0n
  #high = 0
  #low = 0
  #unfolded = 0

  add(row: Row): void {
    this.#rows += 1n
    this.#countRow(row, 1)
  }

  /** Adds a row by its `rowText`, if a database computed it already. */
  addText(text: string): void {
    this.#rows += 1n
    this.#count(md5(text, 'binary'), 1)
  }

  /** Adds a row by the md5 of its `rowText`, if the text would be too long. */
  addHash(hash: Hash): void {
    this.#rows += 1n
    this.#count(hash.digest('binary'), 1)
  }

  /** Subtracts a row that was read, but could not be written. */
  remove(row: Row): void {
    this.#rows -= 1n
    this.#countRow(row, -1)
  }

  get rows(): bigint {
    return this.#rows
  }

  digest(): Digest {
    this.#fold()
    return { rows: this.#rows, sum: checksumText(this.#folded) }
  }

  #countRow(row: Row, sign: 1 | -1): void {
    this.#count(row.some(isLong) ? hashOf(rowPieces(row)).digest('binary') : md5(rowText(row), 'binary'), sign)
  }

  /** @param hash one character per byte: cheaper than hexadecimal digits */
  #count(hash: string, sign: 1 | -1): void {
    this.#high += sign * threeBytes(hash, 10)
    this.#low += sign * threeBytes(hash, 13)
    if (++this.#unfolded >= MOST_UNFOLDED) this.#fold()
  }

  #fold(): void {
    this.#folded += BigInt(this.#high) * HALF + BigInt(this.#low)
    this.#high = this.#low = this.#unfolded = 0
  }
}

/** The checksum as in `Digest`: hexadecimal, at least 16 digits. */
export function checksumText(sum: bigint): string {
  return sum.toString(16).padStart(16, '0')
}

/** The checksum of two disjoint sets of rows, from the `Digest.sum` of each. */
export function addChecksums(one: string, other: string): string {
  return checksumText(BigInt(`0x${one}`) + BigInt(`0x${other}`))
}

/** Digest of an empty set. */
export const NO_ROWS: Digest = { rows: 0n, sum: checksumText(0n) }

/** Digest of the union of two disjoint sets. */
export function addDigests(a: Digest, b: Digest): Digest {
  return { rows: a.rows + b.rows, sum: addChecksums(a.sum, b.sum) }
}

/** Row count and checksum of these rows. */
export function digestOfRows(rows: readonly Row[]): Digest {
  const sum = new RowChecksum()
  for (const row of rows) sum.add(row)
  return sum.digest()
}

export function digestSum(digests: readonly Digest[]): Digest {
  return digests.reduce((a, b) => addDigests(a, b), NO_ROWS)
}

/** Digest of `all` without the subset `some`. */
export function digestWithout(all: Digest, some: Digest): Digest {
  return { rows: all.rows - some.rows, sum: checksumText(BigInt(`0x${all.sum}`) - BigInt(`0x${some.sum}`)) }
}

function threeBytes(bytes: string, at: number): number {
  return bytes.charCodeAt(at) * 0x10000 + bytes.charCodeAt(at + 1) * 0x100 + bytes.charCodeAt(at + 2)
}

/** Length of a text in UTF-8 bytes. For short texts a loop is faster than a call into the runtime. */
function bytesOf(text: string): number {
  const { length } = text
  if (length > 40) return Buffer.byteLength(text)
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text)
  return length
}
