/** Reads a data file completely: decodes every value, and computes the facts in its statistics again. */
import { withWholeDigit } from './decimal-text.ts'
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'
import type { FileFault, Footer, FooterField, ParquetFooters, ScannedRows } from '../../model/lake/parquet-footers.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { sqlLiteral, quotedName } from '../../shared/sql-text.ts'
import { pageChecksums, type PlacedChunk } from './page-checksums.ts'
import { damagedParquet, faultOf } from './parquet-faults.ts'
import type { ParquetNames } from './parquet-names.ts'

/** Maximum number of row positions in one statement. */
const POSITIONS = 100_000
const PER_COLUMN = 3
const ROW_NUMBER = 'file_row_number'

/** @throws SluiceError I/O and out-of-space errors; the signal's reason */
export async function scanRows(
  connection: DuckDBConnection,
  names: ParquetNames,
  file: string,
  footer: Footer,
  { columns, deleted, signal }: Parameters<ParquetFooters['scan']>[1],
): Promise<ScannedRows | FileFault> {
  const source = sqlLiteral(await names.plain(file))
  const from = `read_parquet(${source}, hive_partitioning = false, ${ROW_NUMBER} = true)`
  try {
    const hidden = deleted === null ? '' : await deletedRows(connection, deleted)
    // A hash over all values of a column makes DuckDB decode them.
    const whole = footer.fields.map(({ name }) => `, bit_xor(hash(${quotedName(name)}))`)
    const read = `SELECT count(*)${whole.join('')} FROM ${from}`
    const [all] = await rowsOf(connection, read)
    const rows = Number(all?.[0])
    if (rows !== footer.rows) return damagedParquet(`its footer records ${footer.rows} rows, but ${rows} were read`)
    const facts = columns.flatMap(({ path, bounds }) => factsSql(path, fieldAt(footer.fields, path), bounds))
    const select = ['count(*)', ...facts].join(', ')
    const [row = []] = await rowsOf(connection, `SELECT ${select} FROM ${from} ${hidden}`)
    const visible = Number(row[0])
    const pages = await pageChecksums(file, await chunksOf(connection, source), signal)
    if (typeof pages === 'string') return damagedParquet(pages)
    return {
      rows,
      visible,
      columns: columns.map((_, i) => {
        const [count, min, max] = row.slice(1 + i * PER_COLUMN, 1 + (i + 1) * PER_COLUMN)
        return { nulls: visible - Number(count), min: textOf(min), max: textOf(max) }
      }),
      pages,
    }
  } catch (error) {
    throwIfAborted(signal)
    if (error instanceof SluiceError) throw error
    return faultOf(error)
  }
}

export function textOf(value: DuckDBValue | undefined): string | null {
  return value === null || value === undefined ? null : String(value)
}

async function rowsOf(connection: DuckDBConnection, sql: string): Promise<readonly (readonly DuckDBValue[])[]> {
  return (await connection.run(sql)).getRows()
}

/** SQL that excludes the rows at these positions. */
async function deletedRows(connection: DuckDBConnection, positions: Iterable<bigint>): Promise<string> {
  await connection.run('CREATE OR REPLACE TEMP TABLE fsck_deleted (position BIGINT)')
  let batch: bigint[] = []
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await connection.run(`INSERT INTO fsck_deleted SELECT unnest([${batch.join(',')}]::BIGINT[])`)
    batch = []
  }
  for (const position of positions) {
    batch.push(position)
    if (batch.length >= POSITIONS) await flush()
  }
  await flush()
  return `WHERE ${ROW_NUMBER} NOT IN (SELECT position FROM fsck_deleted)`
}

function fieldAt(fields: readonly FooterField[], path: readonly string[]): FooterField | null {
  let found: FooterField | undefined
  let below = fields
  for (const name of path) {
    found = below.find((field) => field.name === name)
    if (found === undefined) return null
    below = found.fields
  }
  return found ?? null
}

/** SELECT list: number of values, smallest and largest value. A column that the file lacks has no values. */
function factsSql(path: readonly string[], field: FooterField | null, bounds: boolean): readonly string[] {
  if (field === null) return ['0', 'NULL', 'NULL']
  const [first = '', ...rest] = path
  const value = rest.reduce((struct, name) => `struct_extract(${struct}, ${sqlLiteral(name)})`, quotedName(first))
  const count = `count(${value})`
  if (!bounds || field.leaf === null) return [count, 'NULL', 'NULL']
  const number = field.type === 'FLOAT' || field.type === 'DOUBLE' ? ` FILTER (WHERE NOT isnan(${value}))` : ''
  const shown = (bound: 'min' | 'max'): string => {
    const text = `CAST(${bound}(${value})${number} AS VARCHAR)`
    return field.type?.startsWith('DECIMAL') === true ? withWholeDigit(text) : text
  }
  return [count, shown('min'), shown('max')]
}

async function chunksOf(connection: DuckDBConnection, source: string): Promise<readonly PlacedChunk[]> {
  const rows = await rowsOf(
    connection,
    `SELECT path_in_schema, least(CASE WHEN dictionary_page_offset > 0 THEN dictionary_page_offset END, data_page_offset),
       total_compressed_size, data_page_offset, num_values FROM parquet_metadata(${source})`,
  )
  return rows.map(([column, start, size, data, values]) => {
    const from = Number(start)
    const end = from + Number(size)
    return { column: String(column), start: from, end, data: Number(data), values: Number(values) }
  })
}
