/** The one way to open a database file of DuckDB, for a catalog, a copy and a ledger alike: claimed, and with what a killed program has left kept. */
import { rm } from 'node:fs/promises'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import type { OpenMode } from '../../model/run/sql-port.ts'
import { isEmptyFile, removeEmptyFile } from './empty-file.ts'
import { claimFile } from './file-claim.ts'
import { MEMORY, openInstance } from './instance.ts'
import { hasLeftLog, KEEP_LEFT_LOG } from './left-log.ts'
import { refusePlanted } from './planted.ts'
import { spillFolder } from './spill-folder.ts'

export type FileOptions = {
  readonly mode: OpenMode
  /** For messages. */
  readonly label: string
  /** DuckDB's own notation; what does not fit goes to the spill folder. */
  readonly memoryLimit?: string
  readonly threads?: number
  /** Where queries spill; made by DuckDB when first needed, and removed at the end. */
  readonly spill?: string
}

/** An open database, which is this program's alone until it is closed. */
export class OpenFile {
  readonly #instance: DuckDBInstance
  readonly #claim: Disposable | null
  readonly #spill: string

  private constructor(instance: DuckDBInstance, claim: Disposable | null, spill: string) {
    this.#instance = instance
    this.#claim = claim
    this.#spill = spill
  }

  /**
   * @param file `:memory:` for an empty database in memory. In `write` mode a file is made where it is missing
   * @throws SluiceError TARGET_BUSY where another thread of this program has the file; TARGET_DENIED and TABLE_REFUSED as `refusePlanted`; DuckDB's own errors
   */
  static async open(file: string, { mode, label, memoryLimit, threads, spill }: FileOptions): Promise<OpenFile> {
    const claim = file === MEMORY ? null : await claimFile(file, label)
    const folder = spill ?? spillFolder()
    let instance: DuckDBInstance | null = null
    try {
      if (mode === 'write') removeEmptyFile(file)
      // Read as what it is to SQLite too: a database without anything in it.
      const path = isEmptyFile(file) ? MEMORY : file
      const isLeft = mode === 'write' && hasLeftLog(path)
      instance = await openInstance(path, {
        memoryLimit: memoryLimit ?? '1GB',
        threads: threads ?? 2,
        tempDirectory: folder,
        readOnly: mode === 'read' && path !== MEMORY,
      })
      const found = new OpenFile(instance, claim, folder)
      if (isLeft) await found.#run((connection) => connection.run(KEEP_LEFT_LOG))
      if (path !== MEMORY) await found.#run((connection) => refusePlanted(connection, label))
      return found
    } catch (error) {
      instance?.closeSync()
      claim?.[Symbol.dispose]()
      throw error
    }
  }

  connect(): Promise<DuckDBConnection> {
    return this.#instance.connect()
  }

  /** To be called once, when all connections are closed. */
  async close(): Promise<void> {
    this.#instance.closeSync()
    this.#claim?.[Symbol.dispose]()
    await rm(this.#spill, { recursive: true, force: true })
  }

  async #run(body: (connection: DuckDBConnection) => Promise<unknown>): Promise<void> {
    const connection = await this.connect()
    try {
      await body(connection)
    } finally {
      connection.closeSync()
    }
  }
}
