/** How many rows a chunk has, unless somebody says so: the sizes that the resumable script recommends by the size of a table, within a bound of bytes. */

const BY_ROWS: readonly (readonly [below: bigint, size: number])[] = [
  [100_000n, 10_000],
  [500_000n, 25_000],
  [2_000_000n, 50_000],
]
const LARGEST = 100_000
/** Bytes of a chunk: what one transaction, its proof, and a repeat after a failure cost. */
const MOST_BYTES = 64n * 1024n * 1024n
const LEAST = 500

/** @param rows, bytes of the whole table; 0 where nobody knows */
export function recommendedChunkRows(rows: bigint, bytes: bigint): number {
  const size = BY_ROWS.find(([below]) => rows < below)?.[1] ?? LARGEST
  if (rows === 0n || bytes === 0n) return size
  const rowBytes = bytes / rows
  if (rowBytes === 0n) return size
  return Math.max(LEAST, Math.min(size, Number(MOST_BYTES / rowBytes)))
}
