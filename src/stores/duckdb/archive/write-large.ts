/** Writes large rows to separate Parquet files, a few rows each: a DuckDB vector holds up to 2,048 rows. */
import { SluiceError } from '../../../shared/errors.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'
import type { WriteRequest } from '../../../model/archive/parquet-port.ts'
import { sizeText } from '../../../shared/figures.ts'
import { interruptibleDuckdb } from './ask.ts'
import { copiedFiles, type CopiedFile } from './copy-files.ts'
import { openDesk, type Desk } from './desk.ts'
import { machineError } from './errors.ts'
import { removeFields, type LargeField, type LargeRow } from './large-rows.ts'
import { castField, wireName } from './wire-cast.ts'

const MB = 1 << 20
/** Bytes of the values of one file; a larger row has its own file. */
const FILE_BYTES = { most: 32 * MB, least: MB }
/** Rows of one statement. */
const FILE_ROWS = 128
/** Larger rows are not compressed, because compression needs the page's memory a second time. */
const COMPRESSED_BYTES = 64 * MB
/** Memory for a file: a multiple of its bytes, because DuckDB reserves powers of two, and more for DuckDB itself. */
const MEMORY = { times: 6, more: 256 * MB }

export class LargeRowWriter {
  readonly #desk: Desk
  readonly #request: WriteRequest
  readonly #fileBytes: number
  readonly files: CopiedFile[] = []
  #rows: LargeRow[] = []
  #bytes = 0

  /** @param memoryBytes of the program's options: with less memory, files have fewer rows */
  constructor(desk: Desk, request: WriteRequest, memoryBytes: number) {
    this.#desk = desk
    this.#request = request
    this.#fileBytes = Math.min(FILE_BYTES.most, Math.max(FILE_BYTES.least, memoryBytes / 32))
  }

  /**
   * Collects a row; first writes the earlier rows if this row does not fit into their file. So a row is written only
   * after the source has freed it from memory.
   * @throws as `ParquetFiles.write`, in DuckDB's own words; SluiceError NO_SPACE, with key and column
   */
  async take(row: LargeRow): Promise<void> {
    const isFull = this.#bytes + row.bytes > this.#fileBytes || this.#rows.length === FILE_ROWS
    if (this.#rows.length > 0 && isFull) await this.flush()
    this.#rows.push(row)
    this.#bytes += row.bytes
  }

  /** Writes the collected rows. @throws as `take` */
  async flush(): Promise<void> {
    const [rows, bytes] = [this.#rows, this.#bytes]
    if (rows.length === 0) return
    ;[this.#rows, this.#bytes] = [[], 0]
    const memoryBytes = MEMORY.times * bytes + MEMORY.more
    await using desk = await openDesk({ memoryBytes, threads: 1, tempFolder: this.#desk.folder })
    const { table, signal, folder, prefix } = this.#request
    try {
      const values = rows.map((row) => rowSql(row, table.columns)).join(' UNION ALL ')
      const at = await desk.named(folder)
      const own = { ...table, sortBy: [] }
      const request = { ...this.#request, table: own, prefix: `${prefix}-large-${this.files.length}` }
      const compression = bytes > COMPRESSED_BYTES ? 'uncompressed' : 'zstd'
      const form = { memoryBytes, compression } as const
      this.files.push(await interruptibleDuckdb(desk, signal, () => copiedFiles(desk, values, request, at, form)))
    } catch (error) {
      throw tooLarge(error, rows, this.#request) ?? error
    }
    await removeFields(rows)
  }
}

function rowSql({ fields }: LargeRow, columns: WriteRequest['table']['columns']): string {
  const files: string[] = []
  const shown = fields.map((field, i) => {
    if (field === null) return `CAST(NULL AS ${columns[i]?.stored === 'binary' ? 'BLOB' : 'VARCHAR'}) AS ${wireName(i)}`
    if (typeof field === 'string') {
      const value = columns[i]?.stored === 'binary' ? `unhex(${sqlLiteral(field)})` : sqlLiteral(field)
      return `${value} AS ${wireName(i)}`
    }
    files.push(`${field.isBinary ? 'read_blob' : 'read_text'}(${sqlLiteral(field.file)}) AS f${i}`)
    return `f${i}.content AS ${wireName(i)}`
  })
  const from = files.length === 0 ? '' : ` FROM ${files.join(', ')}`
  return `SELECT ${columns.map(castField).join(', ')} FROM (SELECT ${shown.join(', ')}${from}) AS wire`
}

/** Names the row of a one-row file that did not fit. */
function tooLarge(
  error: unknown,
  [row, ...more]: readonly LargeRow[],
  { table, folder }: Pick<WriteRequest, 'table' | 'folder'>,
): SluiceError | null {
  const known = machineError(error, folder, 'target')
  if (known === null || row === undefined || more.length > 0) return null
  const key = table.sortBy.flatMap((name) => {
    const field = row.fields[table.columns.findIndex((column) => column.name === name)]
    return typeof field === 'string' ? [`${name} = ${field}`] : []
  })
  const large = row.fields.flatMap((field, i): readonly { readonly name: string; readonly bytes: number }[] =>
    isLarge(field) ? [{ name: table.columns[i]?.name ?? '', bytes: field.bytes }] : [],
  )
  const what = large.map(({ name, bytes }) => `${name} holds ${sizeText(bytes)}`).join(', ')
  return new SluiceError(known.code, `a row is too large for the memory of this machine: ${what}`, {
    where: key.length === 0 ? folder : key.join(', '),
    reason: known.message,
    hint: 'run the same command on a machine with free memory of six times the value, or make the value smaller in the source',
    kind: 'source',
    cause: error,
  })
}

function isLarge(field: string | null | LargeField): field is LargeField {
  return field !== null && typeof field !== 'string'
}
