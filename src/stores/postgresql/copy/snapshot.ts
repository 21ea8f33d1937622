/**
 * A snapshot of the database, kept by an otherwise idle session, the holder, and read by other sessions. If the holder
 * is lost, sessions that have joined the snapshot keep it, but new ones cannot join.
 */
import type { ReadPoint } from '../../../model/copy/plan.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { startHeartbeat } from '../../common/lease/heartbeat.ts'
import { Pool } from '../../common/pool.ts'
import { isConnectionLoss } from '../server/server-errors.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { tableWanted, viewLost } from '../server/errors.ts'
import { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'
import { watchWanted } from '../server/wanted.ts'

/** Longest silence of a session before the server ends it, ms: as long as a lease. */
const FROZEN_MS = 30_000
const KIND = 'ISOLATION LEVEL REPEATABLE READ READ ONLY'

export class PostgresSnapshot implements AsyncDisposable {
  readonly point: ReadPoint
  readonly #settings: PostgresSettings
  readonly #holder: CopySession
  readonly #name: string
  readonly #readers: Pool<CopySession>
  #unwatched: () => void = () => undefined
  /** Timer that keeps the holder from being idle; set if the server ends the sessions of a program that freezes. */
  #heartbeat: NodeJS.Timeout | undefined
  #lost: SluiceError | null = null

  /**
   * @param readers maximum number of sessions at the same time; further requests wait
   * @param isMortal true: if this program freezes, the server ends its sessions
   * @throws SluiceError as `connect` does; CONNECT_FAILED if a pooler would mix up sessions
   */
  static async open(given: PostgresSettings, readers: number, isMortal = false): Promise<PostgresSnapshot> {
    const settings = isMortal ? { ...given, frozenMs: FROZEN_MS } : given
    const holder = await CopySession.open(settings, 'read')
    try {
      await holder.begin(KIND)
      const snapshot = await PostgresSnapshot.ofSession(settings, holder, readers)
      if (isMortal) snapshot.#startHeartbeat()
      return snapshot
    } catch (error) {
      holder.destroy()
      throw error
    }
  }

  /**
   * Joins the snapshot of another program on any host. If this program freezes, the server ends its sessions: they hold
   * locks of tables that the other program may have to empty.
   * @param exported name of the snapshot on its server
   * @throws SluiceError as `connect` does; CONNECTION_LOST if its holder has ended
   */
  static async joined(settings: PostgresSettings, exported: string, readers: number): Promise<PostgresSnapshot> {
    const mortal = { ...settings, frozenMs: FROZEN_MS }
    const holder = await CopySession.open(mortal, 'read')
    try {
      await holder.begin(KIND, `SET TRANSACTION SNAPSHOT ${literal(exported)}`)
      const snapshot = await PostgresSnapshot.ofSession(mortal, holder, readers)
      snapshot.#startHeartbeat()
      return snapshot
    } catch (error) {
      holder.destroy()
      throw error instanceof SluiceError || isConnectionLoss(error) ? error : viewLost(settings, error)
    }
  }

  /** Snapshot of a session in a REPEATABLE READ transaction; the snapshot closes it. @throws errors of the server */
  static async ofSession(settings: PostgresSettings, holder: CopySession, readers: number): Promise<PostgresSnapshot> {
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

  /** Keeps the holder from being idle while this program runs. */
  #startHeartbeat(): void {
    this.#heartbeat = startHeartbeat(FROZEN_MS / 3, () => this.#holder.ask('SELECT 1'))
  }

  /** Name by which sessions of any program join the snapshot, as long as the holder is connected. */
  get exported(): string {
    return this.#name
  }

  /** A session with this snapshot, owned by the caller until `give`. @throws SluiceError CONNECTION_LOST */
  take(): Promise<CopySession> {
    return this.#readers.take()
  }

  /** @param sound false after an error: the transaction cannot continue, and a new one is opened when needed */
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

  /** True if further sessions can join the snapshot. */
  get isValid(): boolean {
    return this.#lost === null && this.#holder.alive
  }

  /** The cause, if all sessions were ended on purpose; else null. */
  get lost(): SluiceError | null {
    return this.#lost
  }

  /**
   * From now on, closes all sessions when another session waits for an exclusive lock on a table that they read. Reads
   * then fail with `lost`.
   * @param always true: for any such session; false: only if a session of this program waits, too
   * @param others further sessions of this program in the database
   */
  releaseForWaiters(always: boolean, others: () => readonly CopySession[]): void {
    const pids = (sessions: readonly CopySession[]): readonly number[] => sessions.map(({ backend }) => backend.pid)
    this.#unwatched = watchWanted({
      ask: (sql) => this.#holder.ask(sql),
      readers: () => pids(this.#readers.open),
      others: () => pids(others()),
      always,
      onWanted: (table) => {
        this.#lost = tableWanted(this.#settings, table)
        for (const session of this.#readers.open) session.destroy()
        void this[Symbol.asyncDispose]()
      },
    })
  }

  /**
   * From now on keeps the snapshot even if a session waits for a lock: block numbers are invalid in another snapshot.
   */
  keep(): void {
    this.#unwatched()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unwatched()
    clearInterval(this.#heartbeat)
    await this.#readers.close()
    await this.#holder.close()
  }

  async #opened(): Promise<CopySession> {
    if (!this.#holder.alive) throw viewLost(this.#settings, new Error('the holder of the snapshot is gone'))
    const session = await CopySession.open(this.#settings, 'read')
    try {
      await session.begin(KIND, `SET TRANSACTION SNAPSHOT ${literal(this.#name)}`)
      return session
    } catch (error) {
      session.destroy()
      throw error instanceof SluiceError || isConnectionLoss(error) ? error : viewLost(this.#settings, error)
    }
  }
}

/**
 * A WAL position after the commit of every transaction in the snapshot; null if the server does not show it. It is the
 * insert position: with synchronous_commit=off a visible commit may not be written yet, so its record may be after
 * `pg_current_wal_lsn`.
 */
async function logPosition(session: CopySession): Promise<string | null> {
  await session.ask('SAVEPOINT position')
  try {
    return await session.one(
      `SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
         ELSE pg_catalog.pg_current_wal_insert_lsn() END`,
    )
  } catch {
    await session.ask('ROLLBACK TO position')
    return null
  }
}
