/** Counting in hops: SQLite counts within one call, which for a large table would hold up everything else. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { breathe } from '../../../shared/abort.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'

const HOP = 50_000

type Ask = (sql: string, parameters: SqlRow) => readonly SqlRow[]

/** @param order what the rows lie in the order of, never NULL: names in SQL; empty where there is nothing to hop by */
export async function countRows(
  table: TableSpec,
  order: readonly string[],
  where: string | null,
  ask: Ask,
): Promise<bigint> {
  const from = `FROM ${quote(table.table.name)}`
  const wanted = where === null ? '' : `(${where}\n)`
  if (order.length === 0)
    return BigInt(String(ask(`SELECT count(*) ${from}${wanted === '' ? '' : ` WHERE ${wanted}`}`, [])[0]?.[0]))
  const list = order.join(', ')
  let after: SqlRow | null = null
  for (let rows = 0n; ; rows += BigInt(HOP)) {
    const behind: string = after === null ? '' : `(${list}) > (${order.map(() => '?').join(', ')})`
    const condition = [behind, wanted].filter((part) => part !== '').join(' AND ')
    const body = `${from}${condition === '' ? '' : ` WHERE ${condition}`}`
    const [next] = ask(`SELECT ${list} ${body} ORDER BY ${list} LIMIT 1 OFFSET ${HOP - 1}`, after ?? [])
    if (next === undefined) return rows + BigInt(String(ask(`SELECT count(*) ${body}`, after ?? [])[0]?.[0]))
    after = next
    await breathe()
  }
}
