/**
 * Imports the log of one table: streams everything it still has, in batches that end on a version boundary. An import
 * that was killed and started again ends with the same catalog as an uninterrupted one. This file reads; `record.ts`
 * writes.
 */
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { againAfterCleanup, removedFile } from '../../delta/removed-files.ts'
import { readCheckpoint } from '../../delta/checkpoint.ts'
import { readCommit, type CommitBytes } from '../../delta/commit-lines.ts'
import {
  checkpointModified,
  listLog,
  type CheckpointFiles,
  type CommitFile,
  type LogListing,
} from '../../delta/listing.ts'
import { logPathOf } from '../../delta/log-path.ts'
import { commitsText } from '../../delta/gaps.ts'
import { commitsOf, logHistory, type History } from '../../delta/segment.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import { keepLeaseAlive, releaseLease, type Lease } from '../lease.ts'
import { stateAt } from '../query/state.ts'
import { LookupMismatch } from './close-index.ts'
import { CommitClock, retimeStale, type Versions } from './commit-clock.ts'
import { waitForLease } from './lease-wait.ts'
import { mergePartitions } from './merge-partitions.ts'
import { adoptLocation } from './moved.ts'
import type { ImportOptions, ImportResult } from './options.ts'
import { unreadableRefusal } from './readable.ts'
import { ImportRecord, ImportStopped } from './record.ts'
import { Replay } from './replay.ts'
import { scanRange, type ScannedCommits } from './scan.ts'
import { findStart } from './find-start.ts'
import { checkpointIdentity, type Start } from './start.ts'

export type { ImportOptions, ImportResult } from './options.ts'

/**
 * Maximum file rows in memory while one version is read; a larger version is written in parts above the current
 * version.
 */
const MAX_ROWS_OF_A_VERSION = 25_000

/**
 * Imports what the log has. If another writer's log cleanup removes a file that this import listed, it lists the log
 * again and continues from what is left.
 * @throws SluiceError of the log (LOG_GAP, BAD_ACTION, TABLE_FEATURE …), of the catalog (TABLE_LOCKED, LEASE_LOST,
 * NO_SPACE …); the failure is recorded in `migration_status` if the catalog can still be written
 */
export async function importTable(options: ImportOptions): Promise<ImportResult> {
  const seen: Seen = { listing: null }
  return await againAfterCleanup((isFirst) => {
    // Older commits are listed again after a cleanup: only a whole listing shows which ones are gone.
    return importOnce({ ...options, ...(isFirst ? {} : { olderCompared: false }) }, seen)
  })
}

/** The listing of the last attempt; null before the first one. */
type Seen = { listing: LogListing | null }

async function importOnce(options: ImportOptions, seen: Seen): Promise<ImportResult> {
  const lease = await waitForLease(options)
  const run = new ImportRun(options, lease, seen)
  const timer = keepLeaseAlive(options.database, lease)
  try {
    return await run.perform()
  } catch (error) {
    await run.record.failed(asSluiceError(error), run.replay)
    throw error
  } finally {
    clearInterval(timer)
    await releaseLease(options.database, lease).catch(() => undefined)
  }
}

class ImportRun {
  readonly record: ImportRecord
  replay: Replay | null = null
  readonly #o: ImportOptions
  readonly #lease: Lease
  readonly #seen: Seen

  constructor(options: ImportOptions, lease: Lease, seen: Seen) {
    this.#o = options
    this.#lease = lease
    this.#seen = seen
    this.record = new ImportRecord(options, lease)
  }

  async perform(): Promise<ImportResult> {
    const { log, interrupt } = this.#o
    const { record } = this
    const signal = interrupt.abort
    const { start, base, declared, latest, listing, cutOff } = await findStart(
      (from) => listLog(log, { signal, attributes: true, ...(from === undefined ? {} : { from }) }),
      { ...this.#o, signal },
    )
    this.#noteRemoved(listing)
    const stored = storedVersions(start)
    const commits = (): Promise<readonly CommitFile[]> => this.#commitsOfLog(listing)
    let retimed: number | null = null
    if (this.#o.moved === true) {
      const before = start.kind === 'fresh' ? undefined : start.head?.location
      const from = before === undefined ? null : { before, stored, listing, commits: await commits() }
      retimed = await adoptLocation(this.#o, this.#lease, from)
    }
    if (stored !== null) retimed = (await this.repairStored(stored, commits)) ?? retimed
    if (start.kind === 'current') {
      record.version = start.head.currentVersion
      record.historyFrom = start.head.historyFrom ?? 0
      await record.extendRanges()
      return this.#result('current')
    }
    let stretch: ScannedCommits
    try {
      stretch = await this.#scan(start.commits)
    } catch (error) {
      if (interrupt.stop.aborted && error === interrupt.stop.reason) return this.#result('stopped')
      throw error
    }
    const from = start.resume
    this.#checkReadable(
      stretch.protocol ?? declared?.protocol ?? from.protocol,
      stretch.metadata ?? declared?.metadata ?? from.metadata,
      stretch.whole,
    )
    await record.open(start, latest, stretch.lines + (declared?.rows ?? 0))
    const times = new CommitClock(this.#o.database, from, stored, commits)
    const time = stored === null ? null : (retimed ?? start.head?.commitTime ?? null)
    const replay = new Replay({ ...this.#o, batch: record.batch, times }, { ...from, time })
    this.replay = replay
    try {
      await this.#load(replay, start, base, stretch)
    } catch (error) {
      if (error instanceof ImportStopped) {
        await record.stopped(replay)
        return this.#result('stopped')
      }
      throw error instanceof LookupMismatch ? changedLog(log.label) : error
    }
    await record.complete(replay, latest)
    await record.extendRanges()
    return { ...this.#result('completed'), ...(base === null ? {} : { cutOff }) }
  }

  /**
   * Upgrades rows stored by older programs. This reads every commit and partition of the table in the catalog. With
   * `olderCompared` it does nothing, because a sync may call it for every new commit.
   * @returns the time of the newest version if it changed, otherwise null
   */
  async repairStored(stored: Versions, commits: () => Promise<readonly CommitFile[]>): Promise<number | null> {
    const { database, tableId, olderCompared } = this.#o
    if (olderCompared === true) return null
    await mergePartitions(this.#o, this.#lease)
    return retimeStale(database, this.#lease, stored, await stateAt(database, tableId, stored.to), commits)
  }

  /** Commits from which a reader of the log computes times; none if the log has a gap that only the catalog fills. */
  async #commitsOfLog(listing: LogListing): Promise<readonly CommitFile[]> {
    const { log, interrupt, olderCompared } = this.#o
    const whole = olderCompared === true ? await listLog(log, { signal: interrupt.abort, attributes: true }) : listing
    try {
      return commitsOf(logHistory(whole))
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'LOG_GAP') return []
      throw error
    }
  }

  /** Names the commits that a cleanup removed since the last attempt. */
  #noteRemoved(listing: LogListing): void {
    const before = this.#seen.listing?.commits ?? []
    this.#seen.listing = listing
    const left = new Set(listing.commits.map(({ version }) => version))
    this.#noteCleaned(before.filter(({ version }) => !left.has(version)))
  }

  #noteCleaned(commits: readonly CommitFile[]): void {
    if (commits.length > 0)
      this.#o.onNote(
        `a log cleanup removed ${commitsText(commits)} during the import: the catalog lacks what was not read before`,
      )
  }

  /** Loads the base checkpoint, then the commits, range by range. */
  async #load(
    replay: Replay,
    start: {
      readonly kind: string
      readonly commits: readonly CommitFile[]
      readonly history: History
      readonly skipRows: number
    },
    base: CheckpointFiles | null,
    first: ScannedCommits,
  ): Promise<void> {
    const { indexes } = this.#o
    // The catalog may have files of an earlier import: if a commit removes such a file, it must be found by its key.
    // Above a base loaded now this is not needed, because the scan finds the end of every file.
    const lookUp = start.kind !== 'fresh' && start.kind !== 'rebase'
    if (lookUp) await indexes.ensure(this.#o.tableId)
    replay.begin(first.index, lookUp)
    if (base !== null) await this.#loadBase(replay, base, start.history, start.skipRows)
    let { commits } = start
    for (let stretch = first; ;) {
      await this.#loadCommits(replay, stretch.commits)
      if (stretch.whole) break
      await this.record.flush(replay, null)
      await this.record.settled()
      commits = commits.slice(stretch.commits.length)
      stretch = await this.#scan(commits)
      await indexes.ensure(this.#o.tableId)
      replay.begin(stretch.index, true)
    }
    await this.record.flush(replay, null, true)
  }

  async #scan(commits: readonly CommitFile[]): Promise<ScannedCommits> {
    const { log, interrupt, maxEvents } = this.#o
    return scanRange(log, commits, interrupt, maxEvents)
  }

  #checkReadable(protocol: ProtocolAction | null, metadata: MetadataAction | null, whole: boolean): void {
    const { log, allowRefused, onNote } = this.#o
    // The first range of a very long log may lack protocol or metadata, if a later range contains them.
    if (!whole && (protocol === null || metadata === null)) return
    const refusal = unreadableRefusal(protocol, metadata, log.label)
    if (refusal === null) return
    if (!allowRefused) throw refusal
    this.record.refused = `${refusal.code}: ${refusal.message}`
    onNote(`imported as unreadable: ${refusal.message}`)
  }

  /** Loads the base checkpoint row by row, above the current version; then adds the row of its version. */
  async #loadBase(replay: Replay, checkpoint: CheckpointFiles, history: History, skipRows: number): Promise<void> {
    const { log, parquet, interrupt, database, tableId, batchSize } = this.#o
    const { record } = this
    const identity = checkpointIdentity(checkpoint)
    if (skipRows > 0) {
      const [first] = await database.all('SELECT min(file_no) FROM delta_files WHERE table_id = ?', [tableId])
      replay.continueVersion((first?.[0] ?? null) as number | null)
    } else if (record.version === null) await this.#loadOrphans(replay, history.orphans, identity)
    let rows = 0
    for await (const block of readCheckpoint(log, parquet, checkpoint, { signal: interrupt.abort })) {
      for (const line of block) {
        if (line.action.kind === 'sidecar' || line.action.kind === 'checkpointMetadata') continue
        rows++
        replay.takeCheckpointLine(checkpoint.version, { ...line, line: rows }, rows > skipRows)
        if (rows > skipRows) record.done++
      }
      if (record.batch.size >= batchSize) await record.flush(replay, { checkpointRows: rows, checkpoint: identity })
    }
    let bytes: CommitBytes | null = null
    const { baseCommit } = history
    if (baseCommit !== null) {
      const onEnd = (read: CommitBytes): void => void (bytes = read)
      for await (const block of readCommit(log, baseCommit, interrupt.abort, onEnd)) {
        for (const line of block) replay.takeRawLine(baseCommit.version, line, true)
      }
    }
    const modified = baseCommit?.modified ?? checkpointModified(checkpoint)
    await replay.finishVersion(checkpoint.version, baseCommit, bytes, modified)
    record.pending = checkpoint.version
    if (record.batch.size >= batchSize) await record.flush(replay, null)
  }

  /**
   * Stores commits below the base. No version can be built from them, but an export can write them again. Those that a
   * cleanup has removed are left out.
   */
  async #loadOrphans(replay: Replay, orphans: readonly CommitFile[], checkpoint: string): Promise<void> {
    const { log, interrupt, batchSize } = this.#o
    const { actions } = this.record.batch
    const gone: CommitFile[] = []
    for (const orphan of orphans) {
      const before = actions.length
      try {
        for await (const block of readCommit(log, orphan, interrupt.abort)) {
          for (const line of block) replay.takeRawLine(orphan.version, line, false)
        }
      } catch (error) {
        if (removedFile(error) === null) throw error
        // A large object may be removed while it is read: no part of it may stay.
        actions.length = before
        gone.push(orphan)
      }
      if (this.record.batch.size >= batchSize) await this.record.flush(replay, { checkpointRows: 0, checkpoint })
    }
    this.#noteCleaned(gone)
  }

  async #loadCommits(replay: Replay, commits: readonly CommitFile[]): Promise<void> {
    const { log, interrupt, batchSize, onNote } = this.#o
    const { record } = this
    log.prefetch?.(
      commits.map(({ name }) => logPathOf(name)),
      { signal: interrupt.abort },
    )
    for (const commit of commits) {
      let read: CommitBytes | null = null
      const before = record.done
      const onEnd = (bytes: CommitBytes): void => void (read = bytes)
      for await (const block of readCommit(log, commit, interrupt.abort, onEnd)) {
        await replay.queryLifetimes(block)
        for (const line of block) {
          const asked = replay.takeLine(commit.version, line)
          if (asked !== undefined) await asked
        }
        record.done += block.length
        if (record.batch.files.length >= Math.max(MAX_ROWS_OF_A_VERSION, batchSize)) await record.flush(replay, {})
      }
      if ((read as CommitBytes | null)?.bytes !== commit.size) throw new LookupMismatch()
      // An empty commit is allowed, but more often it is a write that a crash interrupted.
      if (record.done === before)
        onNote(`commit ${commit.version} is empty: it was taken for a version without actions`)
      await replay.finishVersion(commit.version, commit, read, commit.modified)
      record.pending = commit.version
      if (record.batch.size >= batchSize) await record.flush(replay, null)
    }
  }

  #result(status: ImportResult['status']): ImportResult {
    const { record, replay } = this
    return {
      status,
      importId: record.importId,
      version: record.version,
      // If the import was stopped before the new base became current, the old base is still valid.
      historyFrom: record.version !== null && record.version < record.historyFrom ? null : record.historyFrom,
      files: replay?.totals.files ?? 0,
      bytes: replay?.totals.bytes ?? 0,
      actions: record.done - record.baseline,
      resumed: record.baseline > 0,
    }
  }
}

/** Versions in the catalog that this import continues, or null. A new base begins its own history. */
function storedVersions({ kind, head }: Start): Versions | null {
  if (kind === 'rebase' || head === null || head.currentVersion === null) return null
  return { tableId: head.tableId, from: head.historyFrom ?? 0, to: head.currentVersion }
}

function changedLog(label: string): SluiceError {
  return new SluiceError('LOG_CHANGED', 'a commit changed while it was being imported', {
    where: label,
    reason: 'commits of a Delta log never change after they are written; a program rewrites this log',
    hint: 'stop the program that rewrites the log, then import again: the catalog is complete up to its current version',
    retryable: true,
  })
}
