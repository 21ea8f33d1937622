/** Are the data files of a snapshot there? Answered by listing folders; no file is opened, and none outside the table root. */
import { resolveDataPath } from '../../delta/paths.ts'
import type { LogStore } from '../../model/log-store.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import type { CheckFiles } from '../operation.ts'

export type Presence = {
  readonly checked: number
  readonly missing: readonly string[]
  readonly missingTotal: number
  /** Files whose path leads out of the table root (shallow clones): never looked at unasked. */
  readonly outside: number
}

const SAMPLE_FOLDERS = 25
const MISSING_SHOWN = 10

/** @param paths raw paths of the active files, in pages */
export async function dataFilesPresent(
  log: LogStore,
  paths: AsyncIterable<readonly string[]>,
  mode: Exclude<CheckFiles, 'none'>,
  signal: AbortSignal,
): Promise<Presence> {
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
      const cut = target.path.lastIndexOf('/')
      const folder = cut === -1 ? '' : target.path.slice(0, cut)
      if (mode === 'sample' && !folders.has(folder) && folders.size >= SAMPLE_FOLDERS) continue
      const names = folders.get(folder)
      const name = target.path.slice(cut + 1)
      if (names === undefined) folders.set(folder, [name])
      else names.push(name)
    }
  }
  let checked = 0
  let missingTotal = 0
  const missing: string[] = []
  for (const [folder, names] of folders) {
    const present = new Set<string>()
    for await (const entry of log.list(folder, { attributes: false, signal })) present.add(entry.name)
    for (const name of names) {
      checked++
      if (present.has(name)) continue
      missingTotal++
      if (missing.length < MISSING_SHOWN) missing.push(folder === '' ? name : `${folder}/${name}`)
    }
  }
  return { checked, missing, missingTotal, outside }
}
