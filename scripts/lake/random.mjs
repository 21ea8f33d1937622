/**
 * Randomness without state: every property of file n is computed from (seed, n, salt), so a lake of millions of files
 * is written, and its files are removed again and listed in a checkpoint, without a list in memory.
 */

/** A well-mixed 32-bit number. @param {number} seed @param {number} n @param {number} salt @returns {number} */
export function mix(seed, n, salt) {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(n + 1, 0xc2b2ae35) ^ Math.imul(salt + 1, 0x27d4eb2f)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 16), 0x2c1b3c6d)
  return (h ^ (h >>> 15)) >>> 0
}

/** An integer in [low, high]. @param {number} word @param {number} low @param {number} high */
export function between(word, low, high) {
  return low + (word % (high - low + 1))
}

/** @type {string[]} */
const HEX = Array.from({ length: 65536 }, (_, i) => i.toString(16).padStart(4, '0'))

/** A version 4 UUID. @param {number} seed @param {number} n @param {number} salt */
export function uuid(seed, n, salt) {
  const a = mix(seed, n, salt)
  const b = mix(seed, n, salt + 101)
  const c = mix(seed, n, salt + 202)
  const d = mix(seed, n, salt + 303)
  const version = 0x4000 | (b & 0x0fff)
  const variant = 0x8000 | (c & 0x3fff)
  return `${HEX[a >>> 16]}${HEX[a & 0xffff]}-${HEX[b >>> 16]}-${HEX[version]}-${HEX[variant]}-${HEX[c >>> 16]}${HEX[d >>> 16]}${HEX[d & 0xffff]}`
}

/**
 * A permutation of 0..size-1 by one multiplication; `size` must be a power of two.
 * @param {number} i @param {number} size @param {number} key
 */
export function scatter(i, size, key) {
  return (Math.imul(i, (key | 1) >>> 0) + (key >>> 7)) & (size - 1)
}
