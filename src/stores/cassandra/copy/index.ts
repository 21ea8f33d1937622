/** Apache Cassandra and YCQL as source and target of copies. */
import type { ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import { systemClock, type Clock } from '../../../shared/clock.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { CopyTarget } from '../../../model/copy/target-port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { connectCassandra, type CassandraLink } from '../connect.ts'
import { isBelowQuorum, levelName } from '../consistency.ts'
import { askingCassandra } from '../errors.ts'
import { cassandraFailure, type OnRetry } from '../failure.ts'
import type { StoreRetry } from '../../common/store-retry.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { openCqlLedger } from '../ledger/index.ts'
import type { DependencyStore } from '../../../model/copy/dependency-port.ts'
import { CassandraDependencies } from './dependencies.ts'
import { cassandraOffers } from './offers.ts'
import type { CassandraOffers } from '../offered.ts'
import { CassandraObjects } from './objects.ts'
import { CassandraSource } from './source.ts'
import { cassandraTables } from './tables.ts'
import { refuseUncreatable } from './ddl.ts'
import { CassandraTarget } from './target.ts'
import type { WriteOptions } from './write-options.ts'
import { declareCql } from './types.ts'

/** Options of a run for Cassandra besides its URL. */
export type CassandraCopyRequest = WriteOptions & {
  readonly readConsistency?: string
  readonly writeConsistency?: string
  /** Rows per page. */
  readonly pageRows?: number
}

export type CassandraCopyOptions = {
  /** `read` and `plan` create nothing. */
  readonly mode?: 'read' | 'write' | 'plan'
  readonly cassandra?: CassandraCopyRequest
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal
  readonly clock?: Pick<Clock, 'now'>
  /** Called with rows that could only be written at ONE. */
  readonly onWeakWrite?: WriteOptions['onWeakWrite']
  /** Called before a statement is sent again. */
  readonly onRetry?: (again: StoreRetry) => void
}

const CAN: StoreAbilities = {
  keepsZeros: true,
  atomic: 'row',
  snapshot: 'none',
  writers: 64,
  hosts: 'any',
  frames: [],
  // A protocol frame is limited to 256 MB, and holds further values, too.
  conditions: 'single',
}

/**
 * Opens `cassandra://user:password@host1:9042,host2/keyspace`, or the same with `ycql://`.
 * @throws SluiceError BAD_CONFIG, CONNECT_FAILED, AUTH_FAILED, TLS_FAILED
 */
export async function openCassandraCopy(url: string, options: CassandraCopyOptions = {}): Promise<CopyStore> {
  const { environment = process.env, signal, cassandra = {}, clock = systemClock, onRetry } = options
  const { readConsistency, writeConsistency } = cassandra
  const link = await connectCassandra(url, {
    environment,
    ...(signal === undefined ? {} : { signal }),
    ...(onRetry === undefined ? {} : { onRetry: retryReporter(url, onRetry) }),
    ...(readConsistency === undefined ? {} : { readConsistency }),
    ...(writeConsistency === undefined ? {} : { writeConsistency }),
  })
  const { onWeakWrite } = options
  const request = { ...cassandra, ...(onWeakWrite === undefined ? {} : { onWeakWrite }) }
  return new CassandraStore(link, request, clock, options.mode !== undefined && options.mode !== 'write')
}

/** Reports retries. Driver messages contain hosts, but no login. */
function retryReporter(url: string, onRetry: NonNullable<CassandraCopyOptions['onRetry']>): OnRetry {
  return (thrown, attempt, forMs) => {
    const { message: why } = cassandraFailure(thrown)
    onRetry({ label: redactUrl(url), why, attempt, forMs, isOpen: true })
  }
}

class CassandraStore implements CopyStore {
  readonly system = 'cassandra'
  readonly can: StoreAbilities
  readonly offers: CassandraOffers
  readonly label: string
  readonly identity: string
  readonly schema: string | null
  readonly #link: CassandraLink
  readonly request: CassandraCopyRequest
  readonly #clock: Pick<Clock, 'now'>
  readonly #isReadOnly: boolean
  /** Aborts running requests when the store is closed. */
  readonly #open = new AbortController()
  #target: CassandraTarget | null = null
  #ledger: Promise<LedgerDatabase> | null = null

  constructor(link: CassandraLink, options: CassandraCopyRequest, clock: Pick<Clock, 'now'>, isReadOnly: boolean) {
    this.#link = link
    this.#isReadOnly = isReadOnly
    const short = isBelowQuorum(link.readLevel)
    const shortReads = `rows are read at ${levelName(link.readLevel)}, and a replica may lack some; use QUORUM or LOCAL_QUORUM`
    this.can = { ...CAN, retryMs: link.settings.retryMs, ...(short ? { shortReads } : {}) }
    this.request = options
    this.#clock = clock
    const { keyspace, label } = link.settings
    this.label = label
    this.schema = keyspace
    this.identity = `cassandra:${link.cluster}/${keyspace ?? ''}`
    this.offers = cassandraOffers({ link, keyspace: () => this.#keyspace(), source: (under) => this.source(under) })
  }

  async tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]> {
    return await askingCassandra(this.#link, 'read', () => cassandraTables(this.#link, pattern, signal))
  }

  declare(type: ColumnType, inKey?: boolean): { readonly native: string; readonly type: ColumnType } {
    return declareCql(type, inKey, this.#link.release)
  }

  async source(signal: AbortSignal): Promise<SourceView> {
    const { pageRows } = this.request
    return new CassandraSource(this.#link, this.#clock.now(), signal, pageRows === undefined ? {} : { pageRows })
  }

  target(): CopyTarget {
    // One target per store: its writers share the limit of concurrent requests.
    this.#target ??= new CassandraTarget(this.#link, () => this.ledger(), this.request, this.#clock)
    return this.#target
  }

  async refuseUncreatable(table: TableSpec): Promise<void> {
    refuseUncreatable(table)
  }

  objects(): ObjectStore {
    return new CassandraObjects(this.#link)
  }

  dependencies(): DependencyStore {
    return new CassandraDependencies(this.#link)
  }

  ledger(): Promise<LedgerDatabase> {
    this.#ledger ??= this.#openLedger()
    return this.#ledger
  }

  #openLedger(): Promise<LedgerDatabase> {
    return openCqlLedger(this.#link, this.#keyspace(), this.#open.signal, { isReadOnly: this.#isReadOnly })
  }

  #keyspace(): string {
    const { keyspace, label } = this.#link.settings
    if (keyspace !== null) return keyspace
    throw new SluiceError('BAD_CONFIG', `${label} does not name a keyspace for the ledger`, {
      hint: 'write it after the hosts: cassandra://host/keyspace',
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#open.abort()
    await this.#link[Symbol.asyncDispose]()
  }
}
