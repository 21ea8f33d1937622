/** Sends writes of rows singly, or several of one partition in a batch. Retries, and falls back to ONE if allowed. */
import type { QueryOptions } from 'cassandra-driver'
import { throwIfAborted } from '../../../shared/abort.ts'
import { longBytes } from '../long-bytes.ts'
import type { CassandraLink } from '../connect.ts'
import { FallBack } from '../consistency.ts'
import { cassandraFailure } from '../failure.ts'
import { type Encoded, type Parameters, type Write } from './row-writes.ts'

/** Writes of one partition, and their rows. */
export type PartitionWrites = {
  readonly writes: readonly Write[]
  readonly rows: readonly Encoded[]
  /** True if the writes must be sent one by one, in reverse order, up to the first error. */
  readonly inTurn?: true
}

export class Sender {
  readonly #link: CassandraLink
  readonly #fallBack: FallBack<readonly Encoded[]>
  readonly #signal: AbortSignal
  readonly #level: number
  readonly #forRepeatable = new Map<number, QueryOptions>()
  readonly #forOthers = new Map<number, QueryOptions>()

  constructor(
    link: CassandraLink,
    options: {
      readonly fallBackToOne: boolean
      readonly onWeak: (rows: readonly Encoded[], why: string) => void
    },
    signal: AbortSignal,
  ) {
    this.#link = link
    this.#signal = signal
    this.#level = link.writeLevel
    this.#fallBack = new FallBack({
      level: link.writeLevel,
      fallBackToOne: options.fallBackToOne,
      onFallback: options.onWeak,
      retryLimitMs: link.settings.retryMs,
      onRetry: link.onRetry,
      signal,
    })
  }

  /**
   * A batch that fails is written row by row: it may have been too large, or one of its rows may be the cause.
   * @param apart returns the writes of a single row @throws errors of the driver
   */
  async send({ writes, rows, inTurn }: PartitionWrites, apart: (row: Encoded) => readonly Write[]): Promise<void> {
    if (inTurn === true) await this.#sendOneByOne(writes, rows)
    else if (rows.length <= 1) await this.#row(writes, rows)
    else {
      try {
        await this.#together(writes, rows)
      } catch {
        throwIfAborted(this.#signal)
        for (const row of rows) await this.#row(apart(row), [row])
      }
    }
  }

  /** Sends the writes of a row together; if that is too large, one by one, with the write of the key last. */
  async #row(writes: readonly Write[], rows: readonly Encoded[]): Promise<void> {
    try {
      await this.#together(writes, rows)
    } catch (error) {
      throwIfAborted(this.#signal)
      if (writes.length <= 1 || !TOO_LARGE.test(cassandraFailure(error).message)) throw error
      await this.#sendOneByOne(writes, rows)
    }
  }

  /** Sends the write of the key last, so that a refused collection leaves no row behind. */
  async #sendOneByOne(writes: readonly Write[], rows: readonly Encoded[]): Promise<void> {
    for (const write of writes.toReversed()) await this.#together([write], rows)
  }

  #together(writes: readonly Write[], rows: readonly Encoded[]): Promise<unknown> {
    const [first] = writes
    if (first === undefined) return NOTHING
    const isRepeatable = writes.length === 1 ? first.timeAt === undefined : writes.every(isPlain)
    // Fast path: nearly every write succeeds at once.
    return this.#sendOnce(writes, this.#level, isRepeatable, 0n).catch(() => {
      throwIfAborted(this.#signal)
      let attempt = 0n
      return this.#fallBack.run((level) => this.#sendOnce(writes, level, isRepeatable, ++attempt), rows)
    })
  }

  #sendOnce(all: readonly Write[], level: number, isRepeatable: boolean, later: bigint): Promise<unknown> {
    const { client } = this.#link
    const options = this.#options(level, isRepeatable)
    const writes = all.some(({ lifetimes }) => lifetimes !== undefined) ? notExpired(all) : all
    const [first] = writes
    if (first === undefined) return NOTHING
    if (writes.length === 1) {
      return client.execute(first.sql, parametersOf(first, later) as (Buffer | null)[], options)
    }
    const queries = writes.map((write) => ({
      query: write.sql,
      params: parametersOf(write, later) as (Buffer | null)[],
    }))
    return client.batch(queries, options)
  }

  #options(level: number, isRepeatable: boolean): QueryOptions {
    const known = isRepeatable ? this.#forRepeatable : this.#forOthers
    let options = known.get(level)
    if (options === undefined) {
      options = { prepare: true, logged: false, consistency: level, isIdempotent: isRepeatable }
      known.set(level, options)
    }
    return options
  }
}

/** Error text of a batch, request or mutation that is too large. Guardrails for single values have other texts. */
const TOO_LARGE = /too (?:large|big)|oversized/i

const NOTHING: Promise<unknown> = Promise.resolve()

function isPlain({ timeAt }: Write): boolean {
  return timeAt === undefined
}

/** The writes with the TTL that is left now; without expired writes. */
function notExpired(writes: readonly Write[]): readonly Write[] {
  const now = Math.floor(Date.now() / 1000)
  return writes.flatMap((write) => {
    const { lifetimes, parameters } = write
    if (lifetimes === undefined) return [write]
    const left = lifetimes.until - now
    if (left <= 0) return []
    const seconds = Buffer.allocUnsafe(4)
    seconds.writeInt32BE(left)
    return [{ ...write, parameters: parameters.with(lifetimes.at, seconds) }]
  })
}

/** After a lost reply the write time is some µs later, so that this attempt replaces list elements of the first one. */
function parametersOf({ parameters, timeAt }: Write, later: bigint): Parameters {
  if (later === 0n || timeAt === undefined) return parameters
  const time = parameters[timeAt]
  return time == null ? parameters : parameters.with(timeAt, longBytes(time.readBigInt64BE() + later))
}
