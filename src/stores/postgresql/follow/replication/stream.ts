/** Changes of a slot, in commit order. */
import { performance } from 'node:perf_hooks'
import type { Change, LogPosition } from '../../../../model/copy/change.ts'
import type { FrameFormat } from '../../../../model/copy/rows.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import { breathe, throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { ChangeStream, FollowedTable, StreamStart } from '../../../../model/follow/port.ts'
import { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { Changes } from './changes.ts'
import { streamError } from './errors.ts'
import { lsnOf } from '../../server/lsn.ts'
import { ReplicatedRelations } from './relations.ts'
import type { WalRequest } from './start-replication.ts'
import { WalSender } from './walsender.ts'

export type StreamOptions = {
  /** Aborting it ends the stream: `next` throws. */
  readonly signal: AbortSignal
  /** Leaves out rows that were applied under any replication origin. */
  readonly origin?: 'none'
  /** Format in which whole rows are returned as bytes; `pg-binary` becomes texts if a column does not support it. */
  readonly frames?: FrameFormat | undefined
  /** Terminates the session that reads the slot now: the caller has the lease, so the session's program is dead. */
  readonly takeOver?: boolean
}

/** Longest wait for a terminated session to end, in ms. */
const TAKE_OVER_MS = 15_000
const POLL_MS = 50
/**
 * Number of batches that are decoded while the caller writes one. Their rows are in memory twice, as bytes and as
 * cells.
 */
const AHEAD = 2

/**
 * @param from transactions whose commit record begins before it are left out
 * @throws SluiceError SLOT_LOST, SLOT_ACTIVE, NOT_FOLLOWABLE, CONNECTION_LOST (retryable)
 */
export async function openReplicationStream(
  settings: PostgresSettings,
  startRecord: Pick<StreamStart, 'slot' | 'publication' | 'since'> & Partial<Pick<StreamStart, 'shapes'>>,
  tables: readonly FollowedTable[],
  from: LogPosition,
  options: StreamOptions,
): Promise<ChangeStream> {
  const { signal, origin, frames, takeOver = false } = options
  const { slot, publication } = startRecord
  const since = tables.map(({ table }) => lsnOf(startRecord.since?.[tableText(table.table)] ?? '0/0'))
  throwIfAborted(signal)
  try {
    const relations = await withSession(settings, (session) =>
      ReplicatedRelations.open(
        session,
        tables,
        startRecord.shapes ?? {},
        (sql) => withSession(settings, (other) => other.ask(sql)),
        frames === 'pg-binary',
      ),
    )
    const request = { slot, publication, from, origin, isBinary: relations.wire.isBinary }
    const sender = await started(settings, request, signal, takeOver)
    return new SlotStream(
      settings,
      slot,
      sender,
      new Changes(relations, from, { since, ownOnly: origin === 'none', isFramed: frames !== undefined }),
      signal,
    )
  } catch (error) {
    throw streamError(error, slot, settings)
  }
}

class SlotStream implements ChangeStream {
  readonly #settings: PostgresSettings
  readonly #slot: string
  readonly #sender: WalSender
  readonly #changes: Changes
  readonly #signal: AbortSignal
  readonly #abort = (): void => this.#sender.wake()
  readonly #ready: (readonly Change[])[] = []
  #reading: Promise<void> | null = null
  #failure: unknown = null

  constructor(settings: PostgresSettings, slot: string, sender: WalSender, changes: Changes, signal: AbortSignal) {
    this.#settings = settings
    this.#slot = slot
    this.#sender = sender
    this.#changes = changes
    this.#signal = signal
    signal.addEventListener('abort', this.#abort)
  }

  get end(): LogPosition {
    return this.#sender.end
  }

  async next(waitMs: number): Promise<readonly Change[]> {
    const until = performance.now() + waitMs
    for (;;) {
      throwIfAborted(this.#signal)
      const changes = this.#ready.shift()
      if (changes !== undefined) {
        this.#readAhead()
        return changes
      }
      if (this.#reading !== null) await this.#reading
      else if (this.#failure !== null) throw this.#failure
      else await this.#readBatch()
      if (this.#ready.length > 0 || this.#failure !== null || !this.#changes.isEmpty) continue
      const leftMs = until - performance.now()
      if (leftMs <= 0) return []
      await this.#sender.arrival(leftMs)
    }
  }

  confirm(position: LogPosition): void {
    this.#sender.confirm(position)
  }

  ask(): void {
    this.#sender.ask()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#abort)
    this.#failure ??= new SluiceError('INTERNAL', 'this stream was closed')
    await this.#sender[Symbol.asyncDispose]()
  }

  /** Decodes further batches while the caller works. */
  #readAhead(): void {
    if (this.#reading !== null || this.#ready.length >= AHEAD || this.#failure !== null) return
    this.#reading = (async () => {
      await breathe()
      const isMore = await this.#readBatch()
      this.#reading = null
      if (isMore) this.#readAhead()
    })()
  }

  /** @returns true if there was a batch */
  async #readBatch(): Promise<boolean> {
    const changes = await this.#read()
    if (changes.length > 0) this.#ready.push(changes)
    return changes.length > 0
  }

  /** Changes read before a failure are returned before the failure is thrown. */
  async #read(): Promise<readonly Change[]> {
    try {
      while (!this.#changes.isBatch) {
        if (this.#changes.isEmpty) {
          const block = this.#sender.shift()
          if (block === null) break
          this.#changes.give(block)
        }
        await this.#changes.read()
      }
    } catch (error) {
      this.#failure ??= this.#named(error)
    }
    return this.#changes.take()
  }

  #named(error: unknown): unknown {
    return streamError(error, this.#slot, this.#settings)
  }
}

async function started(
  settings: PostgresSettings,
  request: WalRequest,
  signal: AbortSignal,
  takeOver: boolean,
): Promise<WalSender> {
  const until = performance.now() + TAKE_OVER_MS
  for (;;) {
    throwIfAborted(signal)
    try {
      return await WalSender.start(settings, request)
    } catch (thrown) {
      const error = streamError(thrown, request.slot, settings)
      const isActive = error instanceof SluiceError && error.code === 'SLOT_ACTIVE'
      if (!isActive || !takeOver || performance.now() > until) throw error
      await endReader(settings, request.slot)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** @throws errors of the server if the role has no right to terminate the session */
async function endReader(settings: PostgresSettings, slot: string): Promise<void> {
  await withSession(settings, (session) =>
    session.ask(
      `SELECT pg_catalog.pg_terminate_backend(active_pid) FROM pg_catalog.pg_replication_slots
       WHERE slot_name = ${literal(slot)} AND active_pid IS NOT NULL`,
    ),
  )
}

async function withSession<T>(settings: PostgresSettings, body: (session: CopySession) => Promise<T>): Promise<T> {
  await using session = await CopySession.open(settings, 'read')
  return await body(session)
}
