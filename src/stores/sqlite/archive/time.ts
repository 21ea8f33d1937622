/**
 * Time conditions in the SQL of SQLite, which stores times as texts or integers. A text is compared with the shortest
 * prefix of the bound: `2024-04-01`, `2024-04-01 00:00:00` and `2024-04-01T00:00:00Z` all sort at or after
 * `2024-04-01`, and every earlier time sorts before it. If a bound has a time of day, `T` is read as a blank, and a `Z`
 * at the end is dropped. Times with an offset are converted to UTC first.
 */
import type { Column } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { betweenBounds, dayBound, timestampBound, movedDay, wholeBound } from '../../common/time-bounds.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'

/** See `Times.condition`. */
export function sqliteTimeCondition({ name, type }: Column, from: string | null, to: string | null): string | null {
  const column = quote(name)
  switch (type.kind) {
    case 'int':
      return betweenBounds(column, from, to, wholeBound)
    case 'date':
      return betweenBounds(column, from, to, (bound) => `'${ofFourDigits(dayBound(bound))}'`)
    case 'text':
      return textCondition(column, from, to)
    case 'timestamp':
      return type.zone ? instantCondition(column, from, to) : textCondition(column, from, to)
    default:
      return null
  }
}

/** SQL by which times of a column sort as texts, in UTC if they have a zone; NULL for some texts that are no times. */
export function sortedText(column: string, zone: boolean): string {
  return zone ? inUtc(column) : withoutMarks(column)
}

function withoutMarks(column: string): string {
  return `rtrim(replace(${column}, 'T', ' '), 'Zz')`
}

/** For `+02`, `+0200` and `+02:00`; SQLite itself knows only the last, and loses fractions. */
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
    // The date alone comes first: for that an index can be used.
    return `${column} ${op} '${op === '<' ? movedDay(day, 1) : day}' AND ${withoutMarks(column)} ${op} '${text}'`
  }
  const sides = [...(from === null ? [] : [side('>=', from)]), ...(to === null ? [] : [side('<', to)])]
  return sides.length === 0 ? `${column} IS NOT NULL` : sides.join(' AND ')
}

/** The limits for the index are a day wider: no offset from UTC reaches 24 hours. */
function instantCondition(column: string, from: string | null, to: string | null): string {
  const sides = [
    ...(from === null ? [] : [`${column} >= '${movedDay(shortest(from).slice(0, 10), -1)}'`]),
    ...(to === null ? [] : [`${column} < '${movedDay(shortest(to).slice(0, 10), 2)}'`]),
    betweenBounds(`(${inUtc(column)})`, from, to, (bound) => `'${shortest(bound)}'`),
  ]
  return sides.join(' AND ')
}

/** The shortest text of a time: all texts of it begin with this or sort after it. */
function shortest(bound: string): string {
  return ofFourDigits(
    timestampBound(bound)
      .replace(/ 00:00:00$/, '')
      .replace(/:00$/, ''),
  )
}

function ofFourDigits(text: string): string {
  if (/^\d{4}-/.test(text) && !text.endsWith(' BC')) return text
  throw new SluiceError('VALUE_REFUSED', `a period in SQLite cannot begin or end at ${text}`, {
    reason: 'times are texts in SQLite, which sort by time only in the years 0000 to 9999',
  })
}
