/** Periods of time in the SQL of PostgreSQL. */
import type { Column } from '../../../model/copy/column-type.ts'
import { betweenBounds, dayBound, momentBound, wholeBound } from '../../common/time-bounds.ts'
import { quoteName } from '../server/connect.ts'

/** As `Times.condition`. */
export function timeCondition({ name, type }: Column, from: string | null, to: string | null): string | null {
  const column = quoteName(name)
  switch (type.kind) {
    case 'date':
      return betweenBounds(column, from, to, (bound) => `DATE '${dayBound(bound)}'`)
    case 'timestamp': {
      if (!type.zone) return betweenBounds(column, from, to, (bound) => `TIMESTAMP '${momentBound(bound)}'`)
      // The zone precedes the era.
      const utc = (bound: string): string => momentBound(bound).replace(/(?= BC$)|$/, '+00')
      return betweenBounds(column, from, to, (bound) => `TIMESTAMPTZ '${utc(bound)}'`)
    }
    case 'int':
      return betweenBounds(column, from, to, wholeBound)
    default:
      return null
  }
}
