/** One session that applies changes, transaction by transaction. */
import { changeTableAt } from '../../../common/apply/puts.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import type { ChangeBatch } from '../../../../model/copy/change.ts'
import { batchRowCount, unpackBatch } from '../../../../model/copy/unpacked.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { refuseReorderedTarget } from '../../../common/column-order.ts'
import { retryableIfChanged } from '../../../common/refusals.ts'
import type { Closing } from '../../../../model/run/ledger-port.ts'
import type { Applied, ChangeRequest, ChangeTable, ChangeWriter } from '../../../../model/follow/port.ts'
import type { MysqlConfig } from '../../config.ts'
import { closeMysqlChunk } from '../../copy/commit.ts'
import { mysqlTargetError } from '../../copy/errors.ts'
import { mysqlTableSql } from '../../copy/names.ts'
import { isPrintedDay, ALLOW_INVALID_DATES } from '../../copy/printed-days.ts'
import { columnsInOrder } from '../../copy/same-table.ts'
import { takeUserLock } from '../../user-lock.ts'
import type { MysqlSession } from '../../session.ts'
import { TableChanges } from './changes.ts'
import { soundMysqlShape, type ApplyShape } from './shape.ts'

/** How long a table's shape is used before the dictionary is read again. */
const SHAPE_MS = 60_000

type KnownTable = {
  readonly request: ChangeTable
  readonly changes: TableChanges
  shape: ApplyShape
  readAt: number
  /** Number of the transaction in which the shape was read. */
  readIn: number
}

/**
 * Reads the shape of every table, and creates the temporary tables that later transactions may need.
 * @throws SluiceError TABLE_REFUSED, TARGET_DENIED, CONNECTION_LOST …; the session has ended then
 */
export async function openChangeWriter(
  request: ChangeRequest,
  session: MysqlSession,
  config: MysqlConfig,
): Promise<ChangeWriter> {
  try {
    const mark = await takeUserLock(session)
    const tables: KnownTable[] = []
    if (request.tables.some(({ columns }) => columns.some(isPrintedDay))) await session.command(ALLOW_INVALID_DATES)
    for (const table of request.tables) {
      throwIfAborted(request.signal)
      const shape = await soundMysqlShape(table, session)
      const changes = new TableChanges(session, table, config.label)
      await changes.prepare(shape)
      // The first transaction that writes to the table reads its shape again: indexes may be built in between.
      tables.push({ request: table, changes, shape, readAt: -Infinity, readIn: 0 })
    }
    await session.command('COMMIT')
    return new MysqlChangeWriter(request, session, config, mark, tables)
  } catch (error) {
    session.destroy()
    throw error
  }
}

class MysqlChangeWriter implements ChangeWriter {
  readonly #request: ChangeRequest
  readonly #session: MysqlSession
  readonly #config: MysqlConfig
  readonly #mark: string | null
  readonly #tables: readonly KnownTable[]
  readonly #stop = (): void => this.#session.destroy()
  /** Number of the open transaction, or of the last one. */
  #number = 0
  /** Table of the call that runs. */
  #current: KnownTable | null = null
  /** Tables that the transaction has written to: their columns cannot change until it ends. */
  readonly #written = new Set<number>()
  #inTransaction = false
  #isDisposed = false
  /**
   * The error after which the transaction cannot continue: after a deadlock the server has rolled back, and another
   * statement would begin a new transaction.
   */
  #failure: unknown = null

  constructor(
    request: ChangeRequest,
    session: MysqlSession,
    config: MysqlConfig,
    mark: string | null,
    tables: readonly KnownTable[],
  ) {
    this.#request = request
    this.#session = session
    this.#config = config
    this.#mark = mark
    this.#tables = tables
    request.signal.addEventListener('abort', this.#stop)
  }

  get session(): string {
    return this.#mark ?? ''
  }

  apply(table: number, batch: ChangeBatch): Promise<Applied> {
    return this.#do(tableText(changeTableAt(this.#request, table).table.table), async () => {
      if (batchRowCount(batch) === 0) return { lacking: [] }
      const { changes, shape } = await this.#known(table)
      this.#written.add(table)
      return { lacking: await changes.apply(unpackBatch(batch), shape) }
    })
  }

  /** Uses DELETE, because TRUNCATE would commit the changes before it. */
  async truncate(tables: readonly number[]): Promise<void> {
    if (tables.length === 0) return
    const requests = tables.map((table) => changeTableAt(this.#request, table).table.table)
    await this.#do(requests.map(tableText).join(', '), async () => {
      for (const table of requests) await this.#session.execute(`DELETE FROM ${mysqlTableSql(table)}`)
    })
  }

  forget(tables: readonly number[]): void {
    for (const table of tables) (this.#tables[table] as KnownTable).readAt = -Infinity
  }

  async commit(closing: Closing): Promise<'committed' | 'fenced'> {
    const outcome = await this.#do('', async () => {
      const written = [...this.#written].map((place) => changeTableAt(this.#request, place).table)
      const columns = await columnsInOrder(
        this.#session,
        written.map(({ table }) => table),
      )
      for (const [i, table] of written.entries()) refuseReorderedTarget(table, columns[i] ?? [], this.#config.label)
      return closeMysqlChunk(this.#config, this.#session, this.#mark, closing)
    })
    this.#ended()
    return outcome
  }

  async rollBack(): Promise<void> {
    if (!this.#inTransaction) return
    await this.#session.rollBack()
    this.#ended()
    this.#failure = null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.#request.signal.removeEventListener('abort', this.#stop)
    if (this.#inTransaction) await this.#session.rollBack()
    await this.#session.close()
  }

  #ended(): void {
    this.#inTransaction = false
    this.#written.clear()
  }

  /** Shape of a table, read from the dictionary at most a minute ago. */
  async #known(table: number): Promise<KnownTable> {
    const known = this.#tables[table] as KnownTable
    this.#current = known
    const now = performance.now()
    if (now - known.readAt < SHAPE_MS) return known
    const request = changeTableAt(this.#request, table)
    const shape = await soundMysqlShape(request, this.#session)
    if (shape.columnsMark !== known.shape.columnsMark) {
      throw new SluiceError('TARGET_BUSY', `${tableText(request.table.table)} was altered`, {
        where: this.#config.label,
        reason: 'its columns have just changed',
        hint: 'sluice opens the session again and reads the new columns',
        retryable: true,
      })
    }
    known.shape = shape
    known.readAt = now
    known.readIn = this.#number
    return known
  }

  async #do<T>(where: string, body: () => Promise<T>): Promise<T> {
    if (this.#isDisposed) throw new Error('the session that applies changes is closed')
    throwIfAborted(this.#request.signal)
    if (this.#failure !== null) throw this.#failure
    this.#current = null
    try {
      if (this.#session.broken !== null) throw this.#session.lost()
      if (!this.#inTransaction) {
        // The server begins a transaction with its first statement.
        this.#inTransaction = true
        this.#number++
      }
      return await body()
    } catch (thrown) {
      throwIfAborted(this.#request.signal)
      throw await this.#failed(thrown, where === '' ? this.#config.label : `${this.#config.label}: ${where}`)
    }
  }

  async #failed(thrown: unknown, where: string): Promise<unknown> {
    const error = mysqlTargetError(thrown, where)
    const current = this.#current
    this.forget([...this.#tables.keys()])
    this.#failure = error
    if (current !== null && current.readIn !== this.#number)
      this.#failure = await retryableIfChanged(error, () => this.#hasChanged(current))
    return this.#failure
  }

  /** True unless the table is as it was read, before this transaction. */
  async #hasChanged({ request, shape }: KnownTable): Promise<boolean> {
    return shapeMark(await soundMysqlShape(request, this.#session)) !== shapeMark(shape)
  }
}

function shapeMark({ columnsMark, way, finder, indexes }: ApplyShape): string {
  return JSON.stringify([columnsMark, way, finder, indexes])
}
