/** Retires a whole PostgreSQL database, through another database of the same server. */
import { throwIfAborted, type Interrupt } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { OpenMode } from '../../../../model/run/sql-port.ts'
import type {
  Closed,
  DatabaseInside,
  DatabaseState,
  DatabaseRetirement,
  DatabaseSettings,
} from '../../../../model/partition/retirement-port.ts'
import { stepError } from '../../archive/step-errors.ts'
import { quoteName } from '../../server/connect.ts'
import { LockRetry } from '../../server/lock-retry.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import { serverIdentity } from '../../copy/identity.ts'
import { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { underSignal } from '../../server/under-signal.ts'
import { postgresSettings, type PostgresSettings } from '../../server/settings.ts'
import { PostgresInside } from './inside.ts'
import { findingsOf, useOf } from './outside.ts'
import { busy, endSessions, sessionsOf } from './sessions.ts'

const RIGHTS = 'connect as the owner of the database, or as a superuser'
/** Class of the advisory lock that excludes other programs; a hash of the database name is the second key. */
const LOCK_CLASS = 1_936_487_795
/** Longest wait for the lock of the database in one attempt to drop it, ms. */
const DROP_ATTEMPT_MS = 1000
/** Retry limit for the DROP: longest time of all attempts, ms. */
const DROP_BUDGET_MS = 30_000

export type RetirementOptions = {
  readonly mode: OpenMode
  /** Another database of the same server. */
  readonly maintenance?: string | undefined
}

/** @throws SluiceError BAD_CONFIG, BAD_FLAG, CONNECT_FAILED */
export async function openPostgresRetirement(
  url: string,
  { mode, maintenance }: RetirementOptions,
): Promise<DatabaseRetirement> {
  const settings = postgresSettings(url)
  const session = await openMaintenance(settings, maintenance, mode)
  const server = `postgresql/${await serverIdentity(session, settings)}/`
  const through = (await session.one('SELECT pg_catalog.current_database()')) ?? ''
  return new PostgresRetirement(settings, session, server, through)
}

class PostgresRetirement implements DatabaseRetirement {
  readonly label: string
  readonly name: string
  readonly server: string
  /** Name of the other database, from which this database is dropped. */
  readonly through: string
  readonly #settings: PostgresSettings
  readonly #session: CopySession
  #inside: PostgresInside | null = null

  constructor(settings: PostgresSettings, session: CopySession, server: string, through: string) {
    this.label = settings.label
    this.name = settings.database
    this.server = server
    this.through = through
    this.#settings = settings
    this.#session = session
  }

  lock(): Promise<boolean> {
    return this.#do(async (session) => {
      return await session.isTrue(
        `SELECT pg_catalog.pg_try_advisory_lock(${LOCK_CLASS}, pg_catalog.hashtext(${literal(this.name)}))`,
      )
    })
  }

  state(signal: AbortSignal): Promise<DatabaseSettings | null> {
    return this.#do(async (session) => {
      const [row] = await session.ask(
        `SELECT oid, datallowconn, datconnlimit::text FROM pg_catalog.pg_database WHERE datname = ${literal(this.name)}`,
      )
      if (row === undefined) return null
      const [oid, open, limit] = row
      return {
        identity: `${this.server}${oid ?? ''}`,
        isOpen: open === 't',
        connectionLimit: Number(limit),
        // DATCONNLIMIT_INVALID_DB of pg_database.h.
        isHalfDropped: limit === '-2',
      }
    }, signal)
  }

  nameOf(identity: string, signal: AbortSignal): Promise<string | null> {
    return this.#do(async (session) => {
      return await session.one(
        `SELECT datname FROM pg_catalog.pg_database WHERE oid::text = ${literal(this.#oidOf(identity))}`,
      )
    }, signal)
  }

  inspect(signal: AbortSignal): Promise<DatabaseState> {
    return this.#do(async (session) => {
      const [row] = await session.ask(`SELECT oid FROM pg_catalog.pg_database WHERE datname = ${literal(this.name)}`)
      if (row?.[0] == null) throw this.#gone()
      const own = this.#inside === null ? [] : [this.#inside.pid]
      return { use: await useOf(session, row[0]), findings: await findingsOf(session, row[0], own) }
    }, signal)
  }

  async inside(signal: AbortSignal): Promise<DatabaseInside> {
    this.#inside = await PostgresInside.open(this.#settings, signal)
    return this.#inside
  }

  close(identity: string, inside: DatabaseInside, retryLimitMs: number, { stop, abort }: Interrupt): Promise<Closed> {
    return this.#do(async (session) => {
      const oid = await this.#itself(session, identity)
      await session.ask(`ALTER DATABASE ${quoteName(this.name)} WITH ALLOW_CONNECTIONS false`)
      const own = inside instanceof PostgresInside ? [inside.pid] : []
      return { ended: await endSessions(session, oid, own, { retryLimitMs, name: this.name, signal: stop }) }
    }, abort)
  }

  reopen(identity: string, connectionLimit: number, signal: AbortSignal): Promise<void> {
    return this.#do(async (session) => {
      await this.#itself(session, identity)
      const limit = Number.isSafeInteger(connectionLimit) ? connectionLimit : -1
      await session.ask(`ALTER DATABASE ${quoteName(this.name)} WITH ALLOW_CONNECTIONS true CONNECTION LIMIT ${limit}`)
    }, signal)
  }

  drop(identity: string, { stop, abort }: Interrupt): Promise<void> {
    return this.#do(async (session) => {
      const oid = await this.#itself(session, identity)
      // If a DROP is interrupted on the server, it leaves an invalid database. So a stop takes effect between two
      // attempts.
      const limits = { lockTimeoutMs: DROP_ATTEMPT_MS, retryLimitMs: DROP_BUDGET_MS, signal: stop }
      await session.ask(`SET lock_timeout TO ${DROP_ATTEMPT_MS}`)
      try {
        await new LockRetry(session, limits).retry(() => session.ask(`DROP DATABASE ${quoteName(this.name)}`))
      } catch (error) {
        if (sqlStateOf(error) !== '55006') throw error
        throw busy(this.name, await sessionsOf(session, oid, []))
      }
    }, abort)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.close()
  }

  /** @returns OID of the database @throws SluiceError SOURCE_GONE if another database has its name now */
  async #itself(session: CopySession, identity: string): Promise<string> {
    const oid = this.#oidOf(identity)
    const [row] = await session.ask(
      `SELECT oid FROM pg_catalog.pg_database WHERE datname = ${literal(this.name)} AND oid::text = ${literal(oid)}`,
    )
    if (row?.[0] != null) return row[0]
    throw this.#gone()
  }

  #oidOf(identity: string): string {
    return identity.startsWith(this.server) ? identity.slice(this.server.length) : ''
  }

  #gone(): SluiceError {
    return new SluiceError('SOURCE_GONE', `database ${this.name} no longer exists, or another one has its name`, {
      where: this.label,
      hint: 'another user renamed or dropped it: run the same command again, which reads the state again',
    })
  }

  async #do<T>(
    body: (session: CopySession) => Promise<T>,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<T> {
    throwIfAborted(signal)
    try {
      return await underSignal(this.#session, signal, () => body(this.#session))
    } catch (error) {
      if (error instanceof SluiceError) throw error
      throw stepError(error, { settings: this.#settings, table: this.name, rights: RIGHTS })
    }
  }
}

/** Databases that PostgreSQL's own programs connect to, in this order. */
const USUAL = ['postgres', 'template1'] as const

/**
 * Opens a session in another database.
 * @param asked name of that database; if absent, `USUAL` ones are tried
 * @throws SluiceError BAD_FLAG if it is the database to retire, CONNECT_FAILED
 */
async function openMaintenance(
  settings: PostgresSettings,
  asked: string | undefined,
  mode: OpenMode,
): Promise<CopySession> {
  if (asked === settings.database) {
    throw new SluiceError('BAD_FLAG', `--maintenance-db names ${asked}, the database to be dropped`, {
      hint: 'name another database of the same server',
    })
  }
  const names = asked === undefined ? USUAL.filter((name) => name !== settings.database) : [asked]
  const failures: string[] = []
  for (const database of names) {
    try {
      // The schema of the URL is in the database to retire, so this session does not use it.
      return await CopySession.open({ ...settings, database, schema: null }, mode)
    } catch (error) {
      if (!isOfThisDatabase(error)) throw error
      failures.push(`${database}: ${(error as Error).message}`)
    }
  }
  throw new SluiceError('CONNECT_FAILED', 'sluice cannot connect to another database of the server', {
    where: settings.label,
    reason: failures.join('; '),
    hint: 'name one with --maintenance-db NAME: a database can neither refuse its own sessions nor drop itself',
  })
}

/** True if this database is missing, or refuses connections or this user: another database may accept them. */
function isOfThisDatabase(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state === '3D000' || state === '55000' || state === '42501' || state?.startsWith('28') === true
}
