/**
 * Finds tables and database files below a folder. A folder with a `_delta_log` is a table. Its data folders, which may
 * hold millions of files, are not entered. Its other folders are entered, because they may have tables.
 */
import type { FolderState, LakeItem, LakeStore, TableFolders, PartlyListed } from '../../model/lake/lake-store.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import { openLakeStore } from '../run/registry.ts'
import { systemOfFile } from '../run/systems.ts'

export type FoundInFolder =
  | { readonly kind: 'table'; readonly name: string; readonly path: string }
  | {
      readonly kind: 'database'
      /** Name in the system's declaration. */
      readonly system: string
      readonly name: string
      readonly path: string
      readonly bytes: number
      readonly modified: number
    }
  | { readonly kind: 'excluded'; readonly name: string; readonly word: string }
  /** A table with too many files: not all of its subfolders were searched. */
  | ({ readonly kind: 'unseen'; readonly name: string; readonly path: string } & PartlyListed)
  | { readonly kind: 'unreadable'; readonly name: string; readonly path: string; readonly error: SluiceError }

type WalkOptions = {
  readonly recursive: boolean
  readonly exclude: readonly string[]
  readonly signal: AbortSignal
  /** Called for each folder that is not a table and is not entered because `recursive` is false. */
  readonly onShallow?: (name: string) => void
}

/**
 * @param recursive false: only the folder itself and the folders directly in it
 * @throws SluiceError NO_SUCH_PATH, UNSUPPORTED_URL, SOURCE_DENIED for the folder itself; unreadable folders below are
 * reported and skipped
 */
export async function* walkLake(root: string, options: WalkOptions): AsyncGenerator<FoundInFolder> {
  const lake = await openLakeStore(root)
  yield* walk({ lake, seen: new Set([lake.identity]), options }, { path: lake.root, name: '', depth: 0 })
}

/** @property seen real paths of the folders that were entered */
type Walk = { readonly lake: LakeStore; readonly seen: Set<string>; readonly options: WalkOptions }

/** @property name path below the root; empty for the root */
type Folder = { readonly path: string; readonly name: string; readonly depth: number }

async function* walk(context: Walk, folder: Folder): AsyncGenerator<FoundInFolder> {
  const { lake, options } = context
  throwIfAborted(options.signal)
  const { path, name, depth } = folder
  const state: FolderState = await lake.inspect(path, options.signal)
  if (state.is === 'folder') return yield* walkItems(context, folder, state.items)
  if (state.is === 'denied') {
    if (depth === 0) throw state.error
    // Some file systems have this folder in their root; only the administrator can read it.
    if (name === 'lost+found') yield { kind: 'excluded', name, word: name }
    else yield { kind: 'unreadable', name, path, error: state.error }
    return
  }
  const table = { name: name === '' ? '.' : name, path }
  yield { kind: 'table', ...table }
  if (!options.recursive) return
  const listed = await foldersOrDenied(state, options.signal)
  if (listed instanceof SluiceError) return yield { kind: 'unreadable', ...table, error: listed }
  if (listed.unseen !== null) yield { kind: 'unseen', ...table, ...listed.unseen }
  yield* walkItems(context, folder, listed.items)
}

async function* walkItems(
  context: Walk,
  { name, depth }: Folder,
  items: readonly LakeItem[],
): AsyncGenerator<FoundInFolder> {
  const { lake, seen, options } = context
  for (const [i, item] of items.entries()) {
    const childName = name === '' ? item.name : `${name}/${item.name}`
    const word = excludedBy(childName, options.exclude)
    if (word !== null) {
      yield { kind: 'excluded', name: childName, word }
      continue
    }
    if (item.kind === 'file') {
      const file = lake.databaseFile(item.path)
      const system = file === null ? null : systemOfFile(file.head)
      if (file === null || system === null) continue
      const { bytes, modified } = file
      yield { kind: 'database', system: system.name, name: childName, path: item.path, bytes, modified }
      continue
    }
    const real = item.link?.()
    if (real !== undefined) {
      // A link may lead to a parent folder; every real folder is entered once.
      if (seen.has(real)) continue
      seen.add(real)
    }
    if (!options.recursive && depth > 0) continue
    prefetchFolders(lake, items, i, name, options)
    if (!options.recursive && (await lake.isPlainFolder(item.path, options.signal))) {
      options.onShallow?.(childName)
      continue
    }
    yield* walk(context, { path: item.path, name: childName, depth: depth + 1 })
  }
}

/** The folders of a table, or the error if its folder cannot be listed: reading its log does not need the listing. */
async function foldersOrDenied(
  state: Extract<FolderState, { is: 'table' }>,
  signal: AbortSignal,
): Promise<TableFolders | SluiceError> {
  try {
    return await state.folders(signal)
  } catch (error) {
    throwIfAborted(signal)
    const failure = asSluiceError(error)
    if (failure.code === 'SOURCE_DENIED') return failure
    throw error
  }
}

/**
 * `--exclude WORD`: a substring of the path below the folder, or a glob for this path if WORD has `*`, `?` or `[`.
 * @returns the first word that excludes `path` ('/' between parts), or null
 */
function excludedBy(path: string, words: readonly string[]): string | null {
  for (const word of words) {
    if (/[*?[]/.test(word) ? globToRegExp(word).test(path) : path.includes(word)) return word
  }
  return null
}

/**
 * `*` and `?` stay within one part of the path, `**` crosses parts; a glob without '/' may match any part.
 * @throws SluiceError BAD_FLAG
 */
function globToRegExp(glob: string): RegExp {
  let source = ''
  for (let i = 0; i < glob.length; i++) {
    const c = glob[i] as string
    if (c === '*' && glob[i + 1] === '*') {
      source += '.*'
      i++
    } else if (c === '*') source += '[^/]*'
    else if (c === '?') source += '[^/]'
    else if (c === '[') {
      const end = glob.indexOf(']', i + 2)
      if (end === -1) source += '\\['
      else {
        const body = glob.slice(i + 1, end).replaceAll('\\', '\\\\')
        source += body.startsWith('!') ? `[^${body.slice(1)}]` : `[${body}]`
        i = end
      }
    } else source += c.replace(/[\\^$.|+(){}\]]/, '\\$&')
  }
  try {
    return new RegExp(glob.includes('/') ? `^${source}$` : `(^|/)${source}(/|$)`)
  } catch (cause) {
    const hint = 'in [ ], write a range from its lower to its higher character, such as [a-z]'
    throw new SluiceError('BAD_FLAG', `--exclude ${glob} is not a pattern`, { hint, cause })
  }
}

/**
 * Folders of a table that a recursive walk would enter, because they may hold tables. Empty if the table's folder
 * cannot be listed: reading the table does not need this. Links are left out: they may lead to a parent folder.
 * @param name of the table in the walk
 */
export async function foldersInside(
  root: string,
  { name, path }: Extract<FoundInFolder, { kind: 'table' }>,
  { exclude, signal }: Pick<WalkOptions, 'exclude' | 'signal'>,
): Promise<readonly string[]> {
  try {
    const state = await (await openLakeStore(root)).inspect(path, signal)
    if (state.is !== 'table') return []
    const folders = (await state.folders(signal)).items.filter(({ link }) => link?.() === undefined)
    const names = folders.map((item) => (name === '.' ? item.name : `${name}/${item.name}`))
    return names.filter((one) => excludedBy(one, exclude) === null)
  } catch (error) {
    if (signal.aborted) throw error
    return []
  }
}

/** Text for a folder that could not be searched, or not completely. */
export function unsearchedText(found: Extract<FoundInFolder, { kind: 'unreadable' | 'unseen' }>): string {
  if (found.kind === 'unreadable') return `cannot read the folder ${found.path}: ${found.error.message}`
  const { path, listed, after } = found
  return `only the first ${listed.toLocaleString('en')} names in ${path}, up to ${after}, were searched for tables: to use a table after that name, give its path`
}

/** Maximum number of folders that a message names. */
const NAMED = 3

function namesText(names: readonly string[]): string {
  return `${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? ' and others' : ''}`
}

/**
 * Note about folders that only a recursive walk searches.
 * @param done what was not done in these folders, such as `listed`
 * @param verb what a recursive walk does with their tables, such as `lists`
 */
export function shallowText(names: readonly string[], done: string, verb: string): string {
  return `folders below ${namesText(names)} were not ${done}: --recursive (-r) ${verb} them, too`
}

/** Error of a run that could not search all folders, so that its result may lack tables. */
export function unsearchedError(names: readonly string[]): SluiceError {
  const what = names.length === 1 ? 'one folder' : `${names.length} folders`
  return new SluiceError('TABLES_FAILED', `${what} could not be searched for tables: ${namesText(names)}`, {
    reason: 'the result lacks the tables in them; the warnings above show why each folder cannot be read',
    hint: UNSEARCHED_HINT,
  })
}

export const UNSEARCHED_HINT =
  'make these folders readable, or leave them out with --exclude; then run the same command again'

/** Begins to inspect the next folders in advance, if the lake can inspect several folders at the same time. */
function prefetchFolders(
  lake: LakeStore,
  items: readonly LakeItem[],
  from: number,
  name: string,
  options: WalkOptions,
): void {
  if (lake.parallel === 1) return
  for (const item of items.slice(from, from + lake.parallel)) {
    const childName = name === '' ? item.name : `${name}/${item.name}`
    if (item.kind === 'folder' && excludedBy(childName, options.exclude) === null) {
      lake.prefetch(item.path, options.signal, options.recursive)
    }
  }
}
