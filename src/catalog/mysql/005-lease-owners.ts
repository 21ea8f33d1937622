/** Migration 5 of MySQL and MariaDB: one statement, so that a kill leaves both columns or none. */
import { leaseOwners } from '../migration-5.ts'

export const owners = leaseOwners(
  `ALTER TABLE catalog_leases ADD COLUMN machine varchar(190), ADD COLUMN process_started varchar(190);
`,
  `SELECT 1 FROM information_schema.columns
   WHERE table_schema = DATABASE() AND table_name = 'catalog_leases' AND column_name = 'process_started'`,
)
