/** Row conditions in the SQL of MySQL. */
import type { RowTest } from '../../../model/archive/row-test.ts'
import type { Comparison } from '../../../model/lake/condition.ts'
import { isEnum } from '../../../model/copy/members.ts'
import type { Column } from '../../../model/copy/column-type.ts'
import { conditionSql, sameBytes } from '../../common/row-condition.ts'
import { dayBound, timestampBound } from '../../common/time-bounds.ts'
import { enumMemberSql, wholeNumber } from '../copy/cells.ts'
import { isNull, quoted } from '../copy/names.ts'

/** See `RowValues.condition`. */
export function mysqlRowCondition(columns: readonly Column[], test: RowTest): string | null {
  return conditionSql(columns, test, { quote: quoted, isNull, compare })
}

function compare(name: string, column: Column, op: Comparison, value: string): string | null {
  const { type } = column
  switch (type.kind) {
    case 'bool':
    case 'int':
      return `${wholeNumber(name, column)} ${op} ${value}`
    case 'decimal':
      // A literal of digits is exact, whatever its length.
      return `${name} ${op} ${value}`
    case 'date':
      return `${name} ${op} DATE '${dayBound(value)}'`
    case 'timestamp':
      return `${name} ${op} TIMESTAMP '${timestampBound(value)}'`
    case 'native':
    case 'uuid':
    case 'text': {
      if (type.kind === 'native' && !isEnum(type.name)) return null
      if (op !== '=' && op !== '<>') return null
      const bytes = `X'${Buffer.from(value).toString('hex')}'`
      const text = enumMemberSql(name, type)
      const rule = ruleOf(column)
      return sameBytes(
        op,
        rule === null ? null : `${text} = CONVERT(${bytes} USING utf8mb4)${rule}`,
        `CAST(CONVERT(${text} USING utf8mb4) AS BINARY) = ${bytes}`,
      )
    }
    default:
      return null
  }
}

/**
 * SQL that names the collation of a column, because the server refuses to choose one of two.
 * @returns null for another character set: each value is converted, so no index could help
 */
function ruleOf({ type, collation }: Column): string | null {
  if (type.kind === 'uuid' || collation === undefined) return ''
  return collation.startsWith('utf8mb4_') ? ` COLLATE ${collation}` : null
}
