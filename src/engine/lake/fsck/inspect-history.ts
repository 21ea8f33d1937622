/** Checks older versions: files that they refer to (VACUUM keeps or may delete these), change data, missing commits. */
import { readLog } from '../../../delta/commit-lines.ts'
import type { ActionKind, ActionLine, CommitInfoAction } from '../../../delta/actions.ts'
import { DuplicateActions } from '../../../delta/fsck/duplicate-actions.ts'
import type { Finding } from '../../../delta/fsck/finding.ts'
import { MARKS, type ListedFiles } from '../../../delta/fsck/listed-files.ts'
import { RequiredFields } from '../../../delta/fsck/required-fields.ts'
import { RowCommitVersions } from '../../../delta/fsck/row-ids.ts'
import { gapText, type Gaps } from '../../../delta/gaps.ts'
import { commitName, logPathOf } from '../../../delta/log-path.ts'
import { canonicalPath, dvId } from '../../../delta/paths.ts'
import { removedFile } from '../../../delta/removed-files.ts'
import { fileKey } from '../../../delta/replay.ts'
import type { Snapshot } from '../../../delta/snapshot.ts'
import { inCommitRule, inCommitTimeOf, type InCommitRule } from '../../../delta/timestamps.ts'
import { breathe, throwIfAborted } from '../../../shared/abort.ts'
import type { SpellingCheck } from './inspect-spellings.ts'
import type { Places } from './places.ts'
import type { FsckProgress } from './progress.ts'
import type { FsckFile, Subject } from './subject.ts'
import { isoTime } from '../../../shared/clock.ts'

const KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>([
  ...(['add', 'remove', 'cdc'] as const),
  ...(['metaData', 'protocol', 'txn', 'domainMetadata', 'commitInfo'] as const),
])

export type HistoryCounts = {
  readonly commits: number
  /** Files that only older versions refer to, and that do not exist. */
  readonly gone: number
  /** Versions below this one need files that are gone; null if there are none. */
  readonly unreadableBelow: number | null
  /** Files of change data that commits refer to, and how many of them do not exist. */
  readonly changeFiles: number
  readonly changeGone: number
  /** Actions that one commit repeats. */
  readonly repeatedActions: readonly Finding[]
  /** Commits that begin with a byte order mark. */
  readonly withByteOrderMark: readonly Finding[]
  /** Actions without required fields. */
  readonly incompleteActions: readonly Finding[]
  /** Files whose `defaultRowCommitVersion` is above the version of the commit that adds them. */
  readonly highRowVersions: readonly Finding[]
  /** Commits without an in-commit timestamp, or with one that is not above the previous one. */
  readonly badTimestamps: readonly Finding[]
}

/** The blocks of a commit that no version needs; none if a cleanup has removed it since the log was listed. */
async function* unlessRemoved<T>(blocks: AsyncIterable<T>, onRemoved: () => void): AsyncGenerator<T> {
  try {
    yield* blocks
  } catch (error) {
    if (removedFile(error) === null) throw error
    onRemoved()
  }
}

type HistoryRequest = {
  readonly subject: Subject
  readonly newest: Snapshot
  readonly listed: ListedFiles
  readonly places: Places
  /** ms since the epoch: VACUUM keeps files that were removed after this time. */
  readonly keepFrom: number
  /** Files that the inspected version needs, but that were not found. */
  readonly needed: ReadonlySet<string>
  /** Receives every file of the commits. */
  readonly spellings: SpellingCheck
  readonly progress: FsckProgress
  readonly signal: AbortSignal
}

/**
 * Marks files of older versions in the listing. If an older version is inspected, also marks files of the newest one.
 */
export async function inspectHistory(request: HistoryRequest): Promise<HistoryCounts> {
  const { subject, newest, listed, spellings, progress, signal } = request
  const { store, table, version: wanted } = subject
  const older = await withoutCommits(request)
  const changes = new ChangeFiles(listed)
  const { commits, checkpoints } = await table.listing(signal)
  // Readers that start from this checkpoint ignore the commits up to it: its writer has resolved their duplicates.
  const base = checkpoints.findLast((one) => one.version <= wanted)?.version ?? -1
  const decides = (version: number): boolean => version > base && version <= wanted
  const doubled = new DuplicateActions(decides)
  const required = new RequiredFields()
  const rowVersions = new RowCommitVersions()
  const highRowVersions: Finding[] = []
  const withByteOrderMark: Finding[] = []
  const times = new InCommitTimes(inCommitRule(await newest.head(signal)))
  const name = (kind: 'add' | 'remove', file: FileAction, raw: string, version: number): void => {
    spellings.take(kind, file, version)
    doubled.file(kind, fileKey(canonicalPath(file.path, store.root), dvId(file.deletionVector)), file.path, raw)
  }
  const take = async ({ action, raw }: ActionLine, version: number): Promise<void> => {
    switch (action.kind) {
      case 'add':
        rowVersions.take(action.add, version)
        name('add', action.add, raw, version)
        return await older.refer(fileOf(action.add), MARKS.expired, null)
      case 'remove':
        name('remove', action.remove, raw, version)
        return await older.refer(fileOf(action.remove), MARKS.expired, version)
      case 'commitInfo':
        return times.take(action.commitInfo)
      case 'cdc':
        return changes.take(canonicalPath(action.cdc.path, store.root))
      default:
    }
  }
  let removed = 0
  progress.begin('history', commits.length)
  for (const { name: commit, version } of commits) {
    await breathe()
    progress.add(1)
    throwIfAborted(signal)
    const onMark = (): void => {
      const level = decides(version) ? 'finding' : 'note'
      const detail = 'the commit begins with a byte order mark (U+FEFF): some readers refuse it, others skip it'
      withByteOrderMark.push({ level, kind: 'byte-order-mark', path: logPathOf(commit), detail })
    }
    const lines = readLog(store, commit, { signal, kinds: KINDS, onMark })
    for await (const block of version <= base ? unlessRemoved(lines, () => removed++) : lines) {
      for (const line of block) {
        doubled.state(line.action, logPathOf(commit), line.raw)
        required.take(line.action.kind, line.raw)
        await take(line, version)
      }
    }
    doubled.endCommit(version)
    highRowVersions.push(...rowVersions.end('commit', version, decides(version) ? 'finding' : 'note'))
    required.endCommit(logPathOf(commit), decides(version))
    times.endCommit(version, logPathOf(commit))
  }
  return {
    commits: commits.length - removed,
    gone: older.gone.size,
    unreadableBelow: older.unreadableBelow,
    changeFiles: changes.files,
    changeGone: changes.gone,
    repeatedActions: doubled.findings(),
    withByteOrderMark,
    incompleteActions: required.findings,
    highRowVersions,
    badTimestamps: times.findings,
  }
}

/** Older files that are known without a commit: those of the newest version, if it is not inspected, and tombstones. */
async function withoutCommits(request: HistoryRequest): Promise<OlderFiles> {
  const { subject, newest, listed, places, keepFrom, needed, signal } = request
  const older = new OlderFiles(listed, places, needed)
  if (subject.version !== newest.version) {
    // VACUUM keeps these files. Some of them may be named only in a checkpoint, not in any commit.
    for await (const block of newest.files({ signal, fields: 'identity' })) {
      for (const { add } of block) await older.keep(fileOf(add))
    }
  }
  for await (const block of newest.tombstones(signal)) {
    for (const { remove, removedVersion } of block) {
      const isKept = (remove.deletionTimestamp ?? 0) >= keepFrom
      await older.refer(fileOf(remove), isKept ? MARKS.kept : MARKS.expired, removedVersion)
    }
  }
  return older
}

/** Files of change data: marked if they are listed, counted if not. */
class ChangeFiles {
  files = 0
  gone = 0
  readonly #listed: ListedFiles

  constructor(listed: ListedFiles) {
    this.#listed = listed
  }

  take(path: string): void {
    this.files++
    const no = this.#listed.find(path)
    if (no !== null) this.#listed.mark(no, MARKS.expired)
    else if (!this.#listed.isUnknown(path)) this.gone++
  }
}

/** Files of older versions: marked if they are listed, counted if not. */
class OlderFiles {
  readonly gone = new Set<string>()
  unreadableBelow: number | null = null
  readonly #listed: ListedFiles
  readonly #places: Places
  readonly #needed: Set<string>

  /** @param needed missing files that are not counted */
  constructor(listed: ListedFiles, places: Places, needed: ReadonlySet<string>) {
    this.#listed = listed
    this.#places = places
    this.#needed = new Set(needed)
  }

  /** Notes a file that the newest version needs. */
  async keep(file: FsckFile): Promise<void> {
    for (const path of await this.#pathsOf(file)) if (!this.#mark(path, MARKS.kept)) this.#needed.add(path)
  }

  /** @param removedAt first version that no longer needs the file; null if unknown here */
  async refer(file: FsckFile, mark: number, removedAt: number | null): Promise<void> {
    for (const path of await this.#pathsOf(file)) {
      if (this.#mark(path, mark) || this.#needed.has(path) || this.#listed.isUnknown(path)) continue
      this.gone.add(path)
      if (removedAt !== null) this.unreadableBelow = Math.max(this.unreadableBelow ?? 0, removedAt)
    }
  }

  /** Paths of a file and of its vector, without those outside of the table. */
  async #pathsOf({ path, vector }: FsckFile): Promise<readonly string[]> {
    const file = await this.#places.file(path).catch(() => null)
    const vectorFile = vector === null ? null : await this.#places.vector(vector).catch(() => null)
    return [file, vectorFile].flatMap((place) =>
      place !== null && place !== 'inline' && place.inside ? [place.path] : [],
    )
  }

  /** @returns false if the path is not listed */
  #mark(path: string, mark: number): boolean {
    const no = this.#listed.find(path)
    if (no !== null) this.#listed.mark(no, mark)
    return no !== null
  }
}

type FileAction = {
  readonly path: string
  readonly size?: number | null
  readonly deletionVector?: FsckFile['vector'] | undefined
}

function fileOf({ path, size, deletionVector }: FileAction): FsckFile {
  const vector = deletionVector ?? null
  return { path, size: size ?? 0, modificationTime: 0, stats: null, vector, partitionValues: {}, baseRowId: null }
}

class InCommitTimes {
  readonly findings: Finding[] = []
  readonly #rule: InCommitRule
  #time: number | null = null
  #last: { readonly version: number; readonly time: number } | null = null

  /** @param rule of the newest version */
  constructor(rule: InCommitRule) {
    this.#rule = rule
  }

  take(commitInfo: CommitInfoAction): void {
    this.#time = inCommitTimeOf(commitInfo)
  }

  /** Call in the order of the versions. @param path of the commit's file */
  endCommit(version: number, path: string): void {
    const time = this.#time
    this.#time = null
    if (this.#rule === null || version < this.#rule.fromVersion) return
    const wrong = { level: 'finding', kind: 'in-commit-times', path } as const
    if (time === null) {
      this.findings.push({ ...wrong, detail: 'it has no in-commit timestamp, and the table requires one' })
      return
    }
    const before = this.#last
    this.#last = { version, time }
    if (before === null || time > before.time) return
    const detail = `its in-commit timestamp is not above that of version ${before.version}`
    const [log, found] = [isoTime(before.time), isoTime(time)]
    this.findings.push({ ...wrong, log, found, detail })
  }
}

/**
 * Reports commits that are missing in the middle of a log. If versions can no longer be read, this is a finding; if
 * only the changes of a commit are lost, it is a note.
 */
export function gapFindings(gaps: Gaps): readonly Finding[] {
  const detail = gapText(gaps)
  const [first] = gaps.missing
  if (detail === null || first === undefined) return []
  const level = gaps.lost.length > 0 ? 'finding' : 'note'
  return [{ level, kind: 'commit-missing', path: logPathOf(commitName(first.from)), detail }]
}
