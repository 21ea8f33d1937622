/** Removes one row, but nothing that was written after it was read. */
import type { Cell, Row, Stamp } from '../../../model/copy/rows.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { whileBusy } from '../busy.ts'
import type { CassandraLink } from '../connect.ts'
import { longBytes } from '../long-bytes.ts'
import { encoderOf } from '../copy/encode.ts'
import { tableName } from '../copy/names.ts'
import { selected } from '../copy/selected.ts'
import type { TableShape } from '../copy/shape.ts'

export class RowRemoval {
  readonly #link: CassandraLink
  readonly #signal: AbortSignal
  readonly #key: readonly { readonly at: number; readonly encode: (cell: Cell) => Buffer | null }[]
  readonly #delete: string
  readonly #look: string
  readonly #timed: number

  /** @param columns of the rows, including the whole key */
  constructor(link: CassandraLink, shape: TableShape, columns: readonly ReadColumn[], signal: AbortSignal) {
    this.#link = link
    this.#signal = signal
    const names = [...shape.partition, ...shape.clustering]
    this.#key = names.map((name) => {
      const at = columns.findIndex((column) => column.name === name)
      const column = columns[at]
      const type = shape.columns.get(name)?.type
      if (column === undefined || type === undefined) throw new Error(`rows without ${name} cannot be named`)
      return { at, encode: encoderOf(type, column.as) }
    })
    const table = tableName(shape.table)
    const where = names.map((name) => `${quotedName(name)} = ?`).join(' AND ')
    const timed = [...shape.columns.values()].filter(({ part, manyCells }) => part === 'regular' && !manyCells)
    const times = timed.map(({ name }) => `writetime(${quotedName(name)})`)
    this.#timed = times.length
    this.#delete = `DELETE FROM ${table} USING TIMESTAMP ? WHERE ${where}`
    this.#look = `SELECT ${[...times, selected(names[0] ?? '')].join(', ')} FROM ${table} WHERE ${where}`
  }

  /**
   * Removes the row as it was read: up to the latest write time of its values. Elements of collections, and the row's
   * own INSERT, have no readable time: of these only what was written before `quiet` is removed.
   * @param quiet microseconds since 1970, well before the row was read
   * @returns false if a newer part of the row is left
   */
  async remove(row: Row, stamp: Stamp | undefined, quiet: bigint): Promise<boolean> {
    const key = this.#key.map(({ at, encode }) => encode(row[at] ?? null))
    const latest = latestOf(stamp)
    await this.#deleteAt(latest ?? quiet, key)
    const left = await this.inspect(key)
    if (left === null) return true
    const newest = latestOf({ times: left, lives: [] })
    if (latest === null || quiet <= latest || (newest !== null && newest > quiet)) return false
    await this.#deleteAt(quiet, key)
    return (await this.inspect(key)) === null
  }

  async #deleteAt(us: bigint, key: readonly (Buffer | null)[]): Promise<void> {
    await this.#run(this.#delete, [longBytes(us), ...key], this.#link.writeLevel)
  }

  /** Write times of what is left of a row; null if nothing is. */
  async inspect(key: readonly (Buffer | null)[]): Promise<readonly (bigint | null)[] | null> {
    const { rows } = await this.#run(this.#look, key, this.#link.readLevel)
    const values = rows[0]?.values() as (bigint | null)[] | undefined
    return values?.slice(0, this.#timed) ?? null
  }

  #run(cql: string, parameters: readonly (Buffer | null)[], consistency: number) {
    const options = { prepare: true, consistency, isIdempotent: true }
    return whileBusy(() => this.#link.client.execute(cql, [...parameters], options), this.#link, this.#signal)
  }
}

/** Null if no value of the row has a write time. */
export function latestOf(stamp: Stamp | undefined): bigint | null {
  let latest: bigint | null = null
  for (const time of stamp?.times ?? []) if (time !== null && (latest === null || time > latest)) latest = time
  return latest
}
