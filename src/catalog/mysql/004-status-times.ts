/**
 * Migration 4 of the catalog in MySQL and MariaDB: DATETIME(6) in UTC, because a TIMESTAMP ends in 2038. Every statement commits by itself: the texts are brought
 * into the form that the new type takes, and the whole can run again after each of its statements, the last one too. An import of an older
 * program that runs meanwhile is refused its last statement by the server; the same import again goes on where it stood.
 */
import { STATUS_TIMES, TIME_TEXT } from '../migration-4.ts'

/** Nested, because a strict server ends the statement at a function of what is no date. */
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
