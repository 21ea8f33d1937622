/**
 * Row conditions in the SQL of SQLite. Decimals, times, uuids and booleans are stored there as texts and numbers with
 * several spellings, so none of them is compared by value.
 */
import type { RowTest } from '../../../model/archive/row-test.ts'
import type { Comparison } from '../../../model/lake/condition.ts'
import type { Column } from '../../../model/copy/column-type.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'
import { conditionSql } from '../../common/row-condition.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'

/** See `RowValues.condition`. */
export function sqliteRowCondition(columns: readonly Column[], test: RowTest): string | null {
  return conditionSql(columns, test, { quote: quote, compare })
}

function compare(name: string, { type, native }: Column, op: Comparison, value: string): string | null {
  switch (type.kind) {
    case 'int':
      return `${name} ${op} ${value}`
    case 'text':
      // A text may be stored as a number if the column does not have text affinity.
      if ((op !== '=' && op !== '<>') || affinityOf(native) !== 'text' || value.includes('\0')) return null
      return `${name} COLLATE BINARY ${op} ${sqlLiteral(value)}`
    default:
      return null
  }
}
