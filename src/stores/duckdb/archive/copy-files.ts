/** One COPY statement that writes Parquet files, with their compression and row groups. */
import { basename } from 'node:path'
import type { WriteRequest } from '../../../model/archive/parquet-port.ts'
import type { StoredColumn, StoredTable } from '../../../model/archive/stored-column.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { sqlLiteral, quotedName } from '../../../shared/sql-text.ts'
import type { Desk } from './desk.ts'

const MB = 1 << 20
/** Rows of a row group: DuckDB's default. */
const GROUP_ROWS = 122_880
/**
 * Limits of a row group in bytes before compression. Less memory means smaller groups, because each thread buffers row
 * groups.
 */
const GROUP_BYTES = { most: 256 * MB, least: 4 * MB }
/** For floating point columns: DuckDB's dictionary merges 0.0 and -0.0, so both would read as the first one. */
export const NO_DICTIONARY = 'DICTIONARY_SIZE_LIMIT 0'

/** Written files. `at`: number at the end of the file name. */
export type CopiedFile = readonly { readonly name: string; readonly rows: bigint; readonly at: number }[]

type Form = { readonly memoryBytes: number; readonly compression?: 'uncompressed' | 'zstd' }

/** @param at the folder, as `Desk.named` returns it @throws DuckDB's error */
export async function copiedFiles(
  desk: Desk,
  values: string,
  request: WriteRequest,
  at: string,
  form: Form,
): Promise<CopiedFile> {
  const result = await desk.connection.run(copySql(values, request, at, form))
  return (await result.getRows()).map(([found, rows]) => {
    const name = basename(String(found))
    return { name, rows: BigInt(String(rows)), at: numberOf(name, request.prefix) }
  })
}

function copySql(
  values: string,
  { prefix, fileBytes, table }: WriteRequest,
  to: string,
  { memoryBytes, compression = 'zstd' }: Form,
): string {
  const form = [
    'FORMAT parquet',
    `COMPRESSION ${compression}`,
    `ROW_GROUP_SIZE ${GROUP_ROWS}`,
    `ROW_GROUP_SIZE_BYTES ${within(memoryBytes / 16, GROUP_BYTES)}`,
    `FILE_SIZE_BYTES ${Math.max(1, Math.floor(fileBytes))}`,
    `FILENAME_PATTERN ${sqlLiteral(`${prefix}-{i}`)}`,
    // The folder may contain other files; no other program uses these names.
    'OVERWRITE_OR_IGNORE true',
    'RETURN_STATS true',
    ...(table.columns.some(isFloat) ? [NO_DICTIONARY] : []),
    ...(table.mapped
      ? [
          `FIELD_IDS {${table.columns.map(({ physical, id }, i) => `${sqlLiteral(physical)}: ${id ?? i + 1}`).join(', ')}}`,
        ]
      : []),
  ]
  return `COPY (FROM (${values})${orderSql(table)}) TO ${to} (${form.join(', ')})`
}

/** ORDER BY of the sort columns: by the Parquet value, not by its text. */
function orderSql({ columns, sortBy }: StoredTable): string {
  const names = sortBy.map((name) => {
    const column = columns.find((one) => one.name === name)
    if (column === undefined) throw new SluiceError('INTERNAL', `rows must be sorted by ${name}, which is not a column`)
    // DuckDB returns a sort column from its sort keys, where -0 has become 0.
    return isFloat(column) ? `${quotedName(column.physical)} + 0` : quotedName(column.physical)
  })
  return names.length === 0 ? '' : ` ORDER BY ${names.join(', ')}`
}

function isFloat({ stored }: StoredColumn): boolean {
  return stored === 'float' || stored === 'double'
}

/** The number of bytes, raised to `least` or lowered to `most` if it is outside of these limits. */
export function within(bytes: number, { most, least }: { readonly most: number; readonly least: number }): number {
  return Math.floor(Math.min(most, Math.max(least, bytes)))
}

function numberOf(name: string, prefix: string): number {
  const found = name.startsWith(`${prefix}-`) ? /^(\d+)\.parquet$/.exec(name.slice(prefix.length + 1)) : null
  if (found === null) throw new SluiceError('INTERNAL', `DuckDB has written an unexpected file: ${name}`)
  return Number(found[1])
}
