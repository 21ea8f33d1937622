/** Times as conditions in the SQL of DuckDB. */
import type { Column } from '../../../model/copy/column-type.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { betweenBounds, dayBound, timestampBound, wholeBound } from '../../common/time-bounds.ts'
import { duckText } from '../copy/spell.ts'

/** As `Times.condition`. */
export function timeCondition({ name, type }: Column, from: string | null, to: string | null): string | null {
  const column = quotedName(name)
  switch (type.kind) {
    case 'date':
      return betweenBounds(column, from, to, (bound) => `DATE '${duckText(type, dayBound(bound))}'`)
    case 'timestamp': {
      if (type.digits > 6) return withinNanoseconds(column, from, to)
      const native = type.zone ? 'TIMESTAMPTZ' : 'TIMESTAMP'
      return betweenBounds(column, from, to, (bound) => `${native} '${duckText(type, timestampBound(bound))}'`)
    }
    case 'int':
      return betweenBounds(column, from, to, wholeBound)
    default:
      return null
  }
}

/** First and last whole second of TIMESTAMP_NS, which has no literals outside of them. */
const NANOSECONDS = { first: '1677-09-21 00:12:44', last: '2262-04-11 23:47:16' }

/** `Times.condition` for TIMESTAMP_NS. */
function withinNanoseconds(column: string, from: string | null, to: string | null): string {
  const isBefore = (bound: string): boolean =>
    bound.endsWith(' BC') || (/^\d{4}-/.test(bound) && bound < NANOSECONDS.first)
  const isBehind = (bound: string): boolean =>
    !bound.endsWith(' BC') && (/^\d{5}/.test(bound) || bound > NANOSECONDS.last)
  const low = from === null ? null : timestampBound(from)
  const high = to === null ? null : timestampBound(to)
  if ((low !== null && isBehind(low)) || (high !== null && isBefore(high))) return 'false'
  return betweenBounds(
    column,
    low === null || isBefore(low) ? null : low,
    high === null || isBehind(high) ? null : high,
    (bound) => `TIMESTAMP_NS '${bound}'`,
  )
}
