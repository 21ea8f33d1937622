/** Migration 2 of the catalog in MySQL and MariaDB. */
import { rangesAndViews } from '../migration-2.ts'

export const sql = rangesAndViews(
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
    // FROM_UNIXTIME uses the session's time zone.
    iso: (ms) =>
      `concat(left(date_format(timestampadd(MICROSECOND, ${ms} * 1000, timestamp '1970-01-01 00:00:00'), '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')`,
    quotient: (a, b) => `(${a}) DIV ${b}`,
    whole: (sum) => `CAST(${sum} AS SIGNED)`,
    cardinality: (column) => `CAST(json_unquote(json_extract(${column}, '$.cardinality')) AS SIGNED)`,
  },
)
