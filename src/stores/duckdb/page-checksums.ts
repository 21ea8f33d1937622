/** CRC-32 of data pages (Apache Parquet format, PageHeader): of the stored bytes after the header. */
import { open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import type { PageSums } from '../../model/lake/parquet-footers.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { Thrift } from '../../shared/thrift.ts'

/** A column chunk, from the footer. `values`: number of values; `data`: offset of the first page with values. */
export type PlacedChunk = {
  readonly column: string
  readonly start: number
  readonly end: number
  readonly data: number
  readonly values: number
}

/** Large enough for a page header with statistics. */
const HEADER_BYTES = 16 << 10
/** For headers with long texts in their statistics. */
const LONG_HEADER_BYTES = 4 << 20
const COMPRESSED_SIZE = 3
const CRC = 4
/** Headers of data pages, v1 and v2; in both the first field counts the values. */
const DATA_PAGES = [5, 8]
const VALUES = 1

/**
 * Compares the pages of column chunks with their CRC-32. The pages must fill each chunk completely.
 * @returns the counts; if the pages of a chunk do not match the footer, a text that describes the first such fault
 * @throws Error of the file system
 */
export async function pageChecksums(
  file: string,
  chunks: readonly PlacedChunk[],
  signal: AbortSignal,
): Promise<PageSums | string> {
  const handle = await open(file, 'r')
  let pages = 0
  let summed = 0
  const wrong: { column: string; offset: number }[] = []
  const head = Buffer.alloc(HEADER_BYTES)
  try {
    for (const { column, start, end, data, values } of chunks) {
      let counted = 0
      let first: number | null = null
      for (let at = start; at < end;) {
        throwIfAborted(signal)
        const { bytesRead } = await handle.read(head, 0, Math.min(HEADER_BYTES, end - at), at)
        let page = headerOf(head.subarray(0, bytesRead))
        if (page === null && end - at > HEADER_BYTES) {
          const long = Buffer.alloc(Math.min(LONG_HEADER_BYTES, end - at))
          await handle.read(long, 0, long.length, at)
          page = headerOf(long)
        }
        if (page === null) return `there is no page of ${column} at byte ${at}`
        if (at + page.header + page.size > end) return `the page of ${column} at byte ${at} is longer than its column`
        counted += page.values ?? 0
        if (page.values !== null) first ??= at
        pages++
        if (page.crc !== null) {
          summed++
          const bytes = Buffer.alloc(page.size)
          await handle.read(bytes, 0, page.size, at + page.header)
          if (crc32(bytes) !== page.crc >>> 0) wrong.push({ column, offset: at })
        }
        at += page.header + page.size
      }
      if (counted !== values) return `the pages of ${column} have ${counted} values, but the footer records ${values}`
      // The footer may record the start of the chunk as the first data page, although a dictionary page is there.
      if (first !== null && first !== data && start !== data)
        return `the first page of ${column} is at byte ${first}, but the footer records byte ${data}`
    }
  } finally {
    await handle.close()
  }
  return { pages, summed, wrong }
}

function headerOf(bytes: Buffer): {
  readonly header: number
  readonly size: number
  readonly crc: number | null
  /** Null if the page is no data page. */
  readonly values: number | null
} | null {
  try {
    const thrift = new Thrift(bytes)
    const fields = thrift.struct(0)
    const size = fields.get(COMPRESSED_SIZE)
    const crc = fields.get(CRC)
    if (typeof size !== 'number' || size < 0) return null
    const data = DATA_PAGES.map((id) => fields.get(id)).find((one) => one instanceof Map)
    const values = data instanceof Map ? data.get(VALUES) : null
    return {
      header: thrift.at,
      size,
      crc: typeof crc === 'number' ? crc : null,
      values: typeof values === 'number' ? values : null,
    }
  } catch {
    return null
  }
}
