/** Digest of a range for its proof: read page by page, because SQLite has no hash function. */
import { keyTextOf } from '../../../model/copy/key-text.ts'
import { RowChecksum } from '../../../model/copy/row-hash.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import { addStored } from '../../common/as-stored.ts'
import { keyListParts } from '../../common/key-parts.ts'
import { rangeCondition } from '../../common/key-ranges.ts'
import type { D1Client } from '../client.ts'
import type { D1PageRequest } from './pages.ts'
import { MOST_KEY_PARAMETERS, d1Scan, type D1Scan } from './scan.ts'
import { d1Statement } from './statements.ts'

/** @param only count only rows with these keys (`keyText`) @throws D1Failure; SluiceError VALUE_REFUSED */
export async function d1CanonicalDigest(
  client: D1Client,
  request: D1Scan,
  only: ReadonlySet<string> | null,
  signal: AbortSignal,
): Promise<Digest> {
  const { table, columns, odd = new WeakSet<Row>() } = request
  const key = table.key.map((name) => columns.findIndex((column) => column.name === name))
  const sum = new RowChecksum()
  for await (const { rows } of d1Scan(client, request, signal)) {
    for (const row of rows) if (only === null || only.has(keyTextOf(row, key))) addStored(sum, row, odd)
  }
  return sum.digest()
}

/** Reads every key of the range, which D1 charges as rows read. @throws D1Failure */
export async function countD1Rows(
  client: D1Client,
  { table, range, where, keys }: Pick<D1PageRequest, 'table' | 'range' | 'where' | 'keys'>,
  signal: AbortSignal,
): Promise<bigint> {
  let rows = 0n
  for (const part of keyListParts(range, table.key.length, MOST_KEY_PARAMETERS)) {
    const { sql, parameters } = rangeCondition(table, part, where, keys)
    const count = d1Statement({
      sql: `SELECT CAST(COUNT(*) AS TEXT) FROM ${keys.from(table)} WHERE ${sql}`,
      parameters,
    })
    const [result] = await client.read([count], { signal })
    rows += BigInt(String(result?.rows[0]?.[0] ?? 0))
  }
  return rows
}
