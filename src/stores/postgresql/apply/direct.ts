/** Small batches: prepared statements with parameters, all of a batch in one message. No temporary table is touched, which every commit would have to empty. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import type { WriteColumn } from '../../copy-port.ts'
import type { ChangeTable } from '../../follow-port.ts'
import { parameterTexts } from '../copy/encode.ts'
import type { CopySession } from '../copy/session.ts'
import type { PreparedStatement, PreparedStep } from '../pipeline.ts'
import { identityColumns, keepSql, putSql, removeSql, settable, writtenColumns, type WrittenColumn } from './merge.ts'
import type { PartialPut, SortedBatch } from './puts.ts'
import type { TableShape } from './shape.ts'

/** Rows of one statement, largest first: each other number would be one more statement to keep prepared. */
const SIZES = [64, 16, 4, 1]
/** The protocol numbers parameters with 16 bits. */
const MOST_PARAMETERS = 65_535
/** Characters of one message: what it holds stands in memory twice. */
const MESSAGE = 1024 * 1024

type Values = readonly (string | null)[]

export class DirectChanges {
  readonly #session: CopySession
  readonly #request: ChangeTable
  readonly #shape: TableShape
  readonly #written: readonly WrittenColumn[]
  /** Places of the identity's columns among the written ones. */
  readonly #key: readonly number[]
  readonly #text: (cell: Exclude<Cell, null>, at: number) => string
  readonly #statements = new Map<string, PreparedStatement>()

  constructor(session: CopySession, request: ChangeTable, shape: TableShape) {
    this.#session = session
    this.#request = request
    this.#shape = shape
    this.#written = writtenColumns(request, shape)
    this.#key = identityColumns(request, this.#written).map((column) => this.#written.indexOf(column))
    const columns = this.#written.map(({ at }) => request.columns[at] as WriteColumn)
    this.#text = parameterTexts(tableText(request.table.table), columns)
  }

  /** Whether a batch can go this way: others need the rows as they are before it. */
  takes({ partial }: SortedBatch): boolean {
    return partial.length === 0 || (this.#shape.way === 'merge' && partial.every(({ isMoved }) => !isMoved))
  }

  /** @returns which of the partial puts found no row to take values from */
  async apply({ gone, whole, partial }: SortedBatch): Promise<readonly PartialPut[]> {
    const puts = whole.map((cells) => cells.map((cell, place) => this.#value(cell, place)))
    const removed = gone.map((key) => this.#keyValues(key))
    if (this.#shape.way === 'replace') {
      for (const values of puts) removed.push(this.#key.map((place) => values[place] ?? null))
    }
    await this.#run([...this.#removals(removed), ...this.#insertions(puts)])
    const counts = await this.#run(partial.map((one) => this.#kept(one)))
    return partial.filter((_, n) => counts[n] === 0)
  }

  #removals(rows: readonly Values[]): Iterable<PreparedStep> {
    const columns = this.#key.map((place) => this.#written[place] as WrittenColumn)
    return this.#steps('remove', rows, columns, (size) => removeSql(this.#request, this.#shape, size))
  }

  #insertions(rows: readonly Values[]): Iterable<PreparedStep> {
    return this.#steps('put', rows, this.#written, (size) => putSql(this.#request, this.#shape, size))
  }

  *#steps(
    kind: string,
    rows: readonly Values[],
    columns: readonly WrittenColumn[],
    sql: (size: number) => string,
  ): Generator<PreparedStep> {
    for (let at = 0; at < rows.length;) {
      const left = rows.length - at
      const size = SIZES.find((one) => one <= left && one * columns.length <= MOST_PARAMETERS) ?? 1
      const statement = this.#statement(`${kind} ${size}`, () => ({
        text: sql(size),
        types: Array.from({ length: size }, () => typesOf(columns)).flat(),
      }))
      yield { statement, values: rows.slice(at, at + size).flat() }
      at += size
    }
  }

  #kept({ put, mask }: PartialPut): PreparedStep {
    const changed = settable(this.#written).filter(({ at }) => mask[at] === '0')
    const key = this.#key.map((place) => this.#written[place] as WrittenColumn)
    const statement = this.#statement(`keep ${mask}`, () => ({
      text: keepSql(this.#request, this.#shape, changed),
      types: typesOf([...changed, ...key]),
    }))
    const values = changed.map((column) => this.#value(put.row[column.at] ?? null, this.#written.indexOf(column)))
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

  /** @param place among the written columns */
  #value(cell: Cell, place: number): string | null {
    return cell === null ? null : this.#text(cell, place)
  }
}

function typesOf(columns: readonly WrittenColumn[]): readonly number[] {
  return columns.map(({ typeOid }) => typeOid)
}
