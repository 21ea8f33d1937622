/** Periods of time in the SQL of MySQL. Sessions of ours are in UTC, which is what a `timestamp` is read and compared in. */
import type { Column } from '../../../model/copy/column-type.ts'
import { betweenBounds, dayBound, momentBound, wholeBound } from '../../time-bounds.ts'
import { quoted } from '../copy/names.ts'

/** As `CopyStore.timeCondition`. */
export function timeCondition({ name, type }: Column, from: string | null, to: string | null): string | null {
  const column = quoted(name)
  switch (type.kind) {
    case 'date':
      return betweenBounds(column, from, to, (bound) => `DATE '${dayBound(bound)}'`)
    case 'timestamp':
      return betweenBounds(column, from, to, (bound) => `TIMESTAMP '${momentBound(bound)}'`)
    case 'int':
      return betweenBounds(column, from, to, wholeBound)
    default:
      return null
  }
}
