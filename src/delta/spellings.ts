/**
 * Files whose state depends on how a reader compares paths. The protocol calls a path a URI, so that `é.parquet` and `%C3%A9.parquet` are one file; other
 * readers compare what is written, and a remove in another spelling takes nothing away from them.
 */
import type { ActionKind } from './actions.ts'
import { readCheckpoint } from './checkpoint.ts'
import { readLog } from './commit-lines.ts'
import { canonicalPath, dvId } from './paths.ts'
import { fileKey, type ReplaySource } from './replay.ts'

/** The last word of the log on one spelling of a file. */
type Spelling = {
  /** As the log has it. */
  readonly path: string
  readonly kind: 'add' | 'remove'
  /** Null when only the checkpoint tells. */
  readonly version: number | null
}

type SpelledApart = {
  /** Those that readers of what is written tell apart, at least two. */
  readonly spellings: readonly Spelling[]
  /** Whether the version has the file, as sluice reads it. */
  readonly isActive: boolean
}

type Named = Spelling & { readonly key: string; readonly isOdd: boolean }

const FILE_KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>(['add', 'remove'])

/**
 * The files of a segment that readers have otherwise who compare paths as they are written: once more than sluice, or at all where sluice has none.
 * The segment is read once; a second time only where a path is not written in its shortest form.
 * @throws SluiceError BAD_ACTION, BAD_CHECKPOINT, SOURCE_GONE …
 */
export async function spelledApart(source: ReplaySource, signal: AbortSignal): Promise<readonly SpelledApart[]> {
  const odd = new Set<string>()
  for await (const { key, isOdd } of namesOf(source, signal)) if (isOdd) odd.add(key)
  if (odd.size === 0) return []
  const files = new Map<string, { isActive: boolean; readonly spellings: Map<string, Spelling> }>()
  for await (const { key, path, kind, version } of namesOf(source, signal)) {
    if (!odd.has(key)) continue
    let file = files.get(key)
    if (file === undefined) files.set(key, (file = { isActive: false, spellings: new Map() }))
    // Rows of a checkpoint have no order: a file that stands in it is there.
    file.isActive = kind === 'add' || (version === null && file.isActive)
    file.spellings.set(path, { path, kind, version })
  }
  return [...files.values()]
    .map(({ isActive, spellings }) => ({ isActive, spellings: [...spellings.values()] }))
    .filter(({ isActive, spellings }) => copies(spellings) !== (isActive ? 1 : 0))
}

/** How often readers of what is written have the file. */
function copies(spellings: readonly Spelling[]): number {
  return spellings.filter(({ kind }) => kind === 'add').length
}

/** Every add and remove, the checkpoint first and then the commits from the oldest. */
async function* namesOf({ store, parquet, segment }: ReplaySource, signal: AbortSignal): AsyncGenerator<Named> {
  const { checkpoint, commits } = segment
  const options = { signal, kinds: FILE_KINDS }
  const blocks = async function* () {
    if (checkpoint !== null) {
      const rows = readCheckpoint(store, parquet, checkpoint, { ...options, fields: 'identity' })
      for await (const block of rows) yield { block, version: null }
    }
    for (const { name, version } of commits)
      for await (const block of readLog(store, name, options)) yield { block, version }
  }
  for await (const { block, version } of blocks()) {
    for (const { action } of block) {
      if (action.kind !== 'add' && action.kind !== 'remove') continue
      const { path, deletionVector } = action.kind === 'add' ? action.add : action.remove
      const canonical = canonicalPath(path, store.root)
      const key = fileKey(canonical, dvId(deletionVector))
      yield { path, kind: action.kind, version, key, isOdd: canonical !== path }
    }
  }
}

/** What both kinds of readers have of a file, in words. */
export function readingsOf({ spellings, isActive }: SpelledApart): string {
  const said = spellings.map(({ path, kind, version }) => {
    const where = version === null ? 'the checkpoint' : `commit ${version}`
    return `${where} ${kind}s ${JSON.stringify(path)}`
  })
  const theirs = copies(spellings)
  const times = theirs === 1 ? 'have it' : `have it ${theirs} times`
  const ours = isActive ? 'sluice, which decodes paths, has it once' : 'for sluice, which decodes paths, it is removed'
  return `${said.join(', ')}, which is one file: ${ours}; readers that compare paths as they are written ${times}`
}
