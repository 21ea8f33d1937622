/** Periods of time in the SQL of MySQL. Sessions of ours are in UTC, which is what a `timestamp` is read and compared in. */
import type { Column } from '../../../model/copy/column-type.ts'
import { betweenBounds, dayBound, momentBound, wholeBound } from '../../common/time-bounds.ts'
import { wholeNumber } from '../copy/cells.ts'
import { quoted } from '../copy/names.ts'

/** As `CopyStore.timeCondition`. */
export function timeCondition(cutBy: Column, from: string | null, to: string | null): string | null {
  const column = quoted(cutBy.name)
  switch (cutBy.type.kind) {
    case 'date':
      return betweenBounds(column, from, to, (bound) => `DATE '${dayBound(bound)}'`)
    case 'timestamp':
      return betweenBounds(column, from, to, (bound) => `TIMESTAMP '${momentBound(bound)}'`)
    case 'int':
      return betweenBounds(wholeNumber(column, cutBy), from, to, wholeBound)
    default:
      return null
  }
}
