/** Checks texts received with U+FFFD: this character is stored, or it replaces bytes that are not valid UTF-8. */
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import type { D1Client, D1Row, D1Statement } from '../client.ts'

/** Maximum bytes whose hexadecimal digits fit into a text; a longer value is selected as a list of numbers. */
const LONG_BYTES = 990_000

/** Rows with U+FFFD in some of these columns, and how they were read. */
export type SuspectRows = {
  /** Expressions for the position of a row, whose values come first in each row. */
  readonly places: readonly string[]
  readonly columns: readonly ReadColumn[]
  /** The statement that read the rows, without its SELECT list. */
  readonly behind: D1Statement
  readonly rows: readonly D1Row[]
}

/** Bytes of texts that are not valid UTF-8: index of the row, and name of the column. */
export type BrokenTexts = ReadonlyMap<number, ReadonlyMap<string, Uint8Array>>

/** Reads suspicious texts again, as bytes. @returns invalid ones, by index in `rows` */
export async function brokenTexts(
  client: D1Client,
  { places, columns, behind, rows }: SuspectRows,
  signal: AbortSignal,
): Promise<BrokenTexts> {
  const width = places.length
  const placeOf = (row: D1Row): string => JSON.stringify(row.slice(0, width))
  const found = new Map(rows.map((row, at) => [placeOf(row), at]))
  const bytes = columns.map(({ name }) => {
    const sql = `CAST(${quote(name)} AS BLOB)`
    return `CASE WHEN typeof(${quote(name)}) <> 'text' THEN NULL WHEN length(${sql}) > ${LONG_BYTES} THEN ${sql} ELSE hex(${sql}) END`
  })
  const [result] = await client.read(
    [{ sql: `SELECT ${[...places, ...bytes].join(', ')}${behind.sql}`, params: behind.params }],
    {
      signal,
    },
  )
  const broken = new Map<number, Map<string, Uint8Array>>()
  for (const row of result?.rows ?? []) {
    const at = found.get(placeOf(row))
    for (const [i, { name }] of columns.entries()) {
      const value = row[width + i] ?? null
      if (at === undefined || value === null) continue
      const text = typeof value === 'object' ? Buffer.from(value) : Buffer.from(String(value), 'hex')
      if (!isText(text)) broken.set(at, (broken.get(at) ?? new Map<string, Uint8Array>()).set(name, text))
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
