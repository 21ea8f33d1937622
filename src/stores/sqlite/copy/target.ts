/** A database file as the target of a copy: one connection writes, one chunk at a time. */
import type Database from 'better-sqlite3'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { RemoveRequest, StepEnd } from '../../../model/archive/port.ts'
import type { ChunkRequest, ChunkWriter, CopyTarget } from '../../../model/copy/target-port.ts'
import { removeSqliteRows } from '../archive/remove.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { declaredTableOptions } from '../../common/sqlite-dialect/dependency-list.ts'
import { SqliteChunk } from './chunk.ts'
import { refuseReordered } from '../../common/column-order.ts'
import { beginWrite, rollBack, writtenInTurn, type SqliteParts } from './connection.ts'
import { createSqliteDialectTable, quote } from '../../common/sqlite-dialect/ddl.ts'
import { sqliteCopyError } from './errors.ts'
import { numberingOf } from '../../common/sqlite-dialect/numbering.ts'
import { Spellings } from '../../common/sqlite-dialect/spellings.ts'
import { foldedDefinitionOf, sqliteShape } from './shape.ts'
import { SqliteView } from './source.ts'
import { sqliteCode } from '../errors.ts'

/** Number of rows of an index that ANALYZE reads: enough for the planner, and fast. */
const ANALYSIS_ROWS = 1000

export class SqliteTarget implements CopyTarget {
  readonly #parts: SqliteParts

  constructor(parts: SqliteParts) {
    this.#parts = parts
  }

  async create(table: TableSpec, signal: AbortSignal): Promise<void> {
    const sql = createSqliteDialectTable(table)
    const create = (connection: Database.Database): void => {
      try {
        connection.exec(sql)
      } catch (error) {
        if (sqliteCode(error) !== 'SQLITE_ERROR') throw error
        throw new SluiceError('TABLE_REFUSED', `SQLite cannot create the table: ${(error as Error).message}`, {
          where: `${this.#parts.label}, ${table.table.name}`,
          hint: 'rename columns with --rename and the table with --to-table, or exclude columns with --columns',
          cause: error,
        })
      }
    }
    await writtenInTurn(this.#parts, create, signal)
  }

  async clear(table: TableSpec, signal: AbortSignal): Promise<void> {
    const sql = `DELETE FROM ${quote(table.table.name)}`
    await writtenInTurn(this.#parts, (connection) => connection.exec(sql), signal)
  }

  async finish(
    table: TableSpec,
    signal: AbortSignal,
    sequences: readonly ColumnSequence[] = [],
  ): Promise<readonly string[]> {
    const end = (connection: Database.Database): readonly string[] => {
      let notes: readonly string[] = []
      if (sequences.length > 0) {
        const created = foldedDefinitionOf(connection, table.table.name) ?? ''
        const numbering = numberingOf(table, declaredTableOptions(created).includes('AUTOINCREMENT'), sequences)
        for (const { sql, parameters } of numbering.statements) connection.prepare(sql).run(...parameters)
        notes = numbering.notes
      }
      connection.prepare(`PRAGMA analysis_limit = ${ANALYSIS_ROWS}`).get()
      connection.exec(`ANALYZE ${quote(table.table.name)}`)
      return notes
    }
    return await writtenInTurn(this.#parts, end, signal)
  }

  async open(request: ChunkRequest): Promise<ChunkWriter> {
    const { writer, turn, label } = this.#parts
    const leave = await turn.wait()
    try {
      const connection = writer()
      await beginWrite(connection, request.signal)
      try {
        const { table, range, signal } = request
        const shape = sqliteShape(connection, table.table.name)
        refuseReordered(table, shape.columns, 'target', label)
        const others = range.by === 'keys' ? await this.#spellings(connection).others(table, range, signal) : []
        return new SqliteChunk(connection, request, { shape, others, label, leave, turn })
      } catch (error) {
        rollBack(connection)
        throw error
      }
    } catch (error) {
      leave()
      throw sqliteCopyError(error, label, 'target')
    }
  }

  async remove(request: RemoveRequest): Promise<StepEnd> {
    const { table, range, signal } = request
    const { writer, turn, label } = this.#parts
    return await turn.take(async () => {
      throwIfAborted(signal)
      try {
        const connection = writer()
        await beginWrite(connection, signal)
        try {
          const found = await this.#spellings(connection).found(table, range, signal)
          return await removeSqliteRows(connection, { ...request, range: found })
        } finally {
          rollBack(connection)
        }
      } catch (error) {
        throw sqliteCopyError(error, label, 'target')
      }
    })
  }

  /** @param connection within a transaction */
  #spellings(connection: Database.Database): Spellings {
    return new Spellings(new SqliteView(connection, this.#parts.label))
  }
}
