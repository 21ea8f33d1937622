/**
 * Appends rows to a temporary table as texts, numbers and bytes. Then one statement for many rows converts them to the
 * types of the target table, and inserts them.
 */
import type { DuckDBAppender } from '@duckdb/node-api'
import { tableText } from '../../../model/copy/column-type.ts'
import type { Row } from '../../../model/copy/rows.ts'
import { breathe } from '../../../shared/abort.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import type { ChunkRequest } from '../../../model/copy/target-port.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import { ofValue, rowRefused } from '../../common/refusals.ts'
import { fromTable } from './key-dialect.ts'
import type { DuckdbWireType } from './select.ts'
import type { DuckdbCopySession } from './session.ts'
import { spellerOf, stagedAs, type Speller } from './spell.ts'

const STAGE = 'sluice_stage'
/** Column type of each form in the temporary table. */
export const STAGED: Readonly<Record<DuckdbWireType, string>> = { text: 'VARCHAR', number: 'DOUBLE', bytes: 'BLOB' }
/** Rows appended before the event loop may do other work. */
const ROWS_PER_PAUSE = 5000

export class Staging {
  readonly #session: DuckdbCopySession
  readonly #request: ChunkRequest
  readonly #label: string
  readonly #wires: readonly DuckdbWireType[]
  readonly #spellers: readonly Speller[]

  /** @param label URL without password */
  constructor(session: DuckdbCopySession, request: ChunkRequest, label: string) {
    this.#session = session
    this.#label = label
    this.#request = request
    this.#wires = request.columns.map(({ as, column }) => stagedAs(as, column))
    this.#spellers = request.columns.map(({ as, column }) => spellerOf(as, column))
  }

  /** @throws SluiceError ROW_REFUSED for values that DuckDB would change; then nothing is staged */
  async fill(rows: readonly Row[]): Promise<void> {
    const columns = this.#wires.map((wire, i) => `c${i} ${STAGED[wire]}`)
    await this.#session.raw(`CREATE OR REPLACE TEMP TABLE ${STAGE} (${columns.join(', ')})`)
    await this.#session.append(STAGE, async (appender) => {
      for (const [i, row] of rows.entries()) {
        this.#append(appender, row)
        if (i % ROWS_PER_PAUSE === ROWS_PER_PAUSE - 1) await breathe()
      }
    })
  }

  /** @returns rows that were inserted or overwritten @throws DuckDB's error, after which its transaction is over */
  async insert(): Promise<number> {
    const { table, columns } = this.#request
    const names = columns.map(({ name }) => quotedName(name)).join(', ')
    const values = columns.map((column, i) => cast(column, `c${i}`))
    return this.#session.change(
      `INSERT INTO ${fromTable(table)} (${names}) SELECT ${values.join(', ')} FROM ${STAGE}${this.#onConflict()}`,
    )
  }

  /** Refuses values on which the insert would fail and so end the transaction. @throws SluiceError ROW_REFUSED */
  async check(): Promise<void> {
    const { table, columns, onExisting } = this.#request
    for (const [i, column] of columns.entries()) {
      const fails = column.column.nullable ? [] : [`c${i} IS NULL`]
      const tried = cast(column, `c${i}`, 'TRY_CAST')
      if (tried !== `c${i}`) fails.push(`(c${i} IS NOT NULL AND ${tried} IS NULL)`)
      if (fails.length === 0) continue
      const [bad] = await this.#session.rows(
        `SELECT left(CAST(c${i} AS VARCHAR), 60) FROM ${STAGE} WHERE ${fails.join(' OR ')} LIMIT 1`,
      )
      if (bad !== undefined) {
        const [value = null] = bad
        throw this.#refusal(
          `${column.name} ${value === null ? 'does not accept NULL' : `is not ${column.column.native}: ${String(value)}`}`,
        )
      }
    }
    if (table.key.length === 0) return
    const key = table.key.map((name) => columns.findIndex((column) => column.name === name))
    if (key.includes(-1)) return
    // Qualified: the table may have columns of these names, too.
    const casts = key.map((at) => cast(columns[at] as WriteColumn, `${STAGE}.c${at}`))
    const twice = `SELECT 1 FROM ${STAGE} WHERE ${casts.map((value) => `${value} IS NOT NULL`).join(' AND ')} GROUP BY ${casts.join(', ')} HAVING count(*) > 1 LIMIT 1`
    if ((await this.#session.rows(twice)).length > 0) throw this.#refusal('two rows have the same key')
    if (onExisting === 'append' || onExisting === 'upsert') return
    const same = table.key.map((name, i) => `there.${quotedName(name)} = ${casts[i]}`).join(' AND ')
    const taken = `SELECT 1 FROM ${STAGE} JOIN ${fromTable(table)} AS there ON ${same} LIMIT 1`
    if ((await this.#session.rows(taken)).length > 0) throw this.#refusal('another row has this key')
  }

  #onConflict(): string {
    const { table, columns, onExisting } = this.#request
    if (table.key.length === 0 || (onExisting !== 'append' && onExisting !== 'upsert')) return ''
    const on = ` ON CONFLICT (${table.key.map(quotedName).join(', ')}) DO `
    const others = columns.filter(({ name }) => !table.key.includes(name)).map(({ name }) => quotedName(name))
    if (onExisting === 'append' || others.length === 0) return `${on}NOTHING`
    return `${on}UPDATE SET ${others.map((name) => `${name} = excluded.${name}`).join(', ')}`
  }

  #append(appender: DuckDBAppender, row: Row): void {
    for (let i = 0; i < this.#wires.length; i++) {
      const cell = row[i] ?? null
      if (cell === null) {
        appender.appendNull()
        continue
      }
      appendValue(appender, this.#spell(cell, row, i))
    }
    appender.endRow()
  }

  #spell(cell: NonNullable<Row[number]>, row: Row, i: number): string | number | Uint8Array {
    try {
      return (this.#spellers[i] as Speller)(cell)
    } catch (error) {
      throw ofValue(error, this.#request, row, i)
    }
  }

  #refusal(message: string): SluiceError {
    const table = tableText(this.#request.table.table)
    return rowRefused({ system: 'DuckDB', label: this.#label, table, message, cause: undefined }, undefined, false)
  }
}

export function appendValue(appender: DuckDBAppender, value: string | number | Uint8Array): void {
  if (typeof value === 'string') appender.appendVarchar(value)
  else if (typeof value === 'number') appender.appendDouble(value)
  else appender.appendBlob(value)
}

/** A staged value in the column's type. */
export function cast({ as, column }: WriteColumn, value: string, how: 'CAST' | 'TRY_CAST' = 'CAST'): string {
  const { native, type } = column
  if (
    native === 'VARCHAR' ||
    (native === 'DOUBLE' && as.kind === 'float') ||
    (native === 'BLOB' && as.kind === 'bytes')
  ) {
    return value
  }
  // Lists and structs are read from JSON; JSON itself keeps its text.
  const nested = native !== 'JSON' && (type.kind === 'list' || type.kind === 'json') && as.kind !== 'native'
  return `${how}(${nested ? `${how}(${value} AS JSON)` : value} AS ${native})`
}
