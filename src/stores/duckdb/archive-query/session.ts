/**
 * DuckDB for one typed statement: in memory, with its own spill folder, and locked down before it first reads the
 * statement. Only the archive's files and one private folder are readable. Plan and result are made in one transaction,
 * so that `now()` is the same in both.
 */
import { copyFile, link, mkdir, realpath, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'
import { throwIfAborted } from '../../../shared/abort.ts'
import { makeSpool } from '../../../shared/spool.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'
import { openDuckDb, type DuckDb } from '../instance.ts'

const THREADS = 2
const MEMORY = '1GB'

export class QuerySession implements AsyncDisposable {
  readonly #db: DuckDb
  readonly #folder: string
  readonly #signal: AbortSignal
  readonly #stop = (): void => {
    this.connection.interrupt()
  }

  /** Real paths of readable files outside of the folder. */
  readonly #allowed: ReadonlySet<string>

  private constructor(db: DuckDb, folder: string, allowed: ReadonlySet<string>, signal: AbortSignal) {
    this.#db = db
    this.#folder = folder
    this.#allowed = allowed
    this.#signal = signal
    signal.addEventListener('abort', this.#stop)
  }

  /** @param files that statements may read, if they exist */
  static async open(files: readonly string[], signal: AbortSignal): Promise<QuerySession> {
    throwIfAborted(signal)
    const real = await Promise.all(files.map((file) => realpath(file).catch(() => null)))
    const allowed = new Set(real.filter((file) => file !== null))
    const folder = await realpath(await makeSpool())
    try {
      await mkdir(join(folder, 'files'))
      const spill = join(folder, 'spill')
      const db = await openDuckDb({ threads: THREADS, memoryLimit: MEMORY, tempDirectory: spill })
      const session = new QuerySession(db, folder, allowed, signal)
      await session.run("SET TimeZone = 'UTC'")
      await session.run(`SET allowed_directories = [${sqlLiteral(`${session.files}/`)}]`)
      await session.run(`SET allowed_paths = [${[...allowed].map(sqlLiteral).join(', ')}]`)
      await session.run('SET enable_external_access = false')
      await session.run('BEGIN')
      return session
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  get connection(): DuckDBConnection {
    return this.#db.connection
  }

  /** The only folder that statements may read as a whole. */
  get files(): string {
    return join(this.#folder, 'files')
  }

  /**
   * Puts a file into the readable folder, under a name without pattern characters. A link is enough if its target is
   * readable: DuckDB checks the target.
   * @returns the file's path in that folder
   */
  async place(file: string, name: string): Promise<string> {
    const at = join(this.files, name)
    const real = await realpath(file)
    if (this.#allowed.has(real)) await symlink(real, at)
    else await link(real, at).catch(() => copyFile(real, at))
    return at
  }

  /** @returns count of changed rows @throws DuckDB's error, after which the session is unusable; the signal's reason */
  async run(sql: string): Promise<number> {
    throwIfAborted(this.#signal)
    try {
      return (await this.connection.run(sql)).rowsChanged
    } catch (error) {
      throwIfAborted(this.#signal)
      throw error
    }
  }

  /** All rows of a statement of sluice with a small result. */
  async rows(sql: string): Promise<readonly (readonly DuckDBValue[])[]> {
    throwIfAborted(this.#signal)
    try {
      return await (await this.connection.run(sql)).getRows()
    } catch (error) {
      throwIfAborted(this.#signal)
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#stop)
    this.#db[Symbol.dispose]()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
