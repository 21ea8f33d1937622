/** DuckDB with a private folder, in which files that are read or written stand under names that are no patterns. */
import { randomBytes } from 'node:crypto'
import { rm, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { makeFolder } from '../../../shared/make-folder.ts'
import { literal } from '../../../shared/sql-text.ts'
import { openDuckDb, type DuckDb } from '../instance.ts'

const THREAD_BYTES = 64 << 20

export type DeskOptions = {
  /** Of each DuckDB that is open, bytes. */
  readonly memoryBytes: number
  readonly threads: number
  /** For what does not fit into memory; made if it is not there. */
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

  /** A path as an SQL literal. DuckDB takes odd characters of a name for a pattern: behind this link there are none. */
  async named(path: string): Promise<string> {
    const link = join(this.folder, `at-${++this.#links}`)
    await symlink(resolve(path), link)
    return literal(link)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.db[Symbol.dispose]()
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Its sessions are in UTC, keep no order that nobody asked for, and look at data where a footer would say it too. */
export async function openDesk({ memoryBytes, threads, tempFolder }: DeskOptions): Promise<Desk> {
  const folder = join(tempFolder, `sluice-parquet-${process.pid}-${randomBytes(6).toString('hex')}`)
  await makeFolder(folder, 0o700)
  try {
    const db = await openDuckDb({
      // Each holds a part of the memory: two that have too little fail where one would have got through.
      threads: Math.max(1, Math.min(threads, Math.floor(memoryBytes / THREAD_BYTES))),
      memoryLimit: `${Math.ceil(memoryBytes / 1e6)}MB`,
      tempDirectory: join(folder, 'spill'),
    })
    const desk = new Desk(db, folder)
    try {
      await db.connection.run(
        // What one statement has let go of is not kept beside what the next one needs.
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
