/** Later migrations of the catalog in SQLite. */
import { rangesAndViews } from '../migration-2.ts'
import { fsckFindings } from '../migration-3.ts'
import { leaseOwners } from '../migration-5.ts'
import type { Migration } from '../dialect-port.ts'

const RANGES_AND_VIEWS = rangesAndViews(
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

const FSCK = fsckFindings({ text: 'TEXT', key: 'TEXT', bigint: 'INTEGER', end: '' })

const OWNERS = leaseOwners(
  `ALTER TABLE catalog_leases ADD COLUMN machine TEXT;
ALTER TABLE catalog_leases ADD COLUMN process_started TEXT;
`,
  `SELECT 1 FROM pragma_table_info('catalog_leases') WHERE name = 'process_started'`,
)

/** Migrations 2 to 5. Never edited after a release. */
export const laterMigrations: readonly Migration[] = [
  { version: 2, name: 'ranges and views', sql: RANGES_AND_VIEWS, breaking: true },
  { version: 3, name: 'fsck', sql: FSCK, breaking: false },
  OWNERS,
]
