/**
 * Selects the versions that both log and catalog have, and the log files that build them. Does not use
 * src/delta/segment.ts.
 */
import { LOG_FOLDER, parseLogName } from '../../delta/log-path.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { SluiceError } from '../../shared/errors.ts'

export type LogFile = {
  readonly version: number
  readonly name: string
  readonly size: number
  readonly modified: number
}

export type Checkpoint = {
  readonly version: number
  readonly form: 'classic' | 'multipart' | 'v2'
  readonly files: readonly LogFile[]
}

export type LogFolder = {
  readonly commits: ReadonlyMap<number, LogFile>
  /** Complete checkpoints by version; if a version has several, the one that Spark would choose comes first. */
  readonly checkpoints: readonly Checkpoint[]
  /** Multi-part checkpoints with missing parts. */
  readonly incomplete: readonly { readonly version: number; readonly parts: number; readonly found: number }[]
  readonly crcs: ReadonlyMap<number, LogFile>
  readonly hasLastCheckpoint: boolean
  /** Number of log compaction files, which a validation does not read. */
  readonly compacted: number
  readonly latest: number
}

const FORM_PREFERENCE = ['v2', 'multipart', 'classic']

/** @throws SluiceError NO_LOG, SOURCE_DENIED, SOURCE_IO */
export async function listFolder(log: LogStore, signal: AbortSignal): Promise<LogFolder> {
  const commits = new Map<number, LogFile>()
  const crcs = new Map<number, LogFile>()
  const whole: Checkpoint[] = []
  const parted = new Map<string, { version: number; parts: number; files: Map<number, LogFile> }>()
  let hasLastCheckpoint = false
  let compacted = 0
  for await (const entry of log.list(LOG_FOLDER, { attributes: true, signal })) {
    const path = parseLogName(entry.name)
    if (path === null) continue
    if (path.kind === 'lastCheckpoint') hasLastCheckpoint = true
    if (path.kind === 'compacted') compacted++
    if (!('version' in path)) continue
    const { version } = path
    const file = { version, name: entry.name, size: entry.size ?? 0, modified: Math.floor(entry.modified ?? 0) }
    if (path.kind === 'commit') commits.set(version, file)
    else if (path.kind === 'crc') crcs.set(version, file)
    else if (path.form !== 'multipart') whole.push({ version, form: path.form, files: [file] })
    else {
      const key = `${version}.${path.parts}`
      const cut = parted.get(key) ?? { version, parts: path.parts, files: new Map<number, LogFile>() }
      cut.files.set(path.part, file)
      parted.set(key, cut)
    }
  }
  const incomplete: { version: number; parts: number; found: number }[] = []
  for (const { version, parts, files } of parted.values()) {
    if (files.size !== parts) {
      incomplete.push({ version, parts, found: files.size })
      continue
    }
    const inOrder = Array.from({ length: parts }, (_, i) => files.get(i + 1) as LogFile)
    whole.push({ version, form: 'multipart', files: inOrder })
  }
  whole.sort((a, b) => a.version - b.version || FORM_PREFERENCE.indexOf(a.form) - FORM_PREFERENCE.indexOf(b.form))
  let latest = whole.at(-1)?.version ?? -1
  for (const version of commits.keys()) latest = Math.max(latest, version)
  if (latest === -1) {
    throw new SluiceError('NO_LOG', 'No checkpoint or JSON files found', {
      where: `${log.label}/${LOG_FOLDER}`,
      reason: 'Empty or missing _delta_log',
      hint: 'Verify table path and _delta_log contents',
    })
  }
  return { commits, checkpoints: whole, incomplete, crcs, hasLastCheckpoint, compacted, latest }
}

export type VersionWindow = {
  /** First version that the log can build. */
  readonly start: number
  readonly version: number
  readonly base: Checkpoint | null
  /** Commits above the base, without a gap. */
  readonly commits: readonly LogFile[]
  /** Commits at or below the base, used for the history only. */
  readonly history: readonly LogFile[]
}

/**
 * The longest run of versions that ends at `version`: from 0 if all commits exist, else from the first checkpoint that
 * is followed by all later commits.
 * @param without set of unreadable checkpoints, which are not used
 * @throws SluiceError LOG_GAP if `version` cannot be built
 */
export function windowOf(
  folder: LogFolder,
  version: number,
  without: Pick<ReadonlySet<Checkpoint>, 'has'>,
): VersionWindow {
  let low = version + 1
  while (folder.commits.has(low - 1)) low--
  const inOrder = [...folder.commits.values()]
    .filter((file) => file.version <= version)
    .toSorted((a, b) => a.version - b.version)
  if (low === 0) return { start: 0, version, base: null, commits: inOrder, history: [] }
  const base = folder.checkpoints.find((one) => one.version >= low - 1 && one.version <= version && !without.has(one))
  if (base === undefined) {
    throw new SluiceError('LOG_GAP', `version ${version} can no longer be built from the log`, {
      reason: `commit ${low - 1} is missing, and no readable checkpoint covers it`,
      hint:
        folder.latest < version
          ? 'restore the missing commits; if the log is complete, remove the table from the catalog with sluice rollback TABLE --forget, then import it again'
          : 'run sluice sync TABLE to update the catalog to a version that the log still has; or restore the missing files',
    })
  }
  return {
    start: base.version,
    version,
    base,
    commits: inOrder.filter((file) => file.version > base.version),
    history: inOrder.filter((file) => file.version <= base.version),
  }
}
