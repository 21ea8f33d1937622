/** Finds files that older versions of an archive name but the newest one does not, with the time of their removal. */
import type { ActionKind, RemoveAction } from '../../delta/actions.ts'
import { readLog } from '../../delta/commit-lines.ts'
import { canonicalPath } from '../../delta/paths.ts'
import type { DeltaTable } from '../../delta/table.ts'
import type { LogWriter } from '../../model/lake/log-writer.ts'
import { strayFolders, isOwnFile, tableAbove } from './find-stray.ts'
import { conflict, openTable, readArchiveState, type LogSource } from './read-state.ts'
import { FilePaths } from './same-file.ts'

export type OutdatedFile = {
  /** Path relative to the root, as the log has it. */
  readonly path: string
  readonly bytes: bigint
  /** Value of the partition column; null if it was not recorded. */
  readonly partition: string | null
  /** Time of the commit that removed it, ms since the epoch. */
  readonly removedMs: number
  /**
   * Version of the commit that removed it; null if only a checkpoint records the removal. Earlier versions need the
   * file: they cannot be read completely once it is destroyed.
   */
  readonly removedVersion: number | null
}

export type OutdatedRequest = LogSource & {
  readonly writer: LogWriter
  readonly tableId: string
  /** Called with a message for each file kept because a missing file's path differs only in case or Unicode form. */
  readonly note?: (text: string) => void
}

const FILE_KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>(['add', 'remove'])

/**
 * Returns only files that exist. A file whose commit has no time is left out: the time of its removal is unknown.
 * @throws SluiceError ARCHIVE_CONFLICT for another table; errors of reading the log
 */
export async function outdatedFiles(request: OutdatedRequest, signal: AbortSignal): Promise<readonly OutdatedFile[]> {
  const { store, writer, tableId } = request
  const state = await readArchiveState(request, signal)
  const table = state === null ? null : await openTable(request, signal)
  if (state === null || table === null) return []
  if (state.tableId !== tableId) throw conflict(store, `its id is ${state.tableId}, not ${tableId}`)
  const paths = [...state.files.values()].flat().map(({ path }) => path)
  const active = new FilePaths(writer.folder, paths)
  const removed = await removedFiles(request, table, state.partitionKey, signal)
  const outdated = new FilePaths(writer.folder, removed.keys())
  const found: OutdatedFile[] = []
  const tables = new Set<string>()
  for await (const { path, size } of writer.listAll('', signal)) {
    const above = tableAbove(path)
    if (above !== null) tables.add(above)
    if (!isOwnFile(path)) continue
    const logged = await outdated.find(path)
    const removal = logged === null || logged.isMissing ? undefined : removed.get(logged.path)
    if (logged === null || removal === undefined) continue
    if (await active.lacks(path, request.note)) found.push({ path: logged.path, bytes: size, ...removal })
  }
  // Files below another log belong to another table.
  return found
    .filter(({ path }) => ![...strayFolders(path)].some((folder) => tables.has(folder)))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

type Removal = Omit<OutdatedFile, 'path' | 'bytes'>

/** Removals of files that no later commit adds again, by path. @param key the partition column */
async function removedFiles(
  { store }: LogSource,
  table: DeltaTable,
  key: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Removal>> {
  const removed = new Map<string, Removal>()
  const { from } = await table.buildableHistory(signal)
  const listing = await table.listing(signal)
  const first = Math.min(...listing.checkpoints.map(({ version }) => version))
  if (from !== 0 && Number.isFinite(first)) {
    // The first commits are gone: read their removals from a checkpoint.
    const snapshot = await table.snapshot({ version: first })
    for await (const block of snapshot.tombstones(signal)) {
      for (const { path, remove, removedVersion } of block) {
        const removal = removalOf(remove, key, removedVersion)
        if (removal !== null) removed.set(path, removal)
      }
    }
  }
  for (const { name, version } of listing.commits) {
    for await (const block of readLog(store, name, { signal, kinds: FILE_KINDS })) {
      for (const { action } of block) {
        if (action.kind === 'add') removed.delete(canonicalPath(action.add.path, store.root))
        if (action.kind !== 'remove') continue
        const path = canonicalPath(action.remove.path, store.root)
        const removal = removalOf(action.remove, key, version)
        if (removal === null) removed.delete(path)
        else removed.set(path, removal)
      }
    }
  }
  return removed
}

/** Null if the removal has no time. */
function removalOf(remove: RemoveAction, key: string, removedVersion: number | null): Removal | null {
  const { deletionTimestamp: removedMs, partitionValues } = remove
  return removedMs == null ? null : { partition: partitionValues?.[key] ?? null, removedMs, removedVersion }
}
