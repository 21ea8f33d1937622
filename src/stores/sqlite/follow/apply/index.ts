/** SQLite as the target of changes. */
import type Database from 'better-sqlite3'
import type { PartialPut, SortedBatch } from '../../../common/apply/puts.ts'
import { TurnWriter, type ChangeSteps } from '../../../common/apply/turn-writer.ts'
import type { Column } from '../../../../model/copy/column-type.ts'
import type { Statement } from '../../../../model/run/ledger-port.ts'
import type { ChangeRequest, ChangeTarget, ChangeWriter, TargetPreflight } from '../../../../model/follow/port.ts'
import { beginWrite, closesChunk, rollBack, type SqliteParts } from '../../copy/connection.ts'
import { sqliteCopyError, sqliteRefusal } from '../../copy/errors.ts'
import { checkSqliteTarget } from './preflight.ts'
import { SqliteChangedRows } from './rows.ts'

export class SqliteApply implements ChangeTarget {
  readonly #parts: SqliteParts

  constructor(parts: SqliteParts) {
    this.#parts = parts
  }

  async inspect(request: ChangeRequest): Promise<TargetPreflight> {
    const { reader, label } = this.#parts
    try {
      return checkSqliteTarget(reader(), request)
    } catch (error) {
      throw sqliteCopyError(error, label, 'target')
    }
  }

  folds({ collation = '' }: Pick<Column, 'collation'>): boolean {
    return /^(?:NOCASE|RTRIM)$/i.test(collation)
  }

  async open(request: ChangeRequest): Promise<ChangeWriter> {
    const { writer, turn, label } = this.#parts
    try {
      const connection = writer()
      // The source deletes its notes of changes that the target confirmed. So a confirmed commit must survive a power
      // cut.
      connection.pragma('synchronous = FULL')
      return new TurnWriter(request, new SqliteSteps(this.#parts, request), turn)
    } catch (error) {
      throw sqliteCopyError(error, label, 'target')
    }
  }
}

class SqliteSteps implements ChangeSteps {
  readonly #parts: SqliteParts
  readonly #connection: Database.Database
  readonly #request: ChangeRequest
  readonly #tables = new Map<number, SqliteChangedRows>()
  /** Schema version for which `#tables` was built. */
  #version: unknown = null

  constructor(parts: SqliteParts, request: ChangeRequest) {
    this.#parts = parts
    this.#connection = parts.writer()
    this.#request = request
  }

  async begin(signal: AbortSignal): Promise<void> {
    await beginWrite(this.#parts.writer(), signal)
    // An index that was created meanwhile changes how rows are written.
    const version = this.#connection.pragma('main.schema_version', { simple: true })
    if (version !== this.#version) this.#tables.clear()
    this.#version = version
  }

  apply(table: number, batch: SortedBatch, signal: AbortSignal): Promise<readonly PartialPut[]> {
    return this.#rows(table).apply(batch, signal)
  }

  async clear(table: number): Promise<void> {
    this.#rows(table).clear()
  }

  async commit(statements: readonly Statement[]): Promise<'committed' | 'fenced'> {
    if (!closesChunk(this.#connection, statements)) {
      rollBack(this.#connection)
      return 'fenced'
    }
    this.#connection.exec('COMMIT')
    return 'committed'
  }

  async rollBack(): Promise<void> {
    rollBack(this.#connection)
  }

  named(error: unknown, table: string): unknown {
    return sqliteRefusal(error, this.#parts.label, table)
  }

  async close(): Promise<void> {
    this.#connection.pragma('synchronous = NORMAL')
  }

  #rows(table: number): SqliteChangedRows {
    let rows = this.#tables.get(table)
    if (rows !== undefined) return rows
    const request = this.#request.tables[table]
    if (request === undefined) throw new Error(`there is no table ${table}`)
    rows = new SqliteChangedRows(this.#connection, request, this.#parts.label)
    this.#tables.set(table, rows)
    return rows
  }
}
