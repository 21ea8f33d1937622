/** Time conditions in the SQL of MySQL. Our sessions are in UTC, so a `timestamp` is read and compared in UTC. */
import type { Column } from '../../../model/copy/column-type.ts'
import { betweenBounds, dayBound, timestampBound, wholeBound } from '../../common/time-bounds.ts'
import { wholeNumber } from '../copy/cells.ts'
import { quoted } from '../copy/names.ts'

/** See `Times.condition`. */
export function mysqlTimeCondition(cutBy: Column, from: string | null, to: string | null): string | null {
  const column = quoted(cutBy.name)
  switch (cutBy.type.kind) {
    case 'date':
      return betweenBounds(column, from, to, (bound) => `DATE '${dayBound(bound)}'`)
    case 'timestamp':
      return betweenBounds(column, from, to, (bound) => `TIMESTAMP '${timestampBound(bound)}'`)
    case 'int':
      return betweenBounds(wholeNumber(column, cutBy), from, to, wholeBound)
    default:
      return null
  }
}
