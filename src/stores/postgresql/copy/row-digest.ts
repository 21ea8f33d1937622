/** The canonical digest in SQL, equal to what `RowSum` makes of the same rows; and by reading them, where a value needs a program. */
import { RowSum, sumText } from '../../../model/copy/row-hash.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import type { ReadColumn, WriteColumn } from '../../copy-port.ts'
import { quoteName } from '../connect.ts'
import { selected, travelsWhole } from './cells.ts'
import { copyRows } from './copy-rows.ts'
import { batches } from './lines.ts'
import type { CopySession } from './session.ts'

type AnyColumn = ReadColumn | WriteColumn

export type DigestSource = {
  readonly columns: readonly AnyColumn[]
  /** What stands behind FROM, and the condition. */
  readonly from: string
  readonly condition: string
  /** For messages. */
  readonly table: string
}

export async function countRows(session: CopySession, { from, condition }: DigestSource): Promise<Digest> {
  const [row] = await session.askOne(`SELECT count(*) FROM ${from} WHERE ${condition}`)
  return { rows: BigInt(row?.[0] ?? 0), sum: '' }
}

export async function digestRows(session: CopySession, source: DigestSource): Promise<Digest> {
  const sql = digestSql(source)
  if (sql === null) return digestByReading(session, source)
  const [row] = await session.askOne(sql)
  return { rows: BigInt(row?.[0] ?? 0), sum: sumText(BigInt(row?.[1] ?? 0)) }
}

/** Slow twin of the SQL, and the only way for JSON and lists. @param wanted which rows count */
export async function digestByReading(
  session: CopySession,
  source: DigestSource,
  wanted: (row: Row) => boolean = () => true,
): Promise<Digest> {
  const { columns, from, condition, table } = source
  const sum = new RowSum()
  const sql = `SELECT ${columns.map(selected).join(', ')} FROM ${from} WHERE ${condition}`
  const size = { rows: 1000, bytes: 1024 * 1024 }
  for await (const { rows } of batches(copyRows(session, sql, 'text').pieces, { table, columns, size })) {
    for (const row of rows) if (wanted(row)) sum.add(row)
  }
  return sum.digest()
}

/** Null where a column's canonical text cannot be written in SQL. */
function digestSql({ columns, from, condition }: DigestSource): string | null {
  const texts: string[] = []
  for (const column of columns) {
    const text = canonicalText(column)
    if (text === null) return null
    texts.push(text)
  }
  // Computed below, so that each text is made once; OFFSET keeps the planner from making it twice after all.
  const inner = `SELECT ${texts.map((text, i) => `${text} AS c${i}`).join(', ')} FROM ${from} WHERE ${condition} OFFSET 0`
  const row = texts.map((_, i) => `coalesce(octet_length(c${i}) || ':' || c${i}, 'N')`).join(' || ')
  return `SELECT count(*), coalesce(sum(('x' || substr(md5(${row}), 21))::bit(48)::bigint), 0) FROM (${inner}) AS texts`
}

/** docs/CANONICAL.md in this system's words. Sessions print dates in ISO style, and moments in UTC. */
function canonicalText(column: AnyColumn): string | null {
  if (!travelsWhole(column)) return null
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
      return type.kind === 'int' ? `${value}::text` : `trim_scale(${value})::text`
    case 'float':
      return `CASE WHEN ${value} = 'NaN' THEN '7ff8000000000000' ELSE encode(float8send(${value}::float8), 'hex') END`
    case 'text':
      if (as.padded === true) return `rtrim(${value}::text, ' ')`
      // A cast would take the blanks away that COPY prints.
      return type.kind === 'text' && type.padded === true ? printed(value) : `${value}::text`
    case 'bytes':
      return `encode(${value}, 'hex')`
    case 'timestamp':
      return as.zone ? `(${value} AT TIME ZONE 'UTC')::text` : `${value}::text`
    case 'native':
      return printed(value)
    case 'json':
    case 'list':
      return null
  }
}

/** As COPY prints it, which casts to text do not always: of addresses, for one. A record of nothing but NULLs is no NULL there. */
function printed(value: string): string {
  return `CASE WHEN ${value} IS DISTINCT FROM NULL THEN format('%s', ${value}) END`
}
