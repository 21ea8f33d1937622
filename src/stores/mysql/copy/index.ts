import type { RowTest } from '../../../model/archive/row-test.ts'
import type { Column, ColumnType, TableName, TableSpec } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { CopyStore, DeclaredColumn } from '../../../model/copy/port.ts'
import type { CopyTarget } from '../../../model/copy/target-port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { Losable } from '../../../model/copy/durability-port.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import type { Origin, TableMark } from '../../../model/copy/identification-port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'
import type { ColumnValues, TimeExtent } from '../../../model/archive/values-port.ts'
import { MysqlApply } from '../follow/apply/index.ts'
import { rowCondition } from '../archive/row-condition.ts'
import { timeCondition } from '../archive/time.ts'
import type { PeriodStore, ReferrerStore, RowTriggers, TableIdentities } from '../../../model/archive/port.ts'
import { periodCounts, periodEffort } from '../archive/periods.ts'
import { orphansOf, referrersOf, referringRow } from '../archive/referrers.ts'
import { untilFlushed } from '../archive/flushed.ts'
import { rowTriggersOf } from '../archive/row-triggers.ts'
import { columnValues } from '../archive/column-values.ts'
import { timeExtent } from '../archive/time-extent.ts'
import type { Cdc, ChangeSource, ChangeTarget } from '../../../model/follow/port.ts'
import type { MaintenanceStore } from '../../../model/partition/maintenance-port.ts'
import { Pool } from '../../common/pool.ts'
import { mysqlConfig, type MysqlConfig } from '../config.ts'
import { MysqlMaintenance } from '../partition/maintenance/index.ts'
import { MysqlTriggers } from '../follow/triggers/index.ts'
import type { Session } from '../session.ts'
import type { BesideStore } from '../../../model/copy/beside-port.ts'
import { commentsOf, losableTables, tableMarks } from '../archive/table-facts.ts'
import { MysqlBeside } from './beside.ts'
import { declare, declareKey } from './declare.ts'
import { sourceError } from './errors.ts'
import { openLedger } from './ledger.ts'
import { MysqlObjects } from './objects.ts'
import { interruptible, openCopySession } from './sessions.ts'
import { findTables } from './tables.ts'
import { createTable } from './ddl.ts'
import { Target } from './target.ts'
import { openView } from './view.ts'

/** InnoDB locks rows; more writers than this would only wait for the disk. */
const WRITERS = 64
/** Bytes of a packet reserved for what surrounds a value. */
const PACKET_MARGIN = 1_024

/**
 * @param url `mysql://user:password@host:port/database`, see `mysqlConfig`; `pool_size` is the number of readers of a
 * view
 * @param lockWaitMs lock timeout of reads, ms
 * @throws SluiceError BAD_CONFIG, CONNECT_FAILED, TLS_FAILED
 */
export async function openMysqlCopy(url: string, lockWaitMs?: number): Promise<CopyStore> {
  const config = { ...mysqlConfig(url), lockWaitMs }
  const session = await openCopySession(config, 'read')
  try {
    return new Store(url, config, session, await serverOf(session))
  } catch (error) {
    session.destroy()
    throw error
  }
}

class Store implements CopyStore {
  readonly system = 'mysql'
  readonly label: string
  readonly identity: string
  readonly can: StoreAbilities
  readonly schema: string
  readonly #url: string
  readonly #config: MysqlConfig
  readonly #server: string
  readonly #flavour: 'mysql' | 'mariadb'
  readonly #pool: Pool<Session>
  readonly #target: Target
  readonly #objects: MysqlObjects

  constructor(url: string, config: MysqlConfig, session: Session, server: string) {
    this.#url = url
    this.#config = config
    this.#server = server
    this.#flavour = session.facts.flavour
    this.label = config.label
    this.identity = `${server}/${config.database}`
    this.schema = config.database
    this.can = {
      atomic: 'chunk',
      ledgerPerSchema: true,
      snapshot: config.poolSize === 1 ? 'shared' : 'connection',
      writers: WRITERS,
      hosts: 'any',
      frames: [],
      folds: session.facts.foldsTables ? { tables: 'unicode', columns: true } : { columns: true },
      numbering: 'first of key',
      maxValueBytes: session.facts.maxPacket - PACKET_MARGIN,
      retryMs: config.retryMs,
    }
    this.#pool = new Pool(() => openCopySession(config, 'read'), { most: config.poolSize, idle: 1 }, config.label)
    this.#pool.adopt(session)
    this.#target = new Target(config)
    this.#objects = new MysqlObjects(config, session.facts.flavour)
  }

  async tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]> {
    throwIfAborted(signal)
    try {
      return await this.#pool.use((session) => findTables(session, pattern, this.#server))
    } catch (error) {
      throw sourceError(error, this.label)
    }
  }

  /** Server and database; MariaDB has no `server_uuid`. A dump loaded into another database or server is a copy. */
  async origin(signal: AbortSignal): Promise<Origin> {
    throwIfAborted(signal)
    // A restarted container has another host name, and the same id.
    return { server: this.#server.replace(/^mariadb:.*:(?=[^:]+$)/, 'mariadb:'), database: this.#config.database }
  }

  async started(signal: AbortSignal): Promise<string | null> {
    return await this.#ask(signal, async (session) => {
      const [[, uptime] = []] = await session.rows("SHOW GLOBAL STATUS LIKE 'Uptime'")
      const [[now] = []] = await session.rows('SELECT UNIX_TIMESTAMP()')
      return uptime == null ? null : `~${Number(now) - Number(uptime)}`
    })
  }

  async mark({ schema, name }: TableName, signal: AbortSignal): Promise<TableMark | null> {
    const sql =
      'SELECT CREATE_TIME FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?'
    const [[created] = []] = await this.#ask(signal, (session) => session.rows(sql, [schema ?? null, name]))
    // Also changed by an ALTER.
    return created == null ? null : { text: String(created), lasting: false }
  }

  /** In MariaDB a RENAME changes the creation time of a table. */
  identities(): TableIdentities {
    const marks = (tables: readonly TableName[], signal: AbortSignal) =>
      this.#ask(signal, (session) => tableMarks(session, tables))
    return { by: 'mark', lasting: this.#flavour === 'mysql', marks }
  }

  /** @param inKey for a column of a key, which an index has to hold as a whole */
  declare(type: ColumnType, inKey = false): DeclaredColumn {
    const declared = inKey ? declareKey(type) : declare(type)
    // MariaDB's JSON is a text with a constraint.
    return this.#flavour === 'mariadb' && declared.native === 'json' ? { ...declared, spelled: true } : declared
  }

  async source(signal: AbortSignal): Promise<SourceView> {
    throwIfAborted(signal)
    return await openView(this.#config)
  }

  target(): CopyTarget {
    return this.#target
  }

  async refuseUncreatable(table: TableSpec): Promise<void> {
    createTable(table, { binaryCollation: '' })
  }

  objects(): ObjectStore {
    return this.#objects
  }

  beside(): BesideStore {
    return new MysqlBeside((signal, body) => this.#ask(signal, body), this.schema)
  }

  async ledger(): Promise<LedgerDatabase> {
    return await openLedger(this.#url, this.#config)
  }

  async comments(table: TableSpec, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    return await this.#ask(signal, (session) => commentsOf(session, table))
  }

  timeCondition(column: Column, from: string | null, to: string | null): string | null {
    return timeCondition(column, from, to)
  }

  rowCondition(columns: readonly Column[], test: RowTest): string | null {
    return rowCondition(columns, test)
  }

  async timeExtent(table: TableSpec, column: Column, signal: AbortSignal): Promise<TimeExtent> {
    return await this.#ask(signal, (session) => timeExtent(session, table, column))
  }

  async columnValues(
    table: TableSpec,
    column: Column,
    most: number,
    signal: AbortSignal,
  ): Promise<ColumnValues | null> {
    return await this.#ask(signal, (session) => columnValues(session, table, column, most))
  }

  periods(): PeriodStore {
    return {
      effort: (table, conditions, signal) => this.#ask(signal, (session) => periodEffort(session, table, conditions)),
      counts: (table, conditions, by, signal) =>
        this.#ask(signal, (session) => periodCounts(session, table, conditions, by)),
    }
  }

  async flushed(signal: AbortSignal): Promise<void> {
    const error = await this.#ask(signal, (session) => untilFlushed(session, this.label))
    if (error !== null) throw error
  }

  losable(tables: readonly TableName[], signal: AbortSignal): Promise<readonly Losable[]> {
    return this.#ask(signal, (session) => losableTables(session, tables))
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

  maintenance(): MaintenanceStore {
    return new MysqlMaintenance(this.#config, this.#server)
  }

  changeSource(cdc?: Cdc): ChangeSource | undefined {
    return cdc === 'trigger' ? new MysqlTriggers(this.#config, this.#pool) : undefined
  }

  changeTarget(): ChangeTarget {
    return new MysqlApply(this.#config)
  }

  async #ask<T>(signal: AbortSignal, body: (session: Session) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    try {
      return await this.#pool.use((session) => interruptible(this.#config, session, signal, () => body(session)))
    } catch (error) {
      throw sourceError(error, this.label)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#pool.close(), this.#target[Symbol.asyncDispose](), this.#objects[Symbol.asyncDispose]()])
  }
}

/** Identifies a server, whatever host name it was reached by. MariaDB identifies only the machine and the port. */
async function serverOf(session: Session): Promise<string> {
  const rows = await session.command(
    "SHOW VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid', 'hostname', 'port')",
  )
  const words = new Map(rows.map(([name, value]) => [String(name).toLowerCase(), String(value)]))
  const uuid = words.get('server_uuid')
  if (uuid !== undefined) return `mysql:${uuid}`
  return `mariadb:${words.get('hostname') ?? ''}:${words.get('port') ?? ''}:${words.get('server_uid') ?? ''}`
}
