/** Migration 5 of this dialect. */
import { leaseOwners } from '../migration-5.ts'

export const owners = leaseOwners(
  `ALTER TABLE catalog_leases ADD COLUMN IF NOT EXISTS machine text, ADD COLUMN IF NOT EXISTS process_started text;
`,
)
