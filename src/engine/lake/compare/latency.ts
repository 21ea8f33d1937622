/** Simulated latency for files and SQL: what is delayed, how, and the text that describes it. */
import type { LogStore } from '../../../model/lake/log-store.ts'
import { PARQUET_THREADS } from '../../../model/lake/parquet-rows.ts'
import type { SqlDatabase, SqlDialect } from '../../../model/run/sql-port.ts'
import { lakeOf, openCatalogDatabase, openLake } from '../../run/registry.ts'
import { systemNamed } from '../../run/systems.ts'
import { DelayedCalls, DelayedLog } from './delayed-log.ts'
import { DelayedWire } from './wire/wire.ts'

/** `wire`: a proxy delays bytes. `calls`: calls wait in the program. Null: nothing is delayed. */
export type LatencySetting = {
  readonly ms: number
  readonly lake: 'wire' | 'calls' | null
  readonly sql: 'wire' | null
}

export const NO_LATENCY: LatencySetting = { ms: 0, lake: null, sql: null }

/** @param path of the table @param ms added to each request with its answer; 0 for no delay */
export function latencyOf(path: string, dialect: SqlDialect, ms: number): LatencySetting {
  if (ms === 0) return NO_LATENCY
  const lake = lakeOf(path).wire ? 'wire' : 'calls'
  // File databases run inside this process and have no round trips.
  return { ms, lake, sql: systemNamed(dialect).file === undefined ? 'wire' : null }
}

/** Opens logs and catalogs with the simulated latency. The proxy runs before anything is timed. */
export class LatencySimulation implements AsyncDisposable {
  readonly #latency: LatencySetting
  readonly #wire: DelayedWire | null
  readonly #calls: DelayedCalls

  private constructor(latency: LatencySetting, wire: DelayedWire | null) {
    this.#latency = latency
    this.#wire = wire
    this.#calls = new DelayedCalls(latency.ms)
  }

  /** @throws SluiceError INTERNAL if the proxy cannot be started */
  static async start(latency: LatencySetting): Promise<LatencySimulation> {
    const { ms, lake, sql } = latency
    return new LatencySimulation(latency, lake === 'wire' || sql === 'wire' ? await DelayedWire.start(ms) : null)
  }

  /** A fresh log for a timed run, without cached files. @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG */
  async openLog(path: string): Promise<LogStore> {
    const { lake } = this.#latency
    const log = await openLake(path, { route: lake === 'wire' ? this.#wire?.route : undefined })
    return lake === 'calls' ? new DelayedLog(log, this.#calls) : log
  }

  /** The catalog, for reading; DuckDB gets as many threads as for Parquet. @throws SluiceError CONNECT_FAILED … */
  openCatalog(url: string): Promise<SqlDatabase> {
    const route = this.#latency.sql === 'wire' ? this.#wire?.route : undefined
    return openCatalogDatabase(url, 'read', { route, threads: PARQUET_THREADS })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#wire?.[Symbol.asyncDispose]()
  }
}

/** Describes what was delayed for files and SQL, and what was not. */
export function latencyText({ ms, lake, sql }: LatencySetting): string {
  const onWire =
    lake === 'wire' && sql === 'wire'
      ? 'to the bucket and to the database'
      : lake === 'wire'
        ? 'to the bucket'
        : sql === 'wire'
          ? 'to the database'
          : null
  const parts = [
    ...(onWire === null
      ? []
      : [
          `every connection ${onWire} goes through a proxy of sluice, which delays each byte by ${ms / 2} ms in each direction; connecting waits ${ms} ms, and TLS and login wait for each of their round trips; bandwidth is not limited`,
        ]),
    ...(lake === 'calls'
      ? [
          `the lake is a folder without a network: every call that would be a request to a bucket waits ${ms} ms in the program, and ${ms} ms more where it would need another connection`,
        ]
      : []),
    ...(sql === null ? ['nothing for SQL, whose database runs in this process'] : []),
  ]
  return `simulated latency: ${ms} ms a round trip; ${parts.join('; ')}`
}

/** True if the catalog is read by DuckDB, with the same number of threads as Parquet. */
export function takesThreads(dialect: SqlDialect): boolean {
  return systemNamed(dialect).catalog?.threads === true
}

/** Describes the threads of DuckDB for files and SQL; both have the same number. */
export function threadsText(dialect: SqlDialect): string {
  const threads = PARQUET_THREADS === 1 ? 'one thread' : `${PARQUET_THREADS} threads`
  return takesThreads(dialect)
    ? `DuckDB has ${threads} on each side: for the Parquet of the log, and for the catalog`
    : `DuckDB has ${threads} for the Parquet of the log; the other side does not use it`
}
