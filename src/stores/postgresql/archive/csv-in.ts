/** Loads the CSV of `model/archive/wire.ts` into a table by COPY, nearly unchanged. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { CopySession } from '../server/session.ts'
import { columnList, tableSql } from '../server/sql.ts'
import { refitted, type Refit } from './csv-refit.ts'

/**
 * Sends all rows to the server.
 * @param options further options of COPY, such as `, FREEZE`
 * @returns the number of rows that the server stored
 * @throws SluiceError UNSUPPORTED_TYPE for list columns, which cannot be written from CSV; errors of the server, and of
 * `csv`
 */
export async function loadCsv(
  session: CopySession,
  table: TableName,
  columns: readonly WriteColumn[],
  csv: AsyncIterable<Buffer>,
  options = '',
): Promise<bigint> {
  const fits = columns.map(fitOf)
  const kept = columns.filter((_, i) => fits[i] !== 'drop').map(({ name }) => name)
  // Before version 18 a line `\.` would end the rows.
  const needed = kept.length === 1 ? fits.map((fit) => fit ?? 'quoted') : fits
  const pieces = needed.every((fit) => fit === null) ? csv : refitted(csv, needed)
  return session.copyIn(`COPY ${tableSql(table)} (${columnList(kept)}) FROM STDIN (FORMAT csv${options})`, pieces)
}

function fitOf({ name, as, column }: WriteColumn): Refit | null {
  // The server accepts no values for generated columns.
  if (column.generated === true) return 'drop'
  if (as.kind === 'bytes') return 'bytes'
  if (as.kind !== 'list') return null
  throw new SluiceError('UNSUPPORTED_TYPE', `lists of ${name} cannot be written from CSV`, {
    reason: 'PostgreSQL reads an array only in its own text form, such as {1,2}',
    kind: 'target',
  })
}
