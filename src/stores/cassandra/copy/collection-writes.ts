/**
 * Collections whose elements are separate cells. A second write with the same write time would double the elements of
 * lists, and other collections would keep elements that the source has removed. So the target's value is read first.
 */
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { Cell } from '../../../model/copy/rows.ts'
import { cassandraDecoder } from './decode.ts'
import type { KeyReader } from './by-keys.ts'
import type { RequestFlow } from './flow.ts'
import type { Collections, Encoded, RowWrites } from './row-writes.ts'
import type { CassandraShape } from './shape.ts'
import type { TimeAndTtl } from './write-times.ts'
import { timeOfCells, type CellTime } from './time-of-cells.ts'
import { isBefore } from './types.ts'

/** Seconds by which equal expiry times may differ: servers count in whole seconds. */
const EXPIRY_TOLERANCE_S = 2

export class CollectionWrites {
  readonly #rows: RowWrites
  readonly #reader: KeyReader
  readonly #names: readonly string[]
  /** Names of all collections if the server returns their write times (5.0 and later), otherwise empty. */
  readonly #timed: readonly string[]
  readonly #decoders: readonly ReturnType<typeof cassandraDecoder>[]
  /** True if all rows of the target's range are from this writer; null if not yet known. */
  #isFresh: boolean | null = null
  #latest = 0n

  /** @param release of the server */
  constructor(
    rows: RowWrites,
    reader: KeyReader,
    shape: CassandraShape,
    columns: readonly WriteColumn[],
    release: string,
  ) {
    this.#rows = rows
    this.#reader = reader
    const some = rows.collections.map((at) => columns[at]).filter((column) => column !== undefined)
    this.#names = some.map(({ name }) => name)
    this.#timed = isBefore(release, 5, 0) ? [] : this.#names
    this.#decoders = some.map(({ name, as }) => {
      const type = shape.columns.get(name)?.type
      if (type === undefined) throw new Error(`${name} is not a column of the table`)
      return cassandraDecoder(type, as)
    })
  }

  /** Call if the target may contain rows of writes whose result is unknown. */
  setUncertain(): void {
    this.#isFresh = false
  }

  /**
   * How to write the collections of each row; null if all are written with their own write time and TTL.
   * @param occupied true if the chunk's range holds rows
   */
  async of(
    rows: readonly Encoded[],
    flow: RequestFlow,
    signal: AbortSignal,
    byTokens: boolean,
    occupied: () => Promise<boolean>,
  ): Promise<ReadonlyMap<Encoded, Collections> | null> {
    if (this.#rows.collections.length === 0) return null
    this.#isFresh ??= byTokens && !(await occupied())
    if (this.#isFresh) return null
    const found = new Map<Encoded, Collections>()
    await flow.each(rows, signal, async (row) => {
      const key = { values: this.#rows.key(row), staticOnly: row.staticOnly }
      const there = await this.#reader.read(this.#names, key, this.#timed)
      if (there !== null) found.set(row, this.#compared(row, there))
    })
    return found
  }

  #compared(row: Encoded, there: readonly unknown[]): Collections {
    const changes = new Map<number, 'leave' | bigint>()
    for (const [i, at] of this.#rows.collections.entries()) {
      const has = this.#decoders[i]?.(there[i] ?? null) ?? null
      const behind = this.#names.length + 2 * i
      const change = this.#changeOf(row, at, has, timeOfCells(there[behind], there[behind + 1]))
      if (change !== null) changes.set(at, change)
    }
    return changes
  }

  /**
   * @param has value in the target; null if none
   * @returns `leave`: do not write the collection; a write time: write it with this one; null: write it with its own
   * time
   */
  #changeOf(encoded: Encoded, at: number, has: Cell, there: CellTime): 'leave' | bigint | null {
    const { row, stamp } = encoded
    const isSame = has === (row[at] ?? null)
    const wanted = this.#rows.usingOf(encoded, at)
    const { time } = wanted
    // The server's own time is later than every existing write time.
    if (time === null) return isSame ? 'leave' : null
    if (stamp?.times[at] != null && there.time !== null) {
      if (time > there.time) return null
      // A later write of the target wins, as with other values.
      if (time < there.time || (isSame && endTogether(wanted, there.life))) return 'leave'
      return time + 1n
    }
    if (isSame) return 'leave'
    // The write time in the target is unknown: use the current time, which is later than every existing one.
    return has === null ? null : this.#now()
  }

  #now(): bigint {
    const now = BigInt(Date.now()) * 1000n
    this.#latest = now > this.#latest ? now : this.#latest + 1n
    return this.#latest
  }
}

/**
 * True if the new and the stored value expire at the same time, within `EXPIRY_TOLERANCE_S`.
 * @param left stored TTL, s; null: no expiry
 */
function endTogether({ life, sinceMs }: TimeAndTtl, left: number | null): boolean {
  if (life === null || life === 0 || left === null) return (life ?? 0) === (left ?? 0)
  const passed = sinceMs === undefined ? 0 : (Date.now() - sinceMs) / 1000
  return Math.abs(life - passed - left) <= EXPIRY_TOLERANCE_S
}
