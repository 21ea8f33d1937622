/**
 * Fast 53-bit hashes for look-ups. They only find candidates: callers compare the texts afterwards, so a collision
 * costs time and never gives a wrong answer. The catalog stores them, therefore the algorithm must never change.
 */

/** Two independent hashes of one text, computed in one pass: `a` has 53 bits, `b` 32. */
export type HashPair = { a: number; b: number }

const TWO_21 = 0x200000

/** Mixes the UTF-16 units of `text`, then of `suffix`, into `out`; a separator makes ('ab','c') unlike ('a','bc'). */
export function hashInto(out: HashPair, text: string, suffix: string | null): void {
  let h1 = 0x9e3779b1
  let h2 = 0x85ebca77
  let h3 = 0xc2b2ae3d
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    h1 = Math.imul(h1 ^ unit, 0x01000193)
    h2 = Math.imul(h2 ^ unit, 0x5bd1e995)
    h3 = Math.imul(h3 ^ unit, 0x27d4eb2f)
    h2 ^= h2 >>> 13
    h3 = (h3 << 5) | (h3 >>> 27)
  }
  if (suffix !== null) {
    h1 = Math.imul(h1 ^ 0x10000, 0x01000193)
    h2 = Math.imul(h2 ^ 0x10000, 0x5bd1e995)
    h3 = Math.imul(h3 ^ 0x10000, 0x27d4eb2f)
    for (let i = 0; i < suffix.length; i++) {
      const unit = suffix.charCodeAt(i)
      h1 = Math.imul(h1 ^ unit, 0x01000193)
      h2 = Math.imul(h2 ^ unit, 0x5bd1e995)
      h3 = Math.imul(h3 ^ unit, 0x27d4eb2f)
      h2 ^= h2 >>> 13
      h3 = (h3 << 5) | (h3 >>> 27)
    }
  }
  const low = finish(h1 ^ h3)
  const high = finish(h2 ^ (h1 >>> 7))
  out.a = low * TWO_21 + (high & (TWO_21 - 1))
  out.b = finish(h3 ^ (high >>> 11))
}

/** The `key_hash` of a file: canonical path and deletion vector id. */
export function keyHash(canonicalPath: string, dvId: string | null): number {
  const pair = { a: 0, b: 0 }
  hashInto(pair, canonicalPath, dvId)
  return pair.a
}

function finish(x: number): number {
  let h = x
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d)
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b)
  return (h ^ (h >>> 16)) >>> 0
}
