/** Applies changes to a database with one writer: a transaction keeps the writer's turn until it ends. */
import type { ChangeBatch } from '../../../model/copy/change.ts'
import { batchRowCount, unpackBatch } from '../../../model/copy/unpacked.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { Closing, Statement } from '../../../model/run/ledger-port.ts'
import type { Applied, ChangeRequest, ChangeWriter } from '../../../model/follow/port.ts'
import type { Turn } from '../../../model/run/turn.ts'
import { changeTableAt, sorted, putColumns, type PartialPut, type SortedBatch } from './puts.ts'

/** Steps that a database implements, called within the turn. */
export interface ChangeSteps {
  /** Begins a transaction. */
  begin(signal: AbortSignal): Promise<void>
  /**
   * First reads the stored rows of the partial rows, then deletes rows, then writes rows.
   * @param table index of the table among the tables of the session
   * @returns partial rows whose stored row is missing; nothing was written for them
   */
  apply(table: number, batch: SortedBatch, signal: AbortSignal): Promise<readonly PartialPut[]>
  /** Removes every row. */
  clear(table: number): Promise<void>
  /** Runs statements and commits; rolls back if the first of them does not change exactly one row. */
  commit(statements: readonly Statement[]): Promise<'committed' | 'fenced'>
  /** Rolls back an open transaction. Never throws. */
  rollBack(): Promise<void>
  /** Maps an error of the database. @param table name of its table; empty if the error is about no table */
  named(error: unknown, table: string): unknown
  /** Ends the session. */
  close(): Promise<void>
}

export class TurnWriter implements ChangeWriter {
  /** Empty: the session ends with this program. */
  readonly session = ''
  readonly #request: ChangeRequest
  readonly #steps: ChangeSteps
  readonly #turn: Turn
  /** Releases the writer's turn; null while no transaction is open. */
  #leave: (() => void) | null = null
  #isBegun = false
  /**
   * Error that ended the transaction. Every call fails with it until `rollBack`; otherwise only a part of the changes
   * would be committed.
   */
  #failure: unknown = null
  #isDisposed = false

  constructor(request: ChangeRequest, steps: ChangeSteps, turn: Turn) {
    this.#request = request
    this.#steps = steps
    this.#turn = turn
  }

  apply(table: number, batch: ChangeBatch): Promise<Applied> {
    const request = changeTableAt(this.#request, table)
    return this.#do(tableText(request.table.table), async () => {
      if (batchRowCount(batch) === 0) return { lacking: [] }
      const changes = sorted(unpackBatch(batch), request, putColumns(request))
      const lacking = await this.#steps.apply(table, changes, this.#request.signal)
      return { lacking: lacking.map(({ put }) => put.key) }
    })
  }

  async truncate(tables: readonly number[]): Promise<void> {
    for (const table of tables)
      await this.#do(tableText(changeTableAt(this.#request, table).table.table), () => this.#steps.clear(table))
  }

  commit({ statements }: Closing): Promise<'committed' | 'fenced'> {
    return this.#do('', async () => {
      const outcome = await this.#steps.commit(statements)
      this.#ended()
      return outcome
    })
  }

  async rollBack(): Promise<void> {
    if (this.#leave !== null) await this.#steps.rollBack()
    this.#ended()
    this.#failure = null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isDisposed) return
    await this.rollBack()
    this.#isDisposed = true
    await this.#steps.close()
  }

  async #do<T>(where: string, body: () => Promise<T>): Promise<T> {
    if (this.#isDisposed) throw new Error('the session that applies changes is closed')
    if (this.#failure !== null) throw this.#failure
    try {
      throwIfAborted(this.#request.signal)
      this.#leave ??= await this.#turn.wait()
      return await this.#turn.within(async () => {
        if (!this.#isBegun) await this.#steps.begin(this.#request.signal)
        this.#isBegun = true
        return body()
      })
    } catch (error) {
      this.#failure = this.#steps.named(error, where)
      // Roll back at once, so that no other writer waits for a transaction that cannot be committed.
      if (this.#leave !== null) await this.#steps.rollBack()
      this.#ended()
      throw this.#failure
    }
  }

  #ended(): void {
    this.#isBegun = false
    this.#leave?.()
    this.#leave = null
  }
}
