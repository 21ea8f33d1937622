/**
 * Checks by listings that the data files of a snapshot exist. No file is opened or requested by name, and none outside
 * the table root is checked. A bucket is listed as a whole if that needs fewer requests than listing its folders.
 */
import { resolveDataPath } from '../../delta/paths.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import type { CheckFiles } from './operations/rollback/declaration.ts'
import { orderedResults } from './in-order.ts'

export type Presence = {
  readonly checked: number
  readonly missing: readonly string[]
  readonly missingTotal: number
  /** Files whose path is outside of the table root (shallow clones): not checked. */
  readonly outside: number
}

/** Names to find, by folder. */
type Wanted = ReadonlyMap<string, readonly string[]>

const SAMPLE_FOLDERS = 25
const MISSING_SHOWN = 10
/** Objects per request of a listing. */
const PAGE = 1000
/** Folders of a bucket that are listed at the same time. */
const PARALLEL_FOLDERS = 8

/** @param paths raw paths of the active files, in pages */
export async function dataFilesPresent(
  log: LogStore,
  paths: AsyncIterable<readonly string[]>,
  mode: Exclude<CheckFiles, 'none'>,
  signal: AbortSignal,
): Promise<Presence> {
  const { folders, outside } = await byFolder(log, paths, mode, signal)
  let checked = 0
  for (const names of folders.values()) checked += names.length
  const absent = await absentOf(log, folders, checked, signal)
  let missingTotal = 0
  const missing: string[] = []
  for (const [folder, names] of folders) {
    const gone = absent.get(folder)
    if (gone === undefined) continue
    for (const name of names) {
      if (!gone.has(name)) continue
      missingTotal++
      if (missing.length < MISSING_SHOWN) missing.push(folder === '' ? name : `${folder}/${name}`)
    }
  }
  return { checked, missing, missingTotal, outside }
}

async function byFolder(
  log: LogStore,
  paths: AsyncIterable<readonly string[]>,
  mode: Exclude<CheckFiles, 'none'>,
  signal: AbortSignal,
): Promise<{ readonly folders: Wanted; readonly outside: number }> {
  const folders = new Map<string, string[]>()
  let outside = 0
  for await (const page of paths) {
    throwIfAborted(signal)
    for (const raw of page) {
      const target = resolveDataPath(raw, log.root)
      if (!target.inside) {
        outside++
        continue
      }
      const { folder, name } = split(target.path)
      if (mode === 'sample' && !folders.has(folder) && folders.size >= SAMPLE_FOLDERS) continue
      const names = folders.get(folder)
      if (names === undefined) folders.set(folder, [name])
      else names.push(name)
    }
  }
  return { folders, outside }
}

/** Returns by folder the wanted names that no listing returned. */
async function absentOf(
  log: LogStore,
  wanted: Wanted,
  files: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const left = new Map<string, Set<string>>()
  for (const [folder, names] of wanted) left.set(folder, new Set(names))
  const found = (folder: string, name: string): void => {
    const names = left.get(folder)
    if (names?.delete(name) === true && names.size === 0) left.delete(folder)
  }
  // A deep listing needs at least `files / PAGE` requests: it also returns files that the table no longer uses, and
  // their number is unknown.
  const deep = log.listDeep !== undefined && Math.ceil(files / PAGE) < left.size
  if (deep && (await listAll(log, found, () => left.size, signal))) return left
  const most = log.requests === undefined ? 1 : PARALLEL_FOLDERS
  const namesIn = async (folder: string): Promise<{ readonly folder: string; readonly names: readonly string[] }> => {
    const names: string[] = []
    for await (const { name } of log.list(folder, { attributes: false, signal })) {
      if (left.get(folder)?.has(name) === true) names.push(name)
    }
    return { folder, names }
  }
  for await (const { folder, names } of orderedResults([...left.keys()], most, namesIn)) {
    for (const name of names) found(folder, name)
  }
  return left
}

/**
 * @returns false if files are still missing after `PAGE` objects per folder: listing the remaining folders is cheaper
 */
async function listAll(
  log: LogStore,
  found: (folder: string, name: string) => void,
  folders: () => number,
  signal: AbortSignal,
): Promise<boolean> {
  const most = folders() * PAGE
  let listed = 0
  for await (const path of log.listDeep?.('', signal) ?? []) {
    const { folder, name } = split(path)
    found(folder, name)
    if (folders() === 0) return true
    if (++listed >= most) return false
  }
  return true
}

function split(path: string): { readonly folder: string; readonly name: string } {
  const cut = path.lastIndexOf('/')
  return { folder: cut === -1 ? '' : path.slice(0, cut), name: path.slice(cut + 1) }
}
