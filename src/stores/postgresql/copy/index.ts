/** PostgreSQL as source and target of copies. */
import { isConnectionLoss, postgresConnectFailed } from '../server/server-errors.ts'
import { retrying } from '../../common/retry.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import type { CopyStore, DeclaredColumn, DeclareOptions } from '../../../model/copy/port.ts'
import type { CopyTarget } from '../../../model/copy/target-port.ts'
import { LEDGER_IDLE_MS, type LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'
import { Pool } from '../../common/pool.ts'
import { Steps } from '../archive/steps.ts'
import { postgresSettings, type PostgresEnvironment, type PostgresSettings } from '../server/settings.ts'
import { openPostgres } from '../server/sql-database.ts'
import { postgresSourceError } from '../server/errors.ts'
import { databaseIdentity } from './identity.ts'
import type { DependencyStore } from '../../../model/copy/dependency-port.ts'
import { PostgresDependencies } from './dependencies.ts'
import { POSTGRES_EXPRESSIONS } from './expressions.ts'
import { PostgresLedger } from './ledger.ts'
import { postgresOffers } from './offers.ts'
import type { PostgresOffers } from '../server/offered.ts'
import { PostgresObjects } from './objects.ts'
import { asking } from '../server/reading.ts'
import { CopySession } from '../server/session.ts'
import { openPostgresSource } from './source.ts'
import { findPostgresTables } from '../server/tables.ts'
import { PostgresTarget, refuseUnknownTypes } from './target.ts'
import { declarePostgresType } from '../server/types.ts'
import { underSignal } from '../server/under-signal.ts'

export type PostgresCopyOptions = {
  /** Variables of libpq (PGHOST, PGPASSWORD …); default: the variables of the program. */
  readonly environment?: PostgresEnvironment
  /** Maximum number of sessions of one read view of a source at the same time; further requests wait. */
  readonly readers?: number
  /** Longest wait of a session for a lock, ms, unless the session sets another. */
  readonly lockWaitMs?: number | undefined
  /** True if tables may be emptied or rewritten during a read: they are then read again in another read view. */
  readonly moving?: true | undefined
  /** True if reads end with SOURCE_BUSY when another session waits for an exclusive lock of a table that is read. */
  readonly yields?: true | undefined
  /** True if the server ends the sessions of a read view when this program is frozen for as long as a lease lasts. */
  readonly mortal?: true | undefined
  /** Schema of names without a schema, instead of the schema in the URL. */
  readonly schema?: string
}

const READERS = 64
/** Longest wait at opening for a server that is just starting, ms. */
const STARTING_MS = 5000

const ABILITIES: StoreAbilities = {
  noJsonKeys: true,
  atomic: 'chunk',
  snapshot: 'shared',
  writers: 64,
  hosts: 'any',
  frames: ['pg-binary', 'pg-text'],
  keepsSchemas: true,
  keepsZeros: true,
  booleans: true,
  expressions: POSTGRES_EXPRESSIONS,
  farTimes: true,
  // One GB, less the header of a value.
}

/**
 * Opens a database by its URL; writes nothing until a method of the target does.
 * @throws SluiceError BAD_CONFIG, CONNECT_FAILED, TLS_FAILED
 */
export async function openPostgresCopy(url: string, options: PostgresCopyOptions = {}): Promise<CopyStore> {
  const named = postgresSettings(url, options.environment)
  const settings = { ...named, schema: options.schema ?? named.schema, lockWaitMs: options.lockWaitMs }
  const session = await retrying(() => CopySession.open(settings, 'read'), {
    transient: isConnectionLoss,
    forMs: STARTING_MS,
  }).catch((error: unknown) => {
    throw isConnectionLoss(error) ? postgresConnectFailed(error, settings) : error
  })
  const identity = await databaseIdentity(session, settings)
  // The ledger creates the schema of the URL, which may not exist yet.
  const [[current = null] = []] = await session.ask('SELECT pg_catalog.current_schema()')
  const schema = settings.schema ?? current
  if (schema !== null) return new PostgresCopy(url, settings, identity, schema, session, options)
  // The search_path has no existing schema: names without a schema could be neither created nor found.
  await session.close()
  return openPostgresCopy(url, { ...options, schema: 'public' })
}

class PostgresCopy implements CopyStore {
  readonly system = 'postgresql'
  readonly label: string
  readonly identity: string
  readonly can: StoreAbilities
  readonly offers: PostgresOffers
  readonly schema: string
  readonly namesSchema?: true
  readonly #url: string
  readonly #settings: PostgresSettings
  readonly #options: PostgresCopyOptions
  readonly #sessions: Pool<CopySession>
  readonly #steps: Steps
  readonly #target: PostgresTarget

  constructor(
    url: string,
    settings: PostgresSettings,
    identity: string,
    schema: string,
    session: CopySession,
    options: PostgresCopyOptions,
  ) {
    this.can = { ...ABILITIES, retryMs: settings.retryMs }
    this.label = settings.label
    this.identity = identity
    this.schema = schema
    if (settings.schema !== null && options.schema === undefined) this.namesSchema = true
    this.#url = url
    this.#settings = settings
    this.#options = options
    this.#sessions = new Pool(() => CopySession.open(settings, 'read'), { most: Infinity, idle: 1 }, settings.label)
    this.#sessions.adopt(session)
    this.#steps = new Steps(settings)
    this.#target = new PostgresTarget(settings, this.#steps, identity)
    this.offers = postgresOffers({
      settings,
      identity,
      schema,
      sessions: this.#sessions,
      steps: this.#steps,
      readers: options.readers ?? READERS,
      ask: (signal, body) => this.#ask(signal, body),
      withSchema: (other) => openPostgresCopy(url, { ...options, schema: other }),
    })
  }

  tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]> {
    return this.#ask(signal, (session) => findPostgresTables(session, pattern, this.identity))
  }

  declare(type: ColumnType, _inKey?: boolean, options?: DeclareOptions): DeclaredColumn {
    if (type.kind === 'json' && options?.spelled === true) return { native: 'json', type, spelled: true }
    return declarePostgresType(type)
  }

  async source(signal: AbortSignal): Promise<SourceView> {
    throwIfAborted(signal)
    const { readers = READERS, moving, yields, mortal } = this.#options
    return openPostgresSource(this.#settings, readers, {
      isMoving: moving === true,
      yields: yields === true ? () => this.#sessions.open : undefined,
      isMortal: mortal === true,
    })
  }

  target(): CopyTarget {
    return this.#target
  }

  objects(): ObjectStore {
    return new PostgresObjects(this.#settings, this.#sessions)
  }

  dependencies(): DependencyStore {
    return new PostgresDependencies(this.#settings, this.#sessions, this.schema)
  }

  async ledger(): Promise<LedgerDatabase> {
    const { environment } = this.#options
    const options = {
      schema: this.#settings.schema,
      frozenMs: LEDGER_IDLE_MS,
      // If a crash lost leases and fencing tokens, two programs could get the same ones.
      isDurable: true,
      ...(environment === undefined ? {} : { environment }),
    }
    return new PostgresLedger(await openPostgres(this.#url, 'write', options), this.label)
  }

  async refuseUncreatable(table: TableSpec, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal)
    try {
      await this.#sessions.use((session) => underSignal(session, signal, () => refuseUnknownTypes(table, session)))
    } catch (error) {
      throw error instanceof SluiceError ? error : postgresSourceError(error, this.#settings)
    }
  }

  #ask<T>(signal: AbortSignal, body: (session: CopySession) => Promise<T>): Promise<T> {
    return asking(this.#sessions, this.#settings, signal, body)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#sessions.close(), this.#target[Symbol.asyncDispose](), this.#steps[Symbol.asyncDispose]()])
  }
}
