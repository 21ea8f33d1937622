/**
 * Digest of rows found by their keys, if a key range of the source is not a key range in D1: other systems sort texts
 * by a collation, and D1 stores decimals as texts. One parameter holds thousands of keys.
 */
import { cellOfText, keyParts } from '../../../model/copy/key-text.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import { RowChecksum } from '../../../model/copy/row-hash.ts'
import type { Digest } from '../../../model/copy/rows.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import { keyColumns } from '../../common/key-ranges.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import type { D1Client } from '../client.ts'
import { D1Failure } from '../failure.ts'
import { d1Encoder } from './cells.ts'
import { ANSWER_BYTES, MOST_ANSWER_BYTES } from './pages.ts'
import { d1Decoder, selectSql } from './select.ts'

const MOST_KEYS = 10_000
const FIRST_KEYS = 2_000
const KEY_BYTES = 1_000_000

/** @param keys in the form of `keyText`; none contains NULL @throws D1Failure; SluiceError VALUE_REFUSED */
export async function d1DigestOfKeys(
  client: D1Client,
  { table, columns }: { readonly table: TableSpec; readonly columns: readonly WriteColumn[] },
  keys: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Digest> {
  const key = keyColumns(table).map((column) => {
    const as = columns.find(({ name }) => name === column.name)?.as ?? column.type
    const { collation } = column
    return { as, encoder: d1Encoder({ name: column.name, as, column }), name: quote(column.name), collation }
  })
  const wanted = `SELECT ${key.map(({ encoder }, i) => encoder.sql(i, true)).join(', ')} FROM json_each(?1)`
  const isAmong = (names: readonly string[]): string => `(${names.join(', ')}) IN (${wanted})`
  // Each spelling of a key may be a row of its own, where the unique index has another collation than the column.
  const byBytes = key.some(({ collation }) => collation !== undefined)
    ? ` AND ${isAmong(key.map(({ name }) => `${name} COLLATE BINARY`))}`
    : ''
  const sql = `SELECT ${columns.map(selectSql).join(', ')} FROM ${quote(table.table.name)} WHERE ${isAmong(key.map(({ name }) => name))}${byBytes}`
  const decoder = d1Decoder(columns, tableText(table.table), 'target')
  const sum = new RowChecksum()
  let most = FIRST_KEYS
  const read = async (some: readonly string[]): Promise<void> => {
    if (some.length === 0) return
    try {
      const statement = { sql, params: [`[${some.join(',')}]`] }
      const { results, bytes } = await client.readPage([statement], { signal, mostBytes: MOST_ANSWER_BYTES })
      for (const values of results[0]?.rows ?? []) sum.add(decoder.row(values, 0))
      most = Math.max(1, Math.min(MOST_KEYS, Math.floor(ANSWER_BYTES / (bytes / some.length))))
    } catch (error) {
      if (!(error instanceof D1Failure) || error.kind !== 'size' || some.length === 1) throw error
      const half = some.length >> 1
      await read(some.slice(0, half))
      await read(some.slice(half))
    }
  }
  let some: string[] = []
  let bytes = 0
  for (const text of keys) {
    const cells = keyParts(text)
    const json = key.map(({ as, encoder }, i) => {
      const cell = cells[i] ?? null
      return cell === null ? 'null' : encoder.json(encoder.bind(cellOfText(cell, as)))
    })
    some.push(`[${json.join(',')}]`)
    bytes += some.at(-1)?.length ?? 0
    if (some.length < most && bytes < KEY_BYTES) continue
    await read(some)
    some = []
    bytes = 0
  }
  await read(some)
  return sum.digest()
}
