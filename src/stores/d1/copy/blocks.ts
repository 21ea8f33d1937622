/** Cuts tables without a key by SQLite's rowids. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { Range } from '../../../model/copy/range.ts'
import { rangeCondition, type SqlCondition } from '../../common/key-ranges.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { rowidOf, D1_SOURCE_KEYS } from './keys.ts'

export type BlockRange = Range & { readonly by: 'block' }

/** Condition for the rows of a block; rows with a rowid below 1 belong to the first block. */
export function blockCondition(table: TableSpec, { from, to }: BlockRange, where: string | null): SqlCondition {
  const rowid = rowidOf(table)
  const all = rangeCondition(table, { by: 'all' }, where, D1_SOURCE_KEYS)
  const parts = [
    ...(from > 0n ? [{ sql: `${rowid} >= CAST(? AS INTEGER)`, value: from.toString() }] : []),
    ...(to === null ? [] : [{ sql: `${rowid} < CAST(? AS INTEGER)`, value: to.toString() }]),
  ]
  return {
    sql: [all.sql, ...parts.map(({ sql }) => sql)].join(' AND '),
    parameters: [...all.parameters, ...parts.map(({ value }) => value)],
  }
}

/** Ranges with this number of rows. A query reads all rows of its range, because rowids may have gaps of any size. */
export async function* cutBlocks(
  table: TableSpec,
  within: BlockRange,
  where: string | null,
  rows: number,
  ask: (sql: string, parameters: SqlRow) => Promise<readonly SqlRow[]>,
): AsyncGenerator<BlockRange> {
  const rowid = rowidOf(table)
  let from = within.from
  for (;;) {
    const { sql, parameters } = blockCondition(table, { ...within, from }, where)
    const [next] = await ask(
      `SELECT CAST(${rowid} AS TEXT) FROM ${D1_SOURCE_KEYS.from(table)} WHERE ${sql} ORDER BY ${rowid} LIMIT 1 OFFSET ${rows}`,
      parameters,
    )
    const to = next === undefined ? within.to : BigInt(String(next[0]))
    yield { by: 'block', from, to }
    if (next === undefined || to === null) return
    from = to
  }
}
