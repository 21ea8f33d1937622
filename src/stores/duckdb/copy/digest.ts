/** Count and checksum of rows: by DuckDB if SQL can give the canonical form of every column, else from the values. */
import { RowChecksum, checksumText } from '../../../model/copy/row-hash.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { addStored, type MistypedRows } from '../../common/as-stored.ts'
import { chained } from '../../../shared/sql-text.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { isDuckdbRowError } from '../errors.ts'
import { fromTable } from './key-dialect.ts'
import { duckdbRows, type DuckdbRowQuery } from './rows.ts'
import { proofText } from './select.ts'
import type { DuckdbCopySession } from './session.ts'

/** @param ours true if this program wrote the values: texts and JSON are then in canonical form */
export async function duckdbDigest(
  session: DuckdbCopySession,
  query: DuckdbRowQuery,
  ours: boolean,
  signal: AbortSignal,
): Promise<Digest> {
  const { request, condition, parameters, where } = query
  const texts = request.columns.map(({ column, as }) => proofText(column, as, ours))
  const known = texts.flatMap((text) => text ?? [])
  if (known.length === 0 || known.length < texts.length) return slowDigest(session, query, signal)
  const sum = `sum(CAST('0x' || substr(md5(${chained(known, '||')}), 21) AS BIGINT))`
  const asked = `SELECT count(*), CAST(coalesce(${sum}, 0) AS VARCHAR) FROM ${fromTable(request.table)} WHERE ${condition}`
  let row: SqlRow | undefined
  try {
    ;[row] = await session.rows(asked, parameters, { where, signal })
  } catch (error) {
    if (session.inTransaction || !isDuckdbRowError(error)) throw error
    // A value cannot be converted: reading row by row finds it, and names it in the error.
    return slowDigest(session, query, signal)
  }
  if (row === undefined) throw new SluiceError('INTERNAL', 'DuckDB returned no checksum')
  return { rows: BigInt(String(row[0])), sum: checksumText(BigInt(String(row[1]))) }
}

/** As `duckdbDigest`, from the values, row by row. */
export async function slowDigest(
  session: DuckdbCopySession,
  query: DuckdbRowQuery,
  signal: AbortSignal,
): Promise<Digest> {
  const sum = new RowChecksum()
  const mistyped: MistypedRows = new WeakSet<Row>()
  for await (const { rows } of duckdbRows(session, query, signal, mistyped))
    for (const row of rows) addStored(sum, row, mistyped)
  return sum.digest()
}
