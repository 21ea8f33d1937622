/**
 * Writes a chunk into D1, where each request is a transaction. A request stores a batch of rows and moves the chunk's
 * cursor. So neither a lost answer nor a late worker can store a row twice.
 */
import { tableText } from '../../../model/copy/column-type.ts'
import { keyTextOf } from '../../../model/copy/key-text.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { BatchStep, Closing } from '../../../model/run/ledger-port.ts'
import type { ChunkRequest, ChunkWriter, DigestRequest } from '../../../model/copy/target-port.ts'
import { notAKeyRange } from '../../common/refusals.ts'
import { keyListParts } from '../../common/key-parts.ts'
import { rangeCondition, type KeyDialect } from '../../common/key-ranges.ts'
import { rangeMeansTheSame, typesOf } from '../../common/same-range.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'
import type { D1Client, D1Result, D1Statement } from '../client.ts'
import { d1Error } from '../errors.ts'
import { D1Failure } from '../failure.ts'
import { d1DigestOfKeys } from './by-keys.ts'
import { orderGuard, refuseByGuard } from './column-order.ts'
import { d1CanonicalDigest, countD1Rows } from './digest.ts'
import { cascadeGuard, refuseCascades, refuseReferred } from './cascades.ts'
import { Inserts } from './insert.ts'
import { d1TargetKeys } from './keys.ts'
import { MOST_KEY_PARAMETERS } from './scan.ts'
import { d1Statement, isFenced, isForeignKey, leaseLost, runOnce, d1WriteError } from './statements.ts'

/** Counts the rows that the previous statement stored. D1's own count includes rows that triggers wrote. */
const COUNT: D1Statement = { sql: 'SELECT changes()', params: [] }

export class D1ChunkWriter implements ChunkWriter {
  readonly session = ''
  readonly #client: D1Client
  readonly #request: ChunkRequest
  readonly #inserts: Inserts
  readonly #keys: KeyDialect
  readonly #table: string
  readonly #byRange: boolean
  /** Keys of this chunk's rows, if its range cannot identify them; null if not needed, or if not all are known. */
  readonly #written: Set<string> | null
  readonly #keyAt: readonly number[]
  /** True if earlier rows of the range still have to be removed. */
  #toClear: boolean

  /**
   * @param request `cursor`: position that an earlier attempt has reached. The rows before it are part of the chunk and
   * must not be removed
   * @throws SluiceError UNSUPPORTED_KEY
   */
  constructor(
    client: D1Client,
    request: ChunkRequest & { readonly cursor?: string | null },
    rowsPerInsert: number | undefined,
  ) {
    const { table, columns, onExisting, cursor } = request
    this.#client = client
    this.#request = request
    this.#table = tableText(table.table)
    this.#inserts = new Inserts(table, columns, {
      onConflict: onExisting === 'upsert' ? 'overwrite' : onExisting === 'append' ? 'skip' : 'fail',
      ...(rowsPerInsert === undefined ? {} : { rowsPerInsert }),
    })
    this.#keys = d1TargetKeys(typesOf(request))
    // Decimals in columns without REAL affinity are stored as texts, which sort differently from numbers.
    this.#byRange = rangeMeansTheSame(
      request,
      (kind, { native }) => kind !== 'decimal' || affinityOf(native) === 'real',
    )
    this.#written = !this.#byRange && cursor == null ? new Set() : null
    this.#keyAt = table.key.map((key) => columns.findIndex(({ name }) => name === key))
    if (onExisting === 'replace-range') {
      if (cursor === undefined) throw new Error('it is unknown whether the chunk was started')
      if (!this.#byRange) throw notAKeyRange('D1', this.#table)
    }
    this.#toClear = onExisting === 'replace-range' && cursor === null
  }

  get seesRange(): boolean {
    return this.#byRange
  }

  /**
   * True if the range has rows. False also if the range cannot be expressed in D1: then the key of the table refuses a
   * row that exists already.
   */
  async hasRows(): Promise<boolean> {
    if (!this.#byRange) return false
    const { table, signal } = this.#request
    const questions = this.#overRange(
      (condition) => `SELECT 1 FROM ${this.#keys.from(table)} WHERE ${condition} LIMIT 1`,
    )
    try {
      const results = await this.#client.read(questions, { signal })
      return results.some(({ rows }) => rows.length > 0)
    } catch (error) {
      throw this.#error(error)
    }
  }

  async write(rows: readonly Row[], step?: BatchStep): Promise<number> {
    if (rows.length === 0) return 0
    const { signal } = this.#request
    const inserts = this.#inserts.of(rows).flatMap((insert) => [insert, COUNT])
    const before = [orderGuard(this.#request.table), ...this.#clearing()]
    let results: readonly D1Result[]
    try {
      if (step === undefined) results = await this.#writeFreely([...before, ...inserts])
      else {
        const outcome = await runOnce(
          this.#client,
          { guard: step.guard, statements: [...before, ...inserts, d1Statement(step.advance)], landed: step.landed },
          signal,
        )
        if (outcome.kind === 'fenced') throw leaseLost(this.#client)
        // After a lost answer only the success is known, not the counts.
        results = outcome.kind === 'landed' ? [] : outcome.results
      }
    } catch (error) {
      await this.#refuseTable(error)
      throw this.#error(error)
    }
    this.#toClear = false
    if (this.#written !== null) for (const row of rows) this.#written.add(keyTextOf(row, this.#keyAt))
    if (results.length === 0) return rows.length
    const counts = inserts.flatMap((one, at) => (one === COUNT ? (results[before.length + at]?.rows ?? []) : []))
    return counts.reduce((sum, [count]) => sum + Number(count), 0)
  }

  async digest({ scheme, only, columns: other }: DigestRequest): Promise<Digest> {
    const { table, range, signal } = this.#request
    const columns = other ?? this.#request.columns
    if (scheme === 'echo') throw new Error('D1 prints no rows as they are')
    const request = { table, columns, range, where: null, keys: this.#keys, blame: 'target' } as const
    try {
      const keys = only ?? this.#written
      if (scheme === 'count' && keys === null)
        return { rows: await countD1Rows(this.#client, request, signal), sum: '' }
      const digest =
        keys === null || this.#byRange
          ? await d1CanonicalDigest(this.#client, request, keys, signal)
          : await d1DigestOfKeys(this.#client, request, keys, signal)
      return scheme === 'count' ? { rows: digest.rows, sum: '' } : digest
    } catch (error) {
      throw this.#error(error)
    }
  }

  async commit({ statements, guard, landed }: Closing): Promise<'committed' | 'fenced'> {
    const { signal } = this.#request
    const before = this.#toClear ? [orderGuard(this.#request.table), ...this.#clearing()] : []
    try {
      const once = { guard, statements: [...before, ...statements.map(d1Statement)], landed }
      const outcome = await runOnce(this.#client, once, signal)
      if (outcome.kind === 'fenced') return 'fenced'
      this.#toClear = false
      if (outcome.kind === 'done' && outcome.results[before.length]?.changes === 0) {
        throw new Error('the guard found the chunk, but the statement that closes it did not')
      }
      return 'committed'
    } catch (error) {
      await this.#refuseTable(error)
      throw d1Error(error, this.#client.settings)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing to roll back: written rows stay, together with their cursor.
  }

  #clearing(): readonly D1Statement[] {
    if (!this.#toClear) return []
    const { table } = this.#request
    const removals = this.#overRange((condition) => `DELETE FROM ${this.#keys.from(table)} WHERE ${condition}`)
    return [cascadeGuard(table), ...removals]
  }

  #overRange(sqlOf: (condition: string) => string): readonly D1Statement[] {
    const { table, range } = this.#request
    return keyListParts(range, table.key.length, MOST_KEY_PARAMETERS).map((part) => {
      const { sql, parameters } = rangeCondition(table, part, null, this.#keys)
      return d1Statement({ sql: sqlOf(sql), parameters })
    })
  }

  /**
   * Writes without a cursor: after a lost reply it is unknown whether rows were stored, so only repeatable writes are
   * retried.
   */
  async #writeFreely(statements: readonly D1Statement[]): Promise<readonly D1Result[]> {
    const { onExisting, table, signal } = this.#request
    const repeatable = table.key.length > 0 && (onExisting === 'upsert' || onExisting === 'append')
    try {
      return repeatable
        ? await this.#client.read(statements, { signal })
        : await this.#client.once(statements, { signal })
    } catch (error) {
      if (repeatable || !(error instanceof D1Failure) || error.settled) throw error
      throw new SluiceError(
        'COMMIT_UNKNOWN',
        'the reply to a write was lost, and it is unknown whether the rows were written',
        {
          where: this.#table,
          reason: error.message,
          hint: 'check whether the rows exist before they are written again',
          cause: error,
        },
      )
    }
  }

  /**
   * @throws SluiceError TABLE_REFUSED if a batch failed because columns have exchanged their names, or because of
   * foreign keys that refer to the rows to remove
   */
  async #refuseTable(error: unknown): Promise<void> {
    const { table, signal } = this.#request
    if (isFenced(error)) {
      await refuseByGuard(this.#client, table, signal)
      if (this.#toClear) await refuseCascades(this.#client, table, signal)
    }
    if (this.#toClear && isForeignKey(error)) await refuseReferred(this.#client, table, this.#clearing(), signal)
  }

  #error(error: unknown): unknown {
    return d1WriteError(error, this.#client, this.#table)
  }
}
