/** What the lake is asked for an answer, as requests; and both sides as they would be further away. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogStore, RequestCounts } from '../../model/log-store.ts'
import type { SqlDatabase, SqlDialect, SqlReader, SqlRow } from '../../stores/port.ts'
import { openLake } from '../registry.ts'

/** Reads that a reader announces wait at the same time, as many as the reader of buckets has in flight. */
const IN_FLIGHT = 16
/** Names that a store sends at once. */
const PAGE_NAMES = 1_000

/** Opens the log of a timed run: nothing of it is known yet, and a call that would be a request takes `delayMs` longer. */
export async function openMeasured(path: string, delayMs: number): Promise<LogStore> {
  const log = await openLake(path, { delayMs })
  return log.requests !== undefined || delayMs === 0 ? log : new FarLog(log, delayMs)
}

/** What one run asked for. */
export function requestsSince(log: LogStore): RequestCounts | null {
  return log.requests === undefined ? null : { ...log.requests }
}

/** Requests together, of whatever kind. */
export function totalRequests({ lists, gets, heads }: RequestCounts): number {
  return lists + gets + heads
}

/** A local log that counts calls as the requests they would be, and waits for each. */
class FarLog implements LogStore {
  readonly root: string
  readonly label: string
  readonly pagedListing = true
  readonly requests: { lists: number; gets: number; heads: number; bytes: number }
  readonly #log: LogStore
  readonly #delayMs: number
  readonly #waits = new Map<string, Promise<void>>()
  /** What the reader of buckets would keep for a second reading. */
  readonly #keeps = new Set<string>()
  readonly #kept = new Set<string>()
  #coming: string[] = []
  #flying = 0

  constructor(log: LogStore, delayMs: number) {
    this.root = log.root
    this.label = log.label
    this.requests = { lists: 0, gets: 0, heads: 0, bytes: 0 }
    this.#log = log
    this.#delayMs = delayMs
  }

  async *list(...given: Parameters<LogStore['list']>): ReturnType<LogStore['list']> {
    let names = 0
    const page = async (): Promise<void> => {
      this.requests.lists++
      await sleep(this.#delayMs)
    }
    await page()
    for await (const entry of this.#log.list(...given)) {
      if (names++ % PAGE_NAMES === 0 && names > 1) await page()
      yield entry
    }
  }

  ahead(...[paths, { keep = false }]: Parameters<NonNullable<LogStore['ahead']>>): void {
    this.#waits.clear()
    this.#coming = paths.filter((path) => !this.#kept.has(path))
    if (keep) for (const path of paths) this.#keeps.add(path)
    this.#pump()
  }

  async *read(...given: Parameters<LogStore['read']>): ReturnType<LogStore['read']> {
    const [path, { start, end }] = given
    const isWhole = start === undefined && end === undefined
    const isKept = isWhole && this.#kept.has(path)
    if (!isKept) await ((isWhole ? this.#waits.get(path) : undefined) ?? this.#wait())
    this.#waits.delete(path)
    for await (const chunk of this.#log.read(...given)) {
      if (!isKept) this.requests.bytes += chunk.length
      yield chunk
    }
    if (isWhole && this.#keeps.has(path)) this.#kept.add(path)
  }

  async head(...given: Parameters<LogStore['head']>): ReturnType<LogStore['head']> {
    this.requests.heads++
    await sleep(this.#delayMs)
    return this.#log.head(...given)
  }

  async localFile(...given: Parameters<LogStore['localFile']>): ReturnType<LogStore['localFile']> {
    const [path, signal] = given
    await this.#wait()
    this.requests.bytes += (await this.#log.head(path, signal))?.size ?? 0
    return this.#log.localFile(...given)
  }

  async #wait(): Promise<void> {
    this.requests.gets++
    await sleep(this.#delayMs)
  }

  #pump(): void {
    while (this.#flying < IN_FLIGHT && this.#coming.length > 0) {
      this.#flying++
      const wait = this.#wait().finally(() => {
        this.#flying--
        this.#pump()
      })
      this.#waits.set(this.#coming.shift() ?? '', wait)
    }
  }
}

/** Databases that are asked over a network; the others run inside this process and have no round trips. */
export function hasRoundTrips(dialect: SqlDialect): boolean {
  return dialect === 'postgresql' || dialect === 'mysql'
}

/**
 * One read transaction whose BEGIN, COMMIT, statements and pages each take `delayMs` longer. Connecting is not delayed: what it costs differs from server
 * to server, and only a proxy on the wire would tell.
 */
export async function farRead<T>(
  catalog: SqlDatabase,
  delayMs: number,
  body: (reader: SqlReader) => Promise<T>,
): Promise<T> {
  if (delayMs === 0) return catalog.read(body)
  await sleep(delayMs)
  const result = await catalog.read((reader) => body(farReader(reader, delayMs)))
  await sleep(delayMs)
  return result
}

/** A reader whose every statement, and every further page of one, takes `delayMs` longer. */
function farReader(reader: SqlReader, delayMs: number): SqlReader {
  if (delayMs === 0) return reader
  return {
    dialect: reader.dialect,
    async all(sql: string, parameters?: SqlRow) {
      await sleep(delayMs)
      return reader.all(sql, parameters)
    },
    async *pages(sql: string, parameters: SqlRow, pageRows: number) {
      await sleep(delayMs)
      for await (const page of reader.pages(sql, parameters, pageRows)) {
        yield page
        await sleep(delayMs)
      }
    },
  }
}
