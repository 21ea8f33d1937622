/**
 * Adds to one of many sums modulo 2^32. Hashes are added and never combined by XOR, where two equal ones would cancel
 * each other out.
 */
export function plus(sums: Uint32Array, at: number, value: number): void {
  sums[at] = (sums[at] ?? 0) + value
}
