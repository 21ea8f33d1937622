/**
 * Migration 5: machine and start time of the process that has a lease. Both are needed to identify the process. Older
 * programs can use such a catalog, and leave both columns as they are. Never edited after a release; later changes are
 * new migrations.
 */
import type { Migration } from './dialect-port.ts'

export const OWNERS_VERSION = 5

/** @param done query that returns a row if both columns exist, for databases whose ADD COLUMN has no IF NOT EXISTS */
export function leaseOwners(sql: string, done?: string): Migration {
  const migration = { version: OWNERS_VERSION, name: 'owners of leases', sql, breaking: false }
  return done === undefined ? migration : { ...migration, done }
}
