/** Applies changes in transactions: small batches of a table by prepared statements, large ones by a staging table. */
import { changeTableAt } from '../../../common/apply/puts.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import type { ChangeBatch } from '../../../../model/copy/change.ts'
import { IS_DELETED, IS_NEW } from '../../../../model/copy/packed-rows.ts'
import { batchRowCount } from '../../../../model/copy/unpacked.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { refuseReorderedTarget } from '../../../common/column-order.ts'
import { retryableIfChanged } from '../../../common/refusals.ts'
import type { Closing } from '../../../../model/run/ledger-port.ts'
import type { Applied, ChangeRequest, ChangeTable, ChangeWriter } from '../../../../model/follow/port.ts'
import { commitChunk, type LastState } from '../../copy/commit.ts'
import { postgresTargetError, tableOfError } from '../../server/errors.ts'
import { findRelation, cascadingTables, relationColumnNames, truncateTables } from '../../server/relation.ts'
import type { CopySession } from '../../server/session.ts'
import { tableFromSql, literal, tableSql } from '../../server/sql.ts'
import { underSignal } from '../../server/under-signal.ts'
import { arrayText } from '../../server/array-text.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { DirectChanges } from './direct.ts'
import { mergeColumns } from './merge.ts'
import type { PartialPut } from '../../../common/apply/puts.ts'
import { RowFrames, type FramedBatch } from './frames.ts'
import { soundPostgresShape, type PostgresApplyShape } from './shape.ts'
import { PostgresStage } from './stage.ts'

/** Up to this many rows prepared statements are faster than COPY and two merging statements: test/bench/apply.mjs. */
const DIRECT_ROWS = 512
/** How long facts of the catalogs are used before they are read again, in ms. */
const SHAPE_MS = 60_000

const FIRES_KEYS = "SELECT pg_catalog.current_setting('session_replication_role') <> 'replica'"

type KnownTable = {
  readonly request: ChangeTable
  readonly shape: PostgresApplyShape
  readonly frames: RowFrames
  readonly direct: DirectChanges
  readonly stage: PostgresStage
  readAt: number
  /** `#number` of the transaction in which the shape was read. */
  readIn: number
}

export class PostgresChangeWriter implements ChangeWriter {
  readonly #request: ChangeRequest
  readonly #session: CopySession
  readonly #settings: PostgresSettings
  readonly #tables = new Map<number, KnownTable>()
  /** Counter of transactions: the open transaction, or the last one. */
  #number = 0
  /** Tables that this transaction has written to. */
  readonly #written = new Set<number>()
  /** Table of the current call. */
  #current: KnownTable | null = null
  #inTransaction = false
  #isDisposed = false
  /** Error after which the transaction cannot continue. */
  #failure: unknown = null
  /** Number of staging tables named so far. */
  #stages = 0
  /** True if foreign keys act on the changes of this session; null until needed. */
  #firesKeys: boolean | null = null

  constructor(request: ChangeRequest, session: CopySession, settings: PostgresSettings) {
    this.#request = request
    this.#session = session
    this.#settings = settings
  }

  get session(): string {
    return this.#session.name
  }

  apply(table: number, batch: ChangeBatch): Promise<Applied> {
    const request = changeTableAt(this.#request, table)
    return this.#do(tableText(request.table.table), async () => {
      if (batchRowCount(batch) === 0) return { lacking: [] }
      const known = await this.#known(table)
      this.#written.add(table)
      const isParted = known.shape.way === 'merge' && newRows(batch) > DIRECT_ROWS
      const lacking = await this.#others(known, known.frames.sorted(batch, isParted ? 'others' : 'all'))
      // New rows come last: the other rows may have released a unique value.
      if (isParted) await known.stage.insert(known.frames.sorted(batch, 'new'))
      return { lacking: lacking.map(({ put }) => put.key) }
    })
  }

  async truncate(tables: readonly number[]): Promise<void> {
    if (tables.length === 0) return
    const names = tables.map((table) => tableText(changeTableAt(this.#request, table).table.table)).join(', ')
    await this.#do(names, async () => {
      const from: string[] = []
      for (const table of tables) {
        from.push(tableFromSql((await this.#known(table)).shape.relation))
        this.#written.add(table)
      }
      await truncateTables(this.#session, from)
    })
  }

  forget(tables: Iterable<number>): void {
    for (const table of tables) {
      const known = this.#tables.get(table)
      if (known !== undefined) known.readAt = -Infinity
    }
  }

  async commit(closing: Closing): Promise<'committed' | 'fenced'> {
    await this.#do('', async () => undefined)
    try {
      const { signal } = this.#request
      const outcome = await commitChunk(
        this.#session,
        closing,
        this.#settings,
        signal,
        'a chunk',
        this.#checkBeforeCommit(),
      )
      this.#ended(outcome === 'committed' ? 'committed' : 'rolled back')
      return outcome
    } catch (error) {
      throw await this.#failed(error, tableOfError(error) ?? this.#settings.label)
    }
  }

  async rollBack(): Promise<void> {
    if (!this.#inTransaction) return
    const hasFailed = this.#failure !== null
    await this.#session.rollBack()
    this.#ended('rolled back')
    if (hasFailed && this.#session.alive) await this.#session.forgetPrepared()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isDisposed) return
    this.#isDisposed = true
    if (this.#inTransaction) await this.#session.rollBack()
    await this.#session.close()
  }

  async #others(known: KnownTable, changes: FramedBatch): Promise<readonly PartialPut[]> {
    const { gone, goneFrames, whole, frames, partial } = changes
    const framed = (goneFrames?.slots.length ?? 0) + (frames?.slots.length ?? 0)
    const rows = gone.length + whole.length + partial.length + framed
    if (rows === 0) return []
    return rows <= DIRECT_ROWS && known.direct.takes(changes)
      ? await writtenDirectly(known, changes)
      : await known.stage.apply(changes)
  }

  /**
   * Last check before the commit. Written tables stay locked until the end of the transaction. So if their names, their
   * columns and the foreign keys to them are correct at this point, they were correct for every statement.
   * @throws (`see` of the result) SluiceError TABLE_REFUSED
   */
  #checkBeforeCommit(): LastState {
    const wanted = [...this.#written].flatMap((table) => {
      const shape = this.#tables.get(table)?.shape
      if (shape === undefined) return []
      const name = literal(tableSql(changeTableAt(this.#request, table).table.table))
      const members = this.#firesKeys === true ? shape.members.map(({ oid }) => oid) : []
      const [names, oids] = [literal(arrayText(shape.names)), literal(arrayText(members))]
      return [`(${table}, ${shape.relation.oid}::oid, ${name}, ${names}::text[], ${oids}::oid[])`]
    })
    const sql =
      wanted.length === 0
        ? 'NULL'
        : `SELECT pg_catalog.string_agg(w.place::text, ','::text) FROM (VALUES ${wanted.join(', ')}) AS w (place, oid, name, names, members)
           WHERE pg_catalog.to_regclass(w.name)::oid IS DISTINCT FROM w.oid OR w.names::text IS DISTINCT FROM
             ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)::text
             OR EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint
               WHERE t.tgrelid = ANY (w.members) AND k.confrelid = t.tgrelid AND k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd'))`
    return {
      sql,
      see: async (changed) => {
        for (const table of changed?.split(',') ?? []) await this.#checkChanged(Number(table))
      },
    }
  }

  /**
   * Checks a table that was changed. Columns may be added or dropped: the next transaction reads the table again.
   * @throws SluiceError TABLE_REFUSED for another table, for columns that have exchanged their names, and for foreign
   * keys that delete or change rows of other tables
   */
  async #checkChanged(table: number): Promise<void> {
    const request = changeTableAt(this.#request, table)
    const known = this.#tables.get(table)
    const relation = await findRelation(request.table.table, (sql) => this.#session.ask(sql))
    if (relation === null || relation.oid !== known?.shape.relation.oid) throw otherTable(request)
    refuseReorderedTarget(request.table, await relationColumnNames(this.#session, relation), this.#settings.label)
    const followers = this.#firesKeys === true ? await cascadingTables(this.#session, relation) : []
    if (followers.length > 0) throw followed(request, followers)
    known.readAt = -Infinity
  }

  /** A table with facts of the catalogs that are at most a minute old. */
  async #known(table: number): Promise<KnownTable> {
    const known = this.#tables.get(table)
    const now = performance.now()
    this.#current = known ?? null
    if (known !== undefined && now - known.readAt < SHAPE_MS) return known
    const request = changeTableAt(this.#request, table)
    this.#current = null
    this.#firesKeys ??= await this.#session.isTrue(FIRES_KEYS)
    const shape = await soundPostgresShape(request, this.#session, this.#settings.label)
    if (known?.shape.mark === shape.mark) {
      known.readAt = now
      known.readIn = this.#number
      this.#current = known
      return known
    }
    if (known !== undefined && known.shape.relation.oid !== shape.relation.oid) throw otherTable(request)
    await known?.stage.drop()
    const frames = new RowFrames(request, mergeColumns(request, shape))
    const fresh: KnownTable = {
      request,
      shape,
      frames,
      direct: new DirectChanges(this.#session, request, shape, frames),
      stage: new PostgresStage(this.#session, `sluice_changes_${this.#stages++}`, request, shape, frames),
      readAt: now,
      readIn: this.#number,
    }
    this.#tables.set(table, fresh)
    this.#current = fresh
    return fresh
  }

  async #begin(): Promise<void> {
    if (this.#inTransaction) return
    if (!this.#session.alive) throw this.#session.loss()
    // The source checked deferrable constraints at the end of the transaction, so they must be deferred here too.
    await this.#session.begin('ISOLATION LEVEL READ COMMITTED READ WRITE', 'SET CONSTRAINTS ALL DEFERRED')
    this.#inTransaction = true
    this.#number++
  }

  async #do<T>(where: string, body: () => Promise<T>): Promise<T> {
    if (this.#isDisposed) throw new Error('the session that applies changes is closed')
    if (this.#failure !== null) throw this.#failure
    this.#current = null
    try {
      return await underSignal(this.#session, this.#request.signal, async () => {
        await this.#begin()
        return body()
      })
    } catch (error) {
      throw await this.#failed(error, where)
    }
  }

  async #failed(error: unknown, where: string): Promise<unknown> {
    const known = postgresTargetError(error, this.#settings, where)
    const current = this.#current
    this.forget(this.#tables.keys())
    this.#failure = known
    if (current !== null && current.readIn !== this.#number)
      this.#failure = await retryableIfChanged(known, () => this.#hasChanged(current))
    return this.#failure
  }

  /** True unless the table is as it was read. Rolls back first, because a failed transaction answers nothing. */
  async #hasChanged({ request, shape }: KnownTable): Promise<boolean> {
    const session = this.#session
    await session.rollBack()
    if (!session.alive) return true
    const read = (): Promise<PostgresApplyShape> => soundPostgresShape(request, session, this.#settings.label)
    return (await underSignal(session, this.#request.signal, read)).mark !== shape.mark
  }

  #ended(outcome: 'committed' | 'rolled back'): void {
    this.#inTransaction = false
    this.#failure = null
    this.#written.clear()
    for (const { stage } of this.#tables.values()) stage.ended(outcome)
  }
}

/** Number of rows of a batch that the target should not have yet. */
function newRows({ puts, packed }: ChangeBatch): number {
  let rows = 0
  for (const { isNew } of puts) if (isNew === true) rows++
  for (let slot = 0; packed !== undefined && slot < packed.length; slot++)
    if (packed.isUsed(slot) && (packed.flags(slot) & (IS_NEW | IS_DELETED)) === IS_NEW) rows++
  return rows
}

/** @returns partial rows whose stored row, which has the unchanged values, is missing */
async function writtenDirectly(
  { direct, stage, shape }: KnownTable,
  changes: FramedBatch,
): Promise<readonly PartialPut[]> {
  const left = await direct.keep(changes.partial)
  if (left.length > 0 && shape.guarded.length > 0) return stage.apply({ ...changes, partial: left })
  await direct.write(changes)
  return left
}

function otherTable({ table: { table } }: ChangeTable): SluiceError {
  const name = tableText(table)
  return new SluiceError(
    'TABLE_REFUSED',
    `${name} is not the table that sluice copied into: another table or a view has this name now`,
    {
      where: name,
      reason: 'this transaction was not written, and the position of the stream is unchanged',
      hint: `if the table was renamed, rename it back to ${name}, then run the same command again; if it was dropped, copy it again with --resync`,
    },
  )
}

/** @param others tables whose foreign keys refer to the table */
function followed({ table: { table } }: ChangeTable, others: readonly string[]): SluiceError {
  const name = tableText(table)
  return new SluiceError(
    'TABLE_REFUSED',
    `foreign keys to ${name} would delete or change rows of ${others.join(', ')}`,
    {
      where: name,
      reason: 'sluice applies a change by deleting the row and writing it again; this transaction was not written',
      hint: 'drop these foreign keys, and create them again when the stream has ended',
    },
  )
}
