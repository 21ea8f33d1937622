/** Migration 2 of the SQLite catalog. */
import { rangesAndViews } from '../migration-2.ts'

export const sql = rangesAndViews(
  {
    text: 'TEXT',
    key: 'TEXT',
    bound: 'BLOB',
    small: 'INTEGER',
    int: 'INTEGER',
    bigint: 'INTEGER',
    keys: true,
    end: ' WITHOUT ROWID',
  },
  {
    create: 'CREATE VIEW',
    iso: (ms) => `strftime('%Y-%m-%dT%H:%M:%fZ', ${ms} / 1000.0, 'unixepoch')`,
    quotient: (a, b) => `(${a}) / ${b}`,
    whole: (sum) => sum,
    cardinality: (column) => `CAST(${column} -> '$.cardinality' AS INTEGER)`,
  },
)
