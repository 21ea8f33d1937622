/**
 * The connections of a view of a source. Each has its own snapshot, because the server cannot share one. All snapshots
 * are taken together, and no connection is opened later. The snapshots are equal if the binary log has the same
 * position in all of them.
 */
import { randomUUID } from 'node:crypto'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { ReadPoint } from '../../../model/copy/plan.ts'
import type { MysqlConfig } from '../config.ts'
import type { MysqlSession } from '../session.ts'
import { sourceLost } from './errors.ts'
import { endStatement, openCopySession } from './sessions.ts'

/** Attempts to take all snapshots: they are taken again if a write occurred between them. */
const ATTEMPTS = 3
/** How long discarding a result may take before the statement is killed, in milliseconds. */
const DRAIN_MS = 20

type Waiting = { resolve(session: MysqlSession): void; reject(error: unknown): void }

export class Readers implements AsyncDisposable {
  readonly point: ReadPoint
  readonly #config: MysqlConfig
  readonly #all: readonly MysqlSession[]
  readonly #free: MysqlSession[]
  readonly #waiting: Waiting[] = []

  private constructor(config: MysqlConfig, sessions: readonly MysqlSession[], point: ReadPoint) {
    this.#config = config
    this.#all = sessions
    this.#free = [...sessions]
    this.point = point
  }

  /** @throws SluiceError CONNECT_FAILED, TLS_FAILED */
  static async open(config: MysqlConfig): Promise<Readers> {
    const opening = Array.from({ length: config.poolSize }, () => openCopySession(config, 'read'))
    const opened = await Promise.allSettled(opening)
    const sessions = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    try {
      for (const one of opened) if (one.status === 'rejected') throw one.reason
      return new Readers(config, sessions, await takeSnapshots(sessions))
    } catch (error) {
      for (const session of sessions) session.destroy()
      throw error
    }
  }

  /** @param session in a transaction with its snapshot taken, after a savepoint `sluice` */
  static async of(config: MysqlConfig, session: MysqlSession): Promise<Readers> {
    return new Readers(config, [session], await pointOf([session], 'unknown'))
  }

  /** True if no reader is lost. A lost reader cannot be replaced: a new one would have another snapshot. */
  get isComplete(): boolean {
    return this.#all.every(({ broken }) => broken === null)
  }

  /** Runs the body with a reader that no other caller uses meanwhile; waits if all are in use. */
  async use<T>(signal: AbortSignal | null, body: (session: MysqlSession) => Promise<T>): Promise<T> {
    const session = await this.take(signal)
    try {
      return await body(session)
    } finally {
      await this.give(session)
    }
  }

  /** @throws SluiceError CONNECTION_LOST if no reader is left; the signal's reason */
  async take(signal: AbortSignal | null): Promise<MysqlSession> {
    if (signal !== null) throwIfAborted(signal)
    for (;;) {
      if (this.#all.every(({ broken }) => broken !== null)) throw this.#lost()
      const session = this.#free.shift()
      if (session === undefined) return await this.#turn(signal)
      if (session.broken === null) return session
    }
  }

  /** Returns a reader, in any state. A statement that still runs is ended; the snapshot stays. */
  async give(session: MysqlSession): Promise<void> {
    if (session.isStreaming) await this.#quiet(session)
    // Releases the metadata locks, so that the tables can be altered.
    if (session.broken === null) {
      await session.command('ROLLBACK TO SAVEPOINT sluice').catch(() => session.destroy())
    }
    if (session.broken === null) {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free.push(session)
      else next.resolve(session)
    } else if (this.#all.every(({ broken }) => broken !== null)) {
      for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#lost())
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const idle = new Set(this.#free.splice(0))
    for (const session of this.#all) if (!idle.has(session)) session.destroy()
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#lost())
    await Promise.all([...idle].map((session) => session.close()))
  }

  async #turn(signal: AbortSignal | null): Promise<MysqlSession> {
    return await new Promise<MysqlSession>((resolve, reject) => {
      const leave = (): void => {
        const at = this.#waiting.indexOf(waiting)
        if (at >= 0) this.#waiting.splice(at, 1)
        reject(signal?.reason)
      }
      const done = (): void => signal?.removeEventListener('abort', leave)
      const waiting: Waiting = {
        resolve: (session) => {
          done()
          resolve(session)
        },
        reject: (error) => {
          done()
          reject(error)
        },
      }
      this.#waiting.push(waiting)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }

  /** Discards the rest of a result. If that takes longer than `DRAIN_MS`, kills the statement over a new connection. */
  async #quiet(session: MysqlSession): Promise<void> {
    session.dropStream()
    const drained = session.command('DO 0').catch(() => undefined)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), DRAIN_MS)))
    if ((await Promise.race([drained, late])) === 'late') await endStatement(this.#config, session)
    clearTimeout(timer)
    await drained
  }

  #lost(): unknown {
    return sourceLost(this.#config.label, this.#all[0]?.broken)
  }
}

async function takeSnapshots(sessions: readonly MysqlSession[]): Promise<ReadPoint> {
  const [first] = sessions
  if (first === undefined) throw new Error('a view has no connection')
  let place: Place = 'unknown'
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = await executedOn(first)
    await Promise.all(sessions.map((one) => one.command('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY')))
    place = first.facts.flavour === 'mysql' ? samePlace([before, await executedOn(first)]) : await placeOf(sessions)
    if (place !== 'several') break
  }
  await Promise.all(sessions.map((one) => one.command('SAVEPOINT sluice')))
  return await pointOf(sessions, place)
}

async function pointOf(sessions: readonly MysqlSession[], place: Place): Promise<ReadPoint> {
  const [[at] = []] = (await sessions[0]?.rows("SELECT DATE_FORMAT(UTC_TIMESTAMP(3), '%Y-%m-%dT%H:%i:%s.%f')")) ?? []
  const name = sessions.length === 1 ? 'snapshot' : `${sessions.length} snapshots`
  return {
    view: `${name} ${randomUUID().slice(0, 8)}`,
    at: `${String(at).slice(0, 23)}Z`,
    ...(typeof place === 'string' ? {} : { position: place.position }),
  }
}

type Place = { readonly position: string } | 'several' | 'unknown'

/** Position of the snapshots in MariaDB's binary log. */
async function placeOf(sessions: readonly MysqlSession[]): Promise<Place> {
  const places = sessions.map(async (session) => {
    const rows = await session.command("SHOW STATUS LIKE 'binlog_snapshot_%'")
    const words = new Map(rows.map(([name, word]) => [String(name).toLowerCase(), String(word)]))
    const file = words.get('binlog_snapshot_file') ?? ''
    return file === '' ? null : `${file}:${words.get('binlog_snapshot_position') ?? ''}`
  })
  return samePlace(await Promise.all(places))
}

function samePlace(places: readonly (string | null)[]): Place {
  const [first = null] = places
  if (first === null) return 'unknown'
  return places.every((one) => one === first) ? { position: first } : 'several'
}

/** MySQL's executed transaction ids: if they are equal before and after, nothing was committed between. */
async function executedOn(session: MysqlSession): Promise<string | null> {
  if (session.facts.flavour !== 'mysql') return null
  const [[executed] = []] = await session.rows('SELECT @@GLOBAL.gtid_executed')
  return executed == null || executed === '' ? null : String(executed).replaceAll('\n', '')
}
