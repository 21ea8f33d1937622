/** MySQL and MariaDB as source and target of copies. */
import type { ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { CopyStore, DeclaredColumn } from '../../../model/copy/port.ts'
import type { CopyTarget } from '../../../model/copy/target-port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'
import { Pool } from '../../common/pool.ts'
import { mysqlConfig, type MysqlConfig } from '../config.ts'
import type { MysqlSession } from '../session.ts'
import type { DependencyStore } from '../../../model/copy/dependency-port.ts'
import { MysqlDependencies } from './dependencies.ts'
import { declare, declareKey } from './declare.ts'
import { mysqlSourceError } from './errors.ts'
import { MYSQL_EXPRESSIONS } from './expressions.ts'
import { openLedger } from './ledger.ts'
import { mysqlOffers } from './offers.ts'
import type { MysqlOffers } from '../offered.ts'
import { MysqlObjects } from './objects.ts'
import { interruptibleMysql, openCopySession } from './sessions.ts'
import { findMysqlTables } from './tables.ts'
import { LENGTHS } from './types.ts'
import { createMysqlTable } from './ddl.ts'
import { MysqlTarget } from './target.ts'
import { openView } from './view.ts'

/** Maximum number of writers. InnoDB locks only rows, but more writers than this would only wait for the disk. */
const WRITERS = 64
/** Signs that PIPES_AS_CONCAT and NO_BACKSLASH_ESCAPES of `sql_mode` give another meaning. */
const MODAL_SIGNS = {
  '\\': 'CHAR(92) for a backslash, and two single quotes for one within a text',
  '||': 'OR between conditions, and CONCAT() for texts',
}

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
  readonly offers: MysqlOffers
  readonly schema: string
  readonly #url: string
  readonly #config: MysqlConfig
  readonly #server: string
  readonly #flavour: 'mysql' | 'mariadb'
  readonly #pool: Pool<MysqlSession>
  readonly #target: MysqlTarget
  readonly #objects: MysqlObjects

  constructor(url: string, config: MysqlConfig, session: MysqlSession, server: string) {
    this.#url = url
    this.#config = config
    this.#server = server
    this.#flavour = session.facts.flavour
    this.label = config.label
    this.identity = `${server}/${config.database}`
    this.schema = config.database
    this.can = {
      noJsonKeys: true,
      atomic: 'chunk',
      ledgerPerSchema: true,
      snapshot: config.poolSize === 1 ? 'shared' : 'connection',
      writers: WRITERS,
      hosts: 'any',
      frames: [],
      folds: session.facts.foldsTables ? { tables: 'unicode', columns: true } : { columns: true },
      numbering: 'first of key',
      expressions: MYSQL_EXPRESSIONS,
      modalSigns: MODAL_SIGNS,
      lengths: LENGTHS,
      retryMs: config.retryMs,
    }
    this.#pool = new Pool(() => openCopySession(config, 'read'), { most: config.poolSize, idle: 1 }, config.label)
    this.#pool.adopt(session)
    this.#target = new MysqlTarget(config)
    this.#objects = new MysqlObjects(config, session.facts.flavour)
    this.offers = mysqlOffers({
      config,
      server,
      flavour: this.#flavour,
      ask: (signal, body) => this.#ask(signal, body),
    })
  }

  async tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]> {
    throwIfAborted(signal)
    try {
      return await this.#pool.use((session) => findMysqlTables(session, pattern, this.#server))
    } catch (error) {
      throw mysqlSourceError(error, this.label)
    }
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
    createMysqlTable(table, { binaryCollation: '', impliesTimes: false })
  }

  objects(): ObjectStore {
    return this.#objects
  }

  dependencies(): DependencyStore {
    return new MysqlDependencies((signal, body) => this.#ask(signal, body), this.schema)
  }

  async ledger(): Promise<LedgerDatabase> {
    return await openLedger(this.#url, this.#config)
  }

  async #ask<T>(signal: AbortSignal, body: (session: MysqlSession) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    try {
      return await this.#pool.use((session) => interruptibleMysql(this.#config, session, signal, () => body(session)))
    } catch (error) {
      throw mysqlSourceError(error, this.label)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#pool.close(), this.#target[Symbol.asyncDispose](), this.#objects[Symbol.asyncDispose]()])
  }
}

/** Identity of a server, equal for any host name in a URL. Ids of MariaDB identify only the machine and the port. */
async function serverOf(session: MysqlSession): Promise<string> {
  const rows = await session.command(
    "SHOW VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid', 'hostname', 'port')",
  )
  const words = new Map(rows.map(([name, value]) => [String(name).toLowerCase(), String(value)]))
  const uuid = words.get('server_uuid')
  if (uuid !== undefined) return `mysql:${uuid}`
  return `mariadb:${words.get('hostname') ?? ''}:${words.get('port') ?? ''}:${words.get('server_uid') ?? ''}`
}
