/**
 * DuckDB for one statement that somebody typed: in memory, spilling into a folder of its own, and closed in before that statement is first looked at.
 * Nothing can be read but the files of the archive, and one private folder. All of it is one transaction, so that `now()` in the plan is the
 * `now()` of the answer.
 */
import { copyFile, link, mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'
import { throwIfAborted } from '../../../shared/abort.ts'
import { literal } from '../../../shared/sql-text.ts'
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

  /** Real paths of files outside of the folder that can be read. */
  readonly #allowed: ReadonlySet<string>

  private constructor(db: DuckDb, folder: string, allowed: ReadonlySet<string>, signal: AbortSignal) {
    this.#db = db
    this.#folder = folder
    this.#allowed = allowed
    this.#signal = signal
    signal.addEventListener('abort', this.#stop)
  }

  /** @param files that statements can read, as far as they are there */
  static async open(files: readonly string[], signal: AbortSignal): Promise<QuerySession> {
    throwIfAborted(signal)
    const real = await Promise.all(files.map((file) => realpath(file).catch(() => null)))
    const allowed = new Set(real.filter((file) => file !== null))
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'sluice-query-')))
    try {
      await mkdir(join(folder, 'files'))
      const spill = join(folder, 'spill')
      const db = await openDuckDb({ threads: THREADS, memoryLimit: MEMORY, tempDirectory: spill })
      const session = new QuerySession(db, folder, allowed, signal)
      await session.run("SET TimeZone = 'UTC'")
      await session.run(`SET allowed_directories = [${literal(`${session.files}/`)}]`)
      await session.run(`SET allowed_paths = [${[...allowed].map(literal).join(', ')}]`)
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

  /** The one folder that statements can read all of. */
  get files(): string {
    return join(this.#folder, 'files')
  }

  /**
   * Puts a file where statements can read it, under a name that is no pattern. A link does where it leads to what can be read anyway; DuckDB looks at
   * where it leads.
   * @returns its path there
   */
  async place(file: string, name: string): Promise<string> {
    const at = join(this.files, name)
    const real = await realpath(file)
    if (this.#allowed.has(real)) await symlink(real, at)
    else await link(real, at).catch(() => copyFile(real, at))
    return at
  }

  /** @returns rows that it changed. @throws DuckDB's error, after which nothing else can be asked; the signal's reason */
  async run(sql: string): Promise<number> {
    throwIfAborted(this.#signal)
    try {
      return (await this.connection.run(sql)).rowsChanged
    } catch (error) {
      throwIfAborted(this.#signal)
      throw error
    }
  }

  /** All rows of a statement of ours that gives few. */
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
