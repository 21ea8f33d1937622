/** Holder of a table's lease. */
import type { CatalogLeaseHolder } from '../../catalog/lease.ts'
import type { Run } from './run-context.ts'

/** A run as the holder of a table's lease. */
export function runLeaseHolder({ owner, commandLine }: Pick<Run, 'owner' | 'commandLine'>): CatalogLeaseHolder {
  return { ...owner, command: commandLine }
}
