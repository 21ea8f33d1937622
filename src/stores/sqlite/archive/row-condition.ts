/** Tests of rows in the SQL of SQLite. Its decimals, times, uuids and booleans are texts and numbers in any spelling: it compares none of them by value. */
import type { RowTest } from '../../../model/archive/row-test.ts'
import type { Comparison } from '../../../model/lake/condition.ts'
import type { Column } from '../../../model/copy/column-type.ts'
import { literal } from '../../../shared/sql-text.ts'
import { conditionSql } from '../../common/row-condition.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'

/** As `CopyStore.rowCondition`. */
export function rowCondition(columns: readonly Column[], test: RowTest): string | null {
  return conditionSql(columns, test, { quote: quote, compare })
}

function compare(name: string, { type, native }: Column, op: Comparison, value: string): string | null {
  switch (type.kind) {
    case 'int':
      return `${name} ${op} ${value}`
    case 'text':
      // A number in a column of another affinity may be a text by its type.
      if ((op !== '=' && op !== '<>') || affinityOf(native) !== 'text' || value.includes('\0')) return null
      return `${name} COLLATE BINARY ${op} ${literal(value)}`
    default:
      return null
  }
}
