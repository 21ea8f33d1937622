/** Later migrations of the catalog in MySQL. */
import { rangesAndViews } from '../migration-2.ts'
import { fsckFindings } from '../migration-3.ts'
import { STATUS_TIMES, TIME_TEXT } from '../migration-4.ts'
import { leaseOwners } from '../migration-5.ts'
import type { Migration } from '../dialect-port.ts'

const RANGES_AND_VIEWS = rangesAndViews(
  {
    text: 'longtext',
    key: 'varchar(500)',
    bound: 'varbinary(80)',
    small: 'tinyint',
    int: 'int',
    bigint: 'bigint',
    keys: true,
    end: ' ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = ${binary}',
  },
  {
    create: 'CREATE OR REPLACE VIEW',
    // Do not use FROM_UNIXTIME here: it uses the session's time zone.
    iso: (ms) =>
      `concat(left(date_format(timestampadd(MICROSECOND, ${ms} * 1000, timestamp '1970-01-01 00:00:00'), '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')`,
    quotient: (a, b) => `(${a}) DIV ${b}`,
    whole: (sum) => `CAST(${sum} AS SIGNED)`,
    cardinality: (column) => `CAST(json_unquote(json_extract(${column}, '$.cardinality')) AS SIGNED)`,
  },
)

const FSCK = fsckFindings({
  text: 'longtext',
  key: 'varchar(500)',
  bigint: 'bigint',
  end: ' ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = ${binary}',
})

/** The CASEs are nested, because in strict mode a function fails the statement for a text that is not a date. */
function timeOf(column: string): string {
  const time = `concat(replace(left(${column}, 19), 'T', ' '), coalesce(regexp_substr(substr(${column}, 20), '^[.][0-9]+'), ''))`
  const zone = `regexp_substr(substr(${column}, 20), '[+-][0-9:]+$')`
  const minutes = `CASE WHEN length(${zone}) > 3 THEN right(${zone}, 2) ELSE '00' END`
  return `CASE WHEN ${column} REGEXP ${TIME_TEXT}
    THEN CASE WHEN CAST(substr(${column}, 9, 2) AS SIGNED) <= dayofmonth(last_day(concat(left(${column}, 8), '01')))
      THEN CASE WHEN coalesce(${zone}, '') = '' THEN ${time}
        ELSE CAST(convert_tz(${time}, concat(left(${zone}, 3), ':', ${minutes}), '+00:00') AS CHAR) END END END`
}

const modify = (type: string): string =>
  `ALTER TABLE migration_status ${STATUS_TIMES.map((column) => `MODIFY ${column} ${type} NULL`).join(', ')};\n`

/**
 * Migration 4 of the catalog in MySQL and MariaDB: DATETIME(6) in UTC, because a TIMESTAMP ends in 2038. Every
 * statement commits implicitly, so all statements can run again after a kill at any point. The texts are first changed
 * to the form of the new type. If an older program imports meanwhile, the server refuses the last statement of that
 * import. The same import resumes when it is repeated.
 */
const STATUS_TIMES_SQL = `${modify('longtext')}UPDATE migration_status SET ${STATUS_TIMES.map((column) => `${column} = ${timeOf(column)}`).join(',\n  ')};
${modify('datetime(6)')}`

/** Migration 5 of MySQL and MariaDB: one statement, so that a kill leaves both columns or none. */
const OWNERS = leaseOwners(
  `ALTER TABLE catalog_leases ADD COLUMN machine varchar(190), ADD COLUMN process_started varchar(190);
`,
  `SELECT 1 FROM information_schema.columns
   WHERE table_schema = DATABASE() AND table_name = 'catalog_leases' AND column_name = 'process_started'`,
)

/** Migrations 2 to 5. Never edited after a release. */
export const laterMigrations: readonly Migration[] = [
  { version: 2, name: 'ranges and views', sql: RANGES_AND_VIEWS, breaking: true },
  { version: 3, name: 'fsck', sql: FSCK, breaking: false },
  { version: 4, name: 'times of imports', sql: STATUS_TIMES_SQL, breaking: true },
  OWNERS,
]
