/** The session that applies changes where a database has one writer: a transaction has the turn of that writer from its first call to its end. */
import type { ChangeBatch } from '../../../model/copy/change.ts'
import { rowsOf, unpacked } from '../../../model/copy/unpacked.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { Closing, Statement } from '../../../model/copy/port.ts'
import type { Applied, ChangeRequest, ChangeTable, ChangeWriter } from '../../../model/follow/port.ts'
import type { Turn } from '../../../model/run/turn.ts'
import { sorted, writtenColumns, type PartialPut, type SortedBatch } from './puts.ts'

/** What a database does for it, within the turn. */
export interface ChangeSteps {
  /** Begins a transaction. */
  begin(signal: AbortSignal): Promise<void>
  /**
   * Reads the bases of partial puts first, then removes what is gone, then writes what is put.
   * @param table its number among those that the session was opened for
   * @returns puts whose base is not there, for which nothing was written
   */
  apply(table: number, batch: SortedBatch, signal: AbortSignal): Promise<readonly PartialPut[]>
  /** Removes every row. */
  clear(table: number): Promise<void>
  /** Runs statements and commits; where the first of them does not change one row, rolls back. */
  commit(statements: readonly Statement[]): Promise<'committed' | 'fenced'>
  /** Where a transaction is open. Never throws. */
  rollBack(): Promise<void>
  /** What a failure is called. @param table its name; empty where it is about none */
  named(error: unknown, table: string): unknown
  /** Ends the session. */
  close(): Promise<void>
}

export class TurnWriter implements ChangeWriter {
  /** It ends with this program. */
  readonly session = ''
  readonly #request: ChangeRequest
  readonly #steps: ChangeSteps
  readonly #turn: Turn
  /** Gives the turn back; null while no transaction is open. */
  #leave: (() => void) | null = null
  #isBegun = false
  /** What ended the transaction: nothing may follow it before `rollBack`, or a part of it would be committed alone. */
  #failure: unknown = null
  #isDisposed = false

  constructor(request: ChangeRequest, steps: ChangeSteps, turn: Turn) {
    this.#request = request
    this.#steps = steps
    this.#turn = turn
  }

  apply(table: number, batch: ChangeBatch): Promise<Applied> {
    const request = this.#table(table)
    return this.#do(tableText(request.table.table), async () => {
      if (rowsOf(batch) === 0) return { lacking: [] }
      const changes = sorted(unpacked(batch), request, writtenColumns(request))
      const lacking = await this.#steps.apply(table, changes, this.#request.signal)
      return { lacking: lacking.map(({ put }) => put.key) }
    })
  }

  async truncate(tables: readonly number[]): Promise<void> {
    for (const table of tables)
      await this.#do(tableText(this.#table(table).table.table), () => this.#steps.clear(table))
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

  #table(table: number): ChangeTable {
    const found = this.#request.tables[table]
    if (found === undefined) throw new Error(`there is no table ${table} among those that this session was opened for`)
    return found
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
      // At once, so that nobody waits for a transaction that cannot be committed.
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
