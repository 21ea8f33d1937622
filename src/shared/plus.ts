/** Adds to one of several sums modulo 2^32. Hashes are added, because XOR of two equal ones would cancel them out. */
export function plus(sums: Uint32Array, at: number, value: number): void {
  sums[at] = (sums[at] ?? 0) + value
}
