/** DuckDB with a private folder, in which files to read or write have names without pattern characters. */
import { randomBytes } from 'node:crypto'
import { rm, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { makeFolder } from '../../../shared/make-folder.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'
import { openDuckDb, type DuckDb } from '../instance.ts'

const THREAD_BYTES = 64 << 20

export type DeskOptions = {
  /** Memory of each open DuckDB, bytes. */
  readonly memoryBytes: number
  readonly threads: number
  /** Spill folder, created if it is missing. */
  readonly tempFolder: string
}

export class Desk implements AsyncDisposable {
  readonly db: DuckDb
  readonly folder: string
  #links = 0

  constructor(db: DuckDb, folder: string) {
    this.db = db
    this.folder = folder
  }

  get connection(): DuckDBConnection {
    return this.db.connection
  }

  /** SQL literal for a link to the path. DuckDB would read some characters as a pattern; the link has none. */
  async named(path: string): Promise<string> {
    const link = join(this.folder, `at-${++this.#links}`)
    await symlink(resolve(path), link)
    return sqlLiteral(link)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.db[Symbol.dispose]()
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Opens a desk. Its session uses UTC, keeps no insertion order, and reads data even if a footer has the answer. */
export async function openDesk({ memoryBytes, threads, tempFolder }: DeskOptions): Promise<Desk> {
  const folder = join(tempFolder, `sluice-parquet-${process.pid}-${randomBytes(6).toString('hex')}`)
  await makeFolder(folder, 0o700)
  try {
    const db = await openDuckDb({
      // Each thread needs a part of the memory: two threads with too little memory fail where one would succeed.
      threads: Math.max(1, Math.min(threads, Math.floor(memoryBytes / THREAD_BYTES))),
      memoryLimit: `${Math.ceil(memoryBytes / 1e6)}MB`,
      tempDirectory: join(folder, 'spill'),
    })
    const desk = new Desk(db, folder)
    try {
      await db.connection.run(
        // Memory that a statement has released is not cached, because the next statement needs it.
        "SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET disabled_optimizers = 'statistics_propagation,filter_pushdown'; SET allocator_bulk_deallocation_flush_threshold = '16MB'",
      )
      return desk
    } catch (error) {
      await desk[Symbol.asyncDispose]()
      throw error
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}
