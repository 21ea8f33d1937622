/**
 * Migration 5: what tells the process that holds a lease from all others, its machine and its start. Older programs go on in such a catalog, and leave both columns
 * as they are. Never edited after a release; later changes are new migrations.
 */
import type { Migration } from './dialect-port.ts'

export const OWNERS_VERSION = 5

/** @param done query that gives a row where both columns are there, of databases that cannot leave out what is there */
export function leaseOwners(sql: string, done?: string): Migration {
  const migration = { version: OWNERS_VERSION, name: 'owners of leases', sql, breaking: false }
  return done === undefined ? migration : { ...migration, done }
}
