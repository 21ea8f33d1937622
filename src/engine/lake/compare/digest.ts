/**
 * Compares answers in constant memory, in any order of rows: one sum of the hashes of all rows, and one sum for each of
 * `SHARES` groups of rows. Only groups that differ must then be read again.
 */
import { createHash } from 'node:crypto'
import { plus } from '../../../shared/plus.ts'
import type { AnswerRow } from './answer-row.ts'

/** Groups of rows; the row's subject decides the group. */
const SHARES = 4_096
const SUM_COUNT = 8
/** Numbers per group: its row count, and two 32-bit sums. */
const WIDTH = 3

export class AnswerDigest {
  #rows = 0
  /** Eight sums modulo 2^32: equal for equal multisets of rows, in any order. */
  readonly #sums = new Uint32Array(SUM_COUNT)
  readonly #shares = new Uint32Array(SHARES * WIDTH)

  get rows(): number {
    return this.#rows
  }

  add({ about, fields, loose }: AnswerRow): void {
    this.#rows++
    const hash = createHash('sha256')
      .update(JSON.stringify([about, fields, loose]))
      .digest()
    for (let lane = 0; lane < SUM_COUNT; lane++) plus(this.#sums, lane, hash.readUInt32LE(lane * 4))
    const at = digestShare(about) * WIDTH
    plus(this.#shares, at, 1)
    plus(this.#shares, at + 1, hash.readUInt32LE(0))
    plus(this.#shares, at + 2, hash.readUInt32LE(4))
  }

  /** 64 hex digits of the sums and the row count. */
  hex(): string {
    return createHash('sha256').update(this.#sums).update(String(this.#rows)).digest('hex')
  }

  /** The groups in which the two digests differ, each with the larger of the two row counts. */
  unequal(other: AnswerDigest): ReadonlyMap<number, number> {
    const shares = new Map<number, number>()
    for (let share = 0; share < SHARES; share++) {
      const at = share * WIDTH
      const [mine, theirs] = [this.#shares, other.#shares].map((all) => all.subarray(at, at + WIDTH))
      if (mine?.every((one, i) => one === theirs?.[i]) === false)
        shares.set(share, Math.max(mine[0] ?? 0, theirs?.[0] ?? 0))
    }
    return shares
  }
}

/** Group of a subject: FNV-1a modulo `SHARES`. */
export function digestShare(about: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < about.length; i++) hash = Math.imul(hash ^ about.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % SHARES
}
