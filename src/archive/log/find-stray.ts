/**
 * Files of an archive that no commit has ever named: what is left of attempts that were killed. Whatever some version of the table names stays, so
 * that every version can still be read.
 */
import type { ActionKind } from '../../delta/actions.ts'
import { readLog } from '../../delta/commit-lines.ts'
import { LOG_FOLDER } from '../../delta/log-path.ts'
import { canonicalPath } from '../../delta/paths.ts'
import type { DeltaTable } from '../../delta/table.ts'
import type { LogWriter } from '../../model/lake/log-writer.ts'
import { conflict, openTable, type LogSource } from './read-state.ts'

/** `path` is relative to the root, as it stands on the disk; `modified` in ms since the epoch. */
export type StrayFile = { readonly path: string; readonly size: bigint; readonly modified: number }

export type StrayRequest = LogSource & {
  readonly writer: LogWriter
  /** What the caller knows of the table: where it is another one, nothing in the folder is ours. */
  readonly tableId?: string
  /** ms since the epoch. */
  readonly now: number
  /** Younger ones may belong to somebody who is still at work. */
  readonly olderThanMs: number
  /** Paths that something else still needs: files that are written and not published yet. */
  readonly kept?: ReadonlySet<string>
  /** What names of files begin with that somebody writes now, or has not published. Asked once all files are listed. */
  readonly awaited?: () => Promise<readonly string[]>
}

const FILE_KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>(['add', 'remove'])
/** Data files, and what they are called until they are whole. */
const DATA = /\.parquet(?:\.[\w-]+)*$/
const TEMPORARY = /^\.tmp-/

/**
 * Looks at names only: what is no Parquet file and none of our temporary ones belongs to somebody else. Without a log nothing is known of
 * data files, so that none is astray. All of the log is read before the first one is told.
 * @throws SluiceError ARCHIVE_CONFLICT for another table; of reading the log, where nothing may be called astray
 */
export async function* strays(request: StrayRequest, signal: AbortSignal): AsyncGenerator<StrayFile> {
  const { writer, now, olderThanMs, kept, tableId } = request
  // Before the log: who publishes meanwhile is found in it.
  const found: StrayFile[] = []
  const tables: string[] = []
  for await (const file of writer.listAll('', signal)) {
    const table = tableAbove(file.path)
    if (table !== null && tables.at(-1) !== table) tables.push(table)
    if (isOurs(file.path) && file.modified < now - olderThanMs && kept?.has(file.path) !== true) found.push(file)
  }
  if (found.length === 0) return
  // Behind the listing, and before the log: what was begun meanwhile is named here, and what was published there.
  const prefixes = (await request.awaited?.()) ?? []
  const table = await openTable(request, signal)
  const named = table === null ? null : await namedBy(request, table, tableId, signal)
  const roots = new Set(tables)
  for (const file of found) {
    // What lies below another log is another table.
    if ([...foldersOf(file.path)].some((folder) => roots.has(folder))) continue
    if (prefixes.some((prefix) => nameOf(file.path).startsWith(prefix))) continue
    if (isTemporary(file.path) || named?.has(file.path) === false) yield file
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
  const { from } = await table.run(signal)
  // Where the first commits are gone, checkpoints tell what they had named.
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

/** A file that a program of ours was still writing, in any folder. */
export function isTemporary(path: string): boolean {
  return TEMPORARY.test(nameOf(path))
}

/** What a program of ours has written, or may have: nothing of the log. */
export function isOurs(path: string): boolean {
  const name = nameOf(path)
  if (isTemporary(path)) return true
  return !path.startsWith(`${LOG_FOLDER}/`) && DATA.test(name)
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Root of another table whose log this file is part of. */
export function tableAbove(path: string): string | null {
  const at = path.indexOf(`/${LOG_FOLDER}/`)
  return at === -1 ? null : path.slice(0, at)
}

export function* foldersOf(path: string): Generator<string> {
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) yield path.slice(0, at)
}
