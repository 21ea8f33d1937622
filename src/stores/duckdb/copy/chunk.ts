/** One chunk: a transaction on the writing connection. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChunkRequest, ChunkWriter, DigestRequest } from '../../../model/copy/target-port.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { Closing } from '../../../model/run/ledger-port.ts'
import { rangeCondition, type SqlCondition } from '../../common/key-ranges.ts'
import { notAKeyRange } from '../../common/refusals.ts'
import { hidesNumbers } from './introspect.ts'
import { rangeMeansTheSame, typesOf } from '../../common/same-range.ts'
import { duckdbDigest } from './digest.ts'
import { duckdbCopyError, duckdbRefusal, isDuckdbRowError } from '../errors.ts'
import { boundTexts, fromTable, duckdbTargetKeys } from './key-dialect.ts'
import { keyList, keyTypes, spelled, type KeyList } from './keys.ts'
import { duckdbRows, type DuckdbRowQuery } from './rows.ts'
import type { Turn } from '../../../model/run/turn.ts'
import type { DuckdbCopySession } from './session.ts'
import { Staging } from './staging.ts'

export class DuckdbChunk implements ChunkWriter {
  /** Empty: the session ends with this program. */
  readonly session = ''
  readonly turn: Turn
  readonly #session: DuckdbCopySession
  readonly #request: ChunkRequest
  readonly #label: string
  readonly #leave: () => void
  readonly #staging: Staging
  readonly #byRange: boolean
  /** Condition for the rows of this chunk. */
  readonly #condition: SqlCondition
  readonly #list: KeyList | null
  /** If the request is `careful`: rows to write again if a statement fails unexpectedly. */
  readonly #accepted: Row[] = []
  /** True if earlier rows of the range still have to be removed. */
  #toClear: boolean
  #wrote = false
  #over = false

  private constructor(
    session: DuckdbCopySession,
    request: ChunkRequest,
    rows: { readonly byRange: boolean; readonly condition: SqlCondition; readonly list: KeyList | null },
    label: string,
    leave: () => void,
    turn: Turn,
  ) {
    this.turn = turn
    this.#session = session
    this.#request = request
    this.#label = label
    this.#leave = leave
    this.#byRange = rows.byRange
    this.#condition = rows.condition
    this.#list = rows.list
    this.#staging = new Staging(session, request, label)
    this.#toClear = request.onExisting === 'replace-range'
  }

  /**
   * Begins the transaction.
   * @param leave called at its end
   * @param turn lock on the writer: no other transaction begins before this one has ended
   * @throws SluiceError UNSUPPORTED_KEY if a range to replace cannot be expressed here
   */
  static async begin(
    session: DuckdbCopySession,
    request: ChunkRequest,
    label: string,
    leave: () => void,
    turn: Turn,
  ): Promise<DuckdbChunk> {
    const { table, range } = request
    // Created before the transaction, because the list must survive a restart of the transaction.
    const list =
      range.by === 'keys' ? await keyList(session, table, boundTexts(table, range.keys, typesOf(request))) : null
    await session.begin()
    try {
      const byRange = rangeMeansTheSame(request, (_kind, { type }) => type.kind !== 'text')
      const keys = duckdbTargetKeys(typesOf(request))
      const condition =
        list?.condition ?? (byRange ? rangeCondition(table, range, null, keys) : await newRows(session, request))
      if (request.onExisting === 'replace-range' && !byRange) throw notAKeyRange('DuckDB', tableText(table.table))
      return new DuckdbChunk(session, request, { byRange, condition, list }, label, leave, turn)
    } catch (error) {
      await session.rollBack()
      await list?.drop()
      throw error
    }
  }

  get seesRange(): boolean {
    return this.#byRange
  }

  /**
   * True if the range has rows. False also if the range cannot be expressed in DuckDB: then the key of the table
   * refuses a row that exists already.
   */
  async hasRows(): Promise<boolean> {
    this.#begun()
    if (!this.#byRange) return false
    await this.#clearRange()
    const { sql, parameters } = this.#condition
    return (await this.#session.rows(`SELECT 1 FROM ${this.#table} WHERE ${sql} LIMIT 1`, parameters)).length > 0
  }

  async write(rows: readonly Row[]): Promise<number> {
    const { careful, signal } = this.#request
    this.#begun()
    throwIfAborted(signal)
    await this.#clearRange()
    if (rows.length === 0) return 0
    this.#wrote = true
    try {
      await this.#staging.fill(rows)
      if (careful) await this.#staging.check()
    } catch (error) {
      if (!careful) await this.#end()
      else if (isDuckdbRowError(error)) await this.#restart()
      throw this.#refusal(error)
    }
    try {
      const written = await this.#staging.insert()
      if (careful) for (const row of rows) this.#accepted.push(row)
      return written
    } catch (error) {
      if (careful && isDuckdbRowError(error)) await this.#restart()
      else await this.#end()
      throw this.#refusal(error)
    }
  }

  async digest({ scheme, only, columns: other }: DigestRequest): Promise<Digest> {
    const { table, onExisting, signal } = this.#request
    const columns = other ?? this.#request.columns
    if (scheme === 'echo') throw new Error('DuckDB prints no frames')
    this.#begun()
    await this.#clearRange()
    const list =
      only === undefined
        ? null
        : await keyList(this.#session, table, spelled(only, keyTypes(table, typesOf(this.#request))), true)
    const { sql, parameters } = list?.condition ?? this.#condition
    try {
      if (scheme === 'count') {
        const [row] = await this.#session.rows(
          `SELECT CAST(count(*) AS VARCHAR) FROM ${this.#table} WHERE ${sql}`,
          parameters,
        )
        return { rows: BigInt(String(row?.[0])), sum: '' }
      }
      // Rows of other writers may have another JSON form.
      const ours = other === undefined && this.#wrote && (onExisting === 'refuse' || onExisting === 'replace-range')
      const query: DuckdbRowQuery = { request: { table, columns }, condition: sql, parameters, where: null, order: '' }
      return await duckdbDigest(this.#session, query, ours, signal)
    } finally {
      await list?.drop()
    }
  }

  /** Takes no locks: DuckDB refuses to change a row that another session has changed meanwhile. */
  async stored(columns: readonly WriteColumn[]): Promise<readonly Row[]> {
    this.#begun()
    const { table, signal } = this.#request
    const { sql: condition, parameters } = this.#condition
    const request = { table, columns, asStored: true } as const
    const rows: Row[] = []
    const query = { request, condition, parameters, where: null, order: '' }
    for await (const batch of duckdbRows(this.#session, query, signal)) rows.push(...batch.rows)
    return rows
  }

  async commit({ statements }: Closing): Promise<'committed' | 'fenced'> {
    this.#begun()
    await this.#clearRange()
    try {
      if (!(await this.#session.closesChunk(statements))) return 'fenced'
      await this.#session.commit()
      this.#over = true
      return 'committed'
    } catch (error) {
      throw this.#refusal(error)
    } finally {
      if (this.#over) await this.#left()
      else await this.#end()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
  }

  get #table(): string {
    return fromTable(this.#request.table)
  }

  /** Refuses calls after the end of the transaction: a statement would commit by itself. */
  #begun(): void {
    if (this.#over) throw new Error('the transaction of the chunk has ended')
  }

  /** Rolls back uncommitted changes, and lets the next chunk start. */
  async #end(): Promise<void> {
    if (this.#over) return
    this.#over = true
    await this.#session.rollBack()
    await this.#left()
  }

  async #left(): Promise<void> {
    await this.#list?.drop()
    this.#leave()
  }

  /** DuckDB has no savepoints, and a failed statement ends the transaction: accepted rows are written again. */
  async #restart(): Promise<void> {
    try {
      await this.#session.rollBack()
      await this.#session.begin()
      this.#toClear = this.#request.onExisting === 'replace-range'
      await this.#clearRange()
      if (this.#accepted.length === 0) return
      await this.#staging.fill(this.#accepted)
      await this.#staging.insert()
    } catch (error) {
      await this.#end()
      throw error
    }
  }

  async #clearRange(): Promise<void> {
    if (!this.#toClear) return
    this.#toClear = false
    const { range } = this.#request
    const { sql, parameters } = this.#condition
    const removed = await this.#session
      .change(`DELETE FROM ${this.#table} WHERE ${sql}`, parameters)
      .catch((error: unknown) => {
        throw duckdbCopyError(error, this.#label, 'target')
      })
    if (range.by === 'keys' && removed > range.keys.length)
      throw new Error(`${removed} rows were deleted for ${range.keys.length} keys`)
  }

  #refusal(error: unknown): unknown {
    return duckdbRefusal(error, this.#label, tableText(this.#request.table.table))
  }
}

/**
 * Condition for new rows: their row numbers are above all others.
 * @throws SluiceError UNSUPPORTED_KEY for a table that hides its numbers
 */
async function newRows(session: DuckdbCopySession, { table }: ChunkRequest): Promise<SqlCondition> {
  if (hidesNumbers(table.columns)) {
    throw new SluiceError(
      'UNSUPPORTED_KEY',
      `rows cannot be copied into ${tableText(table.table)}: its column rowid hides the row numbers`,
      {
        where: tableText(table.table),
        reason: 'without a key range, the rows of a chunk are identified by their row numbers',
        hint: 'rename the column with --rename',
      },
    )
  }
  const [row] = await session.rows(`SELECT CAST(coalesce(max(rowid), -1) AS VARCHAR) FROM ${fromTable(table)}`)
  return { sql: `rowid > ${BigInt(String(row?.[0] ?? -1))}`, parameters: [] }
}
