/** A DuckDB file as the target of a copy: one connection writes, one chunk at a time. */
import { refuseUnmakeable, sqlNameError } from '../../common/new-table.ts'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import type { ChunkRequest, ChunkWriter, CopyTarget } from '../../../model/copy/target-port.ts'
import { DuckdbChunk } from './chunk.ts'
import { duckdbCopyError, isExpressionError, duckdbErrorLine } from '../errors.ts'
import { fromTable } from './key-dialect.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { moveDuckdbSequences, numberedSql, sequencesSql } from './numbering.ts'
import type { DuckdbParts } from './session.ts'

export class DuckdbTarget implements CopyTarget {
  readonly #parts: DuckdbParts

  constructor(parts: DuckdbParts) {
    this.#parts = parts
  }

  async create(table: TableSpec, signal: AbortSignal): Promise<void> {
    const statements = [...sequencesSql(table), createDuckdbTable(table)]
    await this.#parts.turn.take(async () => {
      throwIfAborted(signal)
      try {
        for (const sql of statements) await this.#parts.writer().raw(sql)
      } catch (error) {
        if (!isExpressionError(error)) throw error
        throw new SluiceError('TABLE_REFUSED', `DuckDB cannot create the table: ${duckdbErrorLine(error)}`, {
          where: `${this.#parts.label}, ${table.table.name}`,
          hint: 'rename columns with --rename and the table with --to-table, or exclude columns with --columns',
          cause: error,
        })
      }
    })
  }

  async clear(table: TableSpec, signal: AbortSignal): Promise<void> {
    await this.#parts.turn.take(() => this.#parts.writer().change(`DELETE FROM ${fromTable(table)}`, [], signal))
  }

  async finish(
    table: TableSpec,
    signal: AbortSignal,
    sequences: readonly ColumnSequence[] = [],
  ): Promise<readonly string[]> {
    return await this.#parts.turn.take(async () => {
      const notes = await moveDuckdbSequences(this.#parts.writer(), table, sequences, signal)
      await this.#parts.writer().change(`ANALYZE ${fromTable(table)}`, [], signal)
      return notes
    })
  }

  async open(request: ChunkRequest): Promise<ChunkWriter> {
    const { writer, turn, label } = this.#parts
    const leave = await turn.wait()
    try {
      throwIfAborted(request.signal)
      return await DuckdbChunk.begin(writer(), request, label, leave, turn)
    } catch (error) {
      leave()
      throw duckdbCopyError(error, label, 'target')
    }
  }
}

/** @throws SluiceError TABLE_REFUSED for names that SQL cannot contain */
export function createDuckdbTable(table: TableSpec): string {
  refuseUnmakeable(table, { title: 'DuckDB', nameError: sqlNameError })
  const columns = table.columns.map((column) => {
    const { name, native, nullable, collation, expression } = column
    // DuckDB has only virtual generated columns, computed when read.
    if (expression !== undefined) return `${quotedName(name)} ${native} GENERATED ALWAYS AS (${expression.sql}) VIRTUAL`
    const order = collation !== undefined && /^[\w.]+$/.test(collation) ? ` COLLATE ${collation}` : ''
    return `${quotedName(name)} ${native}${order}${nullable ? '' : ' NOT NULL'}${numberedSql(table, column)}`
  })
  if (table.key.length > 0) {
    columns.push(`${table.primary ? 'PRIMARY KEY' : 'UNIQUE'} (${table.key.map(quotedName).join(', ')})`)
  }
  return `CREATE TABLE ${fromTable(table)} (${columns.join(', ')})`
}
