/**
 * Migration 5: the machine and start of the process that holds a lease, which identify it. Older programs can use such
 * a catalog, and leave both columns as they are. Never edited after a release; later changes are new migrations.
 */
import type { Migration } from './dialect-port.ts'

export const OWNERS_VERSION = 5

/** @param done query that gives a row if both columns exist, for databases without IF NOT EXISTS here */
export function leaseOwners(sql: string, done?: string): Migration {
  const migration = { version: OWNERS_VERSION, name: 'owners of leases', sql, breaking: false }
  return done === undefined ? migration : { ...migration, done }
}
