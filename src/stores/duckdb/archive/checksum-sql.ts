/** Checksum of rows of files, as SQL. */
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { proofText } from '../copy/select.ts'
import { duckColumn } from './columns.ts'
import type { ReadFiles } from '../../../model/archive/parquet-port.ts'
import { asked } from './ask.ts'
import type { Desk } from './desk.ts'
import { readError } from './errors.ts'
import { checkSchema, parquetSql } from './parquet-file.ts'

/** The canonical checksum of rows, as a number. */
export function checksumSql(columns: readonly StoredColumn[]): string {
  return `coalesce(sum(CAST('0x' || substr(md5(concat(${columns.map(provedText).join(', ')})), 21) AS BIGINT)), 0)`
}

/** A value in the form of `rowText`. */
export function provedText(column: StoredColumn): string {
  const text = proofText(duckColumn(column), column.as, true)
  if (text !== null) return text
  throw new SluiceError('INTERNAL', `${column.name} is stored as ${column.stored}, which has no canonical text`)
}

/**
 * Counts rows of a file, and adds up their checksum.
 * @param rowsOf makes the SQL of these rows from the SQL of the file
 * @throws SluiceError PROOF_FAILED, SOURCE_IO; the signal's reason
 */
export async function checksumOfFile(
  desk: Desk,
  file: string,
  { columns, signal }: Pick<ReadFiles, 'columns' | 'signal'>,
  rowsOf: (from: string) => string,
): Promise<{ readonly rows: bigint; readonly sum: bigint }> {
  try {
    const from = await parquetSql(desk, file)
    await checkSchema(desk, from, file, columns, signal)
    const counts = `SELECT CAST(count(*) AS VARCHAR), CAST(${checksumSql(columns)} AS VARCHAR)`
    const [row] = await asked(desk, `${counts} FROM ${rowsOf(from)}`, signal)
    return { rows: BigInt(row?.[0] ?? 0), sum: BigInt(row?.[1] ?? 0) }
  } catch (error) {
    throw readError(error, file, signal)
  }
}
