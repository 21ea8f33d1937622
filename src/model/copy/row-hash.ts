/**
 * The canonical proof of a set of rows: each row's text is hashed, and the low 48 bits of the hashes are summed. Sets that are equal have equal
 * sums in whatever order they come, and anybody can compute the same in SQL (docs/CANONICAL.md).
 */
import { createHash, type Hash } from 'node:crypto'
import * as crypto from 'node:crypto'
import { cellText } from './canonical.ts'
import { isLong, piecesOf } from './long-cell.ts'
import type { Digest, Row } from './rows.ts'

/** Halves of 24 bits are summed apart, as numbers that stay exact. */
const HALF = 0x1000000n

/** `N` for NULL, else the length in bytes of UTF-8, a colon, and the canonical text; one after the other without anything between. */
export function rowText(row: Row): string {
  let all = ''
  for (const cell of row) {
    if (cell === null) {
      all += 'N'
      continue
    }
    const text = cellText(cell)
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

/** What `rowText` says, with long values in pieces. */
function* rowPieces(row: Row): Generator<string> {
  for (const cell of row) {
    if (!isLong(cell)) {
      yield rowText([cell])
      continue
    }
    yield `${typeof cell === 'string' ? bytesOf(cell) : cell.length * 2}:`
    yield* piecesOf(cell)
  }
}

function hashOf(pieces: Iterable<string>): Hash {
  const hash = createHash('md5')
  for (const piece of pieces) hash.update(piece)
  return hash
}

/** So many halves stay below 2^53 together. */
const MOST_UNFOLDED = 2 ** 28

/** Adds rows up; order does not matter, and rows can be taken out again. */
export class RowSum {
  #rows = 0n
  #folded = 0n
  #high = 0
  #low = 0
  #unfolded = 0

  add(row: Row): void {
    this.#rows += 1n
    this.#countRow(row, 1)
  }

  /** A row by what `rowText` makes of it, where a database has made it already. */
  addText(text: string): void {
    this.#rows += 1n
    this.#count(md5(text, 'binary'), 1)
  }

  /** A row by the md5 of that text, where it is too long to be made. */
  addHash(hash: Hash): void {
    this.#rows += 1n
    this.#count(hash.digest('binary'), 1)
  }

  /** For rows that were read, and could not be written. */
  remove(row: Row): void {
    this.#rows -= 1n
    this.#countRow(row, -1)
  }

  get rows(): bigint {
    return this.#rows
  }

  digest(): Digest {
    this.#fold()
    return { rows: this.#rows, sum: sumText(this.#folded) }
  }

  #countRow(row: Row, sign: 1 | -1): void {
    this.#count(row.some(isLong) ? hashOf(rowPieces(row)).digest('binary') : md5(rowText(row), 'binary'), sign)
  }

  /** @param hash one character a byte: cheaper than digits */
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

/** The sum as `Digest` holds it: hexadecimal, at least 16 digits. */
export function sumText(sum: bigint): string {
  return sum.toString(16).padStart(16, '0')
}

/** The sum of two sets of rows that have no row in common, from `Digest.sum` of each. */
export function addedSums(one: string, other: string): string {
  return sumText(BigInt(`0x${one}`) + BigInt(`0x${other}`))
}

/** What no rows come to. */
export const NO_ROWS: Digest = { rows: 0n, sum: sumText(0n) }

/** Sums of rows that no two of them share add up to that of all. */
export function added(a: Digest, b: Digest): Digest {
  return { rows: a.rows + b.rows, sum: addedSums(a.sum, b.sum) }
}

/** Count and sum of these rows. */
export function sumOfRows(rows: readonly Row[]): Digest {
  const sum = new RowSum()
  for (const row of rows) sum.add(row)
  return sum.digest()
}

export function sumOf(digests: readonly Digest[]): Digest {
  return digests.reduce((a, b) => added(a, b), NO_ROWS)
}

/** The sum of rows without some of them. */
export function subtracted(all: Digest, some: Digest): Digest {
  return { rows: all.rows - some.rows, sum: sumText(BigInt(`0x${all.sum}`) - BigInt(`0x${some.sum}`)) }
}

function threeBytes(bytes: string, at: number): number {
  return bytes.charCodeAt(at) * 0x10000 + bytes.charCodeAt(at + 1) * 0x100 + bytes.charCodeAt(at + 2)
}

/** A call into the runtime costs more than a look at a short text. */
function bytesOf(text: string): number {
  const { length } = text
  if (length > 40) return Buffer.byteLength(text)
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text)
  return length
}
