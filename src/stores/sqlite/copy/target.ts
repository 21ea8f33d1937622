/** A database file as the target of a copy: one connection writes, one chunk at a time. */
import type Database from 'better-sqlite3'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { RemoveRequest, StepEnd } from '../../../model/archive/port.ts'
import type { ChunkRequest, ChunkWriter, CopyTarget } from '../../../model/copy/target-port.ts'
import { removeSqliteRows } from '../archive/remove.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { declaredTableOptions } from '../../common/sqlite-dialect/beside-list.ts'
import { SqliteChunk } from './chunk.ts'
import { refuseReordered } from '../../common/column-order.ts'
import { beginWrite, rollBack } from './connection.ts'
import { createSqliteDialectTable, quote } from '../../common/sqlite-dialect/ddl.ts'
import { sqliteCopyError } from './errors.ts'
import { numberingOf } from '../../common/sqlite-dialect/numbering.ts'
import { Spellings } from '../../common/sqlite-dialect/spellings.ts'
import { sqliteShape } from './shape.ts'
import { SqliteView } from './source.ts'
import type { Turn } from '../../../model/run/turn.ts'

/** Rows of an index that ANALYZE reads: enough for the planner, and fast. */
const ANALYSIS_ROWS = 1000

export class SqliteTarget implements CopyTarget {
  readonly #writer: () => Database.Database
  readonly #turn: Turn
  readonly #label: string

  constructor(writer: () => Database.Database, turn: Turn, label: string) {
    this.#writer = writer
    this.#turn = turn
    this.#label = label
  }

  async create(table: TableSpec, signal: AbortSignal): Promise<void> {
    const sql = createSqliteDialectTable(table)
    await this.#write(signal, (connection) => {
      try {
        connection.exec(sql)
      } catch (error) {
        if ((error as { readonly code?: unknown }).code !== 'SQLITE_ERROR') throw error
        throw new SluiceError('TABLE_REFUSED', `SQLite cannot create the table: ${(error as Error).message}`, {
          where: `${this.#label}, ${table.table.name}`,
          hint: 'rename columns with --rename and the table with --to-table, or leave columns out with --columns',
          cause: error,
        })
      }
    })
  }

  async clear(table: TableSpec, signal: AbortSignal): Promise<void> {
    await this.#write(signal, (connection) => connection.exec(`DELETE FROM ${quote(table.table.name)}`))
  }

  async finish(
    table: TableSpec,
    signal: AbortSignal,
    sequences: readonly ColumnSequence[] = [],
  ): Promise<readonly string[]> {
    let notes: readonly string[] = []
    await this.#write(signal, (connection) => {
      if (sequences.length > 0) {
        const created = connection
          .prepare(`SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)`)
          .pluck()
          .get(table.table.name)
        const numbering = numberingOf(table, declaredTableOptions(String(created)).includes('AUTOINCREMENT'), sequences)
        for (const { sql, parameters } of numbering.statements) connection.prepare(sql).run(...parameters)
        notes = numbering.notes
      }
      connection.prepare(`PRAGMA analysis_limit = ${ANALYSIS_ROWS}`).get()
      connection.exec(`ANALYZE ${quote(table.table.name)}`)
    })
    return notes
  }

  async open(request: ChunkRequest): Promise<ChunkWriter> {
    const leave = await this.#turn.wait()
    try {
      const connection = this.#writer()
      await beginWrite(connection, request.signal)
      try {
        const { table, range, signal } = request
        const shape = sqliteShape(connection, table.table.name)
        refuseReordered(table, shape.columns, 'target', this.#label)
        const others = range.by === 'keys' ? await this.#spellings(connection).others(table, range, signal) : []
        return new SqliteChunk(connection, request, { shape, others, label: this.#label, leave, turn: this.#turn })
      } catch (error) {
        rollBack(connection)
        throw error
      }
    } catch (error) {
      leave()
      throw sqliteCopyError(error, this.#label, 'target')
    }
  }

  async remove(request: RemoveRequest): Promise<StepEnd> {
    let end: StepEnd = 'differs'
    await this.#turn.take(async () => {
      throwIfAborted(request.signal)
      try {
        const connection = this.#writer()
        await beginWrite(connection, request.signal)
        try {
          const { table, range, signal } = request
          const found = await this.#spellings(connection).found(table, range, signal)
          end = await removeSqliteRows(connection, { ...request, range: found })
        } finally {
          rollBack(connection)
        }
      } catch (error) {
        throw sqliteCopyError(error, this.#label, 'target')
      }
    })
    return end
  }

  /** @param connection within a transaction */
  #spellings(connection: Database.Database): Spellings {
    return new Spellings(new SqliteView(connection, this.#label))
  }

  async #write(signal: AbortSignal, body: (connection: Database.Database) => void): Promise<void> {
    await this.#turn.take(async () => {
      throwIfAborted(signal)
      try {
        const connection = this.#writer()
        await beginWrite(connection, signal)
        try {
          body(connection)
          connection.exec('COMMIT')
        } finally {
          rollBack(connection)
        }
      } catch (error) {
        throw sqliteCopyError(error, this.#label, 'target')
      }
    })
  }
}
