/** Migration 5 of this dialect. */
import { leaseOwners } from '../migration-5.ts'

export const owners = leaseOwners(
  `ALTER TABLE catalog_leases ADD COLUMN machine TEXT;
ALTER TABLE catalog_leases ADD COLUMN process_started TEXT;
`,
  `SELECT 1 FROM pragma_table_info('catalog_leases') WHERE name = 'process_started'`,
)
