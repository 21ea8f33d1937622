/** Tests of rows in the SQL of SQLite. Its decimals and times are texts and numbers in any spelling: it compares none of them by value. */
import type { RowTest } from '../../../model/archiving/row-test.ts'
import type { Comparison } from '../../../model/condition.ts'
import type { Column } from '../../../model/copy/column-type.ts'
import { conditionSql } from '../../row-condition.ts'
import { quote } from '../../sqlite-dialect/ddl.ts'

/** As `CopyStore.rowCondition`. */
export function rowCondition(columns: readonly Column[], test: RowTest): string | null {
  return conditionSql(columns, test, { quote: quote, compare })
}

function compare(name: string, { type }: Column, op: Comparison, value: string): string | null {
  switch (type.kind) {
    case 'bool':
    case 'int':
      return `${name} ${op} ${value}`
    case 'uuid':
    case 'text':
      if (op !== '=' && op !== '<>') return null
      return `${name} COLLATE BINARY ${op} CAST(X'${Buffer.from(value).toString('hex')}' AS TEXT)`
    default:
      return null
  }
}
