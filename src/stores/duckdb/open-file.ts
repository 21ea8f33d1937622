/**
 * The only code that opens a DuckDB file, for catalog, copy and ledger: claims it, and keeps changes of a killed
 * program.
 */
import { existsSync, rmSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import type { OpenMode } from '../../model/run/sql-port.ts'
import { SluiceError } from '../../shared/errors.ts'
import { sqlLiteral, quotedName } from '../../shared/sql-text.ts'
import { PLAIN_NAMES } from '../common/own-tables.ts'
import { nameConflictError } from '../common/name-conflict.ts'
import { claimFile } from './file-claim.ts'
import { MEMORY, openInstance } from './instance.ts'
import { spillFolder } from './spill-folder.ts'

export type FileOptions = {
  readonly mode: OpenMode
  /** Name of the database in messages. */
  readonly label: string
  /** Memory limit in DuckDB's notation. Data beyond it goes to the spill folder. */
  readonly memoryLimit?: string
  readonly threads?: number
  /** Spill folder, created by DuckDB when first needed, and removed at the end. */
  readonly spill?: string
}

/**
 * Keeps changes that a killed program left in a file's log. DuckDB 1.5.5 replays them when it opens the file. When it
 * closes the file, it loses index changes that no statement has used: every later change of such a row fails
 * (duckdb/duckdb#23645). A separate CHECKPOINT, before anything else, keeps them.
 */
const KEEP_LOG = 'CHECKPOINT'

const MACROS = `SELECT f.schema_name, f.function_name, f.function_type FROM system.main.duckdb_functions() f
  SEMI JOIN (SELECT system.main.lower(function_name) AS name FROM system.main.duckdb_functions() WHERE internal) s
    ON s.name = system.main.lower(f.function_name)
  WHERE NOT f.internal AND f.database_name = system.main.current_database() AND f.schema_name = 'main' LIMIT 1`
const VIEWS = `SELECT view_name FROM system.main.duckdb_views() WHERE NOT internal AND database_name = system.main.current_database()
  AND schema_name = 'main' AND system.main.lower(view_name) IN (${PLAIN_NAMES.map(sqlLiteral).join(', ')}) LIMIT 1`

/** An open database, exclusive to this program until it is closed. */
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
   * @param file `:memory:` for an empty database in memory. `write` mode creates a missing file
   * @throws SluiceError TARGET_BUSY if another thread of this program has the file; TARGET_DENIED and TABLE_REFUSED as
   * `refuseReservedNames`; DuckDB's own errors
   */
  static async open(file: string, { mode, label, memoryLimit, threads, spill }: FileOptions): Promise<OpenFile> {
    const claim = file === MEMORY ? null : await claimFile(file, label)
    const folder = spill ?? spillFolder()
    let instance: DuckDBInstance | null = null
    try {
      if (mode === 'write') removeEmptyFile(file)
      // As in SQLite, an empty file is an empty database.
      const path = isEmptyFile(file) ? MEMORY : file
      const isLeft = mode === 'write' && hasLeftLog(path)
      instance = await openInstance(path, {
        memoryLimit: memoryLimit ?? '1GB',
        threads: threads ?? 2,
        tempDirectory: folder,
        readOnly: mode === 'read' && path !== MEMORY,
      })
      const found = new OpenFile(instance, claim, folder)
      if (isLeft) await found.#run((connection) => connection.run(KEEP_LOG))
      if (path !== MEMORY) await found.#run((connection) => refuseReservedNames(connection, label))
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

  /** Call once, when all connections are closed. */
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

/**
 * Refuses objects of a database file that have names of DuckDB's functions or of our tables. DuckDB prefers a macro of
 * the file to its function of that name: the macro would count, digest and compare instead, and can read every file
 * that this user may read. The statements qualify every function, and compare by `=` and `IN`, which no macro can
 * replace.
 * @throws SluiceError TARGET_DENIED for a macro, TABLE_REFUSED for a view, each with its name and its DROP
 */
async function refuseReservedNames(connection: DuckDBConnection, label: string): Promise<void> {
  const [macro] = (await connection.runAndReadAll(MACROS)).getRows() as [string, string, string][]
  if (macro !== undefined) throw reservedMacro(macro, label)
  const [view] = (await connection.runAndReadAll(VIEWS)).getRows() as [string][]
  if (view !== undefined) throw nameConflictError({ what: `VIEW ${quotedName(view[0])}` }, label)
}

function reservedMacro([schema, name, type]: readonly [string, string, string], where: string): SluiceError {
  const what = `${type === 'table_macro' ? 'MACRO TABLE' : 'MACRO'} ${quotedName(schema)}.${quotedName(name)}`
  return new SluiceError('TARGET_DENIED', `the file has the ${what}, which replaces a function of DuckDB`, {
    where,
    reason: 'statements of sluice would run it in place of the built-in function of that name',
    hint: `find out who created it, and DROP ${what}, or give it another name`,
  })
}

/** True if the file has a log that a killed program has left. Call before the file is opened. */
function hasLeftLog(file: string): boolean {
  return existsSync(`${file}.wal`)
}

/** True for a file of no bytes: for SQLite it is a new database, for DuckDB a damaged one. */
function isEmptyFile(file: string): boolean {
  const found = statSync(file, { throwIfNoEntry: false })
  return found?.isFile() === true && found.size === 0
}

/** Removes a file of no bytes, so that DuckDB creates a database. The caller has claimed the file. */
function removeEmptyFile(file: string): void {
  if (isEmptyFile(file)) rmSync(file)
}
