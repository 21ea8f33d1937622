/** Checksum of rows of files, as SQL. */
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { proofText } from '../copy/select.ts'
import { duckColumn } from './columns.ts'

/** The canonical checksum of rows, as a number. */
export function sumSql(columns: readonly StoredColumn[]): string {
  return `coalesce(sum(CAST('0x' || substr(md5(concat(${columns.map(provedText).join(', ')})), 21) AS BIGINT)), 0)`
}

/** A value in the form of `rowText`. */
export function provedText(column: StoredColumn): string {
  const text = proofText(duckColumn(column), column.as, true)
  if (text !== null) return text
  throw new SluiceError('INTERNAL', `${column.name} is stored as ${column.stored}, which has no canonical text`)
}
