/** Loads the files of the log that a validation needs into the scratch database: base, commits and history. */
import { LOG_FOLDER } from '../../delta/log-path.ts'
import { areRemoved } from '../../delta/removed-files.ts'
import { canonicalPath } from '../../delta/paths.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import { forgetCheckpoint, loadCheckpoint, RENUMBER } from './load-checkpoint.ts'
import { LogLoader } from './load-log.ts'
import type { LongLines } from './long-lines.ts'
import { UNUSUAL_PATHS } from './replay-sql.ts'
import { LINE_SOURCE, loadCounted, runAll } from './scratch.ts'
import { listFolder, windowOf, type Checkpoint, type LogFolder, type VersionWindow } from './window.ts'

const PAGE_ROWS = 10_000

export type LoadedLog = {
  readonly folder: LogFolder
  readonly window: VersionWindow
  /** Checkpoints unusable as the start of the replay, each with its error message. */
  readonly broken: ReadonlyMap<Checkpoint, string>
  /** Names of JSON files that begin with a byte order mark. */
  readonly marked: readonly string[]
}

/** @throws SluiceError NO_LOG, LOG_GAP, BAD_ACTION, BAD_CHECKPOINT */
export async function loadLog(
  log: LogStore,
  scratch: SqlDatabase,
  version: number,
  long: LongLines,
  signal: AbortSignal,
): Promise<LoadedLog> {
  const folder = await listFolder(log, signal)
  const loader = new LogLoader(log, scratch, signal, long)
  const at = { log, scratch, loader, signal }
  const broken = new Map<Checkpoint, string>()
  const window = await loadBase()
  log.prefetch?.(
    [...window.history, ...window.commits].map(({ name }) => `${LOG_FOLDER}/${name}`),
    { signal },
  )
  for (const file of window.history) await loader.add(file, LINE_SOURCE.history)
  for (const file of window.commits) await loader.add(file, LINE_SOURCE.commit)
  await loader.flush()
  await runAll(scratch, RENUMBER)
  await storeCanonicalPaths(scratch, log.root)
  await nameVersions(scratch, window)
  return { folder, window, broken, marked: loader.marked }

  /** Loads the base checkpoint. If it is unreadable, chooses the next one, as an import does. */
  async function loadBase(): Promise<VersionWindow> {
    for (;;) {
      const found = windowOf(folder, version, broken)
      if (found.base === null || (await readable(found.base, LINE_SOURCE.base))) return found
    }
  }

  async function readable(checkpoint: Checkpoint, source: number): Promise<boolean> {
    try {
      await loadCheckpoint(at, checkpoint, source)
      return true
    } catch (error) {
      if (!(error instanceof SluiceError) || error.kind !== 'source' || error.retryable) throw error
      if (await areRemoved(log, checkpoint.files, error, signal)) throw error
      broken.set(checkpoint, error.message)
      await forgetCheckpoint(scratch, checkpoint.version, source)
      return false
    }
  }
}

/**
 * Stores canonical forms of paths that may have several spellings: JavaScript computes them, SQL reads them.
 * Repeatable.
 */
export async function storeCanonicalPaths(scratch: SqlDatabase, root: string): Promise<void> {
  for await (const page of scratch.pages(UNUSUAL_PATHS, [], PAGE_ROWS)) {
    const rows = page.map(([path]) => [String(path), canonicalPath(String(path), root)])
    await scratch.write((transaction) => loadCounted(transaction, 'path_key', ['path', 'key'], rows))
  }
}

/**
 * Inserts one row per version of the window, with the time of the commit file, or of the checkpoint if the commit is
 * missing.
 */
async function nameVersions(
  scratch: SqlDatabase,
  { start, version, base, commits, history }: VersionWindow,
): Promise<void> {
  const times = new Map([...history, ...commits].map((file) => [file.version, file.modified]))
  const hasCommit = times.has(start)
  if (base !== null && !hasCommit) times.set(start, Math.min(...base.files.map((file) => file.modified)))
  const rows = Array.from({ length: version - start + 1 }, (_, i) => [
    start + i,
    times.get(start + i) ?? 0,
    base === null || hasCommit || i > 0 ? 1 : 0,
  ])
  await scratch.write(async (transaction) => {
    await transaction.run('CREATE TABLE log_version (version BIGINT, modified BIGINT, has_commit BOOLEAN)')
    await loadCounted(transaction, 'log_version', ['version', 'modified', 'has_commit'], rows)
  })
}
