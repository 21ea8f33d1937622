/** Removes a row, or the static values of a partition, but nothing that was written after it was read. */
import type { types } from 'cassandra-driver'
import { tableText } from '../../../model/copy/column-type.ts'
import { rowKeyText, type RowKey } from '../../../model/copy/row-key.ts'
import type { WriteTimes } from '../../../model/copy/rows.ts'
import type { ChunkRequest } from '../../../model/copy/target-port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { whileBusy } from '../busy.ts'
import type { CassandraLink } from '../connect.ts'
import { longBytes } from '../long-bytes.ts'
import type { RequestFlow } from './flow.ts'
import { cassandraTableName } from './names.ts'
import { keyOfBound, partitionOfBound, canBeRowKey } from './proof.ts'
import { selectedCqlColumn } from './selected.ts'
import type { CassandraShapeColumn, CassandraShape } from './shape.ts'
import { hasStatics, mayBeStaticOnlyKey } from './shared-only.ts'

/**
 * Largest assumed clock difference of writers, microseconds: cells without a readable write time are removed only if
 * they were written this long before they were read.
 */
export const QUIET_US = 600_000_000n

/** The server's clock, which times writes without a client timestamp, in microseconds since 1970. */
export async function serverTime({ client, readLevel }: CassandraLink): Promise<bigint> {
  const { rows } = await client.execute('SELECT now() AS moment FROM system.local', [], {
    prepare: true,
    consistency: Math.min(readLevel, 1),
  })
  const instant = rows[0]?.get('moment') as types.TimeUuid
  return BigInt(instant.getDate().getTime()) * 1000n
}

/**
 * What is left of a row or of static values: write times, and `first`. For rows, `first` is the first partition key
 * column. For static values it is the first clustering column, which is null if the partition has no rows.
 */
export type Remainder = { readonly times: readonly (bigint | null)[]; readonly first: unknown }

export class TimedRemoval {
  readonly #link: CassandraLink
  readonly #signal: AbortSignal
  readonly #delete: string
  readonly #select: string
  readonly #timed: number
  readonly #isCounter: boolean

  /** Removal of rows, by their whole key. */
  static ofRows(link: CassandraLink, shape: CassandraShape, signal: AbortSignal): TimedRemoval {
    const key = [...shape.partition, ...shape.clustering]
    const columns = [...shape.columns.values()].filter(({ part }) => part === 'regular')
    return new TimedRemoval(link, shape, signal, { key, columns, first: key[0] ?? '', what: '' })
  }

  /** Removal of static values, by the key of their partition; `first` is not null if the partition has rows. */
  static ofStatics(link: CassandraLink, shape: CassandraShape, signal: AbortSignal): TimedRemoval {
    const columns = [...shape.columns.values()].filter(({ part }) => part === 'static')
    const what = columns.map(({ name }) => quotedName(name)).join(', ')
    return new TimedRemoval(link, shape, signal, {
      key: shape.partition,
      columns,
      first: shape.clustering[0] ?? '',
      what,
    })
  }

  private constructor(
    link: CassandraLink,
    { table, counters }: CassandraShape,
    signal: AbortSignal,
    of: {
      readonly key: readonly string[]
      readonly columns: readonly CassandraShapeColumn[]
      readonly first: string
      /** Columns whose values are removed; empty for the whole row. */
      readonly what: string
    },
  ) {
    this.#link = link
    this.#signal = signal
    const name = cassandraTableName(table)
    const where = of.key.map((column) => `${quotedName(column)} = ?`).join(' AND ')
    const times = (counters ? [] : of.columns)
      .filter(({ manyCells }) => !manyCells)
      .map((column) => `writetime(${quotedName(column.name)})`)
    this.#timed = times.length
    // Cassandra refuses USING TIMESTAMP for counter tables.
    this.#delete = `DELETE ${of.what === '' ? '' : `${of.what} `}FROM ${name} ${counters ? '' : 'USING TIMESTAMP ? '}WHERE ${where}`
    const values = of.what === '' ? [] : of.columns.map((column) => selectedCqlColumn(column.name))
    this.#select = `SELECT ${[...times, selectedCqlColumn(of.first), ...values].join(', ')} FROM ${name} WHERE ${where} LIMIT 1`
    this.#isCounter = counters
  }

  /**
   * Removes the parts of a row that were written up to `latest`. Elements of collections, and the row's own INSERT,
   * have no readable write time. If they are newer than `latest`, they are removed only if they are older than `quiet`.
   * @param latest write time of the values as read; null if none of them has one
   * @param quiet microseconds since 1970, well before the row was read
   * @returns false if a newer part is left
   */
  async remove(key: readonly (Buffer | null)[], latest: bigint | null, quiet: bigint): Promise<boolean> {
    await this.#deleteAt(latest ?? quiet, key)
    const left = await this.inspect(key)
    if (left === null) return true
    const newest = latestOf(left)
    if (latest === null || quiet <= latest || (newest !== null && newest > quiet)) return false
    await this.#deleteAt(quiet, key)
    return (await this.inspect(key)) === null
  }

  /** Reads what is left of the row, or of the static values; null if nothing is left. */
  async inspect(key: readonly (Buffer | null)[]): Promise<Remainder | null> {
    const { rows } = await this.#run(this.#select, key, this.#link.readLevel)
    const values = rows[0]?.values() as unknown[] | undefined
    if (values === undefined) return null
    return { times: values.slice(0, this.#timed) as (bigint | null)[], first: values[this.#timed] ?? null }
  }

  async #deleteAt(us: bigint, key: readonly (Buffer | null)[]): Promise<void> {
    await this.#run(this.#delete, this.#isCounter ? key : [longBytes(us), ...key], this.#link.writeLevel)
  }

  #run(cql: string, parameters: readonly (Buffer | null)[], consistency: number) {
    const options = { prepare: true, consistency, isIdempotent: true }
    return whileBusy(() => this.#link.client.execute(cql, [...parameters], options), this.#link, this.#signal)
  }
}

/** Latest write time of a row's values; null if none has a write time. */
export function latestOf(stamp: Pick<WriteTimes, 'times'> | undefined): bigint | null {
  let latest: bigint | null = null
  for (const time of stamp?.times ?? []) if (time !== null && (latest === null || time > latest)) latest = time
  return latest
}

/**
 * Refuses to remove a row whose latest write time is ahead of the clock by more than `QUIET_US`. A removal has this
 * write time, and would hide every row that is written under the key until then.
 * @param now of the server, microseconds since 1970
 * @throws SluiceError with this code and this hint
 */
export function refuseFutureTimes(
  { key, latest, now }: { readonly key: RowKey; readonly latest: bigint | null; readonly now: bigint },
  code: 'ROW_REFUSED' | 'VALUE_REFUSED',
  where: string,
  hint: string,
): void {
  if (latest === null || latest <= now + QUIET_US) return
  throw new SluiceError(
    code,
    `the row (${rowKeyText(key)}) of ${where} cannot be removed: its write time is ahead of the clock (${latest} microseconds since 1970)`,
    {
      where,
      reason: 'until the clock reaches that time, the deletion would also hide rows written or restored under this key',
      hint,
      kind: code === 'VALUE_REFUSED' ? 'source' : undefined,
    },
  )
}

/**
 * Removes the rows whose keys are in the request's range. The removal has the write time of a row's latest value, so
 * that later writes stay. A row that was written after `request.removed` was read stays, too. Parts without a readable
 * write time are removed once they are old enough: the caller reads the rows again.
 * @throws SluiceError ROW_REFUSED for a row with a write time ahead of the clock; errors of the driver
 */
export async function removeKeys(
  link: CassandraLink,
  request: ChunkRequest,
  shape: CassandraShape,
  flow: RequestFlow,
): Promise<void> {
  const { range, signal } = request
  if (range.by !== 'keys') throw new Error('only rows given by key can be removed')
  const now = await serverTime(link)
  const quiet = now - QUIET_US
  const latestRemovable = (key: RowKey, found: Remainder): bigint | null => {
    const latest = latestOf(found)
    const hint = 'keep the row, and remove it after that time has passed'
    refuseFutureTimes({ key, latest, now }, 'ROW_REFUSED', tableText(request.table.table), hint)
    return latest
  }
  const isNewer = (found: Remainder, at: number): boolean => {
    const read = request.removed?.[at]
    const latest = latestOf(found)
    return read !== undefined && latest !== null && latest > (latestOf(read) ?? -1n)
  }
  const rows = TimedRemoval.ofRows(link, shape, signal)
  const statics = hasStatics(shape) ? TimedRemoval.ofStatics(link, shape, signal) : null
  await flow.each(range.keys, signal, async (bound, at) => {
    if (statics !== null && mayBeStaticOnlyKey(bound, shape.partition.length)) {
      const partition = partitionOfBound(request, shape, bound)
      const found = await statics.inspect(partition)
      const hasRows = found?.first != null
      if (found !== null && !hasRows && !isNewer(found, at))
        await statics.remove(partition, latestRemovable(bound, found), quiet)
      if (!hasRows || !canBeRowKey(request, shape, bound)) return
    }
    const { values } = keyOfBound(request, shape, bound)
    const found = await rows.inspect(values)
    if (found !== null && !isNewer(found, at)) await rows.remove(values, latestRemovable(bound, found), quiet)
  })
}
