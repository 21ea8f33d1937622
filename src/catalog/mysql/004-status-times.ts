/**
 * Migration 4 of the catalog in MySQL and MariaDB: DATETIME(6) in UTC, because a TIMESTAMP ends in 2038. Every
 * statement commits by itself: the texts are first changed to the form of the new type, and the whole can run again
 * after each statement, also the last. If an older program imports meanwhile, the server refuses its last statement;
 * repeating that import resumes it.
 */
import { STATUS_TIMES, TIME_TEXT } from '../migration-4.ts'

/** Nested, because a strict server fails the statement if a function gets a text that is not a date. */
function timeOf(column: string): string {
  const moment = `concat(replace(left(${column}, 19), 'T', ' '), coalesce(regexp_substr(substr(${column}, 20), '^[.][0-9]+'), ''))`
  const zone = `regexp_substr(substr(${column}, 20), '[+-][0-9:]+$')`
  const minutes = `CASE WHEN length(${zone}) > 3 THEN right(${zone}, 2) ELSE '00' END`
  return `CASE WHEN ${column} REGEXP ${TIME_TEXT}
    THEN CASE WHEN CAST(substr(${column}, 9, 2) AS SIGNED) <= dayofmonth(last_day(concat(left(${column}, 8), '01')))
      THEN CASE WHEN coalesce(${zone}, '') = '' THEN ${moment}
        ELSE CAST(convert_tz(${moment}, concat(left(${zone}, 3), ':', ${minutes}), '+00:00') AS CHAR) END END END`
}

const modify = (type: string): string =>
  `ALTER TABLE migration_status ${STATUS_TIMES.map((column) => `MODIFY ${column} ${type} NULL`).join(', ')};\n`

export const sql = `${modify('longtext')}UPDATE migration_status SET ${STATUS_TIMES.map((column) => `${column} = ${timeOf(column)}`).join(',\n  ')};
${modify('datetime(6)')}`
