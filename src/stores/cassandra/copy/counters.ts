/** Counters can only be added to, so the difference to the source is written. */
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText } from '../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { longBytes } from '../long-bytes.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { CassandraLink } from '../connect.ts'
import { cassandraError, isUncertain } from '../errors.ts'
import { ALL, isBelowQuorum } from '../consistency.ts'
import { KeyReader, readLevelFor, type CassandraRowKey } from './by-keys.ts'
import { cassandraFailure } from '../failure.ts'
import type { CassandraShape } from './shape.ts'
import type { CassandraStatements } from './statements.ts'

/** How long an addition may still be applied after its reply was lost, ms: nodes drop older ones. */
const LATE_WRITE_MS = 5000
const PAUSE_MS = 200
/** Maximum number of additions to one counter. If it still differs then, another program must be adding to it. */
const MOST_ADDED = 3

export type CounterRow = {
  readonly key: CassandraRowKey
  /** Values of the source, by name; null for a counter without a value. */
  readonly values: ReadonlyMap<string, bigint | null>
}

/** A counter whose value differs from the source's; `has` is null if the target has counted nothing. */
type CounterDifference = { readonly name: string; readonly has: bigint | null; readonly add: bigint }

export class Counters {
  readonly #link: CassandraLink
  readonly #shape: CassandraShape
  readonly #statements: CassandraStatements
  readonly #reader: KeyReader
  readonly #signal: AbortSignal

  /** @param reader reads at a level that sees the writes of every client */
  constructor(
    link: CassandraLink,
    shape: CassandraShape,
    statements: CassandraStatements,
    reader: KeyReader,
    signal: AbortSignal,
  ) {
    this.#link = link
    this.#shape = shape
    this.#statements = statements
    this.#reader = reader
    this.#signal = signal
  }

  /** Counters of a row, and separately the static counters of its partition: their keys differ. */
  rowsOf(
    columns: readonly WriteColumn[],
    row: Row,
    key: CassandraRowKey,
    shared: CassandraRowKey,
  ): readonly CounterRow[] {
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

  /** True if the target has a value in one of these counters. */
  async holds({ key, values }: CounterRow): Promise<boolean> {
    const found = await this.#reader.read([...values.keys()], key)
    return found !== null && found.some((value) => value !== null)
  }

  /**
   * Sets counters to the values of the source by additions. Only one program may do so for a row at a time; the chunk's
   * lease ensures that. Since Cassandra 4.0, a counter whose whole row was deleted continues from its earlier value. So
   * a counter that was missing is read again after the addition, and the remaining difference is added.
   * @throws SluiceError ROW_REFUSED; errors of the driver
   */
  async setToSource(row: CounterRow): Promise<void> {
    const until = performance.now() + Math.max(this.#link.settings.retryMs, 3 * LATE_WRITE_MS)
    let behind = this.#differences(row, await this.#reader.read([...row.values.keys()], row.key))
    for (let added = 0; behind.length > 0 && added < MOST_ADDED; added++) {
      await this.#addAndCheck(row, behind, until)
      // Counters that existed have the source's value now. Check those that were missing.
      const fresh = behind.filter(({ has }) => has === null)
      if (fresh.length === 0) return
      const now = await this.#readWritten(row)
      // Too few replicas answer. The proof of the chunk, or the next comparison, checks the counters.
      if (now === 'unknown') return
      behind = this.#differences(row, now).filter(({ name }) => fresh.some((one) => one.name === name))
      const deleted = behind.find(({ has }) => has === null)
      if (deleted !== undefined) throw this.#countsNoMore(deleted.name)
    }
  }

  /**
   * Adds the differences. After a lost reply, waits until the addition can no longer be applied; then reads the values
   * again, and adds what is still missing.
   */
  async #addAndCheck(row: CounterRow, behind: readonly CounterDifference[], until: number): Promise<void> {
    let some = behind
    while (some.length > 0) {
      throwIfAborted(this.#signal)
      try {
        await this.#add(row.key, some)
        return
      } catch (error) {
        const uncertain = isUncertain(error)
        const passes = uncertain || cassandraError(error, this.#link.settings, 'write').retryable
        if (!passes || performance.now() > until) throw error
        await sleep(uncertain ? LATE_WRITE_MS : PAUSE_MS, undefined, { signal: this.#signal }).catch(() => undefined)
        some = this.#differences(row, await this.#reader.read([...row.values.keys()], row.key))
      }
    }
  }

  /**
   * Reads what was just written, even if the write level is below QUORUM; `unknown` if too few replicas are up for
   * that.
   */
  async #readWritten({ key, values }: CounterRow): Promise<readonly unknown[] | 'unknown' | null> {
    const { writeLevel } = this.#link
    const level = isBelowQuorum(writeLevel) ? ALL : readLevelFor(writeLevel)
    const reader = new KeyReader(this.#link, this.#shape, this.#statements, false, this.#signal, level)
    try {
      return await reader.read([...values.keys()], key)
    } catch (thrown) {
      const { kind } = cassandraFailure(thrown)
      if (level === ALL && (kind === 'unavailable' || kind === 'read-timeout')) return 'unknown'
      throw thrown
    }
  }

  #differences({ values }: CounterRow, found: readonly unknown[] | null): readonly CounterDifference[] {
    return [...values].flatMap(([name, wanted], at) => {
      const has = found?.[at] ?? null
      if (has !== null && typeof has !== 'bigint') throw new Error('the driver gives counters as bigint')
      if (wanted === null) {
        if (has !== null) throw this.#refused(name, has)
        return []
      }
      return has === wanted ? [] : [{ name, has, add: wanted - (has ?? 0n) }]
    })
  }

  async #add({ values, staticOnly }: CassandraRowKey, some: readonly CounterDifference[]): Promise<void> {
    const { partition, clustering } = this.#shape
    const key = staticOnly ? partition : [...partition, ...clustering]
    const sql = this.#statements.add(
      some.map(({ name }) => name),
      key,
    )
    const parameters = [...some.map(({ add }) => longBytes(BigInt.asIntN(64, add))), ...values]
    await this.#link.client.execute(sql, parameters, {
      prepare: true,
      consistency: this.#link.writeLevel,
      isIdempotent: false,
    })
  }

  #refused(column: string, has: bigint): SluiceError {
    return new SluiceError('ROW_REFUSED', `the counter is ${has} in the target, and has no value in the source`, {
      where: `${tableText(this.#shape.table)}.${column}`,
      reason: 'a counter of Cassandra cannot be set back to no value',
      hint: 'TRUNCATE the table of the target, or leave the row as it is',
    })
  }

  #countsNoMore(column: string): SluiceError {
    return new SluiceError(
      'ROW_REFUSED',
      `a counter of the target was deleted, and Cassandra ignores later updates of it`,
      {
        where: `${tableText(this.#shape.table)}.${column}`,
        reason: 'the added value cannot be read: the deletion hides it',
        hint: 'TRUNCATE the table of the target and copy it again; or run the same command again once gc_grace_seconds are over and nodetool compact has removed the deletion',
      },
    )
  }
}
