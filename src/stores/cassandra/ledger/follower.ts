/**
 * One participant's copy of a ledger, which applies the entries of the log. From time to time it is saved as a
 * snapshot, so that older entries of the log can be removed.
 */
import { promisify } from 'node:util'
import { deflateRaw, inflateRawSync } from 'node:zlib'
import { types } from 'cassandra-driver'
import { breathe } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { entryChecksum, unpackEntry } from './entry.ts'
import type { OnRetry } from '../failure.ts'
import { brokenLedger, retryIdempotent } from './failures.ts'
import {
  BUCKET,
  type SnapshotHead,
  type LedgerLog,
  type LedgerLogEntry,
  type LedgerPosition,
  type LedgerSnapshot,
} from './log.ts'
import { Replica } from './replica.ts'

const deflated = promisify(deflateRaw)

export type FollowerOptions = {
  /** Retry limit after transient failures, ms. */
  readonly retryLimitMs: number
  readonly onRetry: OnRetry | undefined
  /** Entries between two snapshots. */
  readonly snapshotEntries: bigint
  readonly signal: AbortSignal
}

const SNAPSHOT_BYTES = 4_000_000
const LONGEST_IMAGE = 1_000_000_000
const ENTRIES_AT_ONCE = 50
const ATTEMPTS = 5

export class LedgerFollower {
  readonly log: LedgerLog
  readonly #options: FollowerOptions
  #replica = new Replica()
  #position: LedgerPosition | null = null
  #latest = 0
  /** Bytes of entries since the snapshot. */
  #bytes = 0
  #snapshotSeq = 0n
  #saving: Promise<void> | null = null

  constructor(log: LedgerLog, options: FollowerOptions) {
    this.log = log
    this.#options = options
  }

  get replica(): Replica {
    return this.#replica
  }

  /** The last entry in the replica; null if there is no log. */
  get position(): LedgerPosition | null {
    return this.#position
  }

  /** The current time that the statements of the last entry used, ms. */
  get latest(): number {
    return this.#latest
  }

  now(): Promise<number> {
    return this.#withRetries(() => this.log.now())
  }

  create(): Promise<void> {
    return this.#withRetries(() => this.log.create())
  }

  /**
   * Applies all new entries of other programs.
   * @returns the time by the cluster's clock
   * @throws SluiceError LEDGER_DAMAGED, LEDGER_NEWER
   */
  async catchUp(): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      const head = await this.#withRetries(() => this.log.head())
      if (head === null) {
        if (this.#position !== null) throw brokenLedger('the end of its log is missing')
        return this.now()
      }
      if (await this.#applyUntil(head)) return Math.max(head.now, this.#latest)
      // Missing entries may have been trimmed since the end was read.
      if (attempt === ATTEMPTS) throw brokenLedger(`entries before ${head.seq} are missing`)
    }
  }

  /** Records an entry of this program, which is already in the replica. */
  moved(entry: LedgerLogEntry, now: number): void {
    const before = this.#bytes
    this.#advance(entry, now)
    const since = entry.seq - this.#snapshotSeq
    const { snapshotEntries } = this.#options
    // If a snapshot fails, the next attempt follows after a quarter of the usual number of entries.
    const isDue = since >= snapshotEntries && since % (snapshotEntries / 4n) === 0n
    const isHeavy = Math.floor(before / SNAPSHOT_BYTES) !== Math.floor(this.#bytes / SNAPSHOT_BYTES)
    if ((isDue || isHeavy) && this.#saving === null) {
      // Ignore errors: without a snapshot the log is only longer.
      this.#saving = this.#save(entry, this.#replica.image())
        .catch(() => undefined)
        .finally(() => {
          this.#saving = null
        })
    }
  }

  async close(): Promise<void> {
    await this.#saving
    this.#replica.close()
  }

  /** @returns false if entries or the snapshot are missing */
  async #applyUntil(head: SnapshotHead): Promise<boolean> {
    const { snapshot } = head
    if (snapshot.position.seq !== this.#snapshotSeq) {
      this.#snapshotSeq = snapshot.position.seq
      this.#bytes = 0
    }
    if (this.#position === null && !(await this.#load(snapshot))) return false
    if (this.#position !== null && this.#position.seq > head.seq) {
      throw brokenLedger(`its last entry is ${head.seq}, and was ${this.#position.seq} before`)
    }
    if (this.#position?.seq === head.seq) {
      if (this.#position.id === head.id) return true
      throw brokenLedger(`entry ${head.seq} was replaced`)
    }
    const position = this.#position
    const entries = position === null ? null : await this.#withRetries(() => this.log.between(position, head))
    if (entries !== null) {
      await this.#apply(entries)
      return true
    }
    if (position !== null && snapshot.position.seq > position.seq) this.#position = null
    return false
  }

  async #apply(entries: readonly LedgerLogEntry[]): Promise<void> {
    for (const [i, entry] of entries.entries()) {
      let now: number
      try {
        const read = unpackEntry(entry.bytes)
        now = read.now
        this.#replica.apply(read)
      } catch (error) {
        throw brokenLedger(
          `entry ${entry.seq} cannot be replayed: ${error instanceof Error ? error.message : String(error)}`,
        )
      }
      this.#advance(entry, now)
      if (i % ENTRIES_AT_ONCE === ENTRIES_AT_ONCE - 1) await breathe()
    }
  }

  #advance({ seq, id, bytes }: LedgerLogEntry, now: number): void {
    this.#position = { seq, id }
    this.#latest = now
    this.#bytes += bytes.length
  }

  async #load({ position, id, parts, sum }: LedgerSnapshot): Promise<boolean> {
    let image: Buffer | null = null
    if (id !== null) {
      const bytes = await this.#withRetries(() => this.log.readParts(id, parts))
      if (bytes === null) return false
      if (entryChecksum(bytes) !== sum) throw brokenLedger('the checksum of its snapshot is wrong')
      try {
        image = inflateRawSync(bytes, { maxOutputLength: LONGEST_IMAGE })
      } catch {
        throw brokenLedger('its snapshot cannot be read')
      }
    }
    const [head, body] = image === null ? [0, null] : [Number(image.readBigInt64BE(0)), image.subarray(8)]
    this.#replica.close()
    this.#replica = new Replica(body)
    this.#latest = head
    this.#position = position
    return true
  }

  /** @param image the whole ledger at this position, as bytes */
  async #save(position: LedgerPosition, image: Buffer): Promise<void> {
    const now = Buffer.alloc(8)
    now.writeBigInt64BE(BigInt(this.#latest))
    const bytes = await deflated(Buffer.concat([now, image]), { level: 1 })
    const head = await this.#withRetries(() => this.log.head())
    if (head === null || head.snapshot.position.seq >= position.seq) return
    const before = head.snapshot
    const id = types.Uuid.random().toString()
    const parts = await this.#withRetries(() => this.log.writeParts(id, bytes))
    const landed = await this.log.publish(
      {
        position: { seq: position.seq, id: position.id },
        id,
        parts,
        sum: entryChecksum(bytes),
        trimmed: before.trimmed,
      },
      before,
    )
    if (landed instanceof SluiceError) return
    if (landed === 'taken') {
      await this.log.dropParts(id)
      return
    }
    if (before.id !== null) await this.log.dropParts(before.id)
    // Keep one bucket: a program that is a little behind finds the entries, and need not load the snapshot.
    await this.log.trim(before.trimmed, position.seq / BUCKET - 1n)
  }

  #withRetries<T>(body: () => Promise<T>): Promise<T> {
    return retryIdempotent(body, this.#options.retryLimitMs, this.#options.signal, this.#options.onRetry)
  }
}
