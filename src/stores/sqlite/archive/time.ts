/**
 * Periods of time in the SQL of SQLite, which has no times: they are texts, or whole numbers. No driver is needed here.
 *
 * A text is compared as it stands with the shortest text that a moment begins with: `2024-04-01`, `2024-04-01 00:00:00` and `2024-04-01T00:00:00Z` all
 * come at or behind `2024-04-01`, and whatever is before that moment comes before it. Where a bound has a time of day, `T` counts as a blank and a `Z` at
 * the end as nothing. Moments with an offset are brought to UTC first.
 */
import type { Column } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { betweenBounds, dayBound, momentBound, movedDay, wholeBound } from '../../common/time-bounds.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'

/** As `CopyStore.timeCondition`. */
export function timeCondition({ name, type }: Column, from: string | null, to: string | null): string | null {
  const column = quote(name)
  switch (type.kind) {
    case 'int':
      return betweenBounds(column, from, to, wholeBound)
    case 'date':
      return betweenBounds(column, from, to, (bound) => `'${ofFourDigits(dayBound(bound))}'`)
    case 'text':
      return textCondition(column, from, to)
    case 'timestamp':
      return type.zone ? momentCondition(column, from, to) : textCondition(column, from, to)
    default:
      return null
  }
}

/** The expression that times of a column sort by as texts, in UTC where they are moments; NULL for some texts that are none. */
export function sortedText(column: string, zone: boolean): string {
  return zone ? inUtc(column) : withoutMarks(column)
}

function withoutMarks(column: string): string {
  return `rtrim(replace(${column}, 'T', ' '), 'Zz')`
}

/** `+02`, `+0200` and `+02:00`; SQLite knows the last only, and loses fractions. */
function inUtc(column: string): string {
  const moved = (offset: string, length: number): string =>
    `datetime(substr(${column}, 1, 19) || ${offset}) || substr(${column}, 20, length(${column}) - ${19 + length})`
  return (
    `CASE WHEN NOT substr(${column}, 11) GLOB '*[+-]*' THEN ${withoutMarks(column)} ` +
    `WHEN ${column} GLOB '*[+-][0-9][0-9]' THEN ${moved(`substr(${column}, -3) || ':00'`, 3)} ` +
    `WHEN ${column} GLOB '*[+-][0-9][0-9][0-9][0-9]' THEN ${moved(`substr(${column}, -5, 3) || ':' || substr(${column}, -2)`, 5)} ` +
    `ELSE ${moved(`substr(${column}, -6)`, 6)} END`
  )
}

function textCondition(column: string, from: string | null, to: string | null): string {
  const side = (op: '>=' | '<', bound: string): string => {
    const text = shortest(bound)
    if (text.length === 10) return `${column} ${op} '${text}'`
    const day = text.slice(0, 10)
    // By the day alone first, for which an index can be used.
    return `${column} ${op} '${op === '<' ? movedDay(day, 1) : day}' AND ${withoutMarks(column)} ${op} '${text}'`
  }
  const sides = [...(from === null ? [] : [side('>=', from)]), ...(to === null ? [] : [side('<', to)])]
  return sides.length === 0 ? `${column} IS NOT NULL` : sides.join(' AND ')
}

/** No place on earth is a whole day away from UTC. */
function momentCondition(column: string, from: string | null, to: string | null): string {
  const sides = [
    ...(from === null ? [] : [`${column} >= '${movedDay(shortest(from).slice(0, 10), -1)}'`]),
    ...(to === null ? [] : [`${column} < '${movedDay(shortest(to).slice(0, 10), 2)}'`]),
    betweenBounds(`(${inUtc(column)})`, from, to, (bound) => `'${shortest(bound)}'`),
  ]
  return sides.join(' AND ')
}

/** What every text of a moment begins with, or sorts behind. */
function shortest(bound: string): string {
  return ofFourDigits(
    momentBound(bound)
      .replace(/ 00:00:00$/, '')
      .replace(/:00$/, ''),
  )
}

function ofFourDigits(text: string): string {
  if (/^\d{4}-/.test(text) && !text.endsWith(' BC')) return text
  throw new SluiceError('VALUE_REFUSED', `no period of SQLite begins or ends at ${text}`, {
    reason: 'its times are texts, which sort by time only in the years 0000 to 9999',
  })
}
