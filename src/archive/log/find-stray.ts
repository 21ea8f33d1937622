/**
 * Finds files of an archive that no commit ever named: remains of killed attempts. Files that any version names stay,
 * so that every version can still be read.
 */
import type { ActionKind } from '../../delta/actions.ts'
import { readLog } from '../../delta/commit-lines.ts'
import { LOG_FOLDER } from '../../delta/log-path.ts'
import { canonicalPath } from '../../delta/paths.ts'
import type { DeltaTable } from '../../delta/table.ts'
import type { LogWriter } from '../../model/lake/log-writer.ts'
import { conflict, openTable, type LogSource } from './read-state.ts'
import { FilePaths } from './same-file.ts'

/** `path` is relative to the root, as on disk; `modified` in ms since the epoch. */
export type StrayFile = { readonly path: string; readonly size: bigint; readonly modified: number }

export type StrayRequest = LogSource & {
  readonly writer: LogWriter
  /** Expected id of the table. If the log is of another table, no file in the folder belongs to this archive. */
  readonly tableId?: string
  /** ms since the epoch. */
  readonly now: number
  /** Minimum age of returned files, ms: younger files may belong to a program that is still running. */
  readonly olderThanMs: number
  /** Paths that are still needed: files written and not published yet. */
  readonly kept?: ReadonlySet<string>
  /** Prefixes of files that programs are writing, or have not published. Called after all files are listed. */
  readonly awaited?: () => Promise<readonly string[]>
  /** Called with a message for each file kept because a missing file's path differs only in case or Unicode form. */
  readonly note?: (text: string) => void
}

const FILE_KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>(['add', 'remove'])
/** Data files, including their names before they are complete. */
const DATA = /\.parquet(?:\.[\w-]+)*$/
const TEMPORARY = /^\.tmp-/

/**
 * Decides by file names only: files that are neither Parquet nor our temporary files belong to other programs. Without
 * a log no data file is reported, because nothing is known about them. The whole log is read before the first file is
 * returned.
 * @throws SluiceError ARCHIVE_CONFLICT for another table; errors of reading the log
 */
export async function* strays(request: StrayRequest, signal: AbortSignal): AsyncGenerator<StrayFile> {
  const { writer, now, olderThanMs, kept = [], tableId } = request
  // List before reading the log: a file published meanwhile is then found in the log.
  const found: StrayFile[] = []
  const tables: string[] = []
  for await (const file of writer.listAll('', signal)) {
    const table = tableAbove(file.path)
    if (table !== null && tables.at(-1) !== table) tables.push(table)
    if (isOwnFile(file.path) && file.modified < now - olderThanMs) found.push(file)
  }
  if (found.length === 0) return
  // Read the prefixes after the listing, so that they include files begun meanwhile. Read the log last, so that it
  // names files published meanwhile.
  const prefixes = (await request.awaited?.()) ?? []
  const table = await openTable(request, signal)
  const named = table === null ? null : await namedBy(request, table, tableId, signal)
  const needed = new FilePaths(writer.folder, [...kept, ...(named ?? [])])
  const roots = new Set(tables)
  for (const file of found) {
    // Files below another log belong to another table.
    if ([...strayFolders(file.path)].some((folder) => roots.has(folder))) continue
    if (prefixes.some((prefix) => strayName(file.path).startsWith(prefix))) continue
    if (named === null && !isTemporary(file.path)) continue
    if (await needed.lacks(file.path, request.note)) yield file
  }
}

async function namedBy(
  { store }: StrayRequest,
  table: DeltaTable,
  tableId: string | undefined,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const { id } = (await (await table.snapshot()).head(signal)).metadata
  if (tableId !== undefined && id !== tableId) throw conflict(store, `its id is ${id}, not ${tableId}`)
  const named = new Set<string>()
  const listing = await table.listing(signal)
  const { from } = await table.buildableHistory(signal)
  // If the first commits are gone, read the files that they named from the checkpoints.
  for (const version of new Set(listing.checkpoints.map((one) => one.version))) {
    if (from === 0) break
    const snapshot = await table.snapshot({ version })
    for await (const block of snapshot.files({ signal })) for (const { path } of block) named.add(path)
    for await (const block of snapshot.tombstones(signal)) for (const { path } of block) named.add(path)
  }
  for (const { name } of listing.commits) {
    for await (const block of readLog(store, name, { signal, kinds: FILE_KINDS })) {
      for (const { action } of block) {
        if (action.kind === 'add') named.add(canonicalPath(action.add.path, store.root))
        else if (action.kind === 'remove') named.add(canonicalPath(action.remove.path, store.root))
      }
    }
  }
  return named
}

/** True for a file that a sluice program has not finished, in any folder. */
export function isTemporary(path: string): boolean {
  return TEMPORARY.test(strayName(path))
}

/** True for files that sluice wrote or may have written, except files of the log. */
export function isOwnFile(path: string): boolean {
  const name = strayName(path)
  if (isTemporary(path)) return true
  return !path.startsWith(`${LOG_FOLDER}/`) && DATA.test(name)
}

/** Last part of a path. */
export function strayName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Root of another Delta table if the file is part of that table's log; otherwise null. */
export function tableAbove(path: string): string | null {
  const at = path.indexOf(`/${LOG_FOLDER}/`)
  return at === -1 ? null : path.slice(0, at)
}

/** All folders above a file, from the root down. */
export function* strayFolders(path: string): Generator<string> {
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) yield path.slice(0, at)
}
