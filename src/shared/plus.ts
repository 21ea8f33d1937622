/** Sums of hashes and of whole numbers. */

/** Adds a hash to one of several sums modulo 2^32. XOR is not used, because two equal hashes would cancel out. */
export function plus(sums: Uint32Array, at: number, value: number): void {
  sums[at] = (sums[at] ?? 0) + value
}

export function totalOf(values: readonly bigint[]): bigint {
  return values.reduce((sum, one) => sum + one, 0n)
}
