import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type Database from 'better-sqlite3'
import type { ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import type { DependencyStore } from '../../../model/copy/beside-port.ts'
import { SqliteDependencies } from './beside.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore, DeclaredColumn, DeclareOptions } from '../../../model/copy/port.ts'
import type { CopyTarget } from '../../../model/copy/target-port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'
import { openReader } from '../reader.ts'
import { openSqliteWriter, type SqliteWriter } from './connection.ts'
import { sqliteCopyError, type SqliteCopySide } from './errors.ts'
import { sqliteTables } from './introspect.ts'
import { refusePlanted } from '../planted.ts'
import { SqliteLedger } from './ledger.ts'
import { sqliteOffers } from './offers.ts'
import type { SqliteOffers } from '../offered.ts'
import { SqliteObjects } from './objects.ts'
import { lockSideFile } from './side-lock.ts'
import { SqliteView } from './source.ts'
import { SqliteTarget } from './target.ts'
import { SQLITE_EXPRESSIONS } from './expressions.ts'
import { Turn } from '../../../model/run/turn.ts'
import { createSqliteDialectTable } from '../../common/sqlite-dialect/ddl.ts'
import { declareSqliteType } from '../../common/sqlite-dialect/types.ts'

export type SqliteCopyOptions = { readonly mode: 'read' | 'write'; readonly label: string }

const ABILITIES: StoreAbilities = {
  atomic: 'chunk',
  snapshot: 'shared',
  writers: 1,
  hosts: 'one',
  frames: [],
  folds: { tables: 'ascii', columns: true },
  decimals: 'declared',
  textTimes: true,
  looseTypes: true,
  expressions: SQLITE_EXPRESSIONS,
  numbering: 'whole key',
  // Half a gigabyte is the largest text that JavaScript can hold.
  maxValueBytes: 500_000_000,
}

/**
 * Opens a database file. `write` mode creates a missing file; `read` mode never writes. `ledger()` of a writing store
 * locks the file against other copies until the ledger is disposed.
 * @throws SluiceError CONNECT_FAILED, TARGET_DENIED, TARGET_CORRUPT
 */
export async function openSqliteCopy(file: string, { mode, label }: SqliteCopyOptions): Promise<CopyStore> {
  const path = resolve(file)
  const side: SqliteCopySide = mode === 'read' ? 'source' : 'target'
  try {
    return new SqliteCopy(path, label, side, mode === 'write' ? openSqliteWriter(path) : null)
  } catch (error) {
    throw sqliteCopyError(error, label, side)
  }
}

class SqliteCopy implements CopyStore {
  readonly system = 'sqlite'
  readonly label: string
  readonly identity: string
  readonly can = ABILITIES
  readonly offers: SqliteOffers
  readonly schema = null
  readonly #file: string
  readonly #side: SqliteCopySide
  readonly #writer: SqliteWriter | null
  readonly #turn = new Turn()
  #reader: Database.Database | null
  #ledger: SqliteLedger | null = null

  constructor(file: string, label: string, side: SqliteCopySide, writer: SqliteWriter | null) {
    this.#file = file
    this.label = label
    this.#side = side
    this.#writer = writer
    try {
      // Opened now, so that a missing file, or one that is not SQLite, fails at once.
      this.#reader = openOld(file)
    } catch (error) {
      writer?.connection.close()
      throw error
    }
    const { dev, ino } = statSync(file, { bigint: true })
    this.identity = `sqlite ${dev}:${ino}`
    this.offers = sqliteOffers({
      file,
      label,
      side,
      turn: this.#turn,
      reader: () => this.#open(),
      writer: this.#write,
      within: (signal, body) => this.#within(signal, body),
    })
  }

  async tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]> {
    throwIfAborted(signal)
    try {
      return sqliteTables(this.#open(), pattern)
    } catch (error) {
      throw sqliteCopyError(error, this.label, this.#side)
    }
  }

  declare(type: ColumnType, _inKey?: boolean, options?: DeclareOptions): DeclaredColumn {
    return declareSqliteType(type, options?.decimal)
  }

  async source(signal: AbortSignal): Promise<SourceView> {
    throwIfAborted(signal)
    try {
      const connection = openOld(this.#file)
      try {
        return new SqliteView(connection, this.label)
      } catch (error) {
        connection.close()
        throw error
      }
    } catch (error) {
      throw sqliteCopyError(error, this.label, 'source')
    }
  }

  target(): CopyTarget {
    return new SqliteTarget(this.#write, this.#turn, this.label)
  }

  async refuseUncreatable(table: TableSpec, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal)
    createSqliteDialectTable(table)
    const { name } = table.table
    try {
      const found = this.#open().prepare(`SELECT type FROM main.sqlite_schema WHERE lower(name) = lower(?)`).pluck()
      const type = found.get(name) as string | undefined
      if (type === undefined || type === 'table') return
      throw new SluiceError('TABLE_REFUSED', `${name} is a ${type}, not a table`, {
        where: this.label,
        hint: `give the table another name with --to-table, or drop the ${type}`,
      })
    } catch (error) {
      throw sqliteCopyError(error, this.label, this.#side)
    }
  }

  objects(): ObjectStore {
    return new SqliteObjects({
      reader: () => this.#open(),
      writer: this.#write,
      turn: this.#turn,
      label: this.label,
      side: this.#side,
    })
  }

  dependencies(): DependencyStore {
    return new SqliteDependencies(() => this.#open(), this.label, this.#side)
  }

  async ledger(): Promise<LedgerDatabase> {
    if (this.#ledger !== null) return this.#ledger
    try {
      refusePlanted(this.#open(), this.#writer !== null, this.label)
      const lock = this.#writer === null ? null : lockSideFile(this.#file, this.label)
      this.#ledger = new SqliteLedger({
        reader: () => this.#open(),
        writer: this.#writer === null ? null : this.#write,
        turn: this.#turn,
        label: this.label,
        release: () => {
          this.#ledger = null
          lock?.[Symbol.dispose]()
        },
      })
      return this.#ledger
    } catch (error) {
      throw sqliteCopyError(error, this.label, this.#side)
    }
  }

  /** All statements of the body see the snapshot of the first one. */
  async #within<T>(signal: AbortSignal, body: (connection: Database.Database) => T | Promise<T>): Promise<T> {
    throwIfAborted(signal)
    try {
      const connection = openOld(this.#file)
      try {
        connection.exec('BEGIN')
        return await body(connection)
      } finally {
        connection.close()
      }
    } catch (error) {
      throw sqliteCopyError(error, this.label, 'source')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // After the last chunk: a connection in use cannot be closed.
    await this.#turn.take(() => undefined)
    this.#reader?.close()
    this.#reader = null
    this.#writer?.restore()
    this.#writer?.connection.close()
    await this.#ledger?.[Symbol.asyncDispose]()
  }

  readonly #write = (): Database.Database => {
    if (this.#writer === null) throw new Error('the database was opened for reading')
    return this.#writer.connection
  }

  #open(): Database.Database {
    this.#reader ??= openOld(this.#file)
    return this.#reader
  }
}

/** Opens an existing file for reading; refuses a missing one, which the driver would create. */
function openOld(file: string): Database.Database {
  if (!existsSync(file)) throw Object.assign(new Error('there is no such file'), { code: 'SQLITE_CANTOPEN' })
  return openReader(file)
}
