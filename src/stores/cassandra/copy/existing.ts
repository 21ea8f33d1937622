/** Adds rows to a table that has rows: existing rows with the same keys stay unchanged. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { CassandraLink } from '../connect.ts'
import { cassandraError } from '../errors.ts'
import type { KeyReader } from './by-keys.ts'
import type { Encoded, RowWrites } from './row-writes.ts'
import type { CassandraShape } from './shape.ts'
import type { TimeOptions } from './write-times.ts'

const PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

/** `absent`: the key is free, and the row is still to be written. */
export type InsertOutcome = 'written' | 'taken' | 'absent'

export class ExistingRows {
  readonly #link: CassandraLink
  readonly #rows: RowWrites
  readonly #reader: KeyReader
  readonly #shape: CassandraShape
  readonly request: TimeOptions
  readonly #signal: AbortSignal
  /** By partition: true if the target already has static values for it. */
  readonly #hasStatics = new Map<string, boolean>()

  constructor(
    link: CassandraLink,
    rows: RowWrites,
    reader: KeyReader,
    shape: CassandraShape,
    options: TimeOptions,
    signal: AbortSignal,
  ) {
    this.#link = link
    this.#rows = rows
    this.#reader = reader
    this.#shape = shape
    this.request = options
    this.#signal = signal
  }

  /**
   * Adds a row if its key is free, in one step. Cassandra allows no timestamps with conditions. So a row with its own
   * write times is not added here: its key is only read. If another program writes the row meanwhile, its later write
   * time wins.
   */
  async add(row: Encoded): Promise<InsertOutcome> {
    const { ttl, writetime, dropStamps } = this.request
    const timed = (row.stamp !== undefined && dropStamps !== true) || ttl !== undefined || writetime !== undefined
    const write = timed ? null : this.#rows.ifAbsent(row)
    if (write === null) return (await this.#isTaken(row)) ? 'taken' : 'absent'
    const until = performance.now() + this.#link.settings.retryMs
    for (let attempt = 1; ; attempt++) {
      throwIfAborted(this.#signal)
      try {
        const result = await this.#link.client.execute(write.sql, write.parameters as (Buffer | null)[], {
          prepare: true,
          consistency: this.#link.writeLevel,
          serialConsistency: this.#link.serialLevel,
          isIdempotent: false,
        })
        return result.wasApplied() ? 'written' : 'taken'
      } catch (thrown) {
        // Retry: if the lost attempt has written the row, the condition fails and the next attempt returns `taken`.
        const error = cassandraError(thrown, this.#link.settings, 'write')
        if (!error.retryable || performance.now() > until) throw thrown
        const ms = Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** Math.min(attempt, 10)) * Math.random()
        await sleep(ms, undefined, { signal: this.#signal }).catch(() => undefined)
      }
    }
  }

  /** Reads whether the row's partition has static values; if so, they are kept. */
  async keepStatics(row: Encoded): Promise<void> {
    if (!this.#rows.hasStatics) return
    const partition = this.#rows.partitionText(row)
    if (this.#hasStatics.has(partition)) return
    const names = [...this.#shape.columns.values()].flatMap(({ name, part }) => (part === 'static' ? [name] : []))
    const key = { values: this.#rows.key({ ...row, staticOnly: true }), staticOnly: true }
    const found = await this.#reader.read(names, key)
    this.#hasStatics.set(partition, found !== null && found.some((value) => value !== null))
  }

  /** The row without static values, if the target's static values are kept. */
  withoutKept(row: Encoded): Encoded {
    if (this.#hasStatics.get(this.#rows.partitionText(row)) !== true) return row
    return this.#rows.withoutStatics(row)
  }

  async #isTaken(row: Encoded): Promise<boolean> {
    const names = this.#rows.keyNames(row)
    const found = await this.#reader.read(names, { values: this.#rows.key(row), staticOnly: row.staticOnly })
    return found !== null
  }
}
