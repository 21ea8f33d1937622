/** A LogStore that counts requests and bytes, to compare ways to answer the same question. */
import type { LogListingEntry, LogObject, LogStore } from '../model/lake/log-store.ts'

export type ReadCounts = {
  /** Listings started. */
  lists: number
  /** Files opened; a file opened twice is counted twice. */
  opened: number
  /** Bytes returned; for files read by name (Parquet) the size of the whole file. */
  bytes: number
}

export type CountingLogStore = LogStore & { readonly counts: ReadCounts }

/** Passes every call on to `store`. Counts listings, reads and bytes in `counts`, which a caller may reset. */
export function countingLogStore(store: LogStore): CountingLogStore {
  const counts: ReadCounts = { lists: 0, opened: 0, bytes: 0 }
  return {
    counts,
    root: store.root,
    label: store.label,
    ...(store.requests === undefined ? {} : { requests: store.requests }),
    ...(store.pagedListing === undefined ? {} : { pagedListing: store.pagedListing }),
    ...(store.prefetch === undefined ? {} : { prefetch: (paths, options) => store.prefetch?.(paths, options) }),
    list(folder, options): AsyncIterable<LogListingEntry> {
      counts.lists++
      return store.list(folder, options)
    },
    async *read(path, options): AsyncIterable<Buffer> {
      counts.opened++
      for await (const chunk of store.read(path, options)) {
        counts.bytes += chunk.length
        yield chunk
      }
    },
    head(path, signal): Promise<LogObject | null> {
      return store.head(path, signal)
    },
    async localFile(path, signal, options) {
      counts.opened++
      // A store that counts requests counts its bytes itself, and would count this `head` too.
      if (store.requests === undefined) counts.bytes += (await store.head(path, signal))?.size ?? 0
      return store.localFile(path, signal, options)
    },
  }
}
