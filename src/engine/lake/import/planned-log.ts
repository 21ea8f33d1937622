/** A log of a bucket whose listing serves the plan of an import and the import that follows at once: a round trip saved where nothing is new. */
import { LOG_FOLDER } from '../../../delta/log-path.ts'
import type { LogEntry, LogStore } from '../../../model/lake/log-store.ts'

/** Longer ago a listing is news of yesterday. */
const FRESH_MS = 10_000
/** A longer listing takes time of its own to read, and more memory than a round trip is worth. */
const MOST_ENTRIES = 2_000

/** Local folders come back as they are: listing one again costs nothing. */
export function listedOnce(log: LogStore): LogStore {
  if (log.requests === undefined) return log
  let known: { readonly at: number; readonly entries: readonly LogEntry[] } | null = null
  return {
    root: log.root,
    label: log.label,
    requests: log.requests,
    async *list(folder, options) {
      const { after } = options
      if (folder === LOG_FOLDER && known !== null && performance.now() - known.at < FRESH_MS) {
        // Names of a log are ASCII, where both orders agree.
        yield* after === undefined ? known.entries : known.entries.filter(({ name }) => name > after)
        return
      }
      known = null
      const isWhole = folder === LOG_FOLDER && after === undefined
      const at = performance.now()
      const entries: LogEntry[] = []
      for await (const entry of log.list(folder, options)) {
        if (entries.length <= MOST_ENTRIES) entries.push(entry)
        yield entry
      }
      if (isWhole && entries.length <= MOST_ENTRIES) known = { at, entries }
    },
    read: (path, options) => log.read(path, options),
    head: (path, signal) => log.head(path, signal),
    localFile: (path, signal, options) => log.localFile(path, signal, options),
    ahead: (paths, options) => log.ahead?.(paths, options),
  }
}
