/** First pass over a stretch of commits: which key is added or removed when, and what the log says of itself at the end. */
import type { HashPair } from '../../shared/hash.ts'
import { hashInto } from '../../shared/hash.ts'
import type { LogStore } from '../../model/log-store.ts'
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { readLog } from '../../delta/commit-lines.ts'
import type { CommitFile } from '../../delta/listing.ts'
import { canonicalPath, dvId } from '../../delta/paths.ts'
import { breathe, type Interrupt } from '../../shared/abort.ts'
import { CloseIndex } from './close-index.ts'

/** Events kept in memory at most (about 50 bytes each); a longer log is imported in several stretches. */
export const MAX_EVENTS = 4_000_000

const LINES_A_BREATH = 20_000

export type Stretch = {
  readonly commits: readonly CommitFile[]
  readonly index: CloseIndex
  /** Lines of all kinds. */
  readonly lines: number
  /** The last ones of the stretch, or null. */
  readonly protocol: ProtocolAction | null
  readonly metadata: MetadataAction | null
  /** False when `maxEvents` cut it short. */
  readonly whole: boolean
}

/**
 * Reads commits until they end or the index is full.
 * @throws SluiceError what reading a commit throws; the stop or abort reason of the interrupt
 */
export async function scanStretch(
  log: LogStore,
  commits: readonly CommitFile[],
  interrupt: Interrupt,
  maxEvents: number = MAX_EVENTS,
): Promise<Stretch> {
  const index = new CloseIndex()
  const key: HashPair = { a: 0, b: 0 }
  let lines = 0
  let protocol: ProtocolAction | null = null
  let metadata: MetadataAction | null = null
  let done = 0
  let breathed = 0
  let version = 0
  const skip = (raw: string): boolean => {
    const path = plainPath(raw)
    if (path === null) return false
    hashInto(key, canonicalPath(path, log.root), null)
    index.note(key, version)
    lines++
    return true
  }
  for (const commit of commits) {
    ;({ version } = commit)
    if (lines - breathed >= LINES_A_BREATH) {
      breathed = lines
      await breathe()
    }
    if (interrupt.stop.aborted) throw interrupt.stop.reason
    for await (const block of readLog(log, commit.name, { signal: interrupt.abort, skip })) {
      lines += block.length
      for (const { action } of block) {
        if (action.kind === 'add') {
          hashInto(key, canonicalPath(action.add.path, log.root), dvId(action.add.deletionVector))
          index.note(key, commit.version)
        } else if (action.kind === 'remove') {
          hashInto(key, canonicalPath(action.remove.path, log.root), dvId(action.remove.deletionVector))
          index.note(key, commit.version)
        } else if (action.kind === 'protocol') protocol = action.protocol
        else if (action.kind === 'metaData') metadata = action.metaData
      }
    }
    done++
    if (index.events >= maxEvents) break
  }
  return {
    commits: commits.slice(0, done),
    index,
    lines,
    protocol,
    metadata,
    whole: done === commits.length,
  }
}

const ADD = '{"add":{"path":"'
const REMOVE = '{"remove":{"path":"'

/**
 * The path of a file action, cut out of a line that begins as most writers begin it and cannot hold a deletion vector; else null. What else may
 * be wrong with the line is for the second pass to find, which parses all of it and must meet the same keys.
 */
function plainPath(raw: string): string | null {
  const isAdd = raw.startsWith(ADD)
  if (!isAdd && !raw.startsWith(REMOVE)) return null
  const start = isAdd ? ADD.length : REMOVE.length
  const end = raw.indexOf('"', start)
  if (end === -1 || raw.includes('deletionVector', end)) return null
  const path = raw.slice(start, end)
  return path.includes('\\') ? null : path
}
