/** A D1 database as the target of a copy. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChunkRequest, ChunkWriter, CopyTarget } from '../../../model/copy/target-port.ts'
import type { ColumnSequence } from '../../../model/copy/sequence.ts'
import { detailQueries, declaredTableOptions } from '../../common/sqlite-dialect/dependency-list.ts'
import { createSqliteDialectTable, quote } from '../../common/sqlite-dialect/ddl.ts'
import { numberingOf } from '../../common/sqlite-dialect/numbering.ts'
import type { D1Client, D1Statement } from '../client.ts'
import { D1Failure } from '../failure.ts'
import { D1_MOST_COLUMNS } from './insert.ts'
import { RESEND_MS, d1WriteError } from './statements.ts'
import { D1ChunkWriter } from './writer.ts'
import type { ListRows } from '../../common/sqlite-dialect/object-list.ts'
import { d1ListRows } from './read-rows.ts'

const MOST_STATEMENT_BYTES = 100_000

export class D1Target implements CopyTarget {
  readonly #client: D1Client
  readonly #rows: ListRows
  readonly #rowsPerInsert: number | undefined

  constructor(client: D1Client, rowsPerInsert: number | undefined) {
    this.#client = client
    this.#rows = d1ListRows(client)
    this.#rowsPerInsert = rowsPerInsert
  }

  async create(table: TableSpec, signal: AbortSignal): Promise<void> {
    const sql = creation(table)
    try {
      await this.#createOnce(table, { sql, params: [] }, signal)
    } catch (error) {
      throw d1WriteError(error, this.#client, tableText(table.table))
    }
  }

  async clear(table: TableSpec, signal: AbortSignal): Promise<void> {
    await this.#rows([{ sql: `DELETE FROM ${quote(table.table.name)}`, parameters: [] }], signal)
  }

  /** Sets the source's next number. If the source has none, SQLite continues after the largest row number by itself. */
  async finish(
    table: TableSpec,
    signal: AbortSignal,
    sequences: readonly ColumnSequence[] = [],
  ): Promise<readonly string[]> {
    if (sequences.length === 0) return []
    const [created = []] = await this.#rows(detailQueries(table).slice(0, 1), signal)
    const isNumbered = declaredTableOptions(String(created[0]?.[0] ?? '')).includes('AUTOINCREMENT')
    const { statements, notes } = numberingOf(table, isNumbered, sequences)
    // These statements can be sent again after a lost answer: none of them lowers the next number.
    if (statements.length > 0) await this.#rows(statements, signal)
    return notes
  }

  async open(request: ChunkRequest): Promise<ChunkWriter> {
    refuseWidth(request.table)
    return new D1ChunkWriter(this.#client, request, this.#rowsPerInsert)
  }

  /** Creates a table. If the answer gets lost, the schema shows whether the table was created. */
  async #createOnce({ table }: TableSpec, statement: D1Statement, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + RESEND_MS
    for (let attempt = 1; ; attempt++) {
      let failure: D1Failure
      try {
        await this.#client.once([statement], { signal })
        return
      } catch (error) {
        if (!(error instanceof D1Failure) || error.settled || performance.now() > deadline) throw error
        failure = error
      }
      const exists = {
        sql: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)",
        params: [table.name],
      }
      const [found] = await this.#client.read([exists], { signal })
      if ((found?.rows.length ?? 0) > 0) return
      await this.#client.pause(failure, attempt, deadline - performance.now(), signal)
    }
  }
}

/** @throws SluiceError TABLE_REFUSED for a table that D1 cannot create */
export function creation(table: TableSpec): string {
  refuseName(table)
  refuseWidth(table)
  const sql = createSqliteDialectTable(table)
  const bytes = Buffer.byteLength(sql)
  if (bytes < MOST_STATEMENT_BYTES) return sql
  throw refused(
    table,
    `the table cannot be created: its CREATE TABLE statement would have ${bytes} bytes`,
    `the limit of D1 is below ${MOST_STATEMENT_BYTES}`,
  )
}

function refuseWidth(table: TableSpec): void {
  const { length } = table.columns
  if (length > D1_MOST_COLUMNS)
    throw refused(
      table,
      `the table cannot be copied: it has ${length} columns`,
      `the limit of D1 is ${D1_MOST_COLUMNS}`,
    )
}

function refuseName(table: TableSpec): void {
  if (!/^_cf_/i.test(table.table.name)) return
  throw new SluiceError(
    'TABLE_REFUSED',
    `${tableText(table.table)} cannot be created: names that begin with _cf_ belong to Cloudflare`,
    {
      where: tableText(table.table),
      hint: 'give the table another name with --to-table',
    },
  )
}

function refused(table: TableSpec, what: string, reason: string): SluiceError {
  return new SluiceError('TABLE_REFUSED', what, {
    where: tableText(table.table),
    reason,
    hint: 'copy fewer columns with --columns, or divide the table',
  })
}
