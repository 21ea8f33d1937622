/** One way to open DuckDB: bounded, offline, and loaded only when somebody needs it. */
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { SluiceError } from '../../shared/errors.ts'

export type DuckDbOptions = {
  /** Database file; absent for one in memory. */
  readonly file?: string
  readonly threads: number
  /** As DuckDB writes it, for example `512MB`. */
  readonly memoryLimit: string
  /** Folder for what does not fit in memory; DuckDB makes it. Absent: nothing may spill. */
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

  [Symbol.dispose](): void {
    this.connection.closeSync()
    this.#instance.closeSync()
  }
}

/**
 * Opens DuckDB with extensions neither installed nor loaded by itself: a query that needs one fails at once instead of trying the network.
 * @throws SluiceError INTERNAL when the native library cannot be loaded; DuckDB's own error when the file cannot be opened
 */
export async function openDuckDb(options: DuckDbOptions): Promise<DuckDb> {
  const { DuckDBInstance: Instance } = await import('@duckdb/node-api').catch((error: unknown) => {
    throw new SluiceError('INTERNAL', 'the DuckDB library cannot be loaded', {
      cause: error,
      hint: 'install sluice again on this machine, so that npm picks the binary that fits it',
    })
  })
  const instance = await Instance.create(options.file ?? ':memory:', {
    threads: String(options.threads),
    memory_limit: options.memoryLimit,
    temp_directory: options.tempDirectory ?? '',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    ...(options.readOnly === true ? { access_mode: 'READ_ONLY' } : {}),
  })
  try {
    return new DuckDb(instance, await instance.connect())
  } catch (error) {
    instance.closeSync()
    throw error
  }
}

/** Text as an SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** A name as a quoted SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
