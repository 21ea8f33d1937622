/** Distinct values of a column of a plain table. */
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'
import type { ColumnValues } from '../../../model/archive/values-port.ts'
import { quoteName } from '../server/connect.ts'
import { missingTable, RelationCache } from '../server/relation.ts'
import type { CopySession, TextRow } from '../server/session.ts'
import { tableFromSql } from '../server/sql.ts'

/** As `RowValues.values`. Enums are texts. @throws SluiceError SOURCE_GONE; errors of the server */
export async function postgresColumnValues(
  session: CopySession,
  table: TableSpec,
  column: Column,
  most: number,
): Promise<ColumnValues | null> {
  const ask = (sql: string): Promise<readonly TextRow[]> => session.ask(sql)
  if (!(await isComparable(column, ask))) return null
  const relation = await new RelationCache().of(table.table, ask)
  if (relation === null) throw new SluiceError('SOURCE_GONE', missingTable(table.table), { hint: 'plan again' })
  const name = quoteName(column.name)
  // A collation may treat different texts as equal.
  const isText = column.type.kind === 'text' || column.type.kind === 'native'
  const group = isText ? `${name}::text COLLATE "C"` : name
  const rows = await ask(
    `SELECT (${group})::text, count(*)::text FROM ${tableFromSql(relation)} GROUP BY ${group} LIMIT ${most + 1}`,
  )
  const values = rows.slice(0, most).map(([value, count]) => ({ value: value ?? null, rows: BigInt(count ?? 0) }))
  return { values, more: rows.length > most }
}

/** Types of columns to partition by value. No timestamps: each would be a partition of its own. */
const COMPARED: ReadonlySet<Column['type']['kind']> = new Set(['bool', 'int', 'decimal', 'text', 'uuid', 'date'])

async function isComparable({ type }: Column, ask: (sql: string) => Promise<readonly TextRow[]>): Promise<boolean> {
  if (type.kind !== 'native') return COMPARED.has(type.kind)
  const [[kind] = []] = await ask(
    `SELECT typtype FROM pg_catalog.pg_type WHERE oid = pg_catalog.to_regtype(${sqlLiteral(type.name)})::oid`,
  )
  return kind === 'e'
}
