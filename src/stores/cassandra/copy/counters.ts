/** Counters: they can be added to and nothing else, so that what is written is how far the target is behind. */
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { longBytes } from '../long-bytes.ts'
import type { WriteColumn } from '../../copy-port.ts'
import type { CassandraLink } from '../connect.ts'
import { cassandraError, isUncertain } from '../errors.ts'
import type { KeyReader, RowKey } from './by-keys.ts'
import type { TableShape } from './shape.ts'
import type { Statements } from './statements.ts'

/** How long an addition whose answer was lost may still be on its way: nodes drop what is older. */
const SETTLE_MS = 5000
const PAUSE_MS = 200

export type CounterRow = {
  readonly key: RowKey
  /** By name; null where the source has counted nothing. */
  readonly values: ReadonlyMap<string, bigint | null>
}

export class Counters {
  readonly #link: CassandraLink
  readonly #shape: TableShape
  readonly #statements: Statements
  readonly #reader: KeyReader
  readonly #signal: AbortSignal

  /** @param reader reads at a level that sees what was written by anybody */
  constructor(link: CassandraLink, shape: TableShape, statements: Statements, reader: KeyReader, signal: AbortSignal) {
    this.#link = link
    this.#shape = shape
    this.#statements = statements
    this.#reader = reader
    this.#signal = signal
  }

  /** Counters of a row, and those that its partition shares, apart: each belongs to a key of its own. */
  rowsOf(columns: readonly WriteColumn[], row: Row, key: RowKey, shared: RowKey): readonly CounterRow[] {
    const own = new Map<string, bigint | null>()
    const ofPartition = new Map<string, bigint | null>()
    for (const [at, { name }] of columns.entries()) {
      const part = this.#shape.columns.get(name)?.part
      if (part !== 'regular' && part !== 'static') continue
      const cell = row[at] ?? null
      const value = typeof cell === 'string' ? BigInt(cell) : null
      if (part === 'static') ofPartition.set(name, value)
      else own.set(name, value)
    }
    return [
      ...(key.staticOnly || own.size === 0 ? [] : [{ key, values: own }]),
      ...(ofPartition.size === 0 ? [] : [{ key: shared, values: ofPartition }]),
    ]
  }

  /** Whether the target has counted anything there. */
  async holds({ key, values }: CounterRow): Promise<boolean> {
    const found = await this.#reader.read([...values.keys()], key)
    return found !== null && found.some((value) => value !== null)
  }

  /**
   * Brings counters to the values of the source. Only one program may do so for a row at a time, which the lease of its chunk sees to.
   * @throws SluiceError ROW_REFUSED; errors of the driver
   */
  async bring(row: CounterRow): Promise<void> {
    const names = [...row.values.keys()]
    const until = performance.now() + Math.max(this.#link.settings.retryMs, 3 * SETTLE_MS)
    for (;;) {
      throwIfAborted(this.#signal)
      const found = await this.#reader.read(names, row.key)
      const behind = this.#behind(row, names, found)
      if (behind.length === 0) return
      try {
        await this.#add(row.key, behind)
        return
      } catch (error) {
        // Whether it was added is seen by reading again, once nothing of it can come any more.
        const uncertain = isUncertain(error)
        const passes = uncertain || cassandraError(error, this.#link.settings, 'write').retryable
        if (!passes || performance.now() > until) throw error
        await sleep(uncertain ? SETTLE_MS : PAUSE_MS, undefined, { signal: this.#signal }).catch(() => undefined)
      }
    }
  }

  #behind(
    row: CounterRow,
    names: readonly string[],
    found: readonly unknown[] | null,
  ): readonly (readonly [string, bigint])[] {
    return names.flatMap((name, at) => {
      const wanted = row.values.get(name) ?? null
      const held = found?.[at] ?? null
      if (held !== null && typeof held !== 'bigint') throw new Error('the driver gives counters as bigint')
      const has = held
      if (wanted === null) {
        if (has !== null) throw this.#refused(name, has)
        return []
      }
      return has === wanted ? [] : [[name, wanted - (has ?? 0n)] as const]
    })
  }

  async #add({ values, staticOnly }: RowKey, some: readonly (readonly [string, bigint])[]): Promise<void> {
    const { partition, clustering } = this.#shape
    const key = staticOnly ? partition : [...partition, ...clustering]
    const sql = this.#statements.add(
      some.map(([name]) => name),
      key,
    )
    const parameters = [...some.map(([, add]) => longBytes(BigInt.asIntN(64, add))), ...values]
    await this.#link.client.execute(sql, parameters, {
      prepare: true,
      consistency: this.#link.writeLevel,
      isIdempotent: false,
    })
  }

  #refused(column: string, has: bigint): SluiceError {
    return new SluiceError('ROW_REFUSED', `the target has counted ${has} where the source has counted nothing`, {
      where: `${tableText(this.#shape.table)}.${column}`,
      reason: 'a counter of Cassandra cannot be made to be nothing again',
      hint: 'TRUNCATE the table of the target, or leave the row as it is',
    })
  }
}
