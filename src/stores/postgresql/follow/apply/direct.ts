/**
 * Applies small batches by prepared statements: one message a batch, and no temporary table, which slows each commit.
 */
import { tableText } from '../../../../model/copy/column-type.ts'
import type { Cell, Row } from '../../../../model/copy/rows.ts'
import type { WriteColumn } from '../../../../model/copy/write-column.ts'
import type { ChangeTable } from '../../../../model/follow/port.ts'
import { parameterTexts } from '../../server/encode.ts'
import type { CopySession } from '../../server/session.ts'
import type { PreparedStatement, PreparedStep } from '../../server/pipeline.ts'
import {
  findingSql,
  rowKeyColumns,
  keepSql,
  putSql,
  removeChangedSql,
  removeSql,
  settable,
  mergeColumns,
  type MergeColumn,
} from './merge.ts'
import type { PartialPut } from '../../../common/apply/puts.ts'
import type { FramedBatch, RowFrames } from './frames.ts'
import type { PostgresApplyShape } from './shape.ts'

/** Rows of one statement, largest first: each further size would be one more prepared statement. */
const SIZES = [64, 16, 4, 1]
/** The protocol numbers parameters with 16 bits. */
const MOST_PARAMETERS = 65_535
/** Maximum number of characters of one message, because its content is in memory twice. */
const MESSAGE = 1024 * 1024

type Values = readonly (string | null)[]

export class DirectChanges {
  readonly #session: CopySession
  readonly #request: ChangeTable
  readonly #shape: PostgresApplyShape
  readonly #written: readonly MergeColumn[]
  /** For each column of the row key: its index in the written columns. */
  readonly #key: readonly number[]
  readonly #text: (cell: Exclude<Cell, null>, at: number) => string
  readonly #frames: RowFrames
  readonly #statements = new Map<string, PreparedStatement>()

  constructor(session: CopySession, request: ChangeTable, shape: PostgresApplyShape, frames: RowFrames) {
    this.#session = session
    this.#frames = frames
    this.#request = request
    this.#shape = shape
    this.#written = mergeColumns(request, shape)
    this.#key = rowKeyColumns(request, this.#written).map((column) => this.#written.indexOf(column))
    const columns = this.#written.map(({ at }) => request.columns[at] as WriteColumn)
    this.#text = parameterTexts(tableText(request.table.table), columns)
  }

  /** True if a batch can be applied this way. False if it needs values that rows had before the batch. */
  takes({ partial }: Pick<FramedBatch, 'partial'>): boolean {
    return partial.length === 0 || (this.#shape.way === 'merge' && partial.every(({ isMoved }) => !isMoved))
  }

  /**
   * Updates rows for changes that do not contain the unchanged values.
   * @returns changes that were not written: the row was not found, or a guarded column would change
   */
  async keep(partial: readonly PartialPut[]): Promise<readonly PartialPut[]> {
    const counts = await this.#run(partial.map((one) => this.#kept(one)))
    return partial.filter((_, n) => counts[n] === 0)
  }

  /** Deletes the rows of `gone` and `goneFrames`, and writes whole rows. */
  async write({ gone, goneFrames, whole, frames }: Omit<FramedBatch, 'partial'>): Promise<void> {
    const { way } = this.#shape
    const puts: Values[] = this.#frames.texts(frames)
    for (const cells of whole) puts.push(cells.map((cell, place) => this.#value(cell, place)))
    const keys = puts.map((values) => this.#key.map((place) => values[place] ?? null))
    const guard = this.#written.filter(({ isGuarded }) => isGuarded)
    const places = [...this.#key, ...guard.map((column) => this.#written.indexOf(column))]
    const removed: Values[] = this.#frames.keyTexts(goneFrames)
    for (const key of gone) removed.push(this.#keyValues(key))
    if (way === 'replace') removed.push(...keys)
    const changed = way === 'merge' && guard.length > 0 ? puts : []
    const finds = removed.length + changed.length > 0
    await this.#run([
      ...(finds ? [this.#finding()] : []),
      ...this.#steps('remove', removed, this.#key, removeSql),
      ...this.#steps(
        'change',
        changed.map((values) => places.map((place) => values[place] ?? null)),
        places,
        removeChangedSql,
      ),
      ...this.#steps('put', puts, [...this.#written.keys()], putSql),
    ])
  }

  /** @param places for each parameter of one row: the index of its column in the written columns */
  *#steps(
    kind: string,
    rows: readonly Values[],
    places: readonly number[],
    sql: (request: ChangeTable, shape: PostgresApplyShape, rows: number) => string,
  ): Generator<PreparedStep> {
    for (let at = 0; at < rows.length;) {
      const left = rows.length - at
      const size = SIZES.find((one) => one <= left && one * places.length <= MOST_PARAMETERS) ?? 1
      const statement = this.#statement(`${kind} ${size}`, () => ({
        text: sql(this.#request, this.#shape, size),
        types: Array.from({ length: size }, () => this.#types(places)).flat(),
      }))
      yield { statement, values: rows.slice(at, at + size).flat() }
      at += size
    }
  }

  #finding(): PreparedStep {
    return { statement: this.#statement('find', () => ({ text: findingSql(this.#shape), types: [] })), values: [] }
  }

  #kept({ put, mask }: PartialPut): PreparedStep {
    const changed = settable(this.#written).filter(({ at }) => mask[at] === '0')
    const places = changed.map((column) => this.#written.indexOf(column))
    const statement = this.#statement(`keep ${mask}`, () => ({
      text: keepSql(this.#request, this.#shape, changed),
      types: this.#types([...places, ...this.#key]),
    }))
    const values = changed.map(({ at }, i) => this.#value(put.row[at] ?? null, places[i] as number))
    return { statement, values: [...values, ...this.#keyValues(put.key)] }
  }

  #statement(name: string, make: () => PreparedStatement): PreparedStatement {
    const statement = this.#statements.get(name) ?? make()
    this.#statements.set(name, statement)
    return statement
  }

  async #run(steps: readonly PreparedStep[]): Promise<readonly number[]> {
    const counts: number[] = []
    let message: PreparedStep[] = []
    let characters = 0
    for (const step of steps) {
      const length = step.values.reduce((sum, value) => sum + (value?.length ?? 0), 0)
      if (message.length > 0 && characters + length > MESSAGE) {
        counts.push(...(await this.#session.pipeline(message)))
        message = []
        characters = 0
      }
      message.push(step)
      characters += length
    }
    counts.push(...(await this.#session.pipeline(message)))
    return counts
  }

  #keyValues(key: Row): Values {
    return key.map((cell, i) => this.#value(cell, this.#key[i] as number))
  }

  /** @param place index in the written columns */
  #value(cell: Cell, place: number): string | null {
    return cell === null ? null : this.#text(cell, place)
  }

  #types(places: readonly number[]): readonly number[] {
    return places.map((place) => (this.#written[place] as MergeColumn).typeOid)
  }
}
