/** CRC-32 of data pages (Apache Parquet format, PageHeader): of the bytes behind the header, as they are in the file. */
import { open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import type { PageSums } from '../../model/parquet-footers.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { Thrift } from '../../shared/thrift.ts'

export type PlacedChunk = { readonly column: string; readonly start: number; readonly end: number }

/** Large enough for a page header with statistics. */
const HEADER_BYTES = 16 << 10
const COMPRESSED_SIZE = 3
const CRC = 4

/**
 * Walks the pages of column chunks. A header that cannot be read ends its chunk: the reader of the rows tells of it.
 * @throws Error of the file system
 */
export async function pageSums(file: string, chunks: readonly PlacedChunk[], signal: AbortSignal): Promise<PageSums> {
  const handle = await open(file, 'r')
  let pages = 0
  let summed = 0
  const wrong: { column: string; offset: number }[] = []
  const head = Buffer.alloc(HEADER_BYTES)
  try {
    for (const { column, start, end } of chunks) {
      for (let at = start; at < end;) {
        throwIfAborted(signal)
        const { bytesRead } = await handle.read(head, 0, Math.min(HEADER_BYTES, end - at), at)
        const page = headerOf(head.subarray(0, bytesRead))
        if (page === null || at + page.header + page.size > end) break
        pages++
        if (page.crc !== null) {
          summed++
          const bytes = Buffer.alloc(page.size)
          await handle.read(bytes, 0, page.size, at + page.header)
          if (crc32(bytes) !== page.crc >>> 0) wrong.push({ column, offset: at })
        }
        at += page.header + page.size
      }
    }
  } finally {
    await handle.close()
  }
  return { pages, summed, wrong }
}

function headerOf(
  bytes: Buffer,
): { readonly header: number; readonly size: number; readonly crc: number | null } | null {
  try {
    const thrift = new Thrift(bytes)
    const fields = thrift.struct(0)
    const size = fields.get(COMPRESSED_SIZE)
    const crc = fields.get(CRC)
    if (typeof size !== 'number' || size < 0) return null
    return { header: thrift.at, size, crc: typeof crc === 'number' ? crc : null }
  } catch {
    return null
  }
}
