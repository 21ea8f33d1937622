/** SQLite as source and target of copies. */
import { resolve } from 'node:path'
import type Database from 'better-sqlite3'
import type { ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import type { DependencyStore } from '../../../model/copy/dependency-port.ts'
import { sqliteDependencies } from '../../common/sqlite-dialect/dependency-list.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore, DeclaredColumn, DeclareOptions } from '../../../model/copy/port.ts'
import type { CopyTarget } from '../../../model/copy/target-port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ObjectStore } from '../../../model/copy/objects-port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'
import { OpenPath } from '../../common/open-path.ts'
import { existing, openReader } from '../reader.ts'
import { openSqliteWriter, sqliteListRows, type SqliteParts, type SqliteWriter } from './connection.ts'
import { sqliteCopyError, type SqliteCopySide } from './errors.ts'
import { sqliteTables } from './introspect.ts'
import { refusePlanted } from '../planted.ts'
import { SqliteLedger } from './ledger.ts'
import { sqliteOffers } from './offers.ts'
import type { SqliteOffers } from '../offered.ts'
import { sqliteObjects } from './objects.ts'
import { lockSideFile } from './side-lock.ts'
import { sqliteView } from './source.ts'
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
  // A JavaScript string has at most about 512 MB.
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
  readonly #writer: SqliteWriter | null
  readonly #parts: SqliteParts
  readonly #path: OpenPath
  #reader: Database.Database | null = null
  #ledger: SqliteLedger | null = null

  constructor(file: string, label: string, side: SqliteCopySide, writer: SqliteWriter | null) {
    this.#file = file
    this.label = label
    this.#writer = writer
    this.#parts = {
      reader: () => (this.#reader ??= openReader(existing(file))),
      writer: () => {
        if (writer === null) throw new Error('the database was opened for reading')
        this.#path.check()
        return writer.connection
      },
      turn: new Turn(),
      label,
      side,
    }
    try {
      // Opened at once, so that a missing file, or a file that is not SQLite, is reported here.
      this.#parts.reader()
    } catch (error) {
      writer?.connection.close()
      throw error
    }
    this.#path = new OpenPath(file, label, side)
    this.identity = `sqlite ${this.#path.identity}`
    this.offers = sqliteOffers(file, this.#parts)
  }

  async tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]> {
    throwIfAborted(signal)
    return this.#guard(() => sqliteTables(this.#parts.reader(), pattern))
  }

  declare(type: ColumnType, _inKey?: boolean, options?: DeclareOptions): DeclaredColumn {
    return declareSqliteType(type, options?.decimal)
  }

  async source(signal: AbortSignal): Promise<SourceView> {
    throwIfAborted(signal)
    return this.#guard(() => {
      this.#path.check()
      return sqliteView(openReader(existing(this.#file)), this.label, this.#path)
    }, 'source')
  }

  target(): CopyTarget {
    return new SqliteTarget(this.#parts)
  }

  async refuseUncreatable(table: TableSpec, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal)
    createSqliteDialectTable(table)
    const { name } = table.table
    const sql = `SELECT type FROM main.sqlite_schema WHERE lower(name) = lower(?)`
    const type = this.#guard(() => this.#parts.reader().prepare(sql).pluck().get(name)) as string | undefined
    if (type === undefined || type === 'table') return
    throw new SluiceError('TABLE_REFUSED', `${name} is a ${type}, not a table`, {
      where: this.label,
      hint: `give the table another name with --to-table, or drop the ${type}`,
    })
  }

  objects(): ObjectStore {
    return sqliteObjects(this.#parts)
  }

  dependencies(): DependencyStore {
    return sqliteDependencies(sqliteListRows(this.#parts))
  }

  async ledger(): Promise<LedgerDatabase> {
    if (this.#ledger !== null) return this.#ledger
    return this.#guard(() => {
      refusePlanted(this.#parts.reader(), this.#writer !== null, this.label)
      const lock = this.#writer === null ? null : lockSideFile(this.#file, this.label)
      const release = (): void => {
        this.#ledger = null
        lock?.[Symbol.dispose]()
      }
      return (this.#ledger = new SqliteLedger({ ...this.#parts, release }))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Wait until the current chunk has ended: a connection in use cannot be closed.
    await this.#parts.turn.take(() => undefined)
    this.#reader?.close()
    this.#reader = null
    this.#writer?.restore()
    this.#writer?.connection.close()
    await this.#ledger?.[Symbol.asyncDispose]()
  }

  #guard<T>(body: () => T, side = this.#parts.side): T {
    try {
      return body()
    } catch (error) {
      throw sqliteCopyError(error, this.label, side)
    }
  }
}
