/** Sends writes of rows: alone, or a few of one partition together, again where that may help, and at ONE where that is wanted. */
import type { QueryOptions } from 'cassandra-driver'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { CassandraLink } from '../connect.ts'
import { FallBack } from '../consistency.ts'
import { longBytes, type Encoded, type Parameters, type Write } from './row-writes.ts'

/** Writes of one partition, and the rows that they are of. */
export type Sending = { readonly writes: readonly Write[]; readonly rows: readonly Encoded[] }

export class Sender {
  readonly #link: CassandraLink
  readonly #fallBack: FallBack<readonly Encoded[]>
  readonly #signal: AbortSignal
  readonly #repeatable = new Map<number, QueryOptions>()
  readonly #once = new Map<number, QueryOptions>()

  constructor(
    link: CassandraLink,
    wish: {
      readonly fallBackToOne: boolean
      readonly onWeak: (rows: readonly Encoded[], why: string) => void
    },
    signal: AbortSignal,
  ) {
    this.#link = link
    this.#signal = signal
    this.#fallBack = new FallBack({
      level: link.writeLevel,
      fallBackToOne: wish.fallBackToOne,
      onFallback: wish.onWeak,
      patienceMs: link.settings.retryMs,
      signal,
    })
  }

  /**
   * A batch that fails is written row by row: it may have been too large, and one of its rows may be the cause.
   * @throws errors of the driver
   */
  async send({ writes, rows }: Sending, apart: (row: Encoded) => readonly Write[]): Promise<void> {
    if (rows.length <= 1) {
      await this.#together(writes, rows)
      return
    }
    try {
      await this.#together(writes, rows)
    } catch {
      throwIfAborted(this.#signal)
      for (const row of rows) await this.#together(apart(row), [row])
    }
  }

  async #together(writes: readonly Write[], rows: readonly Encoded[]): Promise<void> {
    const { client } = this.#link
    const [first] = writes
    if (first === undefined) return
    const isRepeatable = writes.every(({ timeAt }) => timeAt === undefined)
    let attempt = 0n
    await this.#fallBack.run(async (level) => {
      const options = this.#options(level, isRepeatable)
      const later = attempt++
      if (writes.length === 1) {
        await client.execute(first.sql, parametersOf(first, later) as (Buffer | null)[], options)
        return
      }
      const queries = writes.map((write) => ({
        query: write.sql,
        params: parametersOf(write, later) as (Buffer | null)[],
      }))
      await client.batch(queries, options)
    }, rows)
  }

  #options(level: number, isRepeatable: boolean): QueryOptions {
    const known = isRepeatable ? this.#repeatable : this.#once
    let options = known.get(level)
    if (options === undefined) {
      options = { prepare: true, logged: false, consistency: level, isIdempotent: isRepeatable }
      known.set(level, options)
    }
    return options
  }
}

/** Elements that a list got by an attempt whose answer was lost go with the next one, which is a microsecond later. */
function parametersOf({ parameters, timeAt }: Write, later: bigint): Parameters {
  if (later === 0n || timeAt === undefined) return parameters
  const time = parameters[timeAt]
  return time == null ? parameters : parameters.with(timeAt, longBytes(time.readBigInt64BE() + later))
}
