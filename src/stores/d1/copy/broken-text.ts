/** Texts that came with U+FFFD: whether that is what is stored, or stands for bytes that are no UTF-8. */
import type { ReadColumn } from '../../../model/copy/port.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import type { D1Client, D1Row, D1Statement } from '../client.ts'

/** Beyond it hexadecimal digits would be longer than any text may be; bytes come as a list of numbers then. */
const LONG_BYTES = 990_000

export type Suspicion = {
  /** Expressions for the place of a row. */
  readonly texts: readonly string[]
  readonly columns: readonly ReadColumn[]
  /** What stood behind the columns in the statement that read the rows. */
  readonly behind: D1Statement
  readonly rows: readonly D1Row[]
}

/** Reads suspicious texts once more, as bytes. @returns rows with a broken one, by their place in `rows`, with the column's name */
export async function brokenTexts(
  client: D1Client,
  { texts, columns, behind, rows }: Suspicion,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, string>> {
  const width = texts.length
  const placeOf = (row: D1Row): string => JSON.stringify(row.slice(0, width))
  const places = new Map(rows.map((row, at) => [placeOf(row), at]))
  const bytes = columns.map(({ name }) => {
    const sql = `CAST(${quote(name)} AS BLOB)`
    return `CASE WHEN typeof(${quote(name)}) <> 'text' THEN NULL WHEN length(${sql}) > ${LONG_BYTES} THEN ${sql} ELSE hex(${sql}) END`
  })
  const [result] = await client.read(
    [{ sql: `SELECT ${[...texts, ...bytes].join(', ')}${behind.sql}`, params: behind.params }],
    {
      signal,
    },
  )
  const broken = new Map<number, string>()
  for (const row of result?.rows ?? []) {
    const at = places.get(placeOf(row))
    for (const [i, { name }] of columns.entries()) {
      const value = row[width + i] ?? null
      if (at === undefined || value === null) continue
      if (!isText(typeof value === 'object' ? Buffer.from(value) : Buffer.from(String(value), 'hex')))
        broken.set(at, name)
    }
  }
  return broken
}

function isText(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}
