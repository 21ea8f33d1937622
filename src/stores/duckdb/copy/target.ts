/** A DuckDB file as the target of a copy: one connection writes, one chunk at a time. */
import { refuseUnmakeable, unspelled } from '../../common/new-table.ts'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import type { ChunkRequest, ChunkWriter, CopyTarget } from '../../../model/copy/target-port.ts'
import type { Turn } from '../../../model/run/turn.ts'
import { DuckdbChunk } from './chunk.ts'
import { duckdbCopyError, isExpressionError, duckdbErrorLine } from '../errors.ts'
import { fromTable } from './key-dialect.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { moveDuckdbSequences, numberedSql, sequencesSql } from './numbering.ts'
import type { DuckdbCopySession } from './session.ts'

export class DuckdbTarget implements CopyTarget {
  readonly #writer: DuckdbCopySession | null
  readonly #turn: Turn
  readonly #label: string

  /** @param writer null if the file was opened for reading */
  constructor(writer: DuckdbCopySession | null, turn: Turn, label: string) {
    this.#writer = writer
    this.#turn = turn
    this.#label = label
  }

  async create(table: TableSpec, signal: AbortSignal): Promise<void> {
    const statements = [...sequencesSql(table), createDuckdbTable(table)]
    await this.#turn.take(async () => {
      throwIfAborted(signal)
      try {
        for (const sql of statements) await this.#session.raw(sql)
      } catch (error) {
        if (!isExpressionError(error)) throw error
        throw new SluiceError('TABLE_REFUSED', `DuckDB cannot create the table: ${duckdbErrorLine(error)}`, {
          where: `${this.#label}, ${table.table.name}`,
          hint: 'rename columns with --rename and the table with --to-table, or leave columns out with --columns',
          cause: error,
        })
      }
    })
  }

  async clear(table: TableSpec, signal: AbortSignal): Promise<void> {
    await this.#turn.take(() => this.#session.change(`DELETE FROM ${fromTable(table)}`, [], signal))
  }

  async finish(
    table: TableSpec,
    signal: AbortSignal,
    sequences: readonly ColumnSequence[] = [],
  ): Promise<readonly string[]> {
    let notes: readonly string[] = []
    await this.#turn.take(async () => {
      notes = await moveDuckdbSequences(this.#session, table, sequences, signal)
      await this.#session.change(`ANALYZE ${fromTable(table)}`, [], signal)
    })
    return notes
  }

  async open(request: ChunkRequest): Promise<ChunkWriter> {
    const leave = await this.#turn.wait()
    try {
      throwIfAborted(request.signal)
      return await DuckdbChunk.begin(this.#session, request, this.#label, leave, this.#turn)
    } catch (error) {
      leave()
      throw duckdbCopyError(error, this.#label, 'target')
    }
  }

  get #session(): DuckdbCopySession {
    if (this.#writer === null) throw new Error('the database was opened for reading')
    return this.#writer
  }
}

/** @throws SluiceError TABLE_REFUSED for names that SQL cannot hold */
export function createDuckdbTable(table: TableSpec): string {
  refuseUnmakeable(table, { title: 'DuckDB', unnamed: unspelled })
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
