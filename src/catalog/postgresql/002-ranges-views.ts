/** Migration 2 of the PostgreSQL catalog. */
import { rangesAndViews } from '../migration-2.ts'

export const sql = rangesAndViews(
  {
    text: 'text COLLATE "C"',
    key: 'text COLLATE "C"',
    bound: 'bytea',
    small: 'smallint',
    int: 'integer',
    bigint: 'bigint',
    keys: true,
    end: '',
  },
  {
    create: 'CREATE OR REPLACE VIEW',
    iso: (ms) =>
      `to_char(timestamp '1970-01-01 00:00:00' + ${ms} * interval '1 millisecond', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
    quotient: (a, b) => `(${a}) / ${b}`,
    // A sum of bigints is a numeric, whose quotients have fractions.
    whole: (sum) => `CAST(${sum} AS bigint)`,
    cardinality: (column) => `CAST(${column}::json ->> 'cardinality' AS bigint)`,
  },
)
