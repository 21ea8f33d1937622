/**
 * Row count and checksum of a range. If the server can print every value in canonical form, it computes the checksum,
 * and only the result is sent. It returns NULL for a value that it cannot print; then the rows are read.
 */
import type { Column, ColumnType } from '../../../model/copy/column-type.ts'
import { keyTextOf } from '../../../model/copy/key-text.ts'
import { isMembered } from '../../../model/copy/members.ts'
import { RowChecksum, checksumText } from '../../../model/copy/row-hash.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import { addStored, type MistypedRows } from '../../common/as-stored.ts'
import type { RowRequest } from '../../../model/copy/source-port.ts'
import type { MysqlSession } from '../session.ts'
import { mayHaveInvalidBytes, isBroken, enumMemberSql } from './cells.ts'
import { quoted, mysqlTableSql } from './names.ts'
import { mysqlRangeCondition } from './ranges.ts'
import { readMysqlRows } from './read.ts'
import { isDated } from './printed-days.ts'
import { baseTypeName, isBytes, isText, isWholeType } from './types.ts'

/** Maximum rows and bytes of a batch in memory while the checksum of rows is computed. */
const BATCH = { rows: 1_000, bytes: 8 * 2 ** 20 }

/** @param only keys of the rows to include; null: all rows */
export async function mysqlCanonicalDigest(
  session: MysqlSession,
  request: RowRequest,
  only: ReadonlySet<string> | null,
  signal: AbortSignal,
): Promise<Digest> {
  const served = only === null && request.onRefused === undefined ? await serverDigest(session, request) : null
  return served ?? (await streamedDigest(session, request, only, signal))
}

/** Counts the rows, without a checksum. */
export async function countDigest(session: MysqlSession, request: RowRequest): Promise<Digest> {
  const { sql, parameters } = mysqlRangeCondition(request.table, request.range, request.where)
  const [[rows] = []] = await session.rows(
    `SELECT CAST(COUNT(*) AS CHAR) FROM ${mysqlTableSql(request.table.table)} WHERE ${sql}`,
    parameters,
  )
  return { rows: BigInt(String(rows)), sum: '' }
}

/** As `mysqlCanonicalDigest`, by reading the rows. */
export async function streamedDigest(
  session: MysqlSession,
  request: RowRequest,
  only: ReadonlySet<string> | null,
  signal: AbortSignal,
): Promise<Digest> {
  const sum = new RowChecksum()
  const keyAt = request.table.key.map((name) => request.columns.findIndex((column) => column.name === name))
  const counts = (row: Row): boolean => only?.has(keyTextOf(row, keyAt)) ?? true
  const mistyped: MistypedRows = new WeakSet<Row>()
  for await (const { rows } of readMysqlRows(session, { ...request, ordered: false }, BATCH, signal, mistyped)) {
    for (const row of rows) if (counts(row)) addStored(sum, row, mistyped)
  }
  return sum.digest()
}

/** As `mysqlCanonicalDigest`, in one statement; null if the server cannot print all of the values. */
export async function serverDigest(session: MysqlSession, request: RowRequest): Promise<Digest | null> {
  const { table, columns, range, where } = request
  const spelled = columns.map(({ name, as, column }) => spelling(quoted(name), as, column))
  const cells: string[] = []
  for (const [i, one] of spelled.entries()) {
    if (one === null) return null
    const length = one.length ?? `LENGTH(${one.text})`
    cells.push(`IF(${quoted(columns[i]?.name ?? '')} IS NULL, 'N', CONCAT(${length}, ':', ${one.text}))`)
  }
  const { sql, parameters } = mysqlRangeCondition(table, range, where)
  const [row = []] = await session.rows(
    `SELECT CAST(COUNT(*) AS CHAR), CAST(COUNT(hash) AS CHAR), CAST(SUM(CAST(CONV(RIGHT(hash, 12), 16, 10) AS UNSIGNED)) AS CHAR) ` +
      `FROM (SELECT MD5(CONCAT(${cells.join(', ')})) AS hash FROM ${mysqlTableSql(table.table)} WHERE ${sql}) AS hashes`,
    parameters,
  )
  const [rows, hashed, sum] = row.map(String)
  // A text longer than a packet becomes NULL, as does a value without a canonical form.
  if (rows === undefined || rows !== hashed) return null
  return { rows: BigInt(rows), sum: checksumText(rows === '0' ? 0n : BigInt(sum ?? '0')) }
}

const UUID = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'

/** SQL for the canonical text of a value. `length`: SQL for its size in bytes, if that is cheaper than LENGTH(text). */
type Spelling = { readonly text: string; readonly length?: string }

/**
 * SQL that prints values of a type, with NULL for values that must be read to be checked.
 * @returns null if the server cannot print the type in canonical form
 */
function spelling(name: string, as: ColumnType, column: Column): Spelling | null {
  const { native, collation } = column
  const base = baseTypeName(native)
  const isUtf8 = collation === undefined || collation.startsWith('utf8mb4_')
  // Texts of different collations cannot be concatenated without an explicit one.
  const given = isMembered(native) ? enumMemberSql(name, as) : name
  const whole = mayHaveInvalidBytes(column) ? `IF(${isBroken(name)}, NULL, ${given})` : given
  const utf8 = `${isUtf8 ? given : `CONVERT(${whole} USING utf8mb4)`} COLLATE utf8mb4_bin`
  const printed = `CAST(${name} AS CHAR)`
  switch (as.kind) {
    case 'bool':
      if (!isWholeType(base) && base !== 'bit') return null
      return { text: `CASE ${name} + 0 WHEN 0 THEN '0' WHEN 1 THEN '1' END`, length: '1' }
    case 'int':
      // Zerofill numbers are printed with their zeros.
      if (base === 'bit' || base === 'year') return { text: `CAST(${name} + 0 AS CHAR)` }
      return isWholeType(base) && !native.includes('zerofill') ? { text: printed } : null
    case 'decimal':
      if (base !== 'decimal' || native.includes('zerofill')) return null
      return { text: /,\s*[1-9]/.test(native) ? withoutZeros(printed) : printed }
    case 'text':
      if (!isText(base)) return null
      return { text: as.padded === true ? `TRIM(TRAILING ' ' FROM ${utf8})` : utf8 }
    case 'bytes':
      return isBytes(base) ? { text: `LOWER(HEX(${name}))`, length: `LENGTH(${name}) * 2` } : null
    case 'uuid':
      if (base === 'uuid') return { text: printed, length: '36' }
      return isText(base) ? { text: `CASE WHEN ${name} REGEXP '${UUID}' THEN LOWER(${utf8}) END`, length: '36' } : null
    case 'date':
      return base === 'date' ? { text: realDay(name, printed), length: '10' } : null
    case 'time':
      return base === 'time' ? { text: hasFraction(native) ? withoutZeros(printed) : printed } : null
    case 'timestamp':
      if (base !== 'datetime' && base !== 'timestamp') return null
      if (!hasFraction(native)) return { text: realDay(name, printed), length: '19' }
      return { text: realDay(name, withoutZeros(printed)), length: `LENGTH(${withoutZeros(printed)})` }
    case 'native':
      if (base === 'json' || base === 'decimal' || isDated(native)) return { text: printed }
      return base === 'enum' || base === 'set' || isText(base) ? { text: utf8 } : null
    default:
      return null
  }
}

function hasFraction(native: string): boolean {
  return /\([1-9]\)/.test(native)
}

function withoutZeros(text: string): string {
  return `TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM ${text}))`
}

function realDay(name: string, text: string): string {
  return `CASE WHEN MONTH(${name}) > 0 AND DAYOFMONTH(${name}) > 0 THEN ${text} END`
}
