/** Counts the sequential round trips that a question needs with files and with SQL. These runs are not timed. */
import type { LogStore, RequestCounts } from '../../../model/lake/log-store.ts'
import type { SqlDatabase, SqlReader } from '../../../model/run/sql-port.ts'
import { openCatalogDatabase } from '../../run/registry.ts'
import { systemOf } from '../../run/systems.ts'
import { drain, type PagedAnswer } from './answer.ts'
import { DelayedCalls, DelayedLog } from './delayed-log.ts'
import { DelayedWire } from './wire/wire.ts'

/** Counts the requests that a log in a local folder would need if it were in a bucket. */
export async function asInBucket(log: LogStore, ask: (log: LogStore) => PagedAnswer): Promise<RequestCounts> {
  const far = new DelayedLog(log, new DelayedCalls(0))
  await drain(ask(far))
  return far.requests
}

/** Counts round trips between this process and the server of a catalog: none for a database file. */
export class SqlTrips implements AsyncDisposable {
  readonly #wire: DelayedWire | null
  readonly #database: SqlDatabase | null

  private constructor(wire: DelayedWire | null, database: SqlDatabase | null) {
    this.#wire = wire
    this.#database = database
  }

  /** @throws SluiceError CONNECT_FAILED; INTERNAL if the proxy cannot be started */
  static async open(url: string): Promise<SqlTrips> {
    if (systemOf(url)?.file !== undefined) return new SqlTrips(null, null)
    const wire = await DelayedWire.start(0)
    try {
      return new SqlTrips(wire, await openCatalogDatabase(url, 'read', { route: wire.route }))
    } catch (error) {
      await wire[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Number of round trips of one question. */
  async of(ask: (reader: SqlReader) => PagedAnswer): Promise<number> {
    const [wire, database] = [this.#wire, this.#database]
    if (wire === null || database === null) return 0
    const once = (): Promise<number> => database.read((reader) => drain(ask(reader)))
    // The first run logs in and prepares statements; only the second run is counted.
    await once()
    const before = wire.turns
    await once()
    return wire.turns - before
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database?.close()
    await this.#wire?.[Symbol.asyncDispose]()
  }
}
