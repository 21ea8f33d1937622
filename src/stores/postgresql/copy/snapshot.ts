/**
 * One state of the database, held by a session that does nothing else, and read by as many others as are needed. Sessions that took the state over
 * keep it even where the holder is lost; new ones cannot be had then.
 */
import type { ReadPoint } from '../../../model/copy/plan.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { beat } from '../../common/lease/heartbeat.ts'
import { Pool } from '../../common/pool.ts'
import { isConnectionLoss } from '../server/server-errors.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { tableWanted, viewLost } from '../server/errors.ts'
import { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'
import { watchWanted } from '../server/wanted.ts'

/** So long a session of a state that another program holds may say nothing, ms: as long as a lease. */
const FROZEN_MS = 30_000
const KIND = 'ISOLATION LEVEL REPEATABLE READ READ ONLY'

export class PostgresSnapshot implements AsyncDisposable {
  readonly point: ReadPoint
  readonly #settings: PostgresSettings
  readonly #holder: CopySession
  readonly #name: string
  readonly #readers: Pool<CopySession>
  readonly #open = new Set<CopySession>()
  #unwatched: () => void = () => undefined
  /** Of a state whose sessions the server ends where this program stands still. */
  #heart: NodeJS.Timeout | undefined
  #lost: SluiceError | null = null

  /**
   * @param readers sessions at the same time; more wait for their turn
   * @param isMortal whether the server lets go of it where this program stands still
   * @throws SluiceError as `connect` does; CONNECT_FAILED where a pooler would mix sessions up
   */
  static async open(given: PostgresSettings, readers: number, isMortal = false): Promise<PostgresSnapshot> {
    const settings = isMortal ? { ...given, frozenMs: FROZEN_MS } : given
    const holder = await CopySession.open(settings, 'read')
    try {
      await holder.begin(KIND)
      const snapshot = await PostgresSnapshot.held(settings, holder, readers)
      if (isMortal) snapshot.#beat()
      return snapshot
    } catch (error) {
      holder.destroy()
      throw error
    }
  }

  /**
   * The state that another program holds, wherever that runs. A program that stands still is let go of it by the server: it holds locks on tables that the other one may
   * want to empty.
   * @param exported name by which its server knows it
   * @throws SluiceError as `connect` does; CONNECTION_LOST where nobody holds it any more
   */
  static async joined(settings: PostgresSettings, exported: string, readers: number): Promise<PostgresSnapshot> {
    const mortal = { ...settings, frozenMs: FROZEN_MS }
    const holder = await CopySession.open(mortal, 'read')
    try {
      await holder.begin(KIND, `SET TRANSACTION SNAPSHOT ${literal(exported)}`)
      const snapshot = await PostgresSnapshot.held(mortal, holder, readers)
      snapshot.#beat()
      return snapshot
    } catch (error) {
      holder.destroy()
      throw error instanceof SluiceError || isConnectionLoss(error) ? error : viewLost(settings, error)
    }
  }

  /** The state that a session sees which is in a REPEATABLE READ transaction, and belongs to the snapshot from here on. @throws what the server says */
  static async held(settings: PostgresSettings, holder: CopySession, readers: number): Promise<PostgresSnapshot> {
    const [row] = await holder.ask(
      `SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_current_snapshot(),
         pg_catalog.to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
    )
    const [name = '', view = '', at = ''] = row?.map((text) => text ?? '') ?? []
    const position = await logPosition(holder)
    return new PostgresSnapshot(
      settings,
      holder,
      name,
      { view, ...(position === null ? {} : { position }), at },
      readers,
    )
  }

  private constructor(
    settings: PostgresSettings,
    holder: CopySession,
    name: string,
    point: ReadPoint,
    readers: number,
  ) {
    this.#settings = settings
    this.#holder = holder
    this.#name = name
    this.point = point
    this.#readers = new Pool(() => this.#opened(), { most: readers, idle: readers }, settings.label)
  }

  /** The holder is never idle while this program lives. */
  #beat(): void {
    this.#heart = beat(FROZEN_MS / 3, () => this.#holder.ask('SELECT 1'))
  }

  /** By what other sessions take the state over, in this program or another, while the holder lives. */
  get exported(): string {
    return this.#name
  }

  /** A session that sees the state and belongs to the caller until he gives it back. @throws SluiceError CONNECTION_LOST */
  take(): Promise<CopySession> {
    return this.#readers.take()
  }

  /** @param sound whether its transaction can go on; after an error it cannot, and another one is begun when it is needed */
  async give(session: CopySession, sound: boolean): Promise<void> {
    if (sound || !session.alive) await this.#readers.give(session)
    else this.#readers.drop(session)
  }

  async use<T>(body: (session: CopySession) => Promise<T>): Promise<T> {
    const session = await this.take()
    let sound = false
    try {
      const result = await body(session)
      sound = true
      return result
    } finally {
      await this.give(session, sound)
    }
  }

  /** Whether further sessions can take the state over. */
  get isValid(): boolean {
    return this.#lost === null && this.#holder.alive
  }

  /** Why all sessions were let go, and null while they were not. */
  get lost(): SluiceError | null {
    return this.#lost
  }

  /**
   * From here on all sessions are let go as soon as somebody waits for one of their tables to himself: what is being read fails with `lost`.
   * @param always also where none of the sessions waits, and whoever waits would only have to wait for the end of the copy
   */
  letGoWhereWanted(always: boolean): void {
    this.#unwatched = watchWanted({
      ask: (sql) => this.#holder.ask(sql),
      readers: () => {
        for (const session of this.#open) if (!session.alive) this.#open.delete(session)
        return [...this.#open].map(({ backend }) => backend.pid)
      },
      always,
      onWanted: (table) => {
        this.#lost = tableWanted(this.#settings, table)
        for (const session of this.#open) session.destroy()
        void this[Symbol.asyncDispose]()
      },
    })
  }

  /** The state is held whoever waits: what was found in it means nothing in another. */
  keep(): void {
    this.#unwatched()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unwatched()
    clearInterval(this.#heart)
    await this.#readers.close()
    await this.#holder.close()
  }

  async #opened(): Promise<CopySession> {
    if (!this.#holder.alive) throw viewLost(this.#settings, new Error('the holder of the snapshot is gone'))
    const session = await CopySession.open(this.#settings, 'read')
    try {
      await session.begin(KIND, `SET TRANSACTION SNAPSHOT ${literal(this.#name)}`)
      this.#open.add(session)
      return session
    } catch (error) {
      session.destroy()
      throw error instanceof SluiceError || isConnectionLoss(error) ? error : viewLost(this.#settings, error)
    }
  }
}

/**
 * A position of the write-ahead log behind the commit of every transaction that the snapshot shows; null where the server does not say. The insert position:
 * with synchronous_commit=off a visible commit may not be written yet, and lies behind `pg_current_wal_lsn`.
 */
async function logPosition(session: CopySession): Promise<string | null> {
  await session.ask('SAVEPOINT position')
  try {
    const [row] = await session.ask(
      `SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
         ELSE pg_catalog.pg_current_wal_insert_lsn() END`,
    )
    return row?.[0] ?? null
  } catch {
    await session.ask('ROLLBACK TO position')
    return null
  }
}
