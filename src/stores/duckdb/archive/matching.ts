/** Counts and digests the rows of Parquet files that match a test, or selects the rows that do not match. */
import { testSql, type RowTest } from '../../../model/archive/row-test.ts'
import type { MatchRequest } from '../../../model/archive/parquet-port.ts'
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import { checksumText } from '../../../model/copy/row-hash.ts'
import type { Digest } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { sqlLiteral, quotedName } from '../../../shared/sql-text.ts'
import { duckColumn, readColumn } from './columns.ts'
import type { Desk } from './desk.ts'
import { checksumOfFile } from './checksum-sql.ts'
import { checkSchema, parquetSql } from './parquet-file.ts'

/** @returns digest of each file's matching rows @throws SluiceError PROOF_FAILED, SOURCE_IO, the signal's reason */
export async function matchingOf(desk: Desk, request: MatchRequest): Promise<readonly Digest[]> {
  const { columns, files, test } = request
  const shown = columns.map(readColumn).join(', ')
  const found: Digest[] = []
  for (const file of files) {
    const rowsOf = (from: string): string => `(SELECT ${shown} FROM ${from} WHERE ${matchSql(columns, test)})`
    const { rows, sum } = await checksumOfFile(desk, file, request, rowsOf)
    found.push({ rows, sum: checksumText(sum) })
  }
  return found
}

/** SQL: true if a row of a file matches, else false or NULL. */
export function matchSql(columns: readonly StoredColumn[], test: RowTest): string {
  return testSql(test, (one) => {
    const column = columns.find(({ name }) => name === one.column)
    if (column === undefined) throw new SluiceError('INTERNAL', `no file has the column ${one.column}`)
    const name = quotedName(column.physical)
    if (one.kind === 'null') return `(${name} IS NULL)`
    const shown = column.stored === 'timestamp' ? `make_timestamp(epoch_us(${name}))` : name
    return `(${shown} ${one.op} ${valueSql(column, one.value)})`
  })
}

function valueSql(column: StoredColumn, value: string): string {
  const { as } = column
  switch (as.kind) {
    case 'bool':
      return value === '1' ? 'true' : 'false'
    case 'int':
    case 'decimal':
      return value
    case 'text':
    case 'uuid':
      return sqlLiteral(value)
    case 'date':
    case 'timestamp':
      return `CAST(${sqlLiteral(value)} AS ${duckColumn(column).native})`
    default:
      throw new SluiceError('INTERNAL', `${column.name} is stored as ${column.stored}, which cannot be compared`)
  }
}

/** Statement for the rows of a file that do not match a test. @throws SluiceError PROOF_FAILED */
export async function unmatchedRowsSql(
  desk: Desk,
  file: string,
  { columns, signal, test }: Omit<MatchRequest, 'files'>,
): Promise<string> {
  const from = await parquetSql(desk, file)
  await checkSchema(desk, from, file, columns, signal)
  const names = columns.map(({ physical }) => quotedName(physical))
  return `SELECT ${names.join(', ')} FROM ${from} WHERE NOT coalesce(${matchSql(columns, test)}, false)`
}
