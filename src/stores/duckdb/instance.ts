/** The only code that opens DuckDB, for files and in memory: with limits, offline, and loaded only when needed. */
import { rm } from 'node:fs/promises'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { SluiceError } from '../../shared/errors.ts'
import { spillFolder } from './spill-folder.ts'

export { sqlLiteral, quotedName as identifier } from '../../shared/sql-text.ts'

export type DuckDbOptions = {
  readonly threads: number
  /** In DuckDB's notation, for example `512MB`. */
  readonly memoryLimit: string
  /** Spill folder, which DuckDB creates. Absent: no spilling. */
  readonly tempDirectory?: string
  readonly readOnly?: boolean
}

/** An instance with one connection; disposing closes both. */
export class DuckDb implements Disposable {
  readonly connection: DuckDBConnection
  readonly #instance: DuckDBInstance

  constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance
    this.connection = connection
  }

  /** A further connection to the same instance. */
  connect(): Promise<DuckDBConnection> {
    return this.#instance.connect()
  }

  [Symbol.dispose](): void {
    this.connection.closeSync()
    this.#instance.closeSync()
  }
}

export const MEMORY = ':memory:'

/** A database in memory. @throws SluiceError INTERNAL if the native library cannot be loaded */
export async function openDuckDb(options: DuckDbOptions): Promise<DuckDb> {
  const instance = await openInstance(MEMORY, options)
  try {
    return new DuckDb(instance, await instance.connect())
  } catch (error) {
    instance.closeSync()
    throw error
  }
}

/**
 * Opens DuckDB without installing or loading extensions by itself: a query that needs one fails at once instead of
 * using the network.
 * @param path of a database file that no other code of this program has open; or `MEMORY`
 * @throws SluiceError INTERNAL if the native library cannot be loaded; DuckDB's own error if the file cannot be opened
 */
export async function openInstance(path: string, options: DuckDbOptions): Promise<DuckDBInstance> {
  const { DuckDBInstance: Instance } = await import('./api.ts').catch((error: unknown) => {
    throw new SluiceError('INTERNAL', 'the DuckDB library cannot be loaded', {
      cause: error,
      hint: 'install sluice again on this machine, so that npm selects the matching binary',
    })
  })
  return Instance.create(path, {
    threads: String(options.threads),
    memory_limit: options.memoryLimit,
    temp_directory: options.tempDirectory ?? '',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    // The cache's keys contain file times, which a quick rewrite does not change; a long-lived instance must read the
    // current contents.
    enable_external_file_cache: 'false',
    ...(options.readOnly === true ? { access_mode: 'READ_ONLY' } : {}),
  })
}

/** How long an unused instance stays open, ms. Starting one takes some 30 ms; an open one needs some MB of memory. */
const IDLE_MS = 5_000

/** One instance for many short uses, opened by the first and closed some time after the last. */
export class SharedDuckDb {
  readonly #options: DuckDbOptions
  #db: Promise<DuckDb> | null = null
  #spill: string | null = null
  #uses = 0
  #timer: NodeJS.Timeout | null = null

  constructor(options: Omit<DuckDbOptions, 'tempDirectory' | 'readOnly'>) {
    this.#options = options
  }

  /** A separate connection; return it with `release`. */
  async connect(): Promise<DuckDBConnection> {
    this.#uses++
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    try {
      this.#db ??= this.#open()
      return await (await this.#db).connect()
    } catch (error) {
      this.#db = null
      this.#uses--
      throw error
    }
  }

  release(connection: DuckDBConnection): void {
    connection.closeSync()
    if (--this.#uses > 0) return
    // The timer does not keep the process alive: at its end, the process closes the instance.
    this.#timer = setTimeout(() => void this.#close(), IDLE_MS)
    this.#timer.unref()
  }

  async #open(): Promise<DuckDb> {
    this.#spill = spillFolder()
    return openDuckDb({ ...this.#options, tempDirectory: this.#spill })
  }

  async #close(): Promise<void> {
    if (this.#uses > 0 || this.#db === null) return
    const db = await this.#db
    this.#db = null
    db[Symbol.dispose]()
    if (this.#spill !== null) await rm(this.#spill, { recursive: true, force: true })
  }
}
