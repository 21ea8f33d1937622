/** PostgreSQL as source and target of copies. */
import { isConnectionLoss, connectFailed } from '../server/server-errors.ts'
import { retrying } from '../../common/retry.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ColumnNumbers } from '../../../model/archive/stored-column.ts'
import type { RowTest } from '../../../model/archive/row-test.ts'
import type { Column, ColumnType, TableName, TableSpec } from '../../../model/copy/column-type.ts'
import type {
  PartitionStore,
  PeriodStore,
  ReferrerStore,
  RowTriggers,
  TableIdentities,
} from '../../../model/archive/port.ts'
import type { LedgerPlace } from '../../../model/copy/ledgers-port.ts'
import type { CopyStore, DeclaredColumn, DeclareOptions } from '../../../model/copy/port.ts'
import type { CopyTarget } from '../../../model/copy/target-port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { Losable } from '../../../model/copy/durability-port.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import type { Origin, TableMark } from '../../../model/copy/identification-port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'
import type { ColumnValues, TimeExtent } from '../../../model/archive/values-port.ts'
import { FROZEN_LEDGER_MS } from '../../../model/run/ledger-port.ts'
import { rowCondition } from '../archive/row-condition.ts'
import { timeCondition } from '../archive/time.ts'
import { periodCounts, periodEffort } from '../archive/periods.ts'
import { orphansOf, referrersOf, referringRow } from '../archive/referrers.ts'
import { rowTriggersOf } from '../archive/row-triggers.ts'
import { columnValues } from '../archive/column-values.ts'
import { timeExtent } from '../archive/time-extent.ts'
import type { ChangeTarget, Cdc, ChangeSource } from '../../../model/follow/port.ts'
import type { OperationalPreflight } from '../../../model/follow/operational-port.ts'
import { PostgresOperational } from '../follow/operational/index.ts'
import type { InPlaceStore } from '../../../model/partition/in-place-port.ts'
import type { MaintenanceStore } from '../../../model/partition/maintenance-port.ts'
import { Pool } from '../../common/pool.ts'
import { columnNumbers, tablesNumbered } from '../archive/column-numbers.ts'
import type { PartitionPlanStore } from '../../../model/partition/plan-port.ts'
import { PostgresApply } from '../follow/apply/index.ts'
import { PostgresPartitionPlan } from '../partition/plan/index.ts'
import { PostgresPartitions } from '../archive/partitions.ts'
import { Steps } from '../archive/steps.ts'
import type { DecommissionStore } from '../../../model/partition/decommission-port.ts'
import { PostgresDecommission } from '../partition/decommission/index.ts'
import { PostgresInPlace } from '../partition/in-place/index.ts'
import { PostgresMaintenance } from '../partition/maintenance/index.ts'
import { PostgresSwitches } from '../follow/switch/index.ts'
import { PostgresSwitchSide } from '../follow/switch/side.ts'
import type { SwitchStore } from '../../../model/follow/switch-port.ts'
import type { SwitchSide } from '../../../model/follow/switch-side-port.ts'
import { PostgresChanges } from '../follow/replication/index.ts'
import { PostgresTriggers } from '../follow/triggers/index.ts'
import { postgresSettings, type Environment, type PostgresSettings } from '../server/settings.ts'
import { openPostgres } from '../server/sql-database.ts'
import { sourceError } from '../server/errors.ts'
import { databaseIdentity, originOf, STARTED } from './identity.ts'
import type { BesideStore } from '../../../model/copy/beside-port.ts'
import { PostgresBeside } from './beside-tables.ts'
import { PostgresLedger } from './ledger.ts'
import { PostgresObjects } from './objects.ts'
import { CopySession } from '../server/session.ts'
import { joinedSource, openSource } from './source.ts'
import { literal, tableSql } from '../server/sql.ts'
import { findTables } from '../server/tables.ts'
import { PostgresTarget, refuseUnknownTypes } from './target.ts'
import { PostgresTrack } from './track.ts'
import type { TrackStore } from '../../../model/copy/track-port.ts'
import { columnComments, losableTables, unsynced } from '../archive/table-facts.ts'
import { declareType } from '../server/types.ts'
import { underSignal } from '../server/under-signal.ts'
import { otherLedgers } from '../server/trusted-tables.ts'

export type PostgresCopyOptions = {
  /** libpq's variables (PGHOST, PGPASSWORD …); the program's own unless given. */
  readonly environment?: Environment
  /** Sessions of one view of a source at the same time; further requests wait. */
  readonly readers?: number
  /** Longest that a session waits for a lock unless it says otherwise, ms. */
  readonly lockWaitMs?: number | undefined
  /** Tables may be emptied while they are read: another view reads them again. */
  readonly moving?: true | undefined
  /** What is read is let go, and fails with SOURCE_BUSY, where another session waits for a table to itself. */
  readonly yields?: true | undefined
  /** The server ends the sessions of a view whose program stands still for as long as a lease. */
  readonly mortal?: true | undefined
  /** Comes first in every name without a schema, instead of that of the URL. */
  readonly schema?: string
}

const READERS = 64
/** How long opening waits for a server that is just starting. */
const STARTING_MS = 5000

const ABILITIES: StoreAbilities = {
  atomic: 'chunk',
  snapshot: 'shared',
  writers: 64,
  hosts: 'any',
  frames: ['pg-binary', 'pg-text'],
  keepsSchemas: true,
  keepsZeros: true,
  booleans: true,
  farTimes: true,
  // A gigabyte, less the header of a value.
  maxValueBytes: 2 ** 30 - 5,
}

/**
 * Opens a database by its URL; nothing is written before a target is asked to.
 * @throws SluiceError BAD_CONFIG, CONNECT_FAILED, TLS_FAILED
 */
export async function openPostgresCopy(url: string, options: PostgresCopyOptions = {}): Promise<CopyStore> {
  const named = postgresSettings(url, options.environment)
  const settings = { ...named, schema: options.schema ?? named.schema, lockWaitMs: options.lockWaitMs }
  const session = await retrying(() => CopySession.open(settings, 'read'), {
    transient: isConnectionLoss,
    forMs: STARTING_MS,
  }).catch((error: unknown) => {
    throw isConnectionLoss(error) ? connectFailed(error, settings) : error
  })
  const identity = await databaseIdentity(session, settings)
  // The schema of the URL is made by the ledger, and may not be there yet.
  const [[current = null] = []] = await session.ask('SELECT pg_catalog.current_schema()')
  const schema = settings.schema ?? current
  if (schema !== null) return new PostgresCopy(url, settings, identity, schema, session, options)
  // Nothing can be made, and nothing found without a schema, where the search_path has none that is there.
  await session.close()
  return openPostgresCopy(url, { ...options, schema: 'public' })
}

class PostgresCopy implements CopyStore {
  readonly system = 'postgresql'
  readonly label: string
  readonly identity: string
  readonly can: StoreAbilities
  readonly schema: string
  readonly namesSchema?: true
  readonly #url: string
  readonly #settings: PostgresSettings
  readonly #options: PostgresCopyOptions
  readonly #sessions: Pool<CopySession>
  readonly #steps: Steps
  readonly #target: PostgresTarget
  #synced: Promise<void> | null = null

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
  }

  tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]> {
    return this.#ask(signal, (session) => findTables(session, pattern, this.identity))
  }

  origin(signal: AbortSignal): Promise<Origin> {
    return this.#ask(signal, originOf)
  }

  async started(signal: AbortSignal): Promise<string | null> {
    const [row] = await this.#ask(signal, (session) => session.ask(STARTED))
    return row?.[0] ?? null
  }

  async mark({ schema, name }: TableName, signal: AbortSignal): Promise<TableMark | null> {
    const quoted = tableSql({ schema: schema ?? this.schema, name })
    const sql = `SELECT pg_catalog.to_regclass(${literal(quoted)})::oid`
    const [[oid] = []] = await this.#ask(signal, (session) => session.ask(sql))
    return oid == null ? null : { text: oid, lasting: true }
  }

  declare(type: ColumnType, _inKey?: boolean, options?: DeclareOptions): DeclaredColumn {
    if (type.kind === 'json' && options?.spelled === true) return { native: 'json', type, spelled: true }
    return declareType(type)
  }

  async source(signal: AbortSignal): Promise<SourceView> {
    throwIfAborted(signal)
    const { readers = READERS, moving, yields, mortal } = this.#options
    return openSource(this.#settings, readers, {
      isMoving: moving === true,
      yields: yields === true,
      isMortal: mortal === true,
    })
  }

  async joined(exported: string, signal: AbortSignal): Promise<SourceView> {
    throwIfAborted(signal)
    return joinedSource(this.#settings, exported, this.#options.readers ?? READERS)
  }

  target(): CopyTarget {
    return this.#target
  }

  changeTarget(): ChangeTarget {
    return new PostgresApply(this.#settings)
  }

  operational(): OperationalPreflight {
    return new PostgresOperational(this.#settings)
  }

  objects(): ObjectStore {
    return new PostgresObjects(this.#settings, this.#sessions)
  }

  beside(): BesideStore {
    return new PostgresBeside(this.#settings, this.#sessions, this.schema)
  }

  /** What the server says of itself is asked once: streams come here for every position. */
  flushed(signal: AbortSignal): Promise<void> {
    this.#synced ??= this.#refuseUnsynced(signal).catch((error: unknown) => {
      this.#synced = null
      throw error
    })
    return this.#synced
  }

  async #refuseUnsynced(signal: AbortSignal): Promise<void> {
    const error = await this.#ask(signal, (session) => unsynced(session, this.label))
    if (error !== null) throw error
  }

  losable(tables: readonly TableName[], signal: AbortSignal): Promise<readonly Losable[]> {
    return this.#ask(signal, (session) => losableTables(session, tables))
  }

  otherLedgers(of: 'archive' | 'copy', table: TableName | null, signal: AbortSignal): Promise<readonly LedgerPlace[]> {
    return this.#ask(signal, (session) => otherLedgers((sql) => session.ask(sql), of, table))
  }

  withSchema(schema: string): Promise<CopyStore> {
    return openPostgresCopy(this.#url, { ...this.#options, schema })
  }

  async ledger(): Promise<LedgerDatabase> {
    const { environment } = this.#options
    const options = {
      schema: this.#settings.schema,
      frozenMs: FROZEN_LEDGER_MS,
      // Leases and fences that a crash takes back would be given to two programs.
      isDurable: true,
      ...(environment === undefined ? {} : { environment }),
    }
    return new PostgresLedger(await openPostgres(this.#url, 'write', options), this.label)
  }

  track(schema: string, ledger: LedgerDatabase): TrackStore {
    return new PostgresTrack(ledger, schema)
  }

  timeCondition(column: Column, from: string | null, to: string | null): string | null {
    return timeCondition(column, from, to)
  }

  rowCondition(columns: readonly Column[], test: RowTest): string | null {
    return rowCondition(columns, test)
  }

  async timeExtent(table: TableSpec, column: Column, signal: AbortSignal): Promise<TimeExtent> {
    throwIfAborted(signal)
    try {
      return await this.#sessions.use((session) =>
        underSignal(session, signal, () => timeExtent(session, table, column)),
      )
    } catch (error) {
      throw sourceError(error, this.#settings)
    }
  }

  async columnValues(
    table: TableSpec,
    column: Column,
    most: number,
    signal: AbortSignal,
  ): Promise<ColumnValues | null> {
    throwIfAborted(signal)
    try {
      return await this.#sessions.use((session) =>
        underSignal(session, signal, () => columnValues(session, table, column, most)),
      )
    } catch (error) {
      throw sourceError(error, this.#settings)
    }
  }

  periods(): PeriodStore {
    return {
      effort: (table, conditions, signal) => this.#ask(signal, (session) => periodEffort(session, table, conditions)),
      counts: (table, conditions, by, signal) =>
        this.#ask(signal, (session) => periodCounts(session, table, conditions, by)),
    }
  }

  rowTriggers(table: TableName, signal: AbortSignal): Promise<RowTriggers> {
    return this.#ask(signal, (session) => rowTriggersOf(session, table))
  }

  referrers(): ReferrerStore {
    return {
      list: (table, signal) => this.#ask(signal, (session) => referrersOf(session, table)),
      referringRow: (table, referrer, condition, budgetMs, signal) =>
        this.#ask(signal, (session) => referringRow(session, table, referrer, condition, budgetMs)),
      orphans: (table, referrer, budgetMs, signal) =>
        this.#ask(signal, (session) => orphansOf(session, table, referrer, budgetMs)),
    }
  }

  partitionPlan(): PartitionPlanStore {
    return new PostgresPartitionPlan(this.#settings, this.#sessions)
  }

  partitions(): PartitionStore {
    return new PostgresPartitions(this.identity, this.#sessions, this.#steps)
  }

  maintenance(): MaintenanceStore {
    return new PostgresMaintenance(this.#settings, this.#sessions)
  }

  switches(): SwitchStore {
    return new PostgresSwitches(this.#settings, this.#sessions)
  }

  inPlace(): InPlaceStore {
    return new PostgresInPlace(this.#settings, this.#sessions)
  }

  switchSide(): SwitchSide {
    return new PostgresSwitchSide(this.#settings, this.#sessions)
  }

  decommission(): DecommissionStore {
    return new PostgresDecommission(this.#settings)
  }

  changeSource(cdc: Cdc = 'slot'): ChangeSource {
    if (cdc === 'trigger') {
      return new PostgresTriggers(this.#settings, this.#sessions, this.#options.readers ?? READERS)
    }
    return new PostgresChanges(this.#settings, this.#sessions)
  }

  async refuseUncreatable(table: TableSpec, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal)
    try {
      await this.#sessions.use((session) => underSignal(session, signal, () => refuseUnknownTypes(table, session)))
    } catch (error) {
      throw error instanceof SluiceError ? error : sourceError(error, this.#settings)
    }
  }

  async columnNumbers({ table }: TableSpec, signal: AbortSignal): Promise<ColumnNumbers | null> {
    return await this.#ask(signal, (session) => columnNumbers(session, table, this.identity))
  }

  identities(): TableIdentities {
    return {
      by: 'number',
      tables: (oids, signal) => this.#ask(signal, (session) => tablesNumbered(session, oids)),
    }
  }

  async comments({ table }: TableSpec, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    throwIfAborted(signal)
    try {
      return await this.#sessions.use((session) => underSignal(session, signal, () => columnComments(session, table)))
    } catch (error) {
      throw sourceError(error, this.#settings)
    }
  }

  async #ask<T>(signal: AbortSignal, body: (session: CopySession) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    try {
      return await this.#sessions.use((session) => underSignal(session, signal, () => body(session)))
    } catch (error) {
      throw sourceError(error, this.#settings)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#sessions.close(), this.#target[Symbol.asyncDispose](), this.#steps[Symbol.asyncDispose]()])
  }
}
