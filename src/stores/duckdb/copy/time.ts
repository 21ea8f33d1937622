/** Periods of time in the SQL of DuckDB. */
import type { Column } from '../../../model/copy/column-type.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { betweenBounds, dayBound, momentBound, wholeBound } from '../../common/time-bounds.ts'
import { duckText } from './spell.ts'

/** As `CopyStore.timeCondition`. */
export function timeCondition({ name, type }: Column, from: string | null, to: string | null): string | null {
  const column = quotedName(name)
  switch (type.kind) {
    case 'date':
      return betweenBounds(column, from, to, (bound) => `DATE '${duckText(type, dayBound(bound))}'`)
    case 'timestamp': {
      const native = type.zone ? 'TIMESTAMPTZ' : type.digits > 6 ? 'TIMESTAMP_NS' : 'TIMESTAMP'
      return betweenBounds(column, from, to, (bound) => `${native} '${duckText(type, momentBound(bound))}'`)
    }
    case 'int':
      return betweenBounds(column, from, to, wholeBound)
    default:
      return null
  }
}
