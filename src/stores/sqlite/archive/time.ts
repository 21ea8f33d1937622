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

/**
 * See `Times.around`. SQLite enforces no types. In an integer column, numbers are compared; texts and bytes meet the
 * condition. In a time column, texts that begin with a day are compared by this day; all other values meet it.
 */
export function sqliteTimeAround({ name, type }: Column, from: string | null, to: string | null): string | null {
  const column = quote(name)
  switch (type.kind) {
    case 'int': {
      const sides = [
        // A fraction is between two whole numbers: 5.5 is above 5 and below 6.
        ...(from === null ? [] : [`${column} > ${BigInt(wholeBound(from)) - 1n}`]),
        ...(to === null ? [] : [`${column} < ${wholeBound(to)}`]),
      ]
      return sides.length === 0 ? `${column} IS NOT NULL` : `(${sides.join(' AND ')}) OR ${column} >= ''`
    }
    case 'date':
    case 'timestamp': {
      const days = betweenBounds(column, from, to, (bound) => `'${ofFourDigits(timestampBound(bound)).slice(0, 10)}'`)
      return `(${days}) OR NOT (${beginsWithDay(column)})`
    }
    default:
      return null
  }
}

/** True for texts that begin with a day of the calendar and may have a time of day after it; NULL for NULL. */
function beginsWithDay(column: string): string {
  const day = `substr(${column}, 1, 10)`
  const rest = `substr(${column}, 11)`
  return (
    `typeof(${column}) IN ('text', 'null') AND date(${day}) IS ${day} ` +
    `AND ${rest} NOT GLOB '[0-9.:]*' AND ${rest} NOT GLOB '*[^0-9 T:.Z+-]*'`
  )
}

/**
 * SQL of a text by which the times of a column sort, in UTC if the column has a zone. NULL for some texts that are not
 * times.
 */
export function sortedText(column: string, zone: boolean): string {
  return zone ? inUtc(column) : withoutMarks(column)
}

function withoutMarks(column: string): string {
  return `rtrim(replace(${column}, 'T', ' '), 'Zz ')`
}

/**
 * SQL for a time in UTC. It accepts the offsets below 24 hours that `canonicalInstant` reads; NULL for other offsets.
 * If the time has no seconds, SQLite adds them.
 */
function inUtc(column: string): string {
  const sign = `instr(replace(substr(${column}, 11), '+', '-'), '-')`
  const local = `rtrim(substr(${column}, 1, 9 + ${sign}))`
  const digits = `replace(substr(${column}, 11 + ${sign}), ':', '')`
  const seconds = `(substr(${digits}, 1, 2) * 3600 + substr(${digits}, 3, 2) * 60 + substr(${digits}, 5, 2))`
  const isOffset = [1, 2, 3].map((pairs) => `${digits} GLOB '${'[0-9][0-9]'.repeat(pairs)}'`).join(' OR ')
  const back = `CASE substr(${column}, 10 + ${sign}, 1) WHEN '+' THEN '-' ELSE '+' END || ${seconds} || ' seconds'`
  return (
    `CASE WHEN ${sign} = 0 THEN ${withoutMarks(column)} ` +
    `WHEN (${isOffset}) AND ${seconds} < 86400 THEN datetime(substr(${local}, 1, 19), ${back}) || substr(${local}, 20) END`
  )
}

function textCondition(column: string, from: string | null, to: string | null): string {
  const side = (op: '>=' | '<', bound: string): string => {
    const text = shortest(bound)
    if (text.length === 10) return `${column} ${op} '${text}'`
    const day = text.slice(0, 10)
    // The condition on the date alone comes first, because it can use an index.
    return `${column} ${op} '${op === '<' ? movedDay(day, 1) : day}' AND ${withoutMarks(column)} ${op} '${text}'`
  }
  const sides = [...(from === null ? [] : [side('>=', from)]), ...(to === null ? [] : [side('<', to)])]
  return sides.length === 0 ? `${column} IS NOT NULL` : sides.join(' AND ')
}

/** The limits for the index are a day wider, because an offset in `inUtc` is less than 24 hours. */
function instantCondition(column: string, from: string | null, to: string | null): string {
  const sides = [
    ...(from === null ? [] : [`${column} >= '${movedDay(shortest(from).slice(0, 10), -1)}'`]),
    ...(to === null ? [] : [`${column} < '${movedDay(shortest(to).slice(0, 10), 2)}'`]),
    betweenBounds(`(${inUtc(column)})`, from, to, (bound) => `'${shortest(bound)}'`),
  ]
  return sides.join(' AND ')
}

/** The shortest text of a time: all texts of the same time begin with it or sort after it. */
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
