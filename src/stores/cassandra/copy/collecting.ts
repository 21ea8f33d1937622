/**
 * Collections whose elements are cells of their own. Written again at the same time, lists hold everything twice and other collections keep what the
 * source has removed meanwhile; so what is there already is looked at first.
 */
import type { WriteColumn } from '../../copy-port.ts'
import { decoderOf } from './decode.ts'
import type { KeyReader } from './by-keys.ts'
import type { Flow } from './flow.ts'
import type { Collections, Encoded, RowWrites } from './row-writes.ts'
import type { TableShape } from './shape.ts'

export class Collecting {
  readonly #rows: RowWrites
  readonly #reader: KeyReader
  readonly #names: readonly string[]
  readonly #decoders: readonly ReturnType<typeof decoderOf>[]
  /** Whether nothing can be there but what this writer knows it has written. */
  #isFresh: boolean | null = null
  #latest = 0n

  constructor(rows: RowWrites, reader: KeyReader, shape: TableShape, columns: readonly WriteColumn[]) {
    this.#rows = rows
    this.#reader = reader
    const some = rows.collections.map((at) => columns[at]).filter((column) => column !== undefined)
    this.#names = some.map(({ name }) => name)
    this.#decoders = some.map(({ name, as }) => {
      const type = shape.columns.get(name)?.type
      if (type === undefined) throw new Error(`${name} is no column of the table`)
      return decoderOf(type, as)
    })
  }

  /** Something may have been written that nobody knows of. */
  doubt(): void {
    this.#isFresh = false
  }

  /**
   * What becomes of the collections of each row; null where all of them are written at the time of their row.
   * @param occupied whether the chunk's range holds rows
   */
  async of(
    rows: readonly Encoded[],
    flow: Flow,
    signal: AbortSignal,
    byTokens: boolean,
    occupied: () => Promise<boolean>,
  ): Promise<ReadonlyMap<Encoded, Collections> | null> {
    if (this.#rows.collections.length === 0) return null
    this.#isFresh ??= byTokens && !(await occupied())
    if (this.#isFresh) return null
    const found = new Map<Encoded, Collections>()
    await flow.each(rows, signal, async (row) => {
      const there = await this.#reader.read(this.#names, { values: this.#rows.key(row), staticOnly: row.staticOnly })
      if (there !== null) found.set(row, this.#compared(row, there))
    })
    return found
  }

  #compared(row: Encoded, there: readonly unknown[]): Collections {
    const changes = new Map<number, 'leave' | bigint>()
    for (const [i, at] of this.#rows.collections.entries()) {
      const has = this.#decoders[i]?.(there[i] ?? null) ?? null
      const wanted = row.row[at] ?? null
      if (has === wanted) changes.set(at, 'leave')
      // Later than whatever is there, for nobody can ask when that was written.
      else if (has !== null) changes.set(at, this.#now())
    }
    return changes
  }

  #now(): bigint {
    const now = BigInt(Date.now()) * 1000n
    this.#latest = now > this.#latest ? now : this.#latest + 1n
    return this.#latest
  }
}
