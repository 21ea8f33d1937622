/** Computes the canonical digest of `RowChecksum` in SQL. If SQL cannot compute it, the rows are read. */
import type { ColumnType } from '../../../model/copy/column-type.ts'
import { RowChecksum, checksumText } from '../../../model/copy/row-hash.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import { addStored, type MistypedRows } from '../../common/as-stored.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import { quoteName } from '../server/connect.ts'
import { postgresSelection, isLossless } from '../server/cells.ts'
import { copyRows } from './copy-rows.ts'
import { batches } from '../server/lines.ts'
import type { CopySession } from '../server/session.ts'

type AnyColumn = ReadColumn | WriteColumn

export type DigestSource = {
  readonly columns: readonly AnyColumn[]
  /** SQL after FROM, and after WHERE. */
  readonly from: string
  readonly condition: string
  /** True for all rows of a table: parallel workers of the server can then compute the sum. */
  readonly whole?: boolean
  /** Name for messages. */
  readonly table: string
  /** Row key columns, to find rows that are requested `asStored`. */
  readonly storedKey?: readonly string[]
}

export async function countPostgresRows(session: CopySession, { from, condition }: DigestSource): Promise<Digest> {
  const [row] = await session.askOne(`SELECT count(*) FROM ${from} WHERE ${condition}`)
  return { rows: BigInt(row?.[0] ?? 0), sum: '' }
}

export async function digestPostgresRows(session: CopySession, source: DigestSource): Promise<Digest> {
  const sql = digestSql(source)
  if (sql === null) return digestByReading(session, source)
  const [row] = await session.askOne(sql)
  return { rows: BigInt(row?.[0] ?? 0), sum: checksumText(BigInt(row?.[1] ?? 0)) }
}

/** Reference implementation of the SQL, and the only way for JSON and lists. @param wanted true for rows to include */
export async function digestByReading(
  session: CopySession,
  source: DigestSource,
  wanted: (row: Row) => boolean = () => true,
): Promise<Digest> {
  const { columns, from, condition } = source
  const sql = `SELECT ${columns.map(postgresSelection).join(', ')} FROM ${from} WHERE ${condition}`
  return digestOfQuery(session, sql, source, wanted)
}

/** @param sql returns the columns as `postgresSelection` writes them; it may change rows and return them */
export async function digestOfQuery(
  session: CopySession,
  sql: string,
  { columns, table, storedKey: key }: Pick<DigestSource, 'columns' | 'table' | 'storedKey'>,
  wanted: (row: Row) => boolean = () => true,
): Promise<Digest> {
  const sum = new RowChecksum()
  const size = { rows: 1000, bytes: 1024 * 1024 }
  const mistyped: MistypedRows = new WeakSet<Row>()
  const options = { table, columns, size, ...(key === undefined ? {} : { stored: { key, odd: mistyped } }) }
  for await (const { rows } of batches(copyRows(session, sql, 'text').pieces, options)) {
    for (const row of rows) if (wanted(row)) addStored(sum, row, mistyped)
  }
  return sum.digest()
}

/** Query for the digest; null if a column's canonical text cannot be computed in SQL. */
function digestSql({ columns, from, condition, whole }: DigestSource): string | null {
  const texts = canonicalTexts(columns)
  if (texts === null) return null
  const repeated = whole === true ? repeatedSql(columns) : null
  if (repeated !== null)
    return `SELECT count(*), coalesce(pg_catalog.sum(${repeated}), 0) FROM ${from} WHERE ${condition}`
  // The subquery computes each text once. OFFSET stops the planner from inlining it, which would compute texts twice.
  return `SELECT count(*), coalesce(pg_catalog.sum(${hashSql(columns)}), 0) FROM (SELECT ${texts.join(', ')} FROM ${from} WHERE ${condition} OFFSET 0) AS texts`
}

/** Number that a row adds to the digest, from the texts that `canonicalTexts` names. */
export function hashSql(columns: readonly AnyColumn[]): string {
  const row = columns
    .map(({ as }, i) => `coalesce(${lengthOf(as) ?? `pg_catalog.octet_length(c${i})::text || ':'`} || c${i}, 'N')`)
    .join(' || ')
  return `('x' || pg_catalog.substr(pg_catalog.md5(${row}), 21))::bit(48)::bigint`
}

/**
 * SQL of the length prefix for a type whose texts are all equally long; null for other types. To measure each value
 * would cost a tenth of the whole digest.
 */
function lengthOf({ kind }: ColumnType): string | null {
  switch (kind) {
    case 'bool':
      return "'1:'"
    case 'float':
      return "'16:'"
    case 'uuid':
      return "'36:'"
    default:
      return null
  }
}

/**
 * The same number as `hashSql`, without a subquery, so that parallel workers can compute it. Each text is computed
 * twice, once for its length; two workers gain more than this costs. Null if a text is expensive.
 */
function repeatedSql(columns: readonly AnyColumn[]): string | null {
  const parts: string[] = []
  for (const column of columns) {
    const text = canonicalText(column)
    const value = quoteName(column.name)
    if (text === null || column.as.kind === 'native') return null
    const length =
      column.as.kind === 'bytes' ? `pg_catalog.octet_length(${value}) * 2` : `pg_catalog.octet_length(${text})`
    parts.push(`coalesce(${lengthOf(column.as) ?? `(${length})::text || ':'`} || ${text}, 'N')`)
  }
  return parts.length === 0
    ? null
    : `('x' || pg_catalog.substr(pg_catalog.md5(${parts.join(' || ')}), 21))::bit(48)::bigint`
}

/** Canonical texts of a row, named c0, c1 …; null if a column's text cannot be computed in SQL. */
export function canonicalTexts(columns: readonly AnyColumn[]): readonly string[] | null {
  const texts: string[] = []
  for (const [i, column] of columns.entries()) {
    const text = canonicalText(column)
    if (text === null) return null
    texts.push(`${text} AS c${i}`)
  }
  return texts
}

/** docs/reference/CANONICAL.md in SQL. Sessions print dates in ISO style, and timestamps in UTC. */
function canonicalText(column: AnyColumn): string | null {
  if (!isLossless(column)) return null
  const { as, name } = column
  const { type } = column.column
  const value = quoteName(name)
  switch (as.kind) {
    case 'bool':
      return `${value}::int::text`
    case 'int':
    case 'uuid':
    case 'date':
    case 'time':
      return `${value}::text`
    case 'decimal':
      return type.kind === 'int' ? `${value}::text` : `pg_catalog.trim_scale(${value})::text`
    case 'float':
      return `CASE WHEN ${value} = 'NaN' THEN '7ff8000000000000' ELSE pg_catalog.encode(pg_catalog.float8send(${value}::float8), 'hex') END`
    case 'text':
      if (as.padded === true) return `pg_catalog.rtrim(${value}::text, ' ')`
      // A cast would cut the trailing blanks that COPY prints.
      return type.kind === 'text' && type.padded === true ? printed(value) : `${value}::text`
    case 'bytes':
      return `pg_catalog.encode(${value}, 'hex')`
    case 'timestamp':
      return type.kind === 'timestamp' && type.zone ? `(${value} AT TIME ZONE 'UTC')::text` : `${value}::text`
    case 'native':
      return printed(value)
    case 'json':
    case 'list':
      return null
  }
}

/** Text as COPY prints it; a cast differs for some types, such as inet. A record of only NULLs is a value, not NULL. */
function printed(value: string): string {
  return `CASE WHEN ${value} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', ${value}) END`
}
