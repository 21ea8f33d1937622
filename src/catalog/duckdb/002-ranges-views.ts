/** Migration 2 of the DuckDB catalog; ranges have no keys, like its other large relations. */
import { rangesAndViews } from '../migration-2.ts'

export const sql = rangesAndViews(
  {
    text: 'VARCHAR',
    key: 'VARCHAR',
    bound: 'BLOB',
    small: 'BIGINT',
    int: 'BIGINT',
    bigint: 'BIGINT',
    keys: false,
    end: '',
  },
  {
    create: 'CREATE OR REPLACE VIEW',
    iso: (ms) => `strftime(make_timestamp(${ms} * 1000), '%Y-%m-%dT%H:%M:%S.%gZ')`,
    quotient: (a, b) => `(${a}) // ${b}`,
    // A sum of BIGINTs is a HUGEINT.
    whole: (sum) => `CAST(${sum} AS BIGINT)`,
    cardinality: (column) => `CAST(json_extract_string(${column}, '$.cardinality') AS BIGINT)`,
  },
)
