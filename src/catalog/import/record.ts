/**
 * The durable side of an import: every transaction it makes. The rows of a batch, the table's head, the cursor, the status row and the lease
 * move together or not at all.
 */
import { breathe, throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { renewLease, type Lease } from '../lease.ts'
import { setStatus, startStatus, type ImportStatus } from '../status.ts'
import { Batch, PartitionNumbers, writeBatch } from './batch.ts'
import { discardAbove, insertHead, moveHead, purgeTable, type Cursor } from './head.ts'
import type { ImportOptions } from './options.ts'
import type { Replay } from './replay.ts'
import type { Start } from './start.ts'

/** How far the rows of the base checkpoint are written, while its version is not whole. */
export type CheckpointPart = Pick<Cursor, 'checkpointRows' | 'checkpoint'>

/** The batch is written and a stop was asked for. */
export class StopHere extends Error {}

export class ImportRecord {
  readonly batch = new Batch()
  /** The table's current version in the catalog. */
  version: number | null = null
  /** Version that the next whole batch makes current. */
  pending: number | null = null
  historyFrom = 0
  /** Actions done, those of an interrupted import included. */
  done = 0
  baseline = 0
  /** Why the table's data cannot be read, where it is imported all the same. */
  refused: string | null = null
  readonly #o: ImportOptions
  readonly #lease: Lease
  readonly #partitions: PartitionNumbers
  #importId: string
  #hasStatus = false
  #total = 0

  constructor(options: ImportOptions, lease: Lease) {
    this.#o = options
    this.#lease = lease
    this.#importId = options.importId
    this.#partitions = new PartitionNumbers(options.tableId)
  }

  get importId(): string {
    return this.#importId
  }

  /** Keeps the lease alive where no batch does. */
  async renew(): Promise<void> {
    const now = await this.#o.database.now()
    // Losing the lease is found out, and acted on, by the next batch.
    await this.#o.database.write((transaction) => renewLease(transaction, this.#lease, now)).catch(() => undefined)
  }

  /** Writes the rows that say an import is under way. Nothing was written before this. */
  async open(start: Exclude<Start, { kind: 'current' }>, latest: number, actions: number): Promise<void> {
    const { database, tableId, log, clock, indexes, onStart, onNote } = this.#o
    if (start.importId !== null) this.#importId = start.importId
    this.version = start.head?.currentVersion ?? null
    this.historyFrom = start.historyFrom
    this.baseline = start.done
    this.done = start.done
    this.#total = start.done + actions
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
      const part = start.skipRows > 0 ? (start.head?.cursor ?? {}) : {}
      await transaction.run('UPDATE delta_tables SET cursor = ? WHERE table_id = ?', [this.#cursor(part), tableId])
    })
    this.#hasStatus = true
    onStart({
      fromVersion: start.kind === 'continue' ? (start.head?.currentVersion ?? 0) + 1 : start.historyFrom,
      toVersion: latest,
      resumed: start.importId !== null,
      total: this.#total,
      done: this.done,
    })
  }

  /**
   * Writes the batch in one transaction. `part` is null at a version boundary; otherwise the rows stay above the current version and the
   * cursor says how far they reach.
   * @throws StopHere when a stop was asked for and this is not the last batch; SluiceError LEASE_LOST, NO_SPACE …
   */
  async flush(replay: Replay, part: CheckpointPart | null, last = false): Promise<void> {
    const { interrupt, onProgress, whilePaused } = this.#o
    throwIfAborted(interrupt.abort)
    const to = this.pending ?? this.version
    const first = await this.#write(replay, part, to)
    this.batch.clear()
    if (part === null) {
      this.version = to
      this.pending = null
    } else replay.partWritten(first)
    onProgress({ done: this.done, total: Math.max(this.#total, this.done), version: this.version, files: replay.files })
    // Timers, signals and other lanes have their turn between two transactions.
    await breathe()
    await whilePaused?.()
    throwIfAborted(interrupt.abort)
    if (interrupt.stop.aborted && !last) throw new StopHere()
  }

  async stopped(replay: Replay | null): Promise<void> {
    if (!this.#hasStatus) return
    const to = this.#status('stopped', replay)
    await this.#o.database.write((transaction) => setStatus(transaction, this.#importId, to))
  }

  /** Makes the table readable. @throws SluiceError INTERNAL when the import did not reach the log's end */
  async complete(replay: Replay, latest: number): Promise<void> {
    const { database, tableId } = this.#o
    if (this.version !== latest) {
      throw new SluiceError('INTERNAL', `the import ended at version ${String(this.version)}, the log at ${latest}`)
    }
    await database.write(async (transaction) => {
      await renewLease(transaction, this.#lease, await database.now())
      await transaction.run('UPDATE delta_tables SET import_id = ?, cursor = NULL WHERE table_id = ?', [
        BigInt(this.#importId),
        tableId,
      ])
      await setStatus(transaction, this.#importId, this.#status('completed', replay))
    })
  }

  /** Records why an import ended, where the catalog can still be written. */
  async failed(error: SluiceError, replay: Replay | null): Promise<void> {
    const { database, tableId, clock } = this.#o
    const status = error.kind === 'stopped' ? 'stopped' : 'failed'
    if (status === 'stopped' && !this.#hasStatus) return
    const message = error.where === undefined ? error.message : `${error.message} (${error.where})`
    try {
      await database.write(async (transaction) => {
        if (!this.#hasStatus) await startStatus(transaction, this.#importId, tableId, clock.now())
        await setStatus(transaction, this.#importId, {
          ...this.#status(status, replay),
          error: `${error.code}: ${message}`,
        })
      })
    } catch {
      // The catalog cannot be written: that is the failure being reported, and the next run mends the row.
    }
  }

  async #write(replay: Replay, part: CheckpointPart | null, to: number | null): Promise<number | null> {
    const { database, tableId, clock } = this.#o
    try {
      return await database.write(async (transaction) => {
        await renewLease(transaction, this.#lease, await database.now())
        const first = await writeBatch(transaction, this.batch, this.#partitions)
        if (part === null) {
          const moved = await moveHead(transaction, tableId, this.version, {
            version: to,
            historyFrom: this.historyFrom,
            commitTime: replay.time,
            totals: replay.totals,
            protocol: replay.protocol,
            metadata: replay.metadata,
            refused: this.refused,
            cursor: this.#cursor({}),
            nowMs: clock.now(),
          })
          if (!moved) {
            const lost = `${tableId} was changed by another run; nothing of this batch was written`
            throw new SluiceError('LEASE_LOST', lost)
          }
        } else {
          await transaction.run('UPDATE delta_tables SET cursor = ? WHERE table_id = ?', [this.#cursor(part), tableId])
        }
        await setStatus(transaction, this.#importId, { ...this.#status('in_progress', replay), version: to })
        return first
      })
    } catch (error) {
      this.#partitions.forget()
      throw error
    }
  }

  #status(status: ImportStatus, replay: Replay | null) {
    return { status, version: this.version, files: replay?.files ?? 0, nowMs: this.#o.clock.now() }
  }

  /** The cursor as it is stored. */
  #cursor({ checkpointRows, checkpoint }: CheckpointPart): string {
    const cursor: Cursor = {
      importId: this.#importId,
      done: this.done,
      total: Math.max(this.#total, this.done),
      ...(checkpointRows === undefined ? {} : { checkpointRows }),
      ...(checkpoint === undefined ? {} : { checkpoint }),
    }
    return JSON.stringify(cursor)
  }
}
