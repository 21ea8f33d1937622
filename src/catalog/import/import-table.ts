/**
 * Imports the log of one table: everything it still holds, streamed, in batches that end on a version boundary. Killed anywhere and started
 * again it ends in the catalog of an undisturbed run.
 */
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import type { LogStore } from '../../model/log-store.ts'
import type { ParquetRows } from '../../model/parquet-rows.ts'
import { readCheckpoint } from '../../delta/checkpoint.ts'
import { readCommit, type CommitBytes } from '../../delta/commit-lines.ts'
import { listLog, type CheckpointFiles, type CommitFile } from '../../delta/listing.ts'
import type { History } from '../../delta/segment.ts'
import { breathe, throwIfAborted, type Interrupt } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import type { SqlDatabase } from '../../stores/port.ts'
import { releaseLease, renewLease, type Holder, type Lease } from '../lease.ts'
import { setStatus, startStatus } from '../status.ts'
import { Batch, PartitionNumbers, writeBatch } from './batch.ts'
import { LookupMismatch } from './close-index.ts'
import { discardAbove, insertHead, moveHead, purgeTable, type Cursor, type Head } from './head.ts'
import type { FileIndexes } from './indexes.ts'
import { Replay } from './replay.ts'
import { waitForLease } from './lease-wait.ts'
import { refusalOf } from './readable.ts'
import { soundStart } from './sound-start.ts'
import { checkpointIdentity, type Start } from './start.ts'
import { scanStretch, type Stretch } from './scan.ts'

/** File rows held at most while one version is read; a larger version is written in parts behind the current version. */
const MAX_ROWS_OF_A_VERSION = 25_000
const RENEW_MS = 15_000

export type ImportProgress = {
  readonly done: number
  readonly total: number
  readonly version: number | null
  readonly files: number
}

export type ImportOptions = {
  readonly database: SqlDatabase
  readonly indexes: FileIndexes
  readonly log: LogStore
  readonly parquet: () => Promise<ParquetRows>
  readonly tableId: string
  /** A transaction ends on a version boundary at or above this many rows. */
  readonly batchSize: number
  readonly allowRefused: boolean
  readonly interrupt: Interrupt
  readonly clock: Clock
  readonly holder: Holder
  /** Whether a process of this host still runs. */
  readonly alive: (pid: number) => boolean
  readonly waitMs: number
  /** Id for the row in `migration_status`, unless an unfinished import goes on under its own. */
  readonly importId: string
  readonly onStart: (start: {
    fromVersion: number
    toVersion: number
    resumed: boolean
    total: number
    done: number
  }) => void
  readonly onProgress: (progress: ImportProgress) => void
  readonly onNote: (message: string) => void
  /** Resolves when the run may go on; asked after every batch. */
  readonly whilePaused?: () => Promise<void>
  /** Events in memory at most; smaller in tests. */
  readonly maxEvents?: number
}

export type ImportResult = {
  readonly status: 'completed' | 'current' | 'stopped'
  readonly importId: string
  readonly version: number | null
  readonly historyFrom: number | null
  readonly files: number
  readonly bytes: number
  /** Lines of the log that this run brought in. */
  readonly actions: number
  readonly resumed: boolean
}

/**
 * @throws SluiceError of the log (LOG_GAP, BAD_ACTION, TABLE_FEATURE …), of the catalog (TABLE_LOCKED, LEASE_LOST, NO_SPACE …);
 * the failure is recorded in `migration_status` where the catalog can still be written
 */
export async function importTable(options: ImportOptions): Promise<ImportResult> {
  const lease = await waitForLease(options)
  const run = new ImportRun(options, lease)
  const timer = setInterval(() => void run.renew(), RENEW_MS)
  timer.unref()
  try {
    return await run.perform()
  } catch (error) {
    await run.recordFailure(asSluiceError(error))
    throw error
  } finally {
    clearInterval(timer)
    await releaseLease(options.database, lease).catch(() => undefined)
  }
}

class ImportRun {
  readonly #o: ImportOptions
  readonly #lease: Lease
  readonly #batch = new Batch()
  readonly #partitions: PartitionNumbers
  #importId: string
  #statusRow = false
  #head: Head | null = null
  #replay: Replay | null = null
  /** The table's current version in the catalog. */
  #version: number | null = null
  /** Version that the next whole batch makes current. */
  #pending: number | null = null
  #historyFrom = 0
  #done = 0
  #baseline = 0
  #total = 0
  #refused: string | null = null

  constructor(options: ImportOptions, lease: Lease) {
    this.#o = options
    this.#lease = lease
    this.#importId = options.importId
    this.#partitions = new PartitionNumbers(options.tableId)
  }

  async renew(): Promise<void> {
    const now = await this.#o.database.now()
    // Losing the lease is found out, and acted on, by the next batch.
    await this.#o.database.write((transaction) => renewLease(transaction, this.#lease, now)).catch(() => undefined)
  }

  async perform(): Promise<ImportResult> {
    const { database, log, tableId, interrupt, indexes } = this.#o
    const listing = await listLog(log, { signal: interrupt.abort, attributes: true })
    const { start, base, declared } = await soundStart(listing, { ...this.#o, signal: interrupt.abort })
    if (start.kind === 'current') return this.#result('current', start.head)
    this.#head = start.head
    const history = start.history
    let commits = start.commits

    let stretch: Stretch
    try {
      stretch = await this.#scan(commits)
    } catch (error) {
      if (interrupt.stop.aborted && error === interrupt.stop.reason) return this.#stopped()
      throw error
    }
    const from = start.resume
    const protocol = stretch.protocol ?? declared?.protocol ?? from.protocol
    const metadata = stretch.metadata ?? declared?.metadata ?? from.metadata
    this.#checkReadable(protocol, metadata, stretch.whole)

    await this.#open(start, stretch, listing.latest ?? 0, declared?.rows ?? 0)
    const replay = new Replay(
      { tableId, log, database, batch: this.#batch },
      { ...from, time: start.head?.commitTime ?? null },
    )
    this.#replay = replay
    const lookUp = start.kind === 'resume' || start.kind === 'continue'
    if (lookUp) await indexes.ensure()
    replay.begin(stretch.index, lookUp)
    try {
      if (base !== null) await this.#loadBase(base, history, start.skipRows)
      for (;;) {
        await this.#loadCommits(stretch.commits)
        if (stretch.whole) break
        await this.#flush(null)
        commits = commits.slice(stretch.commits.length)
        stretch = await this.#scan(commits)
        await indexes.ensure()
        replay.begin(stretch.index, true)
      }
      await this.#flush(null, true)
    } catch (error) {
      if (error instanceof StopHere) return this.#stopped()
      if (error instanceof LookupMismatch) {
        throw new SluiceError('LOG_CHANGED', 'a commit changed while it was being imported', {
          where: log.label,
          reason: 'commits of a Delta log never change once they are written; something rewrites this log',
          hint: 'stop whatever rewrites the log, then import again: what is in the catalog is whole up to its current version',
          retryable: true,
        })
      }
      throw error
    }
    return this.#complete(listing.latest ?? 0)
  }

  async recordFailure(error: SluiceError): Promise<void> {
    const { database, tableId, clock } = this.#o
    const status = error.kind === 'stopped' ? 'stopped' : 'failed'
    if (status === 'stopped' && !this.#statusRow) return
    try {
      await database.write(async (transaction) => {
        if (!this.#statusRow) await startStatus(transaction, this.#importId, tableId, clock.now())
        const message = error.where === undefined ? error.message : `${error.message} (${error.where})`
        await setStatus(transaction, this.#importId, {
          status,
          version: this.#version,
          files: this.#replay?.files ?? 0,
          error: `${error.code}: ${message}`,
          nowMs: clock.now(),
        })
      })
    } catch {
      // The catalog cannot be written: that is the failure being reported, and the next run mends the row.
    }
  }

  async #scan(commits: readonly CommitFile[]): Promise<Stretch> {
    const { log, interrupt, maxEvents } = this.#o
    return scanStretch(log, commits, interrupt, maxEvents)
  }

  #checkReadable(protocol: ProtocolAction | null, metadata: MetadataAction | null, whole: boolean): void {
    const { log, allowRefused, onNote } = this.#o
    // A first stretch of a very long log may come before a later change of protocol: what it lacks may still come.
    if (!whole && (protocol === null || metadata === null)) return
    const refusal = refusalOf(protocol, metadata, log.label)
    if (refusal === null) return
    if (!allowRefused) throw refusal
    this.#refused = `${refusal.code}: ${refusal.message}`
    onNote(`imported as unreadable: ${refusal.message}`)
  }

  /** Writes the rows that say an import is under way. Nothing was written before this. */
  async #open(
    start: Exclude<Start, { kind: 'current' }>,
    stretch: Stretch,
    latest: number,
    baseRows: number,
  ): Promise<void> {
    const { database, tableId, log, clock, indexes, onStart, onNote } = this.#o
    if (start.importId !== null) this.#importId = start.importId
    this.#version = start.head?.currentVersion ?? null
    this.#historyFrom = start.historyFrom
    this.#baseline = start.done
    this.#done = this.#baseline
    this.#total = this.#done + stretch.lines + baseRows
    if (start.purge) {
      if (start.note !== null) onNote(start.note)
      await purgeTable(database, tableId, start.importId)
    }
    if (start.kind === 'fresh') await indexes.deferIfEmpty()
    else indexes.loaded()
    await database.write(async (transaction) => {
      await renewLease(transaction, this.#lease, await database.now())
      if (start.head === null) await insertHead(transaction, tableId, log.root, clock.now())
      else if (start.kind === 'resume') await discardAbove(transaction, start.head, start.skipRows > 0)
      const [row] = await transaction.all('SELECT 1 FROM migration_status WHERE import_id = ?', [
        BigInt(this.#importId),
      ])
      if (row === undefined) await startStatus(transaction, this.#importId, tableId, clock.now())
      await transaction.run('UPDATE delta_tables SET cursor = ? WHERE table_id = ?', [
        JSON.stringify(this.#cursor(start.skipRows > 0 ? (start.head?.cursor ?? {}) : {})),
        tableId,
      ])
    })
    this.#statusRow = true
    onStart({
      fromVersion: start.kind === 'continue' ? (start.head?.currentVersion ?? 0) + 1 : start.historyFrom,
      toVersion: latest,
      resumed: start.importId !== null,
      total: this.#total,
      done: this.#done,
    })
  }

  /** The base checkpoint, row by row, behind the current version; then the row of its version. */
  async #loadBase(checkpoint: CheckpointFiles, history: History, skipRows: number): Promise<void> {
    const { log, parquet, interrupt } = this.#o
    const replay = this.#replay as Replay
    const identity = checkpointIdentity(checkpoint)
    let rows = 0
    if (skipRows > 0) {
      const [first] = await this.#o.database.all('SELECT min(file_no) FROM delta_files WHERE table_id = ?', [
        this.#o.tableId,
      ])
      replay.continueVersion((first?.[0] ?? null) as number | null)
    }
    for (const orphan of skipRows > 0 ? [] : history.orphans) {
      for await (const block of readCommit(log, orphan, interrupt.abort)) {
        for (const line of block) replay.takeRawLine(orphan.version, line, false)
      }
      if (this.#batch.size >= this.#o.batchSize) await this.#flush({ checkpointRows: 0, checkpoint: identity })
    }
    for await (const block of readCheckpoint(log, parquet, checkpoint, { signal: interrupt.abort })) {
      for (const line of block) {
        if (line.action.kind === 'sidecar' || line.action.kind === 'checkpointMetadata') continue
        rows++
        replay.takeCheckpointLine(checkpoint.version, { ...line, line: rows }, rows > skipRows)
        if (rows > skipRows) this.#done++
      }
      if (this.#batch.size >= this.#o.batchSize) await this.#flush({ checkpointRows: rows, checkpoint: identity })
    }
    let bytes: CommitBytes | null = null
    const { baseCommit } = history
    if (baseCommit !== null) {
      const onEnd = (read: CommitBytes): void => void (bytes = read)
      for await (const block of readCommit(log, baseCommit, interrupt.abort, onEnd)) {
        for (const line of block) replay.takeRawLine(baseCommit.version, line, true)
      }
    }
    const modified = baseCommit?.modified ?? Math.min(...checkpoint.files.map((file) => file.modified))
    replay.finishVersion(checkpoint.version, baseCommit, bytes, modified)
    this.#pending = checkpoint.version
    if (this.#batch.size >= this.#o.batchSize) await this.#flush(null)
  }

  async #loadCommits(commits: readonly CommitFile[]): Promise<void> {
    const { log, interrupt, batchSize } = this.#o
    const replay = this.#replay as Replay
    for (const commit of commits) {
      let read: CommitBytes | null = null
      const onEnd = (bytes: CommitBytes): void => void (read = bytes)
      for await (const block of readCommit(log, commit, interrupt.abort, onEnd)) {
        for (const line of block) {
          const asked = replay.takeLine(commit.version, line)
          if (asked !== undefined) await asked
        }
        this.#done += block.length
        if (this.#batch.files.length >= Math.max(MAX_ROWS_OF_A_VERSION, batchSize)) await this.#flush({})
      }
      if ((read as CommitBytes | null)?.bytes !== commit.size) throw new LookupMismatch()
      replay.finishVersion(commit.version, commit, read, commit.modified)
      this.#pending = commit.version
      if (this.#batch.size >= batchSize) await this.#flush(null)
    }
  }

  /**
   * Writes the batch in one transaction. `part` is null at a version boundary; otherwise the rows stay above the current version and the
   * cursor says how far they reach.
   */
  async #flush(part: CheckpointPart | null, last = false): Promise<void> {
    const { database, tableId, clock, interrupt, onProgress } = this.#o
    const replay = this.#replay as Replay
    throwIfAborted(interrupt.abort)
    const to = this.#pending ?? this.#version
    try {
      const first = await database.write(async (transaction) => {
        await renewLease(transaction, this.#lease, await database.now())
        const number = await writeBatch(transaction, this.#batch, this.#partitions)
        if (part === null) {
          const moved = await moveHead(transaction, tableId, this.#version, {
            version: to,
            historyFrom: this.#historyFrom,
            commitTime: replay.time,
            totals: replay.totals,
            protocol: replay.protocol,
            metadata: replay.metadata,
            refused: this.#refused,
            cursor: this.#cursor({}),
            nowMs: clock.now(),
          })
          if (!moved)
            throw new SluiceError(
              'LEASE_LOST',
              `${tableId} was changed by another run; nothing of this batch was written`,
            )
        } else {
          await transaction.run('UPDATE delta_tables SET cursor = ? WHERE table_id = ?', [
            JSON.stringify(this.#cursor(part)),
            tableId,
          ])
        }
        await setStatus(transaction, this.#importId, {
          status: 'in_progress',
          version: to,
          files: replay.files,
          nowMs: clock.now(),
        })
        return number
      })
      if (part !== null) replay.partWritten(first)
    } catch (error) {
      this.#partitions.forget()
      throw error
    }
    this.#batch.clear()
    if (part === null) {
      this.#version = to
      this.#pending = null
    }
    onProgress({
      done: this.#done,
      total: Math.max(this.#total, this.#done),
      version: this.#version,
      files: replay.files,
    })
    // Timers, signals and other lanes have their turn between two transactions.
    await breathe()
    await this.#o.whilePaused?.()
    throwIfAborted(interrupt.abort)
    if (interrupt.stop.aborted && !last) throw new StopHere()
  }

  #cursor(part: CheckpointPart): Cursor {
    const { checkpointRows, checkpoint } = part
    return {
      importId: this.#importId,
      done: this.#done,
      total: Math.max(this.#total, this.#done),
      ...(checkpointRows === undefined ? {} : { checkpointRows }),
      ...(checkpoint === undefined ? {} : { checkpoint }),
    }
  }

  async #stopped(): Promise<ImportResult> {
    const { database, clock } = this.#o
    if (this.#statusRow) {
      await database.write((transaction) =>
        setStatus(transaction, this.#importId, {
          status: 'stopped',
          version: this.#version,
          files: this.#replay?.files ?? 0,
          nowMs: clock.now(),
        }),
      )
    }
    return this.#result('stopped', this.#head)
  }

  async #complete(latest: number): Promise<ImportResult> {
    const { database, tableId, clock } = this.#o
    if (this.#version !== latest) {
      throw new SluiceError('INTERNAL', `the import ended at version ${String(this.#version)}, the log at ${latest}`)
    }
    await database.write(async (transaction) => {
      await renewLease(transaction, this.#lease, await database.now())
      await transaction.run('UPDATE delta_tables SET import_id = ?, cursor = NULL WHERE table_id = ?', [
        BigInt(this.#importId),
        tableId,
      ])
      await setStatus(transaction, this.#importId, {
        status: 'completed',
        version: latest,
        files: this.#replay?.files ?? 0,
        nowMs: clock.now(),
      })
    })
    return this.#result('completed', this.#head)
  }

  #result(status: ImportResult['status'], head: Head | null): ImportResult {
    return {
      status,
      importId: this.#importId,
      version: status === 'current' ? (head?.currentVersion ?? null) : this.#version,
      historyFrom: status === 'current' ? (head?.historyFrom ?? null) : this.#historyFrom,
      files: this.#replay?.totals.files ?? 0,
      bytes: this.#replay?.totals.bytes ?? 0,
      actions: this.#done - this.#baseline,
      resumed: this.#baseline > 0,
    }
  }
}

/** How far the rows of the base checkpoint are written, while its version is not whole. */
type CheckpointPart = Pick<Cursor, 'checkpointRows' | 'checkpoint'>

/** The batch is written and a stop was asked for. */
class StopHere extends Error {}
