/** Rows of a query as canonical values. */
import { shownValue } from '../../../model/copy/bytes-text.ts'
import type { DuckDBDataChunk, DuckDBMaterializedResult, DuckDBValue } from '@duckdb/node-api'
import type { ColumnType } from '../../../model/copy/column-type.ts'
import { storedConverter } from '../../../model/copy/convert.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import { breathe } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { cellOf } from '../sql-values.ts'
import { isRefusedValue, storedCell, valueError, type MistypedRows } from '../../common/as-stored.ts'
import type { RowBatch, RowRequest } from '../../../model/copy/source-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { isDuckdbRowError } from '../errors.ts'
import { fromTable } from './key-dialect.ts'
import { duckdbSelection } from './select.ts'
import { chunksOf, otherCount } from '../session.ts'
import type { DuckdbCopySession } from './session.ts'

type Present = Exclude<Cell, null>
type CellReader = (value: string | number | Uint8Array) => Present

/** Results of up to this many rows stay in memory; larger ones go to a temporary table, which spills to disk. */
const MEMORY_ROWS = 250_000
const PAGE_ROWS = 60_000n

export type DuckdbRowQuery = {
  readonly request: Pick<RowRequest, 'table' | 'columns' | 'onRefused' | 'asStored'>
  /** The WHERE condition. `where`: the user's part of it; null if there is none. */
  readonly condition: string
  readonly parameters: SqlRow
  readonly where: string | null
  /** The ORDER BY list; empty for any order. */
  readonly order: string
}

/**
 * The result is complete before the first row is returned: DuckDB's streams can end early without an error.
 * @param mistyped for a request `asStored`: receives rows with a value that does not fit its type
 */
export async function* duckdbRows(
  session: DuckdbCopySession,
  query: DuckdbRowQuery,
  signal: AbortSignal,
  mistyped: MistypedRows = new WeakSet<Row>(),
): AsyncGenerator<RowBatch> {
  const { request, condition, parameters, where, order } = query
  const from = `FROM ${fromTable(request.table)} WHERE ${condition}`
  const asked = { where, signal }
  const [counted] = await session.rows(`SELECT count(*) ${from}`, parameters, asked)
  const rows = Number(counted?.[0])
  // The columns get no aliases: ORDER BY would read an alias as a column of that name.
  const columns = request.columns.map(({ column, as }) => duckdbSelection(column, as))
  const tail = `${from}${order === '' ? '' : ` ORDER BY ${order}`}`
  const select = `SELECT ${columns.length === 0 ? '1' : columns.join(', ')} ${tail}`
  const reader = new RowReader(request, request.asStored === true ? mistyped : null)
  const width = Math.max(columns.length, 1)
  const selecting = async (into: (width: number) => string): Promise<DuckDBMaterializedResult> => {
    const singly = (): Promise<DuckDBMaterializedResult> =>
      session.result(`${into(columns.length + 1)}${tried(request, tail)}`, parameters, asked)
    // A statement that fails ends the transaction.
    if (session.inTransaction && request.asStored === true) return await singly()
    try {
      return await session.result(`${into(width)}${select}`, parameters, asked)
    } catch (error) {
      // The condition is valid: with an invalid one, the count above would have failed.
      const isRow = isDuckdbRowError(error) || (error instanceof SluiceError && isDuckdbRowError(error.cause))
      if (session.inTransaction || !isRow) throw error
      // DuckDB's error does not name the row.
      return await singly()
    }
  }
  if (rows <= MEMORY_ROWS) {
    const result = await selecting(() => '')
    if (result.rowCount !== rows) throw otherCount(rows, result.rowCount)
    for await (const chunk of chunksOf(result)) {
      yield reader.batch(chunk)
      await breathe()
    }
    return
  }
  const name = `sluice_rows_${++made}`
  await selecting(
    (most) => `CREATE TEMP TABLE ${name} (${Array.from({ length: most }, (_, i) => `c${i}`).join(', ')}) AS `,
  )
  try {
    // Row numbers in an open transaction do not start at 0.
    const [lowest] = await session.rows(`SELECT CAST(min(rowid) AS VARCHAR) FROM ${name}`)
    const first = BigInt(String(lowest?.[0] ?? 0))
    let seen = 0
    for (let at = first; at < first + BigInt(rows); at += PAGE_ROWS) {
      const page = `SELECT * FROM ${name} WHERE rowid >= ${at} AND rowid < ${at + PAGE_ROWS} ORDER BY rowid`
      for await (const chunk of chunksOf(await session.result(page, [], { signal }))) {
        seen += chunk.rowCount
        yield reader.batch(chunk)
        await breathe()
      }
    }
    if (seen !== rows) throw otherCount(rows, seen)
  } finally {
    await session.raw(`DROP TABLE IF EXISTS ${name}`).catch(() => undefined)
  }
}

let made = 0

/** Selects the rows with NULL for values that cannot be converted, and adds the index of the first such value. */
function tried({ columns }: DuckdbRowQuery['request'], tail: string): string {
  const values = columns.map(({ column, as }) => duckdbSelection(column, as, true))
  const places = columns.map(
    ({ column }, i) => `WHEN ${quotedName(column.name)} IS NOT NULL AND ${values[i]} IS NULL THEN '${i}'`,
  )
  return `SELECT ${values.map((value) => `${value}, `).join('')}CASE ${places.join(' ')} END ${tail}`
}

const UNCONVERTIBLE = new SluiceError('VALUE_REFUSED', 'DuckDB cannot convert this value to text', {
  hint: 'correct the row at the source, or exclude the column with --columns',
})

class RowReader {
  readonly #request: DuckdbRowQuery['request']
  /** Null if the value is already final. */
  readonly #readers: readonly (CellReader | null)[]
  /** Null if a value that does not fit its type is refused. */
  readonly #mistyped: MistypedRows | null
  /** By column: true if it is in the row key, where a value that does not fit its type is always refused. */
  readonly #inKey: readonly boolean[]

  constructor(request: DuckdbRowQuery['request'], mistyped: MistypedRows | null) {
    this.#request = request
    this.#mistyped = mistyped
    this.#inKey = request.columns.map(({ name }) => request.table.key.includes(name))
    this.#readers = request.columns.map(({ column, as }) =>
      equalTypes(column.type, as) ? null : storedConverter(column.type, as),
    )
  }

  batch(chunk: DuckDBDataChunk): RowBatch {
    const width = this.#readers.length
    const values = Array.from({ length: width }, (_, i) => chunk.getColumnValues(i))
    const broken = width > 0 && chunk.columnCount > width ? chunk.getColumnValues(width) : null
    const rows: Row[] = []
    let bytes = 0
    for (let r = 0; r < chunk.rowCount; r++) {
      const place = broken?.[r] ?? null
      const row = place === null ? this.#row(values, r) : this.#refuse(UNCONVERTIBLE, values, r, Number(place))
      if (row === null) continue
      for (const cell of row)
        if (cell !== null)
          bytes += typeof cell === 'string' ? cell.length : typeof cell === 'number' ? 8 : cell.byteLength
      rows.push(row)
    }
    return { rows, bytes }
  }

  #row(values: readonly (readonly DuckDBValue[])[], r: number): Row | null {
    const width = this.#readers.length
    const row = new Array<Cell>(width)
    for (let i = 0; i < width; i++) {
      const value = cellOf(values[i]?.[r] ?? null)
      const reader = this.#readers[i] ?? null
      try {
        row[i] = value === null || reader === null ? value : reader(value)
      } catch (error) {
        if (this.#mistyped === null || this.#inKey[i] === true || !isRefusedValue(error))
          return this.#refuse(error, values, r, i)
        this.#mistyped.add(row)
        row[i] = storedCell(value)
      }
    }
    return row
  }

  #refuse(error: unknown, values: readonly (readonly DuckDBValue[])[], r: number, i: number): null {
    if (!isRefusedValue(error)) throw error
    const { table, columns, onRefused } = this.#request
    const shown = values.map((column) => shownValue(cellOf(column[r] ?? null)))
    const key = table.key.map((name) => shown[columns.findIndex((column) => column.name === name)] ?? '?')
    const where = `${table.table.name}.${columns[i]?.name ?? ''}, row ${key.join(', ')}`
    const named = valueError(this.#mistyped !== null, `${where}: ${error.message}`, { where, cause: error })
    if (onRefused === undefined) throw named
    onRefused(shown, named)
    return null
  }
}

/** True if SQL returns values in the canonical form of the transfer's type. Always false for JSON and lists. */
function equalTypes(type: ColumnType, as: ColumnType): boolean {
  return type.kind !== 'json' && type.kind !== 'list' && JSON.stringify(type) === JSON.stringify(as)
}
