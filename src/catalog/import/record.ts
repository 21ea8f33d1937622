/**
 * Write transactions of an import: a batch, the head, the cursor, the status and the lease change together or not at
 * all.
 */
import { breathe, throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { HasCommitted, SqlTransaction } from '../../model/run/sql-port.ts'
import { extendRanges } from '../ranges/build.ts'
import { renewLease, writeUnderLease, type Lease } from '../lease.ts'
import { setStatus, startStatus, type ImportStatus } from '../status.ts'
import type { CatalogSweep } from '../sweep-step.ts'
import { prepareRebase, sweepBelow } from '../sweep.ts'
import { Batch, FileNumbers, writeBatch } from './batch.ts'
import { retime, type ChangedRule } from './commit-clock.ts'
import { discardAbove, insertHead, moveHead, purgeTable, type Cursor, type HeadState } from './head.ts'
import type { ImportOptions } from './options.ts'
import type { Replay } from './replay.ts'
import type { Start } from './start.ts'
import { dropVersions } from '../state-relations.ts'

/** Progress of the base checkpoint, while its version is not complete. */
export type CheckpointPart = Pick<Cursor, 'checkpointRows' | 'checkpoint'>

type Step = {
  readonly batch: Batch
  /** Number of the first file; null if the transaction assigns it. */
  readonly reserved: number | null
  readonly isPart: boolean
  readonly from: number | null
  readonly head: HeadState
  readonly cursor: string
  readonly files: number
  /** Set if this batch changes the rule for commit times: stored times are then computed again. */
  readonly changedRule: ChangedRule | null
}

/** Thrown after the batch is written, if a stop was requested. */
export class ImportStopped extends Error {}

export class ImportRecord {
  readonly batch = new Batch()
  /** The table's current version in the catalog. */
  version: number | null = null
  /** Version that the next complete batch makes current. */
  pending: number | null = null
  historyFrom = 0
  /** Actions done, including those of an interrupted import. */
  done = 0
  baseline = 0
  /** Why the table's data cannot be read; the log is imported anyway. */
  refused: string | null = null
  /** The distributed run of which this import is a share, and the progress when that run began. */
  #shared: Cursor['shared']
  readonly #o: ImportOptions
  readonly #lease: Lease
  readonly #numbers: FileNumbers
  #importId: string
  #hasStatus = false
  #total = 0
  /** Version that the transactions so far make current, including the running transaction. */
  #targetVersion: number | null = null
  #writing: Promise<number | null> | null = null
  /** Version of a new base, until the old history is deleted. */
  #rebase: number | null = null
  /** Number of cursors written under this lease. */
  #cursors = 0

  /**
   * `#filesBefore`: files written by earlier runs of this import. `#files`: files written by all its runs.
   * `#wholeFiles`: those of `#files` that belong to versions up to the current one.
   */
  #filesBefore = 0
  #files = 0
  #wholeFiles = 0

  constructor(options: ImportOptions, lease: Lease) {
    this.#o = options
    this.#lease = lease
    this.#importId = options.importId
    this.#numbers = new FileNumbers(options.tableId)
  }

  get importId(): string {
    return this.#importId
  }

  /** Writes the rows that record a running import. No row of the log is written before this. */
  async open(start: Exclude<Start, { kind: 'current' }>, latest: number, actions: number): Promise<void> {
    const { database, tableId, log, clock, indexes, onStart, onNote, sharedRun } = this.#o
    if (start.importId !== null) this.#importId = start.importId
    this.version = start.head?.currentVersion ?? null
    this.#targetVersion = this.version
    this.historyFrom = start.historyFrom
    this.baseline = start.done
    this.done = start.done
    this.#total = start.done + actions
    this.#rebase = start.sweep
    // If no rows are skipped, the rows above the current version are discarded and imported again, so they are not
    // counted here.
    const before = start.purge ? null : start.head?.cursor
    if (sharedRun !== undefined) {
      const known = before?.shared?.run === sharedRun ? before.shared.from : start.done
      this.#shared = { run: sharedRun, from: Math.min(known, start.done) }
    }
    this.#filesBefore = (start.skipRows > 0 ? before?.files : before?.wholeFiles) ?? 0
    this.#files = this.#filesBefore
    this.#wholeFiles = start.purge ? 0 : (before?.wholeFiles ?? 0)
    if (start.kind === 'rebase' && start.note !== null) onNote(start.note)
    if (start.purge) {
      if (start.note !== null) onNote(start.note)
      await purgeTable(database, tableId, start.importId, this.#lease)
    }
    if (start.kind === 'fresh') await indexes.beforeLoad(tableId, actions)
    else indexes.loaded()
    const now = await database.now()
    const part = start.skipRows > 0 ? (start.head?.cursor ?? {}) : {}
    const cursor = this.#cursor(part)
    await database.write(
      async (transaction) => {
        await renewLease(transaction, this.#lease, now)
        if (start.head === null) await insertHead(transaction, tableId, log.root, clock.now())
        else if (start.kind === 'resume') await discardAbove(transaction, start.head, start.skipRows > 0)
        const [row] = await transaction.all('SELECT 1 FROM migration_status WHERE import_id = ?', [
          BigInt(this.#importId),
        ])
        if (row === undefined) await startStatus(transaction, this.#importId, tableId, clock.now())
        await transaction.run('UPDATE delta_tables SET "cursor" = ? WHERE table_id = ?', [cursor, tableId])
      },
      hasCursor(tableId, cursor),
    )
    this.#hasStatus = true
    if (start.kind === 'rebase' && this.version !== null)
      await prepareRebase(this.#sweep, this.version, start.historyFrom)
    onStart({
      fromVersion: start.kind === 'continue' ? (start.head?.currentVersion ?? 0) + 1 : start.historyFrom,
      toVersion: latest,
      resumed: start.importId !== null,
      total: this.#total,
      done: this.done,
      shared: this.done - (this.#shared?.from ?? this.done),
    })
  }

  /**
   * Writes the batch in one transaction. `part` is null at a version boundary; otherwise the rows stay above the
   * current version and the cursor stores their number. With `parallelWrites` it resolves before the transaction ends,
   * so that the next lines are read meanwhile. Transactions never overlap.
   * @throws ImportStopped if a stop was requested and this is not the last batch; SluiceError LEASE_LOST, NO_SPACE … of
   * this batch or the previous one
   */
  async flush(replay: Replay, part: CheckpointPart | null, last = false): Promise<void> {
    const { database, interrupt, onProgress, whilePaused } = this.#o
    throwIfAborted(interrupt.abort)
    const batch = this.batch.take()
    const reserved =
      database.parallelWrites && batch.files.length > 0
        ? await this.#numbers.reserveFiles(database, batch.files.length)
        : null
    const step = this.#step(batch, replay, part, reserved)
    if (part !== null && database.parallelWrites) replay.partWritten(reserved)
    await this.settled()
    this.#writing = this.#write(step)
    if (!database.parallelWrites || last) {
      const first = await this.settled()
      if (part !== null && !database.parallelWrites) replay.partWritten(first)
    } else this.#writing.catch(() => undefined)
    onProgress({ done: this.done, total: Math.max(this.#total, this.done), version: this.version, files: replay.files })
    // Lets timers, signals and other workers run between two transactions.
    await breathe()
    await whilePaused?.()
    throwIfAborted(interrupt.abort)
    if (interrupt.stop.aborted && !last) {
      await this.settled()
      throw new ImportStopped()
    }
  }

  /** Waits for the running transaction. @returns the number of its first file @throws the error of the transaction */
  async settled(): Promise<number | null> {
    const writing = this.#writing
    this.#writing = null
    return writing === null ? null : writing
  }

  async stopped(replay: Replay | null): Promise<void> {
    await this.settled()
    if (!this.#hasStatus) return
    const to = this.#status('stopped', replay)
    await writeUnderLease(this.#o.database, this.#lease, (transaction) => setStatus(transaction, this.#importId, to))
  }

  /** Makes the table readable. @throws SluiceError INTERNAL if the import did not reach the log's end */
  async complete(replay: Replay, latest: number): Promise<void> {
    const { database, tableId } = this.#o
    await this.settled()
    if (this.version !== latest) {
      throw new SluiceError(
        'INTERNAL',
        `the import ended at version ${String(this.version)}, but the log ends at ${latest}`,
      )
    }
    if (this.#rebase !== null) await sweepBelow(this.#sweep, this.historyFrom)
    await writeUnderLease(database, this.#lease, async (transaction) => {
      await transaction.run('UPDATE delta_tables SET import_id = ?, "cursor" = NULL WHERE table_id = ?', [
        BigInt(this.#importId),
        tableId,
      ])
      await setStatus(transaction, this.#importId, this.#status('completed', replay))
    })
  }

  /**
   * Extends ranges to the new files. Ranges are optional, so a stop is no error: the next import extends them further.
   */
  async extendRanges(): Promise<void> {
    const { database, tableId, interrupt, stepRows } = this.#o
    const window = stepRows === undefined ? {} : { windowFiles: stepRows }
    const guard = async (transaction: SqlTransaction): Promise<void> =>
      renewLease(transaction, this.#lease, await database.now())
    try {
      await extendRanges(database, tableId, { signal: interrupt.stop, guard, ...window })
    } catch (error) {
      if (!interrupt.stop.aborted) throw error
    }
  }

  /** Records why an import ended, if the catalog can still be written. */
  async failed(error: SluiceError, replay: Replay | null): Promise<void> {
    const { database, tableId, clock, noteFailure } = this.#o
    const status = error.kind === 'stopped' ? 'stopped' : 'failed'
    if ((status === 'stopped' || noteFailure === false) && !this.#hasStatus) return
    const message = error.where === undefined ? error.message : `${error.message} (${error.where})`
    try {
      await this.settled()
    } catch {
      // This failure is the one that is recorded below, or a consequence of it.
    }
    try {
      const now = await database.now()
      await database.write(async (transaction) => {
        // Checks the lease first: another owner may continue with the same import id and its row.
        await renewLease(transaction, this.#lease, now)
        if (!this.#hasStatus) await startStatus(transaction, this.#importId, tableId, clock.now())
        await setStatus(transaction, this.#importId, {
          ...this.#status(status, replay),
          error: `${error.code}: ${message}`,
        })
      })
    } catch {
      // The catalog cannot be written: the caller throws the error of the import, and the next run repairs the row.
    }
  }

  /** A copy of the values to write, because the replay continues while the server works. */
  #step(batch: Batch, replay: Replay, part: CheckpointPart | null, reserved: number | null): Step {
    const from = this.#targetVersion
    const to = this.pending ?? from
    this.#files = this.#filesBefore + replay.files
    if (part === null) {
      this.#wholeFiles = this.#files
      this.#targetVersion = to
      this.pending = null
    }
    const cursor = this.#cursor(part ?? {})
    const { time, protocol, metadata } = replay
    const nowMs = this.#o.clock.now()
    const { historyFrom, refused } = this
    const totals = { ...replay.totals }
    return {
      batch,
      reserved,
      isPart: part !== null,
      from,
      head: { version: to, historyFrom, commitTime: time, totals, protocol, metadata, refused, cursor, nowMs },
      cursor,
      files: this.#files,
      changedRule: part === null ? replay.times.takeChange() : null,
    }
  }

  async #write(step: Step): Promise<number | null> {
    const { database, tableId } = this.#o
    const { head, cursor } = step
    const now = await database.now()
    let attempts = 0
    try {
      const first = await database.write(
        (transaction) => {
          if (attempts++ > 0) this.#numbers.forgetPartitions()
          return this.#writeStep(transaction, step, now)
        },
        hasCursor(tableId, cursor),
      )
      if (!step.isPart) this.version = head.version
      return first
    } catch (error) {
      this.#numbers.forgetPartitions()
      throw error
    }
  }

  async #writeStep(transaction: SqlTransaction, step: Step, now: number): Promise<number | null> {
    const { tableId } = this.#o
    const { cursor, from } = step
    let { head } = step
    await renewLease(transaction, this.#lease, now)
    const number = await writeBatch(transaction, tableId, step.batch, this.#numbers, step.reserved)
    if (step.changedRule !== null && head.version !== null) {
      const { time } = await retime(
        transaction,
        { tableId, from: head.historyFrom, to: head.version },
        step.changedRule,
      )
      head = { ...head, commitTime: time }
    }
    if (step.isPart) {
      await transaction.run('UPDATE delta_tables SET "cursor" = ? WHERE table_id = ?', [cursor, tableId])
    } else {
      if (!(await moveHead(transaction, tableId, from, head))) {
        throw new SluiceError('LEASE_LOST', `another run changed ${tableId}; this batch was not written`, {
          hint: 'let the other run finish, then run the same command again',
        })
      }
      if (this.#rebase !== null && from !== null && from < this.#rebase)
        await dropVersions(transaction, tableId, 'version < ?', this.#rebase)
    }
    const { version, nowMs } = head
    await setStatus(transaction, this.#importId, { status: 'in_progress', version, files: step.files, nowMs })
    return number
  }

  get #sweep(): CatalogSweep {
    const { database, tableId, interrupt, stepRows } = this.#o
    const at = { database, tableId, lease: this.#lease, abort: interrupt.abort }
    return stepRows === undefined ? at : { ...at, stepRows }
  }

  #status(status: ImportStatus, replay: Replay | null) {
    return {
      status,
      version: this.version,
      files: this.#filesBefore + (replay?.files ?? 0),
      nowMs: this.#o.clock.now(),
    }
  }

  /** The cursor of the next transaction, as stored text. The text is unique, so it identifies the transaction. */
  #cursor({ checkpointRows, checkpoint }: CheckpointPart): string {
    const cursor: Cursor = {
      importId: this.#importId,
      transaction: [this.#lease.fence, ++this.#cursors],
      done: this.done,
      total: Math.max(this.#total, this.done),
      files: this.#files,
      wholeFiles: this.#wholeFiles,
      ...(this.#shared === undefined ? {} : { shared: this.#shared }),
      ...(this.#rebase === null ? {} : { rebase: this.#rebase }),
      ...(checkpointRows === undefined ? {} : { checkpointRows }),
      ...(checkpoint === undefined ? {} : { checkpoint }),
    }
    return JSON.stringify(cursor)
  }
}

/** Checks whether the transaction with this cursor was committed. */
function hasCursor(tableId: string, cursor: string): HasCommitted {
  return async (reader) => {
    const [row] = await reader.all('SELECT "cursor" FROM delta_tables WHERE table_id = ?', [tableId])
    return row?.[0] === cursor
  }
}
