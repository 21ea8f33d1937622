/**
 * Periods of time in CQL, and how they are judged. Most releases find rows by the value of a plain column not at all, and some of the others give a
 * value that has been overwritten, where one replica has not heard of it: so rows of a period are picked by the reader.
 */
import { cutFraction } from '../../../model/copy/canonical-time.ts'
import type { Column, TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { betweenBounds, compareTimes, dayBound, momentBound, wholeBound } from '../../common/time-bounds.ts'
import { momentText, msOf } from '../copy/moments.ts'

/** As `CopyStore.timeCondition`. Moments are milliseconds since 1970, which every release reads alike. */
export function timeCondition({ name, type, native }: Column, from: string | null, to: string | null): string | null {
  const column = quotedName(name)
  if (native === 'counter') return null
  switch (type.kind) {
    case 'date':
      return betweenBounds(column, from, to, (bound) => `'${dayBound(bound)}'`)
    case 'timestamp':
      return betweenBounds(column, from, to, msBound)
    case 'int':
      return betweenBounds(column, from, to, wholeBound)
    default:
      return null
  }
}

/** The first millisecond that is not before a moment. */
function msBound(bound: string): string {
  const canonical = momentBound(bound)
  const cut = cutFraction(canonical, 3)
  const ms = msOf(cut)
  if (ms !== null) return String(cut === canonical ? ms : ms + 1)
  throw new SluiceError('VALUE_REFUSED', `no moment of Cassandra is ${bound}`, {
    hint: 'write it as 2024-04-01 00:00:00',
  })
}

const QUOTED = String.raw`("(?:[^"]|"")+")`
const LITERAL = String.raw`('[^']*'|-?\d+)`
const ANY = new RegExp(`^${QUOTED} IS NOT NULL$`)
const FROM = new RegExp(`^${QUOTED} >= ${LITERAL}(?: AND \\1 < ${LITERAL})?$`)
const TO = new RegExp(`^${QUOTED} < ${LITERAL}$`)

export type TimeJudge = {
  readonly column: Column
  /** @param value canonical text */
  readonly holds: (value: string) => boolean
}

/** The same as `timeCondition` says, for the reader; null for whatever else somebody wrote, which the cluster judges. */
export function timeJudge({ columns }: TableSpec, where: string | null): TimeJudge | null {
  if (where === null) return null
  const [, quoted, low, high] = ANY.exec(where) ?? FROM.exec(where) ?? withoutLow(TO.exec(where)) ?? []
  if (quoted === undefined) return null
  const column = columns.find(({ name }) => quotedName(name) === quoted)
  if (column === undefined || timeCondition(column, null, null) === null) return null
  const [from, to] = [boundOf(column, low), boundOf(column, high)]
  const holds = (value: string): boolean =>
    (from === null || compareTimes(value, from) >= 0) && (to === null || compareTimes(value, to) < 0)
  return { column, holds }
}

function withoutLow(found: RegExpExecArray | null): readonly (string | undefined)[] | null {
  return found === null ? null : [found[0], found[1], undefined, found[2]]
}

function boundOf({ type }: Column, literal: string | undefined): string | null {
  if (literal === undefined) return null
  const text = literal.replaceAll("'", '')
  if (type.kind !== 'timestamp') return text
  return literal.startsWith("'") ? momentBound(text) : momentText(Number(literal))
}
