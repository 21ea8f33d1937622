/** How many bytes this whole process has read, by the kernel's count, where there is one (Linux). */
import { readFileSync } from 'node:fs'
import type { ParquetRows } from '../../../model/lake/parquet-rows.ts'

/** `rchar`: what read calls returned, from the page cache or from the disk. Null where the kernel does not tell. */
export function bytesReadSoFar(): bigint | null {
  try {
    const found = /^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))
    return found === null ? null : BigInt(found[1] as string)
  } catch {
    return null
  }
}

/** What a `ParquetRows` may offer beyond its port; passed on, because readers look for it. */
type Proving = ParquetRows & { prove?(...args: Parameters<ParquetRows['lines']>): Promise<void> }

/**
 * Rows come from DuckDB as lines through a pipe or a temporary file: bytes that the kernel counts as read a second time although nothing
 * of the table was read again. `told` is called with them, to be taken off.
 */
export function parquetCountingLines(inner: ParquetRows, told: (bytes: number) => void): ParquetRows {
  const rows: Proving = inner
  const counted: Proving = {
    facts: (file, signal) => rows.facts(file, signal),
    async *lines(file, selection, signal) {
      for await (const chunk of rows.lines(file, selection, signal)) {
        told(chunk.length)
        yield chunk
      }
    },
    ...(rows.prove === undefined
      ? {}
      : { prove: (file, selection, signal) => rows.prove?.(file, selection, signal) ?? Promise.resolve() }),
  }
  return counted
}
