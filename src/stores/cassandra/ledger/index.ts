/**
 * The ledger of copies into Cassandra: a log that every participating program applies to its own database.
 *
 * Cassandra has no transactions over several rows, and the ledger needs them. So a batch runs in the program's own copy
 * of the ledger, and takes effect when its statements become the next entry of the log. If another program was first,
 * the batch runs again on that program's result. Batches that wait at the same time share an entry.
 */
import { types } from 'cassandra-driver'
import { breathe, throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { sqliteCopyError } from '../../sqlite/copy/errors.ts'
import type { CassandraLink } from '../connect.ts'
import type { OnRetry } from '../failure.ts'
import { packEntry, weightOf, type EntryBatch } from './entry.ts'
import { brokenLedger, retryIdempotent, pause } from './failures.ts'
import { LedgerFollower } from './follower.ts'
import { LedgerLog, type LedgerLogEntry } from './log.ts'

export type LedgerOptions = {
  /** True if the ledger is only read: nothing is created or changed. */
  readonly isReadOnly?: boolean
  /** Entries between two snapshots; default 1000. */
  readonly snapshotEntries?: number
}

/**
 * Creates nothing before the first write.
 * @param signal ends all waiting for the cluster
 * @throws SluiceError LEDGER_NEWER, LEDGER_DAMAGED, TARGET_DENIED …
 */
export async function openCqlLedger(
  link: CassandraLink,
  keyspace: string,
  signal: AbortSignal,
  options: LedgerOptions = {},
): Promise<LedgerDatabase> {
  const follower = new LedgerFollower(new LedgerLog(link, keyspace), {
    retryLimitMs: retryLimitOf(link),
    onRetry: link.onRetry,
    snapshotEntries: BigInt(options.snapshotEntries ?? SNAPSHOT_ENTRIES),
    signal,
  })
  try {
    await follower.catchUp()
  } catch (error) {
    await follower.close()
    throw error
  }
  return new CqlLedger(link, follower, signal, options.isReadOnly ?? false)
}

/** Maximum retry time, ms: less than a lease, so that a waiting program is not treated as ended. */
const MOST_RETRY_MS = 15_000
const SNAPSHOT_ENTRIES = 1000
/** Limits for batches that share an entry: number of batches, and bytes. */
const GROUP_JOBS = 200
const GROUP_BYTES = 1_000_000

type Job = {
  readonly statements: readonly Statement[]
  readonly isRead: boolean
  readonly bytes: number
  readonly resolve: (results: readonly (readonly SqlRow[])[]) => void
  readonly reject: (error: unknown) => void
}

type Outcome =
  { readonly results: readonly (readonly SqlRow[])[]; readonly batch: EntryBatch | null } | { readonly error: unknown }

class CqlLedger implements LedgerDatabase {
  readonly dialect = 'sqlite'
  readonly label: string
  readonly #retryLimitMs: number
  readonly #onRetry: OnRetry | undefined
  readonly #follower: LedgerFollower
  readonly #signal: AbortSignal
  readonly #isReadOnly: boolean
  readonly #waiting: Job[] = []
  #work: Promise<void> | null = null
  #closed = false

  constructor(link: CassandraLink, follower: LedgerFollower, signal: AbortSignal, isReadOnly: boolean) {
    this.label = link.settings.label
    this.#retryLimitMs = retryLimitOf(link)
    this.#onRetry = link.onRetry
    this.#follower = follower
    this.#signal = signal
    this.#isReadOnly = isReadOnly
  }

  async all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    const [rows = []] = await this.#ask([{ sql, parameters }], true)
    return rows
  }

  async batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]> {
    return statements.length === 0 ? [] : this.#ask(statements, false)
  }

  /** Does nothing: changes that an ended owner has not appended never take effect. */
  async endSession(): Promise<void> {
    return
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#work
    await this.#follower.close()
  }

  #ask(statements: readonly Statement[], isRead: boolean): Promise<readonly (readonly SqlRow[])[]> {
    if (this.#closed) return Promise.reject(new SluiceError('INTERNAL', 'the ledger is closed'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ statements, isRead, bytes: weightOf(statements), resolve, reject })
      this.#work ??= this.#serve()
    })
  }

  async #serve(): Promise<void> {
    // Wait until other calls in the same turn of the event loop have joined the group.
    await breathe()
    while (this.#waiting.length > 0) {
      const group = this.#take()
      try {
        await this.#perform(group)
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    this.#work = null
  }

  #take(): readonly Job[] {
    let bytes = 0
    let count = 0
    for (const job of this.#waiting) {
      bytes += job.bytes
      if (count > 0 && (count >= GROUP_JOBS || bytes > GROUP_BYTES)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #perform(group: readonly Job[]): Promise<void> {
    const follower = this.#follower
    const onlyReads = group.every(({ isRead }) => isRead)
    // If the batches change nothing, their results are valid only if the replica was up to date when they ran.
    let isCurrent = onlyReads
    let now = onlyReads ? await follower.catchUp() : await follower.now()
    for (let attempt = 1; ; attempt++) {
      throwIfAborted(this.#signal)
      const { outcomes, landed } = await this.#attempt(group, now)
      if (landed === 'applied' || (landed === 'unchanged' && isCurrent)) {
        resolveGroup(group, outcomes)
        return
      }
      if (landed === 'missing') await follower.create()
      if (landed === 'taken' && attempt > 1) await pause(Math.min(attempt, 5), this.#signal)
      now = await follower.catchUp()
      isCurrent = true
    }
  }

  async #attempt(
    group: readonly Job[],
    clock: number,
  ): Promise<{
    readonly outcomes: readonly Outcome[]
    readonly landed: 'applied' | 'taken' | 'unchanged' | 'missing'
  }> {
    const { replica, position } = this.#follower
    // The time of entries never decreases, even if the clocks of nodes differ.
    const now = Math.max(clock, this.#follower.latest)
    replica.begin(now)
    try {
      const outcomes = group.map((job) => this.#run(job))
      const batches = outcomes.flatMap((outcome) =>
        'batch' in outcome && outcome.batch !== null ? [outcome.batch] : [],
      )
      if (batches.length === 0) return { outcomes, landed: 'unchanged' }
      if (this.#isReadOnly) throw new SluiceError('INTERNAL', 'the ledger cannot be written: it was opened for reading')
      if (position === null) return { outcomes, landed: 'missing' }
      const entry: LedgerLogEntry = {
        seq: position.seq + 1n,
        id: types.Uuid.random().toString(),
        prev: position.id,
        bytes: packEntry({ now, batches }),
      }
      const landed = await this.#append(entry, now)
      if (landed === 'applied') {
        replica.commit()
        this.#follower.moved(entry, now)
      }
      return { outcomes, landed }
    } finally {
      replica.rollback()
    }
  }

  #run({ statements }: Job): Outcome {
    try {
      return this.#follower.replica.run(statements)
    } catch (error) {
      return { error: sqliteCopyError(error, this.label, 'target') }
    }
  }

  /** @throws SluiceError COMMIT_UNKNOWN if it is unknown whether the entry is in the log */
  async #append(entry: LedgerLogEntry, now: number): Promise<'applied' | 'taken'> {
    const { log } = this.#follower
    const until = performance.now() + this.#retryLimitMs
    await retryIdempotent(() => log.place(entry, now), this.#retryLimitMs, this.#signal, this.#onRetry)
    let unsure: SluiceError | null = null
    for (let attempt = 1; ; attempt++) {
      const landed = await log.append(entry)
      if (landed === 'applied') return landed
      // `taken` may also mean that an earlier attempt succeeded, and that other programs have appended entries since.
      if (landed === 'taken' && unsure === null) {
        await log.withdraw(entry, entry.bytes.length).catch(() => undefined)
        return landed
      }
      if (landed !== 'taken') unsure = landed
      const found = await this.#find(entry, unsure, until)
      if (found !== 'nowhere') return found
      if (performance.now() > until) throw this.#unknown(unsure)
      await pause(attempt, this.#signal)
    }
  }

  /**
   * `applied`: the entry is part of the log. `taken`: another entry has its position. `nowhere`: no entry
   * has its position yet, so the entry may still become part of the log.
   * Retries reads after transient failures.
   */
  async #find(
    entry: LedgerLogEntry,
    unsure: SluiceError | null,
    until: number,
  ): Promise<'applied' | 'taken' | 'nowhere'> {
    try {
      const leftMs = Math.max(0, until - performance.now())
      return await retryIdempotent(() => this.#findOnce(entry), leftMs, this.#signal, this.#onRetry)
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'LEDGER_DAMAGED') throw error
      throw this.#unknown(unsure ?? error)
    }
  }

  async #findOnce(entry: LedgerLogEntry): Promise<'applied' | 'taken' | 'nowhere'> {
    const { log } = this.#follower
    const head = await log.head()
    if (head === null) throw brokenLedger('the end of its log is missing')
    if (head.seq < entry.seq) return 'nowhere'
    if (head.id === entry.id) return 'applied'
    const chain = await log.between({ seq: entry.seq - 1n, id: entry.prev }, head)
    if (chain === null) throw new SluiceError('COMMIT_UNKNOWN', 'the log of the ledger was trimmed during the read')
    return chain[0]?.id === entry.id ? 'applied' : 'taken'
  }

  #unknown(cause: unknown): SluiceError {
    if (cause instanceof SluiceError && cause.code === 'TARGET_BUSY') return cause
    return new SluiceError('COMMIT_UNKNOWN', 'it is unknown whether a change of the ledger was written', {
      where: this.label,
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: 'run the same command again: it checks this, and continues where it stopped',
      retryable: true,
      cause,
    })
  }
}

function resolveGroup(group: readonly Job[], outcomes: readonly Outcome[]): void {
  group.forEach(({ resolve, reject }, i) => {
    const outcome = outcomes[i]
    if (outcome === undefined || 'error' in outcome) reject(outcome?.error)
    else resolve(outcome.results)
  })
}

function retryLimitOf({ settings }: CassandraLink): number {
  return Math.min(settings.retryMs, MOST_RETRY_MS)
}
