/** Divides tables of SQLite by keys, whose columns may hold values of any type. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { cutByKey, keyColumns, rangeCondition, type KeyDialect } from '../key-ranges.ts'

type KeyRange = Range & { readonly by: 'key' }

/**
 * As `cutByKey`. A key cannot be a bound if SQL does not find it by its text: it has another type than its column, or
 * invalid characters. The last range then has all rows from the first such key on.
 */
export async function* cutStoredKeys(
  table: TableSpec,
  within: KeyRange,
  where: string | null,
  rows: number,
  dialect: KeyDialect,
  ask: (sql: string, parameters: SqlRow) => Promise<readonly SqlRow[]>,
): AsyncGenerator<Range> {
  const exact = keyColumns(table).every(({ type }) => type.kind === 'int')
  for await (const range of cutByKey(table, within, where, rows, table.rows, dialect, ask)) {
    if (!exact && range.by === 'key' && range.through !== within.through) {
      const { sql, parameters } = rangeCondition(table, range, where, dialect)
      const inside = await ask(`SELECT 1 FROM ${dialect.from(table)} WHERE ${sql} LIMIT 1`, parameters)
      if (inside.length === 0) {
        yield { by: 'key', after: range.after, through: within.through }
        return
      }
    }
    yield range
  }
}
