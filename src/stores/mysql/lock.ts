/** A named lock that the server releases when its session ends. */
import { createHash } from 'node:crypto'
import type { SessionLock } from '../../model/run/sql-port.ts'
import type { MysqlSession } from './session.ts'

/** Interval of queries in the lock's session, ms: firewalls keep the connection, and a dead one is detected. */
const PULSE_MS = 10_000

/** A lock's name with a digest: all databases of a server share its lock names, which have up to 64 characters. */
export function lockName(database: string, name: string): string {
  const digest = createHash('sha256').update(`${database}\0${name}`).digest('hex')
  return `sluice:${digest.slice(0, 48)}`
}

/** @returns null if another session holds the lock; the session is closed then */
export async function takeMysqlLock(session: MysqlSession, name: string): Promise<SessionLock | null> {
  const [[taken] = []] = await session.rows('SELECT GET_LOCK(?, 0)', [name])
  if (Number(taken) === 1) return new MysqlSessionLock(session, name)
  await session.close()
  return null
}

class MysqlSessionLock implements SessionLock {
  readonly #session: MysqlSession
  readonly #name: string
  readonly #pulse: NodeJS.Timeout
  #released = false

  constructor(session: MysqlSession, name: string) {
    this.#session = session
    this.#name = name
    this.#pulse = setInterval(() => void this.#ping(), PULSE_MS)
    this.#pulse.unref()
  }

  get held(): boolean {
    return !this.#released && this.#session.broken === null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#released = true
    clearInterval(this.#pulse)
    // The lock would end with the session too, but the server may notice that only later.
    if (this.#session.broken === null) {
      await this.#session.rows('SELECT RELEASE_LOCK(?)', [this.#name]).catch(() => undefined)
    }
    await this.#session.close()
  }

  async #ping(): Promise<void> {
    try {
      const [[mine] = []] = await this.#session.rows('SELECT IS_USED_LOCK(?) = CONNECTION_ID()', [this.#name])
      if (Number(mine) !== 1) this.#session.destroy()
    } catch {
      this.#session.destroy()
    }
  }
}
