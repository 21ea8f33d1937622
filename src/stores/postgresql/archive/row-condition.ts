/** Tests of rows in the SQL of PostgreSQL. */
import type { RowTest } from '../../../model/archive/row-test.ts'
import type { Comparison } from '../../../model/lake/condition.ts'
import type { Column } from '../../../model/copy/column-type.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'
import { conditionSql, sameBytes } from '../../common/row-condition.ts'
import { dayBound, timestampBound } from '../../common/time-bounds.ts'
import { quoteName } from '../server/connect.ts'
import { operatorSql } from '../server/sql.ts'

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
      return `${name} ${op} DATE '${dayBound(value)}'`
    case 'timestamp':
      return `${name} ${op} ${type.zone ? `TIMESTAMPTZ '${timestampBound(value)}+00'` : `TIMESTAMP '${timestampBound(value)}'`}`
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
      // Enums: their order exists only in the server, and a renamed value is another text.
      return comparison === '=' || comparison === '<>' ? `${name}::text ${op} ${sqlLiteral(value)} COLLATE "C"` : null
    default:
      return null
  }
}
