/** Tests of rows in the SQL of PostgreSQL, and distinct values of a column of a plain table. */
import type { RowTest } from '../../../model/archive/row-test.ts'
import type { Comparison } from '../../../model/lake/condition.ts'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'
import { conditionSql, sameBytes } from '../../common/row-condition.ts'
import { quoteName } from '../server/connect.ts'
import { timeLiteral } from './time.ts'
import { operatorSql, tableFromSql } from '../server/sql.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ColumnValues } from '../../../model/archive/values-port.ts'
import { missingTable, findRelation } from '../server/relation.ts'
import type { CopySession, TextRow } from '../server/session.ts'

/** As `RowValues.condition`. */
export function postgresRowCondition(columns: readonly Column[], test: RowTest): string | null {
  return conditionSql(columns, test, { quote: quoteName, compare })
}

function compare(name: string, column: Column, comparison: Comparison, value: string): string | null {
  const { type } = column
  const [op, equal] = [operatorSql(comparison, [column]), operatorSql('=', [column])]
  switch (type.kind) {
    case 'bool':
      return `${name} ${op} ${value === '1'}`
    case 'int':
      return `${name} ${op} (${value})`
    case 'decimal':
      return `${name} ${op} ${sqlLiteral(value)}::numeric`
    case 'date':
    case 'timestamp':
      return `${name} ${op} ${timeLiteral(type, value)}`
    case 'uuid':
      return `${name} ${op} ${sqlLiteral(value)}::uuid`
    case 'text':
      // A collation may treat different texts as equal.
      if (comparison !== '=' && comparison !== '<>') return null
      return sameBytes(
        comparison,
        `${name} ${equal} ${sqlLiteral(value)}`,
        `${name} ${equal} ${sqlLiteral(value)} COLLATE "C"`,
      )
    case 'native':
      // Enums: only the server knows their order, so only `=` and `<>` are possible. They are compared as texts: a
      // renamed value does not equal its old name.
      return comparison === '=' || comparison === '<>' ? `${name}::text ${op} ${sqlLiteral(value)} COLLATE "C"` : null
    default:
      return null
  }
}

/** As `RowValues.values`. Enums are texts. @throws SluiceError SOURCE_GONE; errors of the server */
export async function postgresColumnValues(
  session: CopySession,
  table: TableSpec,
  column: Column,
  most: number,
): Promise<ColumnValues | null> {
  const ask = (sql: string): Promise<readonly TextRow[]> => session.ask(sql)
  if (!(await isComparable(column, ask))) return null
  const relation = await findRelation(table.table, ask)
  if (relation === null)
    throw new SluiceError('SOURCE_GONE', missingTable(table.table), { hint: 'run the same command again' })
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
