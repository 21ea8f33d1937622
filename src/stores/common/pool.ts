/** Pool of connections. If their number is limited, callers wait in order. */
import { SluiceError } from '../../shared/errors.ts'

export interface Pooled {
  /** False once the connection has ended, on either side. */
  readonly alive: boolean
  /** Closes in an orderly way; must not reject. */
  close(): Promise<void>
  /** Ends the connection in any state; must not reject. */
  destroy(): void | Promise<void>
}

export type PoolLimits = {
  /**
   * Maximum number of connections at a time; `Infinity` if a caller may need a second one before it returns the first.
   */
  readonly most: number
  /** Maximum number of unused connections that stay open. */
  readonly idle: number
}

type Waiting = { resolve(): void; reject(error: unknown): void }

export class Pool<S extends Pooled> {
  readonly #connect: () => Promise<S>
  readonly #limits: PoolLimits
  readonly #label: string
  readonly #idle: S[] = []
  readonly #used = new Set<S>()
  readonly #waiting: Waiting[] = []
  #places: number
  #closed = false

  /** @param label of the database, for messages */
  constructor(connect: () => Promise<S>, limits: PoolLimits, label: string) {
    this.#connect = connect
    this.#limits = limits
    this.#label = label
    this.#places = limits.most
  }

  /** Connections that are open, used or not. */
  get open(): readonly S[] {
    return [...this.#used, ...this.#idle].filter(({ alive }) => alive)
  }

  /** Adds an open, unused connection to the pool. */
  adopt(session: S): void {
    this.#idle.push(session)
  }

  /** Runs the body with a connection that no other caller uses meanwhile. A broken connection is not used again. */
  async use<T>(body: (session: S) => Promise<T>): Promise<T> {
    const session = await this.take()
    try {
      return await body(session)
    } finally {
      await this.give(session)
    }
  }

  /** @throws SluiceError CONNECTION_LOST after `close`, and what opening throws */
  async take(): Promise<S> {
    await this.#place()
    try {
      const session = this.#unused() ?? (await this.#opened())
      this.#used.add(session)
      return session
    } catch (error) {
      this.#free()
      throw error
    }
  }

  /** Returns a connection to the pool, in any state. */
  async give(session: S): Promise<void> {
    this.#used.delete(session)
    if (!session.alive) {
      // One broken connection often means that all are broken: the others would fail one by one.
      for (const other of this.#idle.splice(0)) void other.destroy()
    } else if (this.#closed || this.#idle.length >= this.#limits.idle) await session.close()
    else this.#idle.push(session)
    this.#free()
  }

  /** Ends only this connection, which cannot be used again. */
  drop(session: S): void {
    this.#used.delete(session)
    void session.destroy()
    this.#free()
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#gone())
    await Promise.all([
      ...[...this.#used].map((session) => session.destroy()),
      ...this.#idle.splice(0).map((session) => session.close()),
    ])
  }

  #unused(): S | undefined {
    for (;;) {
      const session = this.#idle.pop()
      if (session === undefined || session.alive) return session
    }
  }

  async #opened(): Promise<S> {
    if (this.#closed) throw this.#gone()
    const session = await this.#connect()
    if (!this.#closed) return session
    await session.close()
    throw this.#gone()
  }

  async #place(): Promise<void> {
    if (this.#closed) throw this.#gone()
    if (this.#places > 0) {
      this.#places--
      return
    }
    await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /**
   * Lets the caller that has waited longest take a connection. If no caller waits, one more connection may be opened or
   * used.
   */
  #free(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#places++
    else next.resolve()
  }

  #gone(): SluiceError {
    return new SluiceError('CONNECTION_LOST', 'the database was closed', { where: this.#label })
  }
}
