/**
 * Finds files whose state depends on how a reader compares paths. For the protocol a path is a URI, so `é.parquet` and
 * `%C3%A9.parquet` are the same file. Other readers compare the text, and a remove in another spelling has no effect
 * for them.
 */
import type { ActionKind, ActionLine, DeletionVectorDescriptor } from './actions.ts'
import { readCheckpoint } from './checkpoint.ts'
import { readLog } from './commit-lines.ts'
import { canonicalPath, dvId } from './paths.ts'
import { fileKey, type ReplaySource } from './replay.ts'

/** Latest action of the log for one spelling of a file. */
type Spelling = {
  /** Path as written in the log. */
  readonly path: string
  readonly kind: 'add' | 'remove'
  /** Null if only the checkpoint has it. */
  readonly version: number | null
}

type AmbiguousFile = {
  /** At least two spellings that differ as text. */
  readonly spellings: readonly Spelling[]
  /** True if the version has the file, as sluice reads it. */
  readonly isActive: boolean
}

const FILE_KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>(['add', 'remove'])

type FileAction = { readonly path: string; readonly deletionVector?: DeletionVectorDescriptor | null | undefined }
/** A file and the latest action of each spelling, by path. */
type RespelledFile = { isActive: boolean; readonly spellings: Map<string, Spelling> }

/** Collects adds and removes of a segment. Pass the rows of the checkpoint first, then the commits, oldest first. */
export class Spellings {
  readonly #root: string
  /** Active files whose paths were always canonical: version of the last add, by key. These are most files. */
  readonly #plain = new Map<string, number | null>()
  /** Files with another spelling at least once. */
  readonly #respelled = new Map<string, RespelledFile>()

  /** @param root URI of the table */
  constructor(root: string) {
    this.#root = root
  }

  /** @param version null for a row of the checkpoint */
  take(kind: 'add' | 'remove', { path, deletionVector }: FileAction, version: number | null): void {
    const canonical = canonicalPath(path, this.#root)
    const key = fileKey(canonical, dvId(deletionVector))
    let file = this.#respelled.get(key)
    if (file === undefined) {
      if (canonical === path) {
        // The file is removed for all readers, until another line names it.
        if (kind === 'remove') this.#plain.delete(key)
        else this.#plain.set(key, version)
        return
      }
      const before = this.#plain.get(key)
      file = { isActive: false, spellings: new Map() }
      if (before !== undefined) {
        file.isActive = true
        file.spellings.set(canonical, { path: canonical, kind: 'add', version: before })
        this.#plain.delete(key)
      }
      this.#respelled.set(key, file)
    }
    // Rows of a checkpoint have no order: a file with an add row is active.
    file.isActive = kind === 'add' || (version === null && file.isActive)
    file.spellings.set(path, { path, kind, version })
  }

  /**
   * Files that readers read differently if they compare paths as text: they read the file twice, or read it although
   * sluice treats it as removed.
   */
  ambiguousFiles(): readonly AmbiguousFile[] {
    return [...this.#respelled.values()]
      .map(({ isActive, spellings }) => ({ isActive, spellings: [...spellings.values()] }))
      .filter(({ isActive, spellings }) => copies(spellings) !== (isActive ? 1 : 0))
  }
}

/**
 * `Spellings.ambiguousFiles` of a segment, which is read once. @throws SluiceError BAD_ACTION, BAD_CHECKPOINT,
 * SOURCE_GONE …
 */
export async function findAmbiguousFiles(
  { store, parquet, segment }: ReplaySource,
  signal: AbortSignal,
): Promise<readonly AmbiguousFile[]> {
  const { checkpoint, commits } = segment
  const options = { signal, kinds: FILE_KINDS }
  const spellings = new Spellings(store.root)
  const take = (block: readonly ActionLine[], version: number | null): void => {
    for (const { action } of block) {
      if (action.kind === 'add') spellings.take('add', action.add, version)
      else if (action.kind === 'remove') spellings.take('remove', action.remove, version)
    }
  }
  if (checkpoint !== null) {
    const rows = readCheckpoint(store, parquet, checkpoint, { ...options, fields: 'identity' })
    for await (const block of rows) take(block, null)
  }
  for (const { name, version } of commits) for await (const block of readLog(store, name, options)) take(block, version)
  return spellings.ambiguousFiles()
}

/** Number of copies of the file for readers that compare text. */
function copies(spellings: readonly Spelling[]): number {
  return spellings.filter(({ kind }) => kind === 'add').length
}

/** Describes how sluice reads a file, and how readers that compare paths as text read it. */
export function fileReadings({ spellings, isActive }: AmbiguousFile): string {
  const said = spellings.map(({ path, kind, version }) => {
    const where = version === null ? 'the checkpoint' : `commit ${version}`
    return `${where} ${kind}s ${JSON.stringify(path)}`
  })
  const theirs = copies(spellings)
  const times = theirs === 1 ? 'read it' : `read it ${theirs} times`
  const ours = isActive ? 'sluice decodes paths, and reads it once' : 'sluice decodes paths, and treats it as removed'
  return `${said.join(', ')}, which is one file: ${ours}; readers that compare undecoded paths ${times}`
}
