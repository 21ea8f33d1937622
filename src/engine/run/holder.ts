/** Holder of a table's lease. */
import type { Holder } from '../../catalog/lease.ts'
import type { Run } from './run-context.ts'

/** A run as the holder of a table's lease. */
export function holderOf({ owner, commandLine }: Pick<Run, 'owner' | 'commandLine'>): Holder {
  return { ...owner, command: commandLine }
}
