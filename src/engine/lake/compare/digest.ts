/**
 * Answers compared in constant memory, whatever their order: a sum of the rows' hashes. Beside the sum of all there is one for each of some thousand
 * shares of the rows, so that what differs is found again by looking at a few of them.
 */
import { createHash } from 'node:crypto'
import { plus } from '../../../shared/plus.ts'
import type { AnswerRow } from './answer-row.ts'

/** Rows are shared out by what they are about. */
const SHARES = 4_096
const LANES = 8
/** Numbers a share: its rows, and two lanes of its sum. */
const WIDTH = 3

export class AnswerDigest {
  #rows = 0
  /** Eight sums modulo 2^32: equal for equal multisets of rows, in any order. */
  readonly #sums = new Uint32Array(LANES)
  readonly #shares = new Uint32Array(SHARES * WIDTH)

  get rows(): number {
    return this.#rows
  }

  add({ about, fields, loose }: AnswerRow): void {
    this.#rows++
    const hash = createHash('sha256')
      .update(JSON.stringify([about, fields, loose]))
      .digest()
    for (let lane = 0; lane < LANES; lane++) plus(this.#sums, lane, hash.readUInt32LE(lane * 4))
    const at = shareOf(about) * WIDTH
    plus(this.#shares, at, 1)
    plus(this.#shares, at + 1, hash.readUInt32LE(0))
    plus(this.#shares, at + 2, hash.readUInt32LE(4))
  }

  /** 64 hex digits; the count goes in too. */
  hex(): string {
    return createHash('sha256').update(this.#sums).update(String(this.#rows)).digest('hex')
  }

  /** The shares whose rows are not those of the other digest, each with the larger number of its rows. */
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

/** The share that rows about this belong to: FNV-1a. */
export function shareOf(about: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < about.length; i++) hash = Math.imul(hash ^ about.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % SHARES
}
