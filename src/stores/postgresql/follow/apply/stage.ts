/** Applies large batches: COPY into a temporary table of the session, then statements that merge it. */
import { tableText } from '../../../../model/copy/column-type.ts'
import type { Cell, Row } from '../../../../model/copy/rows.ts'
import type { WriteColumn } from '../../../../model/copy/write-column.ts'
import type { ChangeTable } from '../../../../model/follow/port.ts'
import { encoder, parameterTexts } from '../../server/encode.ts'
import { columnList, tableSql } from '../../server/sql.ts'
import { isConnectionLoss, sqlStateOf } from '../../server/server-errors.ts'
import type { CopySession } from '../../server/session.ts'
import type { PreparedStatement } from '../../server/pipeline.ts'
import {
  rowKeyColumns,
  OPERATION,
  removeAnySql,
  stageSql,
  mergeColumns,
  type StageSql,
  type MergeColumn,
} from './merge.ts'
import type { PartialPut } from '../../../common/apply/puts.ts'
import type { Framed, FramedBatch, RowFrames } from './frames.ts'
import type { PostgresApplyShape } from './shape.ts'

/** Up to this many masks (sets of unchanged columns), each mask gets a statement that sets only the other columns. */
const MOST_MASKS = 8
/** After a refusal, new rows of this many batches are not copied straight into the table. */
const SKIPPED_BATCHES = 8
const CANCELED = '57014'

/** A COPY … FROM STDIN, and its data. */
type Copy = readonly [sql: string, rows: Iterable<Buffer>]

/** Limits of one array literal, in row keys and characters: the whole message is in memory twice. */
const MOST_KEYS = 10_000
const MOST_CHARACTERS = 1024 * 1024
/** Texts that an array literal can hold without quotes. An unquoted `NULL` would be a null. */
const PLAIN = /^(?!null$)[\w.:+-]+$/i

export class PostgresStage {
  readonly #session: CopySession
  readonly #name: string
  readonly #way: PostgresApplyShape['way']
  readonly #isGuarded: boolean
  readonly #sql: StageSql
  readonly #written: readonly MergeColumn[]
  /** For each column of the row key, in its order: the index in the written columns. */
  readonly #keyPlaces: readonly number[]
  readonly #keyText: (cell: Exclude<Cell, null>, at: number) => string
  readonly #removeAny: PreparedStatement | null
  readonly #find: PreparedStatement
  readonly #encodeGone: (rows: readonly Row[]) => Generator<Buffer>
  readonly #encodePartial: (rows: readonly Row[]) => Generator<Buffer>
  readonly #encodeRows: (rows: readonly Row[]) => Generator<Buffer>
  readonly #copyRows: string
  readonly #frames: RowFrames
  /** Number of batches until new rows are copied straight into the table again. Set when the table refuses a COPY. */
  #batchesToSkip = 0
  #made = false
  /** True if the temporary table was created in the open transaction: a rollback removes it. */
  #isNew = false
  /** True if the temporary table contains rows of this transaction. */
  #used = false

  /** @param name unique among the tables of a session */
  constructor(session: CopySession, name: string, request: ChangeTable, shape: PostgresApplyShape, frames: RowFrames) {
    this.#session = session
    this.#frames = frames
    this.#name = name
    this.#way = shape.way
    this.#isGuarded = shape.guarded.length > 0
    this.#sql = stageSql(name, request, shape)
    this.#written = mergeColumns(request, shape)
    const key = rowKeyColumns(request, this.#written)
    this.#keyPlaces = key.map((column) => this.#written.indexOf(column))
    const table = tableText(request.table.table)
    const columns = this.#written.map(({ at }) => request.columns[at] as WriteColumn)
    const bases = key.map(({ at }) => request.columns[at] as WriteColumn)
    this.#encodeGone = encoder(table, bases, OPERATION.gone)
    this.#keyText = parameterTexts(table, bases)
    const removeAny = removeAnySql(request, shape)
    // 0: the server infers the type of the parameter from the statement.
    this.#removeAny = removeAny === null ? null : { text: removeAny, types: [0] }
    this.#find = { text: this.#sql.find, types: [] }
    this.#encodeRows = encoder(table, columns)
    this.#copyRows = `COPY ${tableSql(request.table.table)} (${columnList(this.#written.map((one) => one.name))}) FROM STDIN`
    this.#encodePartial = encoder(table, [TEXT, TEXT, TEXT, ...bases, ...columns])
  }

  /** @returns partial rows whose stored row, which has the unchanged values, is missing */
  async apply(batch: FramedBatch): Promise<readonly PartialPut[]> {
    const { gone, goneFrames, whole, frames, partial } = batch
    const stays = ({ isMoved }: PartialPut): boolean => this.#way === 'merge' && !isMoved
    const kept = new Set(partial.filter(stays))
    if (partial.length === 0) {
      await this.#merge(batch)
      return []
    }
    await this.#session.askAll([...(await this.#prepared()), this.#sql.find])
    await this.#load(batch, kept)
    const demoted = this.#isGuarded && kept.size > 0 ? await this.#session.run(this.#sql.demote) : 0
    const staying = kept.size - demoted
    const filled = partial.length - staying
    const lacking = new Set<string>()
    const note = async (sql: string): Promise<void> => {
      for (const [n] of await this.#session.ask(sql)) if (n !== null && n !== undefined) lacking.add(n)
    }
    if (filled > 0 && (await this.#session.run(this.#sql.fill)) < filled) await note(this.#sql.unfilled)
    const puts = whole.length + filled > 0 || frames !== null
    if (this.#removes(gone.length > 0 || goneFrames !== null, puts)) await this.#session.ask(this.#sql.remove)
    if (staying > 0 && (await this.#keep(kept)) < staying) await note(this.#sql.absent)
    if (puts) await this.#session.ask(this.#sql.insert)
    return lacking.size === 0 ? [] : partial.filter((_, n) => lacking.has(String(n)))
  }

  /**
   * Copies new rows straight into the table. If one of them exists already, or the table refuses a COPY, all are
   * applied like other rows, so that errors name the row.
   * @param whole cells of the written columns
   * @param frames rows that came as bytes
   */
  async insert({ whole, frames }: Pick<FramedBatch, 'whole' | 'frames'>): Promise<void> {
    if (this.#batchesToSkip > 0) this.#batchesToSkip--
    else {
      try {
        const rows = this.#putCopies(this.#copyRows, { whole, frames })
        return await this.#copyAmong(['SAVEPOINT sluice_new'], rows, ['RELEASE SAVEPOINT sluice_new'])
      } catch (error) {
        const state = sqlStateOf(error)
        if (!this.#session.alive || state === null || state === CANCELED || isConnectionLoss(error)) throw error
        await this.#session.ask('ROLLBACK TO SAVEPOINT sluice_new; RELEASE SAVEPOINT sluice_new').catch(() => {
          throw error
        })
        this.#batchesToSkip = SKIPPED_BATCHES
      }
    }
    await this.apply({ gone: [], goneFrames: null, whole, frames, partial: [] })
  }

  /** Call it when the transaction has ended. */
  ended(outcome: 'committed' | 'rolled back'): void {
    if (outcome === 'rolled back' && this.#isNew) this.#made = false
    this.#isNew = false
    this.#used = false
  }

  /** Drops the temporary table. Call it when columns of the target have changed. */
  async drop(): Promise<void> {
    if (this.#made) await this.#session.ask(`DROP TABLE IF EXISTS pg_temp.${this.#name}`)
    this.#made = false
  }

  /** @returns number of rows found; rows without a column to set are not counted */
  async #keep(kept: ReadonlySet<PartialPut>): Promise<number> {
    const masks = new Set([...kept].map(({ mask }) => mask))
    const each = masks.size > MOST_MASKS ? [null] : masks
    let found = 0
    for (const mask of each) {
      const sql = this.#sql.keep(mask)
      if (sql !== '') found += await this.#session.run(sql)
    }
    return found
  }

  /** @returns statements to run first. They truncate the staging table only before a further batch of a transaction. */
  async #prepared(): Promise<readonly string[]> {
    const isFull = this.#used
    this.#used = true
    if (this.#made) return isFull ? [this.#sql.clear] : []
    await this.#session.ask(this.#sql.create)
    this.#made = true
    this.#isNew = true
    return []
  }

  /** Sends rows and merge statements together, as no count is needed: each further message would cost a round trip. */
  async #merge(batch: FramedBatch): Promise<void> {
    const puts = batch.whole.length > 0 || batch.frames !== null
    const isGone = batch.gone.length > 0 || batch.goneFrames !== null
    // No row takes values from another one here, so deleted rows can be removed first.
    const gone = isGone && !(await this.#removedByKeys(batch))
    if (!gone && !puts) return
    const before = await this.#prepared()
    const removes = this.#removes(gone, puts) ? [this.#sql.find, this.#sql.remove] : []
    const after = [...removes, ...(puts ? [this.#sql.insert] : [])]
    const { copy } = this.#sql
    const all = [...(gone ? this.#goneCopies(copy.gone, batch) : []), ...this.#putCopies(copy.whole, batch)]
    await this.#copyAmong(before, all, after)
  }

  async #copyAmong(before: readonly string[], all: readonly Copy[], after: readonly string[]): Promise<void> {
    for (const [at, [sql, rows]] of all.entries()) {
      const isLast = at === all.length - 1
      await this.#session.copyAmong([...(at === 0 ? before : []), sql, ...(isLast ? after : [])], rows)
    }
  }

  /** @returns false if the row key has several columns: then nothing was done */
  async #removedByKeys({ gone, goneFrames }: FramedBatch): Promise<boolean> {
    const remove = this.#removeAny
    if (remove === null) return false
    const keys = this.#frames.keyTexts(goneFrames).map(([key]) => key as string)
    for (const [key] of gone) keys.push(this.#keyText(key as Exclude<Cell, null>, 0))
    const find = { statement: this.#find, values: [] }
    for (const array of keyArrays(keys)) await this.#session.pipeline([find, { statement: remove, values: [array] }])
    return true
  }

  #removes(gone: boolean, puts: boolean): boolean {
    return gone || (puts && (this.#way === 'replace' || this.#isGuarded))
  }

  #putCopies(sql: string, { whole, frames }: Pick<FramedBatch, 'whole' | 'frames'>): readonly Copy[] {
    return copies(sql, this.#encodeRows, whole, frames, this.#frames.rows(frames))
  }

  #goneCopies(sql: string, { gone, goneFrames }: Pick<FramedBatch, 'gone' | 'goneFrames'>): readonly Copy[] {
    return copies(sql, this.#encodeGone, gone, goneFrames, this.#frames.keyRows(goneFrames, OPERATION.gone))
  }

  async #load(batch: FramedBatch, kept: ReadonlySet<PartialPut>): Promise<void> {
    const { copy } = this.#sql
    const { partial } = batch
    for (const [sql, rows] of [...this.#goneCopies(copy.gone, batch), ...this.#putCopies(copy.whole, batch)])
      await this.#session.copyIn(sql, rows)
    if (partial.length === 0) return
    const rows = partial.map((one, n): Row => {
      const { put, base, mask } = one
      const cells = this.#written.map(({ at }, place): Cell => {
        const key = this.#keyPlaces.indexOf(place)
        return put.row[at] ?? (key === -1 ? null : (put.key[key] as Cell))
      })
      return [kept.has(one) ? OPERATION.keep : OPERATION.fill, String(n), mask, ...base, ...cells]
    })
    await this.#session.copyIn(this.#sql.copy.partial, this.#encodePartial(rows))
  }
}

/**
 * Row keys of one column as PostgreSQL's array literals: one parameter for thousands of rows.
 * @param keys values as the server prints them, none NULL
 */
function* keyArrays(keys: Iterable<string>): Generator<string> {
  let items: string[] = []
  let characters = 0
  for (const key of keys) {
    const item = PLAIN.test(key) ? key : `"${key.replaceAll(/["\\]/g, '\\$&')}"`
    items.push(item)
    characters += item.length
    if (items.length < MOST_KEYS && characters < MOST_CHARACTERS) continue
    yield `{${items.join(',')}}`
    items = []
    characters = 0
  }
  if (items.length > 0) yield `{${items.join(',')}}`
}

/** @returns no COPY if there are no rows; two if some rows are binary, which cannot be mixed with lines */
function copies(
  sql: string,
  encode: (rows: readonly Row[]) => Generator<Buffer>,
  rows: readonly Row[],
  framed: Framed | null,
  bytes: Iterable<Buffer>,
): readonly Copy[] {
  const lines: readonly Copy[] = rows.length === 0 ? [] : [[sql, encode(rows)]]
  if (framed === null) return lines
  if (framed.isBinary) return [...lines, [`${sql} (FORMAT binary)`, bytes]]
  return [[sql, rows.length === 0 ? bytes : both(bytes, encode(rows))]]
}

function* both(first: Iterable<Buffer>, second: Iterable<Buffer>): Generator<Buffer> {
  yield* first
  yield* second
}

/** Format of the staging table's own columns. */
const TEXT: WriteColumn = {
  name: 'change',
  as: { kind: 'text' },
  column: { name: 'change', type: { kind: 'text' }, native: 'text', nullable: true },
}
