/** Parquet files of archives, written and read by DuckDB. */
import type { InspectedFile, WrittenFile } from '../../../model/archive/archived-file.ts'
import type {
  KeyedFiles,
  ParquetFiles,
  ReadFiles,
  RewriteRequest,
  SameKeys,
  MatchRequest,
  FilteredRead,
  WriteRequest,
} from '../../../model/archive/parquet-port.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import { makeFolder } from '../../../shared/make-folder.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { openDesk, type Desk, type DeskOptions } from './desk.ts'
import { readError, parquetWriteError } from './errors.ts'
import { checkArchivedFile } from './examine.ts'
import { unmatchedRowsSql, matchingOf } from './matching.ts'
import { csvOf } from './read-csv.ts'
import { archivedRows } from './read-rows.ts'
import { sameKeysOf } from './same-keys.ts'
import { writeParquet, writeRows } from './write.ts'

export type ParquetFilesOptions = DeskOptions

/**
 * Every call opens its own DuckDB with all of `memoryBytes`. So an instance that met a damaged file is not used again,
 * and an instance that reads files has not written any.
 * @param options folder for what does not fit into memory, created if it is missing
 * @throws SluiceError INTERNAL if DuckDB cannot be loaded; errors of the file system
 */
export async function openDuckdbParquetFiles(options: ParquetFilesOptions): Promise<ParquetFiles> {
  await makeFolder(options.tempFolder)
  return new DuckdbParquetFiles(options)
}

class DuckdbParquetFiles implements ParquetFiles {
  readonly #options: ParquetFilesOptions
  readonly #running = new Set<Promise<unknown>>()
  #closed = false

  constructor(options: ParquetFilesOptions) {
    this.#options = options
  }

  write(request: WriteRequest, csv: AsyncIterable<Buffer>): Promise<readonly WrittenFile[]> {
    return this.#written(request, (desk) => writeParquet(desk, request, this.#options.memoryBytes, csv))
  }

  inspect(request: ReadFiles): Promise<readonly InspectedFile[]> {
    return this.#with(async (desk) => {
      const found: InspectedFile[] = []
      for (const file of request.files) found.push(await checkArchivedFile(desk, file, request))
      return found
    })
  }

  matching(request: MatchRequest): Promise<readonly Digest[]> {
    return this.#with((desk) => matchingOf(desk, request))
  }

  rewrite(request: RewriteRequest): Promise<readonly WrittenFile[]> {
    const { file, test, table, signal } = request
    return this.#written(request, async (desk) => {
      const values = await unmatchedRowsSql(desk, file, { columns: table.columns, signal, test })
      return await writeRows(desk, request, this.#options.memoryBytes, values)
    })
  }

  async *rows(request: FilteredRead, batchRows: number): AsyncGenerator<readonly Row[]> {
    await using desk = await this.#open()
    for (const file of request.files) {
      try {
        yield* archivedRows(desk, file, request, batchRows)
      } catch (error) {
        throw readError(error, file, request.signal)
      }
    }
  }

  async *csv(request: ReadFiles): AsyncGenerator<Buffer, bigint> {
    await using desk = await this.#open()
    let rows = 0n
    for (const file of request.files) {
      try {
        rows += yield* csvOf(desk, file, request)
      } catch (error) {
        throw readError(error, file, request.signal)
      }
    }
    return rows
  }

  sameKeys(one: KeyedFiles, others: readonly KeyedFiles[], signal: AbortSignal): Promise<SameKeys> {
    return this.#with((desk) => sameKeysOf(desk, one, others, signal))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#running)
  }

  #written(
    { folder, table, signal }: WriteRequest,
    work: (desk: Desk) => Promise<readonly WrittenFile[]>,
  ): Promise<readonly WrittenFile[]> {
    return this.#with(async (desk) => {
      try {
        // Several threads would write sorted row groups in any order; rows come through one pipe anyway.
        await desk.connection.run('SET threads = 1')
        return await work(desk)
      } catch (error) {
        throw parquetWriteError(error, folder, table.columns, signal)
      }
    })
  }

  async #open(): Promise<Desk> {
    if (this.#closed) throw new SluiceError('INTERNAL', 'the files of the archive are closed')
    return openDesk(this.#options)
  }

  #with<T>(work: (desk: Desk) => Promise<T>): Promise<T> {
    const running = (async () => {
      await using desk = await this.#open()
      return await work(desk)
    })()
    const settled: Promise<unknown> = running.then(
      () => this.#running.delete(settled),
      () => this.#running.delete(settled),
    )
    this.#running.add(settled)
    return running
  }
}
