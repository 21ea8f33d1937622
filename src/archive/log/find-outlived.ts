/**
 * Finds files that readers of the newest version do not need: older commits and checkpoints, and files that only these
 * name.
 */
import { LOG_FOLDER, parseLogName } from '../../delta/log-path.ts'
import type { LogWriter } from '../../model/lake/log-writer.ts'
import { strayFolders, isOwnFile, isTemporary, strayName, tableAbove } from './find-stray.ts'
import { readArchiveState, type LogSource } from './read-state.ts'
import { FilePaths } from './same-file.ts'

export type OutlivedRequest = LogSource & {
  readonly writer: LogWriter
  /** Oldest version to keep. It has a checkpoint, so the log may begin here. */
  readonly version: number
  /** Limit, ms since the epoch: older temporary files were left by programs that have ended. */
  readonly olderThanMs: number
  /** Prefixes of files that programs are currently writing. Called after all files are listed. */
  readonly awaited: () => Promise<readonly string[]>
  /** Called with a message for each file kept because a missing file's path differs only in case or Unicode form. */
  readonly note?: (text: string) => void
}

export type OutlivedFile = { readonly path: string; readonly bytes: bigint }

/**
 * @returns paths relative to the root. Log files come first: so a version becomes unreadable before its files are
 * removed
 * @throws SluiceError ARCHIVE_CONFLICT if the log is not the log of an archive; SOURCE_IO, TARGET_DENIED
 */
export async function outlivedFiles(request: OutlivedRequest, signal: AbortSignal): Promise<readonly OutlivedFile[]> {
  const { writer, version, olderThanMs, awaited } = request
  const log: OutlivedFile[] = []
  const data: OutlivedFile[] = []
  const tables = new Set<string>()
  for await (const { path, size, modified } of writer.listAll('', signal)) {
    const table = tableAbove(path)
    if (table !== null) tables.add(table)
    const file = { path, bytes: size }
    if (isTemporary(path)) {
      if (modified < olderThanMs) data.push(file)
    } else if (path.startsWith(`${LOG_FOLDER}/`)) {
      if (isOlder(strayName(path), version)) log.push(file)
    } else if (isOwnFile(path)) data.push(file)
  }
  // Read the prefixes after the listing, so that they include files begun meanwhile.
  const prefixes = await awaited()
  const state = await readArchiveState(request, signal)
  const paths = [...(state?.files.values() ?? [])].flat().map(({ path }) => path)
  const active = new FilePaths(writer.folder, paths)
  const outlived: OutlivedFile[] = []
  for (const file of data) {
    const { path } = file
    if ([...strayFolders(path)].some((folder) => tables.has(folder))) continue
    if (prefixes.some((prefix) => strayName(path).startsWith(prefix))) continue
    if (await active.lacks(path, request.note)) outlived.push(file)
  }
  const byPath = (a: OutlivedFile, b: OutlivedFile): number => (a.path < b.path ? -1 : 1)
  return [...log.toSorted(byPath), ...outlived.toSorted(byPath)]
}

function isOlder(name: string, version: number): boolean {
  const found = parseLogName(name)
  if (found === null) return false
  if (found.kind === 'compacted') return found.from < version
  return 'version' in found && found.version < version
}
